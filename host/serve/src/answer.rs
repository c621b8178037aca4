//! The body of the webhook, and of everything that is refused.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use taster_model::{Acceptance, AppName, Diagnostic, RunId, Verdict, VerdictDocument};
use taster_report::html::links;

use super::refusal::Refused;

/// What the webhook says. Whatever went wrong, `verdict` is there and is `unknown`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// What came of the run. `same` with status 200, and with no other.
    pub(super) verdict: Verdict,
    /// The app, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app: Option<AppName>,
    /// The run, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// The page that shows the run, relative to this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    pub(super) url: Option<String>,
    /// The person who took responsibility for a verdict that is not `same`. The status is the verdict's all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accepted: Option<Accepted>,
    /// What gets one unstuck, where the verdict is not `same`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Problem>,
}

/// The body of every request that is refused.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only says what an `Answer` without a verdict looks like")]
pub(super) struct Refusal {
    /// Always `unknown`: nobody who reads the body of a request that went astray takes it for a pass.
    #[schemars(extend("const" = "unknown"))]
    verdict: Verdict,
    /// The app, where it is known.
    app: Option<AppName>,
    /// The run, where it is known.
    run: Option<RunId>,
    /// Why.
    error: Problem,
}

/// Who took responsibility, and why.
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

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// A stable code, `T0643`; host/ERRORS.md lists them.
    #[schemars(extend("pattern" = "^T[0-9]{4}$"))]
    code: &'static str,
    /// What happened, in one line.
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Which run a request turned out to be about, as far as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) app: Option<AppName>,
    pub(super) run: Option<RunId>,
}

impl Answer {
    /// What a verdict says that was read with its checksum confirmed.
    pub(super) fn judged(verdict: VerdictDocument, accepted: Option<Acceptance>) -> Self {
        Self {
            verdict: verdict.verdict,
            url: Some(links::run(&verdict.app, &verdict.run)),
            app: Some(verdict.app),
            run: Some(verdict.run),
            accepted: accepted.map(Accepted::from),
            remedy: verdict.remedy,
            error: None,
        }
    }

    /// That there is none, and why.
    pub(super) fn refused(refused: &Refused) -> Self {
        Self {
            verdict: Verdict::Unknown,
            app: None,
            run: None,
            url: None,
            accepted: None,
            remedy: None,
            error: Some(Problem { code: refused.code(), message: refused.message(), help: refused.help() }),
        }
    }

    /// The same, of that run.
    pub(super) fn about(mut self, About { app, run }: About) -> Self {
        (self.app, self.run) = (app, run);
        self
    }

    /// With the status of what was refused.
    pub(super) fn into_response_of(self, refused: &Refused) -> Response {
        let mut response = (refused.status(), Json(self)).into_response();
        for (name, value) in refused.headers() {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl IntoResponse for Answer {
    /// The one place where a verdict becomes a status: `curl -f` ends well on 200 and on nothing else that stands here.
    fn into_response(self) -> Response {
        let status = match self.verdict {
            Verdict::Same => StatusCode::OK,
            Verdict::Different => StatusCode::NOT_FOUND,
            Verdict::Unknown => StatusCode::CONFLICT,
        };
        (status, Json(self)).into_response()
    }
}
