//! `GET /healthz` and `GET /readyz`.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{error::RequestError, state::AppState};

/// The response of a healthy server.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// Always `ok`; an unhealthy server answers with an error.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Check that the process is alive
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "alive",
    tag = "operation",
    security(()),
    responses((status = 200, description = "The process is alive.", body = ref("#/components/schemas/Health"))),
)]
pub(super) async fn alive() -> Json<Health> {
    Json(OK)
}

/// Check that the store can be reached
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "The store can be reached.", body = ref("#/components/schemas/Health")),
    ),
)]
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Health>, RequestError> {
    match state.readiness.check(&state.store).await {
        Ok(()) => Ok(Json(OK)),
        // the cause is only logged, because no token is required here
        Err(cause) => {
            let error = taster_text::escape_hidden(&taster_text::redact_credentials(&cause));
            tracing::warn!(%error, "not ready");
            Err(RequestError::NotReady)
        }
    }
}
