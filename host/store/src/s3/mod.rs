//! Objects of an S3 bucket.

use std::sync::Arc;

use crate::{Settings, StoreError, objects::Objects};

/// The objects of `s3://bucket/prefix`.
pub(crate) async fn open(_settings: &Settings) -> Result<Arc<dyn Objects>, StoreError> {
    Err(StoreError::Unsupported { scheme: "s3".to_owned() })
}
