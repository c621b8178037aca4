//! `GET /openapi.json`.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use crate::state::AppState;

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operation",
    responses((status = 200, description = "This document.", content_type = "application/json", body = Object)),
)]
pub(super) async fn openapi(State(state): State<AppState>) -> Response {
    ([(CONTENT_TYPE, "application/json")], state.openapi.to_string()).into_response()
}
