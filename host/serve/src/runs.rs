//! The API for programs: apps, their runs, and what is known of one.

#![expect(clippy::struct_field_names, reason = "the fields are the keys of the API")]

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_model::{AppName, AttemptId, RunId, SideSummary, Verdict, VerdictDocument};
use taster_report::html::links;
use taster_store::{AppStore, Committed, RunEntry, RunStore, RunSummary, StoreError};
use taster_text::escape_hidden;

use crate::{
    error::{RequestError, is_damage},
    extract::{PathParams, QueryParams},
    response::{Accepted, Dropped},
    state::AppState,
};

/// Runs per page by default.
pub(super) const PAGE: u16 = 50;
/// Runs per page at most: the captures of each are read.
pub(super) const MAX_PAGE: u16 = 200;

/// The apps that have results.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Apps {
    /// By name.
    apps: Vec<App>,
}

/// One app.
#[derive(Debug, Serialize, JsonSchema)]
struct App {
    /// Its name.
    app: AppName,
    /// Where its runs are listed, relative to this server.
    #[schemars(extend("format" = "uri-reference"))]
    runs: String,
    /// The page that shows it, relative to this server.
    #[schemars(extend("format" = "uri-reference"))]
    page: String,
}

/// Some runs of an app, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runs {
    /// The app.
    app: AppName,
    /// How many there are, on all pages.
    total: usize,
    /// Those of this page.
    runs: Vec<Run>,
    /// Why the open baseline cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
    /// The next page, relative to this server. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    next: Option<String>,
}

/// One run, in short.
#[derive(Debug, Serialize, JsonSchema)]
struct Run {
    /// The run.
    run: RunId,
    /// Its last change, by the store's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// When the capture before the sync began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pre: Option<Timestamp>,
    /// When the latest capture after it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    post: Option<Timestamp>,
    /// The verdict, once there is one; `unknown` if any object of the run is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// Whether a person accepted it.
    accepted: bool,
    /// Whether a person dropped the baseline that its `pre` had recorded.
    dropped: bool,
    /// Whether its capture is the app's open baseline. Absent if that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    /// Which of its objects are damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
    /// How many objects it has.
    objects: u64,
    /// Bytes of them.
    bytes: u64,
    /// Related addresses.
    links: Links,
}

/// Related addresses, relative to this server.
#[derive(Debug, Serialize, JsonSchema)]
struct Links {
    /// The run.
    #[schemars(extend("format" = "uri-reference"))]
    run: String,
    /// Its verdict. Absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    verdict: Option<String>,
    /// The page that shows it.
    #[schemars(extend("format" = "uri-reference"))]
    page: String,
}

impl Links {
    fn of(app: &AppName, entry: &RunEntry) -> Self {
        let run = format!("/v1/apps/{app}/runs/{}", entry.run);
        Self { verdict: entry.verdict.then(|| format!("{run}/verdict")), page: links::run(app, &entry.run), run }
    }
}

/// One run, with summaries of its captures.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunDetail {
    /// The app.
    app: AppName,
    /// The run.
    run: RunId,
    /// Its last change, by the store's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The verdict, once there is one; `unknown` if any object of the run is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// The attempt that the verdict judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<AttemptId>,
    /// The run whose capture it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<RunId>,
    /// Who accepted the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted>,
    /// Who dropped the baseline that its `pre` had recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<Dropped>,
    /// Whether its capture is the app's open baseline. Absent if that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    /// The capture before the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<SideSummary>,
    /// The latest capture after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<SideSummary>,
    /// Attempts after the sync that were committed, the latest one last.
    posts: Vec<AttemptId>,
    /// Which of its objects are damaged.
    damaged: Vec<String>,
    /// How many objects it has.
    objects: u64,
    /// Bytes of them.
    bytes: u64,
    /// Related addresses.
    links: Links,
}

/// List the apps that have results
#[utoipa::path(
    get,
    path = "/v1/apps",
    operation_id = "apps",
    tag = "results",
    responses((status = 200, description = "The apps, by name.", body = ref("#/components/schemas/Apps"))),
)]
pub(super) async fn apps(State(state): State<AppState>) -> Result<Json<Apps>, RequestError> {
    let apps = state.store.apps().await?;
    let apps = apps.into_iter().map(|app| App { runs: format!("/v1/apps/{app}/runs"), page: links::app(&app), app });
    Ok(Json(Apps { apps: apps.collect() }))
}

/// Which page of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default = "page_length")]
    limit: u16,
    after: Option<RunId>,
}

fn page_length() -> u16 {
    PAGE
}

/// List the runs of an app, newest first
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs",
    operation_id = "runs",
    tag = "results",
    params(
        ("app" = String, Path, description = "The app."),
        ("limit" = Option<u16>, Query, description = "Runs per page. Default: 50.", minimum = 1, maximum = 200),
        ("after" = Option<String>, Query, description = "The last run of the previous page. Default: the first page."),
    ),
    responses(
        (status = 200, description = "Some runs.", body = ref("#/components/schemas/Runs")),
        (status = 404, description = "There is no such app, or no run `after`.",
            body = ref("#/components/schemas/ErrorResponse")),
    ),
)]
pub(super) async fn runs(
    State(state): State<AppState>,
    PathParams(app): PathParams<AppName>,
    QueryParams(page): QueryParams<Page>,
) -> Result<Json<Runs>, RequestError> {
    if !(1..=MAX_PAGE).contains(&page.limit) {
        return Err(RequestError::Bad(format!("limit is {}; it must be 1 to {MAX_PAGE}", page.limit)));
    }
    let store = state.store.app(&app);
    let (open_baseline, index) = futures_util::try_join!(open_baseline(&store), store.index())?;
    if index.is_empty() {
        return Err(RequestError::NoApp { app });
    }
    let total = index.len();
    let first = match page.after {
        None => 0,
        Some(after) => match index.iter().position(|entry| entry.run == after) {
            Some(position) => position + 1,
            None => return Err(RequestError::NoRun { app, run: after }),
        },
    };
    let entries: Vec<RunEntry> = index.into_iter().skip(first).take(page.limit.into()).collect();
    let next = match entries.last() {
        Some(last) if first + entries.len() < total => {
            Some(format!("/v1/apps/{app}/runs?limit={}&after={}", page.limit, last.run))
        }
        _ => None,
    };
    let summaries = store.summaries(entries.iter().cloned()).await?;
    let runs = entries.iter().zip(summaries).map(|(entry, summary)| run_entry(&app, entry, summary, &open_baseline));
    Ok(Json(Runs { total, runs: runs.collect(), damaged: open_baseline.err(), next, app }))
}

fn run_entry(app: &AppName, entry: &RunEntry, summary: RunSummary, open_baseline: &OpenBaseline) -> Run {
    let RunSummary { run, pre, post, verdict, accepted, dropped, damaged } = summary;
    Run {
        at: entry.at,
        pre,
        post,
        verdict: shown_verdict(
            entry,
            verdict,
            if damaged.is_some() { ObjectHealth::Damaged } else { ObjectHealth::Intact },
        ),
        accepted,
        dropped,
        baseline: is_baseline(open_baseline, &run),
        damaged: damaged.map(|what| escape_hidden(&what)),
        objects: entry.objects,
        bytes: entry.bytes,
        links: Links::of(app, entry),
        run,
    }
}

/// The run whose capture is the open baseline; or why that cannot be read.
pub(super) type OpenBaseline = Result<Option<RunId>, String>;

pub(super) async fn open_baseline(store: &AppStore) -> Result<OpenBaseline, StoreError> {
    match store.current().await {
        Ok(current) => Ok(Ok(current.and_then(|current| current.baseline).map(|baseline| baseline.run))),
        Err(error) if is_damage(&error) => Ok(Err(escape_hidden(&error.to_string()))),
        Err(error) => Err(error),
    }
}

fn is_baseline(open_baseline: &OpenBaseline, run: &RunId) -> Option<bool> {
    open_baseline.as_ref().ok().map(|baseline| baseline.as_ref() == Some(run))
}

/// Whether the objects of a run are as they were written.
#[derive(Clone, Copy)]
enum ObjectHealth {
    Intact,
    Damaged,
}

/// The verdict that the API returns: none if there is none, and `unknown` if any object of the run is damaged.
fn shown_verdict(entry: &RunEntry, verdict: Option<Verdict>, health: ObjectHealth) -> Option<Verdict> {
    match health {
        ObjectHealth::Damaged => entry.verdict.then_some(Verdict::Unknown),
        ObjectHealth::Intact => verdict,
    }
}

/// Get one run
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs/{run}",
    operation_id = "run",
    tag = "results",
    params(("app" = String, Path, description = "The app."), ("run" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The run.", body = ref("#/components/schemas/RunDetail")),
        (status = 404, description = "There is no such run.", body = ref("#/components/schemas/ErrorResponse")),
    ),
)]
pub(super) async fn run(
    State(state): State<AppState>,
    PathParams((app, run)): PathParams<(AppName, RunId)>,
) -> Result<Json<RunDetail>, RequestError> {
    let store = state.store.app(&app);
    let stored = store.run(&run);
    let Some(entry) = stored.entry().await? else { return Err(RequestError::NoRun { app, run }) };
    Ok(Json(detail(app, &store, &stored, entry).await?))
}

async fn detail(app: AppName, store: &AppStore, stored: &RunStore, entry: RunEntry) -> Result<RunDetail, RequestError> {
    let latest = async {
        match entry.posts.last() {
            Some(attempt) => stored.post(attempt).await,
            None => Ok(None),
        }
    };
    let (pre, post, verdict, accepted, dropped, open_baseline) =
        tokio::join!(stored.pre(), latest, stored.verdict(), stored.accepted(), stored.dropped(), open_baseline(store));
    let mut damaged = Vec::new();
    let pre = note_damage(pre, &mut damaged)?;
    let post = note_damage(post, &mut damaged)?;
    let verdict = note_damage(verdict, &mut damaged)?;
    let accepted = note_damage(accepted, &mut damaged)?;
    let dropped = note_damage(dropped, &mut damaged)?.map(Dropped::from);
    let baseline = is_baseline(&open_baseline?, &entry.run);
    let judged = verdict.as_ref().map(|verdict| verdict.attempt.clone());
    Ok(RunDetail {
        at: entry.at,
        verdict: shown_verdict(
            &entry,
            verdict.as_ref().map(|verdict| verdict.verdict),
            if damaged.is_empty() { ObjectHealth::Intact } else { ObjectHealth::Damaged },
        ),
        accepted: accepted.filter(|accepted| Some(&accepted.attempt) == judged.as_ref()).map(Accepted::from),
        judged,
        dropped,
        against: verdict.and_then(|verdict| verdict.before).map(|before| before.run),
        baseline,
        pre: pre.as_ref().map(taster_flow::side_summary),
        post: post.as_ref().map(taster_flow::side_summary),
        damaged,
        objects: entry.objects,
        bytes: entry.bytes,
        links: Links::of(&app, &entry),
        app,
        run: entry.run,
        posts: entry.posts,
    })
}

/// Damage becomes a note, so that the rest of the run is still shown.
pub(super) fn note_damage<T>(
    result: Result<Option<Committed<T>>, StoreError>,
    damaged: &mut Vec<String>,
) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if is_damage(&error) => {
            damaged.push(escape_hidden(&error.to_string()));
            Ok(None)
        }
        other => Ok(other?.map(Committed::into_inner)),
    }
}

/// Get the verdict document of a run
///
/// The stored document. The status is 200 whatever the verdict.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs/{run}/verdict",
    operation_id = "verdict",
    tag = "results",
    params(("app" = String, Path, description = "The app."), ("run" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The verdict.", body = ref("#/components/schemas/VerdictDocument")),
        (status = 404, description = "There is no such run, or it has no verdict.",
            body = ref("#/components/schemas/ErrorResponse")),
        (status = 409, description = "The verdict is damaged.", body = ref("#/components/schemas/ErrorResponse")),
    ),
)]
pub(super) async fn verdict(
    State(state): State<AppState>,
    PathParams((app, run)): PathParams<(AppName, RunId)>,
) -> Result<Json<VerdictDocument>, RequestError> {
    match state.store.app(&app).run(&run).verdict().await? {
        Some(verdict) => Ok(Json(verdict.into_inner())),
        None => Err(RequestError::NoVerdict { app, run }),
    }
}
