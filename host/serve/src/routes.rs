//! The routes of the API, with and without a token.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{compare, health, metrics, openapi_route, runs, state::AppState};

/// Routes that never require a token: an orchestrator has none.
pub(super) fn public_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(health::alive)).routes(routes!(health::ready))
}

/// Routes that require a token if the server has any.
pub(super) fn protected_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(compare::compare, compare::compare_posted))
        .routes(routes!(runs::apps))
        .routes(routes!(runs::runs))
        .routes(routes!(runs::run))
        .routes(routes!(runs::verdict))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi_route::openapi))
}
