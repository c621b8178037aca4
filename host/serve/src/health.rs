//! Whether the server lives, and whether it could answer.

use std::time::{Duration, Instant};

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use taster_store::Store;
use tokio::sync::Mutex;

use super::{Site, refusal::Refused};

/// How long what the store said counts.
const FRESH: Duration = Duration::from_secs(1);
/// How long the store may take to say something.
const PATIENCE: Duration = Duration::from_secs(5);

/// That everything is well.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// `ok`; whoever is not well does not say so.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

const WELL: Health = Health { status: "ok" };

/// Whether the store was reached, and when.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Whether the store can be reached. It is asked once a second at most, and by one at a time, however many want to
    /// know.
    async fn check(&self, store: &Store) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, result)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return result.clone();
        }
        let result = match tokio::time::timeout(PATIENCE, store.apps()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store did not answer within {PATIENCE:?}")),
        };
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

/// Does the process live?
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "alive",
    tag = "operation",
    security(()),
    responses((status = 200, description = "It does.", body = ref("#/components/schemas/Health"))),
)]
pub(super) async fn alive() -> Json<Health> {
    Json(WELL)
}

/// Can the store be reached?
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "It can.", body = ref("#/components/schemas/Health")),
    ),
)]
pub(super) async fn ready(State(site): State<Site>) -> Result<Json<Health>, Refused> {
    match site.readiness.check(&site.store).await {
        Ok(()) => Ok(Json(WELL)),
        // why stands in the log: who asks here has shown no token
        Err(why) => {
            tracing::warn!("not ready: {}", taster_text::escape_hidden(&taster_text::redact_credentials(&why)));
            Err(Refused::NotReady)
        }
    }
}
