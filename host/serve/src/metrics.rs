//! `GET /metrics`.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use prometheus_client::{encoding::text, metrics::info::Info, registry::Registry};
use taster_model::VERSION;

use crate::state::AppState;

/// `OpenMetrics`: what Prometheus reads since its version 2.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Read metrics of runs and of the server
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operation",
    responses((status = 200, description = "Metrics in the OpenMetrics format.",
        content_type = "application/openmetrics-text", body = String)),
)]
pub(super) async fn metrics(State(state): State<AppState>) -> Response {
    let mut registry = Registry::with_prefix("taster");
    registry.register("build", "Version of Taster", Info::new(vec![("version", VERSION)]));
    state.requests.register(&mut registry);
    state.store_metrics.register(&state.store, &mut registry).await;
    let mut text = String::new();
    // writing to a string cannot fail
    let _ = text::encode(&mut text, &registry);
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}
