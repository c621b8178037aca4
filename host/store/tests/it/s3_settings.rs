//! Store settings for the S3 server of the testkit.

use std::time::Duration;

use taster_store::{Keys, S3Settings, Settings};
use taster_testkit::s3::{BUCKET, ID, SECRET};

/// Settings for the server with this URL, with valid keys.
pub(crate) fn settings(endpoint: &str) -> Settings {
    let s3 = S3Settings {
        endpoint: Some(endpoint.to_owned()),
        patience: Some(Duration::from_secs(20)),
        keys: Some(Keys { id: ID.to_owned(), secret: SECRET.to_owned() }),
        ..S3Settings::default()
    };
    Settings { url: format!("s3://{BUCKET}/stage"), s3 }
}
