//! The webhook: is this run the same as before? `curl -f` on it is a gate.
//!
//! It answers 200 where a stored verdict says `same`, and where everything that this rests on is as it was written.
//! Whatever else is the case, it is another status. It asks nobody but the store, and each time anew.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use taster_model::{Acceptance, AppName, Verdict, VerdictDocument};
use taster_store::{AppStore, Committed, RunEntry, StoreError};

use super::{
    Site,
    answer::{About, Answer},
    ask::{Asked, Posted, Wanted},
    refusal::Refused,
};

/// Ask for the verdict of a run
///
/// The status is the verdict's, so that `curl -f` is a gate: 200 `same`, 404 `different`, 409 `unknown`, no such run or no
/// verdict yet. A person who accepted a run is named, and the status stays what it was.
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
        (status = 200, description = "The verdict is `same`.", body = ref("#/components/schemas/Answer")),
        (status = 404, description = "The verdict is `different`.", body = ref("#/components/schemas/Answer")),
        (status = 409, description = "The verdict is `unknown`; or there is none, or it cannot be believed.",
            body = ref("#/components/schemas/Answer")),
    ),
)]
pub(super) async fn compare(State(site): State<Site>, Asked(wanted): Asked<Wanted>) -> Response {
    answer(&site, wanted).await
}

/// Ask for the verdict of a run, as a webhook does
///
/// The same as GET. What is asked stands in the query or in the body, nothing of it in both.
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
        description = "What the query does not say.",
        content(
            (ref("#/components/schemas/Wanted") = "application/json"),
            (ref("#/components/schemas/Wanted") = "application/x-www-form-urlencoded"),
        ),
    ),
    responses(
        (status = 200, description = "The verdict is `same`.", body = ref("#/components/schemas/Answer")),
        (status = 404, description = "The verdict is `different`.", body = ref("#/components/schemas/Answer")),
        (status = 409, description = "The verdict is `unknown`; or there is none, or it cannot be believed.",
            body = ref("#/components/schemas/Answer")),
    ),
)]
pub(super) async fn compare_posted(State(site): State<Site>, Posted(wanted): Posted) -> Response {
    answer(&site, wanted).await
}

async fn answer(site: &Site, Wanted { app, run }: Wanted) -> Response {
    let mut about = About { app, run };
    match judged(site, &mut about).await {
        Ok((verdict, accepted)) => Answer::judged(verdict, accepted).into_response(),
        Err(refused) => Answer::refused(&refused).about(about).into_response_of(&refused),
    }
}

/// The verdict that stands, with who accepted it. `about` learns which run it is, however far that comes.
async fn judged(site: &Site, about: &mut About) -> Result<(VerdictDocument, Option<Acceptance>), Refused> {
    let app = match &about.app {
        Some(app) => app.clone(),
        None => only_app(site).await?,
    };
    about.app = Some(app.clone());
    let store = site.store.app(&app);
    let entry = match &about.run {
        Some(run) => {
            let entry = store.run(run).entry().await?;
            entry.ok_or_else(|| Refused::Unknown(format!("app `{app}` has no run `{run}`")))?
        }
        None => newest(&store, &app).await?,
    };
    about.run = Some(entry.run.clone());
    let run = store.run(&entry.run);
    let verdict = run.verdict().await?.map(Committed::into_inner);
    let verdict = verdict.ok_or_else(|| Refused::Unknown(format!("run `{}` has no verdict yet", entry.run)))?;
    // an attempt that was committed after the one that was judged saw the database later: what it saw is not judged yet
    if entry.posts.last().is_some_and(|latest| *latest > verdict.attempt) {
        let message =
            format!("run `{}` was tasted again since it was judged, and has no verdict on that yet", entry.run);
        return Err(Refused::Unknown(message));
    }
    if verdict.verdict == Verdict::Same {
        confirm(&store, &verdict).await?;
        return Ok((verdict, None));
    }
    let accepted = if entry.accepted { run.accepted().await?.map(Committed::into_inner) } else { None };
    // who took responsibility for another attempt has not seen this one
    let accepted = accepted.filter(|accepted| accepted.attempt == verdict.attempt);
    Ok((verdict, accepted))
}

async fn only_app(site: &Site) -> Result<AppName, Refused> {
    let mut apps = site.store.apps().await?;
    match (apps.pop(), apps.is_empty()) {
        (Some(app), true) => Ok(app),
        (None, _) => Err(Refused::Unknown("there is no app in the store".to_owned())),
        (Some(_), false) => Err(Refused::Unknown("there are several apps in the store: name one with app=".to_owned())),
    }
}

/// The run that is meant where none is named: the newest one, whether it has a verdict or not. Never an older one that has,
/// for whoever asks wants to know about what was done last.
///
/// Two things tell which that is. `current.json` says which run was touched last, and may not say so yet when a process
/// died after it had committed a capture. The listing shows every capture, ordered by the store's clock, which is of no use
/// after a store was copied. Where both agree it is that one. Where they do not, a run without a verdict is believed, for
/// that cannot pass; and between two with a verdict nobody can choose.
async fn newest(store: &AppStore, app: &AppName) -> Result<RunEntry, Refused> {
    let (current, index) = futures_util::try_join!(store.current(), store.index())?;
    let Some(newest) = index.into_iter().next() else {
        return Err(Refused::Unknown(format!("app `{app}` has no run yet")));
    };
    let last = current.and_then(|current| current.last).map(|last| last.run);
    match last {
        Some(last) if newest.verdict && last != newest.run => Err(Refused::Unknown(format!(
            "nobody can tell which run is the newest: `{last}` was noted last, and the objects of `{}` are younger; name \
             one with run=",
            newest.run
        ))),
        None if newest.verdict => {
            Err(Refused::Unknown(format!("nothing notes that `{}` is the newest run; name it with run=", newest.run)))
        }
        _ => Ok(newest),
    }
}

/// A pass rests on three documents: on the verdict, and on the two captures that it compared. The baseline's run may have
/// been cleared away since, for it is closed; what is there must be what was written.
async fn confirm(store: &AppStore, verdict: &VerdictDocument) -> Result<(), Refused> {
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
    after.map(drop).ok_or(Refused::Store(StoreError::Missing { key }))
}
