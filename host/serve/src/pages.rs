//! Pages for browsers: all apps, the runs of an app, and a run.

use axum::{
    Router,
    extract::State,
    http::{
        HeaderValue, Uri,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::percent_decode_str;
use taster_model::{AppName, Diagnostic, ReportFile, RunId};
use taster_report::html::{self, Badge, ErrorPage, Links, Numbers, Pending, ReportContext};
use taster_store::{AppStore, Committed, RunEntry, RunSummary};
use taster_text::escape_hidden;

use crate::{
    error::RequestError,
    extract::PathParams,
    runs::{self, PAGE, note_damage},
    state::AppState,
};

/// Runs and apps that are read at the same time.
const CONCURRENT_READS: usize = 8;
/// Metrics that a page shows at most.
const MAX_METRICS: usize = 32;

/// The routes of the pages. They are not part of the API's document.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/apps") }))
        .route("/apps", get(apps))
        .route("/apps/{app}", get(app))
        .route("/apps/{app}/runs/{run}", get(run))
        .route("/apps/{app}/runs/{run}/{file}", get(report_file))
}

/// A page with its content security policy.
struct Page(String);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(self.0).into_response();
        let policy = HeaderValue::from_str(&html::HEADER).expect("the policy has only visible characters");
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        response
    }
}

/// An error, shown as a page.
struct PageError(RequestError);

impl<E: Into<RequestError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = error.status();
        let page = html::error_page(&ErrorPage {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            code: error.code(),
            message: &error.message(),
            help: error.help().as_deref(),
        });
        error.respond(Page(page))
    }
}

type PageResult<T = Page> = Result<T, PageError>;

async fn apps(State(state): State<AppState>) -> PageResult {
    let one = async |app: AppName| {
        let store = state.store.app(&app);
        let index = store.index().await?;
        let (newest, damaged) = match index.first() {
            None => (None, None),
            Some(entry) => {
                let summary = store.summaries([entry.clone()]).await?.pop();
                let badge = summary.as_ref().map_or(Badge::PENDING, |summary| badge(entry, summary));
                (Some((entry.at, badge)), summary.and_then(|summary| summary.damaged))
            }
        };
        Ok::<_, RequestError>(html::App { app, runs: index.len(), newest, damaged })
    };
    let apps = state.store.apps().await?;
    let apps: Vec<_> = stream::iter(apps.into_iter().map(one)).buffered(CONCURRENT_READS).try_collect().await?;
    Ok(Page(html::apps(&apps)))
}

async fn app(State(state): State<AppState>, params: Result<PathParams<AppName>, RequestError>, uri: Uri) -> PageResult {
    let PathParams(app) = params?;
    let query = PageQuery::parse(uri.query().unwrap_or_default())?;
    let store = state.store.app(&app);
    let (baseline, index) = futures_util::try_join!(runs::open_baseline(&store), store.index())?;
    if index.is_empty() {
        return Err(RequestError::NoApp { app }.into());
    }
    let total = index.len();
    let length = usize::from(PAGE);
    let first = match &query.after {
        None => 0,
        Some(after) => match index.iter().position(|entry| entry.run == *after) {
            Some(position) => position + 1,
            None => return Err(RequestError::NoRun { app, run: after.clone() }.into()),
        },
    };
    let newer = (first > 0).then(|| first.checked_sub(length + 1).map(|position| index[position].run.clone()));
    let entries = index.into_iter().skip(first).take(length).map(|entry| run_entry(&store, entry));
    let runs = stream::iter(entries).buffered(CONCURRENT_READS).try_collect().await?;
    let PageQuery { after, metrics } = query;
    Ok(Page(html::runs(&html::Runs { app: &app, baseline, runs, first, total, after, newer, metrics })))
}

async fn run_entry(store: &AppStore, entry: RunEntry) -> Result<html::Run, RequestError> {
    let (summary, verdict) = futures_util::join!(store.summaries([entry.clone()]), async {
        if entry.verdict { store.run(&entry.run).verdict().await } else { Ok(None) }
    });
    let mut damaged = Vec::new();
    let verdict = note_damage(verdict, &mut damaged)?;
    let Some(summary) = summary?.pop() else {
        return Err(RequestError::Unknown("the run was removed while it was read".to_owned()));
    };
    let badge = if damaged.is_empty() { badge(&entry, &summary) } else { Badge::DAMAGED };
    Ok(html::Run {
        at: entry.at,
        badge,
        accepted: summary.accepted,
        dropped: summary.dropped,
        damaged: summary.damaged.map(|what| escape_hidden(&what)).or_else(|| damaged.pop()),
        // a damaged run does not count in trends
        numbers: verdict.filter(|_| badge != Badge::DAMAGED).as_ref().map(Numbers::of),
        run: entry.run,
    })
}

fn badge(entry: &RunEntry, summary: &RunSummary) -> Badge {
    match summary.verdict {
        _ if summary.damaged.is_some() => Badge::DAMAGED,
        Some(verdict) => Badge::verdict(verdict),
        None if entry.verdict => Badge::DAMAGED,
        None => Badge::PENDING,
    }
}

async fn run(State(state): State<AppState>, params: Result<PathParams<(AppName, RunId)>, RequestError>) -> PageResult {
    let PathParams((app, run)) = params?;
    run_page(&state, app, run).await.map(Page)
}

async fn run_page(state: &AppState, app: AppName, run: RunId) -> PageResult<String> {
    let store = state.store.app(&app).run(&run);
    let Some(entry) = store.entry().await? else { return Err(RequestError::NoRun { app, run }.into()) };
    let latest = async {
        match entry.posts.last() {
            Some(attempt) => store.post(attempt).await,
            None => Ok(None),
        }
    };
    let (pre, post, verdict, accepted, dropped) =
        tokio::join!(store.pre(), latest, store.verdict(), store.accepted(), store.dropped());
    let mut damaged = Vec::new();
    let pre = note_damage(pre, &mut damaged)?;
    let post = note_damage(post, &mut damaged)?;
    let verdict = note_damage(verdict, &mut damaged)?;
    let accepted = note_damage(accepted, &mut damaged)?;
    let dropped = note_damage(dropped, &mut damaged)?;
    let dropped = dropped.as_ref();
    let Some(verdict) = verdict else {
        let [pre, post] = [pre, post].map(|capture| capture.as_ref().map(taster_flow::side_summary));
        let (pre, post) = (pre.as_ref(), post.as_ref());
        return Ok(html::pending(&Pending { app: &app, run: &run, pre, post, dropped, damaged: &damaged }));
    };
    Ok(html::report(
        &verdict,
        &ReportContext {
            accepted: accepted.as_ref(),
            dropped,
            damage: (!damaged.is_empty()).then(|| damaged.join("; ")),
            links: Links::served(&app, &run),
        },
    ))
}

/// A report file, rendered from the stored verdict, whose checksum was confirmed.
async fn report_file(
    State(state): State<AppState>,
    params: Result<PathParams<(AppName, RunId, String)>, RequestError>,
) -> PageResult<Response> {
    let PathParams((app, run, name)) = params?;
    let Some(file) = ReportFile::of_name(&name) else {
        return Err(RequestError::NoSuchPath(format!("/apps/{app}/runs/{run}/{name}")).into());
    };
    let store = state.store.app(&app).run(&run);
    let verdict = async || match store.verdict().await {
        Ok(Some(verdict)) => Ok(verdict.into_inner()),
        Ok(None) => Err(RequestError::NoVerdict { app: app.clone(), run: run.clone() }),
        Err(error) => Err(error.into()),
    };
    Ok(match file {
        ReportFile::Html => Page(run_page(&state, app, run).await?).into_response(),
        ReportFile::Markdown => {
            let accepted = store.accepted().await?.map(Committed::into_inner);
            download(file, taster_report::markdown::verdict_accepted(&verdict().await?, accepted.as_ref()))
        }
        ReportFile::Junit => {
            let junit = taster_report::junit::verdict(&verdict().await?);
            download(file, junit.map_err(|error| RequestError::Unknown(error.to_string()))?)
        }
        ReportFile::Verdict => axum::Json(verdict().await?).into_response(),
    })
}

fn download(file: ReportFile, text: String) -> Response {
    ([(CONTENT_TYPE, file.media_type())], text).into_response()
}

/// The query of an app's page: which runs, and which metrics. `metric` may be repeated.
#[derive(Debug, Default, PartialEq, Eq)]
struct PageQuery {
    after: Option<RunId>,
    metrics: Vec<String>,
}

impl PageQuery {
    fn parse(text: &str) -> Result<Self, RequestError> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy();
            match name {
                "after" if query.after.is_none() => {
                    query.after = Some(value.parse().map_err(|error| RequestError::Bad(format!("after: {error}")))?);
                }
                "after" => return Err(RequestError::Bad("`after` is given twice".to_owned())),
                "metric" if query.metrics.len() == MAX_METRICS => {
                    return Err(RequestError::Bad(format!("too many metrics: the limit is {MAX_METRICS}")));
                }
                "metric" => query.metrics.push(value.into_owned()),
                other => {
                    return Err(RequestError::Bad(format!(
                        "unknown parameter `{other}`: expected `after` or `metric`"
                    )));
                }
            }
        }
        Ok(query)
    }
}
