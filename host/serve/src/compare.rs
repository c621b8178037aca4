//! `GET` and `POST /compare`: the webhook. `curl -f` on it gates a deployment.
//!
//! The status is 200 only if the stored verdict is `same` and every object that it rests on is undamaged. Each request reads
//! the store again.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use taster_model::{Acceptance, AppName, Verdict, VerdictDocument};
use taster_store::{AppStore, Committed, RunEntry, StoreError};

use crate::{
    error::RequestError,
    extract::{PostedSelector, QueryParams, RunSelector},
    response::{RunIdentity, VerdictResponse},
    state::AppState,
};

/// Get the verdict of a run
///
/// The status is the verdict, so that `curl -f` can gate a deployment: 200 `same`, 404 `different`, 409 `unknown`, no such run
/// or no verdict yet. An accepted run keeps its status; the response names who accepted it.
#[utoipa::path(
    get,
    path = "/compare",
    operation_id = "compare",
    tag = "webhook",
    params(
        ("app" = Option<String>, Query, description = "The app. Default: the only one of the store."),
        ("run" = Option<String>, Query, description = "The run. Default: the newest one of the app."),
    ),
    responses(
        (status = 200, description = "The verdict is `same`.", body = ref("#/components/schemas/VerdictResponse")),
        (status = 404, description = "The verdict is `different`.", body = ref("#/components/schemas/VerdictResponse")),
        (status = 409, description = "The verdict is `unknown`, missing or damaged.",
            body = ref("#/components/schemas/VerdictResponse")),
    ),
)]
pub(super) async fn compare(
    State(state): State<AppState>,
    QueryParams(selector): QueryParams<RunSelector>,
) -> Response {
    respond(&state, selector).await
}

/// Get the verdict of a run, as a webhook
///
/// As GET. Each parameter is given in the query or in the body, not in both.
#[utoipa::path(
    post,
    path = "/compare",
    operation_id = "comparePosted",
    tag = "webhook",
    params(
        ("app" = Option<String>, Query, description = "The app. Default: the only one of the store."),
        ("run" = Option<String>, Query, description = "The run. Default: the newest one of the app."),
    ),
    request_body(
        description = "Parameters that the query does not give.",
        content(
            (ref("#/components/schemas/RunSelector") = "application/json"),
            (ref("#/components/schemas/RunSelector") = "application/x-www-form-urlencoded"),
        ),
    ),
    responses(
        (status = 200, description = "The verdict is `same`.", body = ref("#/components/schemas/VerdictResponse")),
        (status = 404, description = "The verdict is `different`.", body = ref("#/components/schemas/VerdictResponse")),
        (status = 409, description = "The verdict is `unknown`, missing or damaged.",
            body = ref("#/components/schemas/VerdictResponse")),
    ),
)]
pub(super) async fn compare_posted(
    State(state): State<AppState>,
    PostedSelector(selector): PostedSelector,
) -> Response {
    respond(&state, selector).await
}

async fn respond(state: &AppState, RunSelector { app, run }: RunSelector) -> Response {
    let mut identity = RunIdentity { app, run };
    match find_verdict(state, &mut identity).await {
        Ok((verdict, accepted)) => VerdictResponse::judged(verdict, accepted).into_response(),
        Err(error) => error.respond(Json(error.body().about(identity))),
    }
}

/// The verdict in force, and who accepted it. `identity` is completed as far as the run becomes known.
async fn find_verdict(
    state: &AppState,
    identity: &mut RunIdentity,
) -> Result<(VerdictDocument, Option<Acceptance>), RequestError> {
    let app = match &identity.app {
        Some(app) => app.clone(),
        None => only_app(state).await?,
    };
    identity.app = Some(app.clone());
    let store = state.store.app(&app);
    let entry = match &identity.run {
        Some(run) => {
            let entry = store.run(run).entry().await?;
            entry.ok_or_else(|| RequestError::Unknown(format!("app `{app}` has no run `{run}`")))?
        }
        None => newest(&store, &app).await?,
    };
    identity.run = Some(entry.run.clone());
    let run = store.run(&entry.run);
    let verdict = run.verdict().await?.map(Committed::into_inner);
    let verdict = verdict.ok_or_else(|| RequestError::Unknown(format!("run `{}` has no verdict yet", entry.run)))?;
    if run.read_later_than(&verdict, &entry.posts).await?.is_some() {
        let message = format!("run `{}` has a newer capture that has not been compared yet", entry.run);
        return Err(RequestError::Unknown(message));
    }
    if verdict.verdict == Verdict::Same {
        confirm(&store, &verdict).await?;
        return Ok((verdict, None));
    }
    let accepted = if entry.accepted { run.accepted().await?.map(Committed::into_inner) } else { None };
    // an acceptance of another attempt does not count
    let accepted = accepted.filter(|accepted| accepted.attempt == verdict.attempt);
    Ok((verdict, accepted))
}

async fn only_app(state: &AppState) -> Result<AppName, RequestError> {
    let mut apps = state.store.apps().await?;
    match (apps.pop(), apps.is_empty()) {
        (Some(app), true) => Ok(app),
        (None, _) => Err(RequestError::Unknown("the store has no app".to_owned())),
        (Some(_), false) => Err(RequestError::Unknown("the store has several apps: name one with app=".to_owned())),
    }
}

/// The run that a request without a name is about: the newest one, with or without a verdict. Never an older one that has a
/// verdict: the gate is about the latest sync.
///
/// There are two sources. `current.json` names the last run, but it is out of date if a process died right after it had
/// committed a capture. The listing shows every capture, ordered by the store's clock, but the order is wrong after a store
/// was copied. If both name the same run, it is that run. If not, a run without a verdict is chosen, because it cannot
/// pass; if both have a verdict, the answer is `unknown`.
async fn newest(store: &AppStore, app: &AppName) -> Result<RunEntry, RequestError> {
    let (current, index) = futures_util::try_join!(store.current(), store.index())?;
    let Some(newest) = index.into_iter().next() else {
        return Err(RequestError::Unknown(format!("app `{app}` has no run yet")));
    };
    let last = current.and_then(|current| current.last).map(|last| last.run);
    match last {
        Some(last) if newest.verdict && last != newest.run => Err(RequestError::Unknown(format!(
            "the newest run is ambiguous: `{last}` was recorded last, but the objects of `{}` are newer; name one with \
             run=",
            newest.run
        ))),
        None if newest.verdict => Err(RequestError::Unknown(format!(
            "the newest run is ambiguous: `{}` is not recorded as the last run; name it with run=",
            newest.run
        ))),
        _ => Ok(newest),
    }
}

/// A pass depends on three documents: the verdict, and the two captures that it compared. `gc` may have removed the
/// baseline's run since, because its baseline is closed. A capture that still exists must be undamaged.
async fn confirm(store: &AppStore, verdict: &VerdictDocument) -> Result<(), RequestError> {
    let after = store.run(&verdict.run);
    let before = verdict.before.as_ref().map(|before| store.run(&before.run));
    let before = async {
        match &before {
            Some(before) => before.pre().await,
            None => Ok(None),
        }
    };
    let (after, _) = futures_util::try_join!(after.post(&verdict.attempt), before)?;
    let key = format!("v1/{}/{}/post/{}/capture.json", verdict.app, verdict.run, verdict.attempt);
    after.map(drop).ok_or(RequestError::Store(StoreError::Missing { key }))
}
