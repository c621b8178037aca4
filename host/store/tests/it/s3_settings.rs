//! Store settings for the S3 server of the testkit.

use std::time::Duration;

use taster_store::{AccessKey, S3Settings, Settings};
use taster_testkit::s3::{BUCKET, ID, SECRET};

/// Settings for the server with this URL, with a valid access key.
pub(crate) fn settings(endpoint: &str) -> Settings {
    let s3 = S3Settings {
        endpoint: Some(endpoint.to_owned()),
        retry_timeout: Some(Duration::from_secs(20)),
        access_key: Some(AccessKey { id: ID.to_owned(), secret: SECRET.to_owned() }),
        ..S3Settings::default()
    };
    Settings { url: format!("s3://{BUCKET}/stage"), s3 }
}
