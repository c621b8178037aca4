//! What every handler works with.

use std::sync::Arc;

use taster_store::Store;

use crate::{readiness::Readiness, request_log::Requests, store_metrics::StoreMetrics};

/// The state that handlers share.
#[derive(Clone)]
pub(super) struct AppState {
    pub(super) store: Store,
    pub(super) readiness: Arc<Readiness>,
    pub(super) store_metrics: Arc<StoreMetrics>,
    pub(super) requests: Arc<Requests>,
    /// The `OpenAPI` document as JSON.
    pub(super) openapi: Arc<str>,
}
