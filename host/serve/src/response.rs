//! The JSON bodies of the webhook and of every error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use taster_model::{Acceptance, AppName, DroppedBaseline, RunId, Verdict, VerdictDocument};
use taster_report::html::links;

/// The response of the webhook. After an error, `verdict` is `unknown`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VerdictResponse {
    /// The verdict of the run. `same` only with status 200.
    pub(super) verdict: Verdict,
    /// The app, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app: Option<AppName>,
    /// The run, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// The page that shows the run, relative to this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    pub(super) url: Option<String>,
    /// Who accepted a verdict that is not `same`. The status does not change with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accepted: Option<Accepted>,
    /// What to do next, if the verdict is not `same`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorDetails>,
}

/// The body of every error.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes a `VerdictResponse` without a verdict")]
pub(super) struct ErrorResponse {
    /// Always `unknown`, so that the body of a failed request is never taken for a pass.
    #[schemars(extend("const" = "unknown"))]
    verdict: Verdict,
    /// The app, if it is known.
    app: Option<AppName>,
    /// The run, if it is known.
    run: Option<RunId>,
    /// The error.
    error: ErrorDetails,
}

/// Who accepted a verdict, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Accepted {
    /// Who.
    who: String,
    /// Why.
    reason: String,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
}

impl From<Acceptance> for Accepted {
    fn from(Acceptance { who, reason, at, .. }: Acceptance) -> Self {
        Self { who, reason, at }
    }
}

/// Who dropped a baseline, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Dropped {
    /// Who.
    who: String,
    /// Why.
    reason: String,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
}

impl From<DroppedBaseline> for Dropped {
    fn from(DroppedBaseline { who, reason, at, .. }: DroppedBaseline) -> Self {
        Self { who, reason, at }
    }
}

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorDetails {
    /// A stable code, `T0643`; the list of errors explains it.
    #[schemars(extend("pattern" = "^T[0-9]{4}$"))]
    pub(super) code: &'static str,
    /// What happened, in one line.
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
}

/// The run that a request is about, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct RunIdentity {
    pub(super) app: Option<AppName>,
    pub(super) run: Option<RunId>,
}

impl VerdictResponse {
    /// The response of a stored verdict whose checksum was confirmed.
    pub(super) fn judged(verdict: VerdictDocument, accepted: Option<Acceptance>) -> Self {
        Self {
            verdict: verdict.verdict,
            url: Some(links::run(&verdict.app, &verdict.run)),
            app: Some(verdict.app),
            run: Some(verdict.run),
            remedy: verdict.remedy.filter(|_| accepted.is_none()),
            accepted: accepted.map(Accepted::from),
            error: None,
        }
    }

    /// The response without a verdict, with the reason.
    pub(super) fn unknown(error: ErrorDetails) -> Self {
        Self {
            verdict: Verdict::Unknown,
            app: None,
            run: None,
            url: None,
            accepted: None,
            remedy: None,
            error: Some(error),
        }
    }

    /// Adds the run that the request is about.
    pub(super) fn about(mut self, RunIdentity { app, run }: RunIdentity) -> Self {
        (self.app, self.run) = (app, run);
        self
    }
}

impl IntoResponse for VerdictResponse {
    /// The one place where a verdict becomes a status: `curl -f` succeeds only on 200.
    fn into_response(self) -> Response {
        let status = match self.verdict {
            Verdict::Same => StatusCode::OK,
            Verdict::Different => StatusCode::NOT_FOUND,
            Verdict::Unknown => StatusCode::CONFLICT,
        };
        (status, Json(self)).into_response()
    }
}
