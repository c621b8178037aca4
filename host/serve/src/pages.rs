//! Pages for people: apps, the runs of one, and a run, whose page is the stored report with links to the others.

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
use taster_model::{AppName, Diagnostic, RunId};
use taster_report::{html, html::Around, html::Badge, html::Links, html::Numbers, html::Pending, html::Refusal};
use taster_store::{AppStore, RunEntry, RunSummary};
use taster_text::escape_hidden;

use super::{
    Site,
    ask::Named,
    refusal::Refused,
    runs::{self, PAGE, noted},
};

/// Runs and apps that are read at a time.
const AT_A_TIME: usize = 8;
/// Metrics that an address may ask for.
const METRICS: usize = 32;

/// What is served to browsers. None of it is for programs, and none is in the document of the API.
pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/apps") }))
        .route("/apps", get(apps))
        .route("/apps/{app}", get(app))
        .route("/apps/{app}/runs/{run}", get(run))
        .route("/apps/{app}/runs/{run}/{form}", get(form))
}

/// A page, which may do nothing but show itself.
struct Page(String);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(self.0).into_response();
        let policy = HeaderValue::from_str(&html::HEADER).expect("the policy is of visible characters");
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        response
    }
}

/// That there is no page, said on one.
struct Turned(Refused);

impl<E: Into<Refused>> From<E> for Turned {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let Self(refused) = self;
        let status = refused.status();
        let page = html::refused(&Refusal {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("No page"),
            code: refused.code(),
            message: &refused.message(),
            help: refused.help().as_deref(),
        });
        let mut response = (status, Page(page)).into_response();
        for (name, value) in refused.headers() {
            response.headers_mut().append(name, value);
        }
        response
    }
}

type Shown<T = Page> = Result<T, Turned>;

async fn apps(State(site): State<Site>) -> Shown {
    let one = async |app: AppName| {
        let store = site.store.app(&app);
        let index = store.index().await?;
        let (newest, damaged) = match index.first() {
            None => (None, None),
            Some(entry) => {
                let summary = store.summaries([entry.clone()]).await?.pop();
                let badge = summary.as_ref().map_or(Badge::PENDING, |summary| badge(entry, summary));
                (Some((entry.at, badge)), summary.and_then(|summary| summary.damaged))
            }
        };
        Ok::<_, Refused>(html::App { app, runs: index.len(), newest, damaged })
    };
    let apps = site.store.apps().await?;
    let apps: Vec<_> = stream::iter(apps.into_iter().map(one)).buffered(AT_A_TIME).try_collect().await?;
    Ok(Page(html::apps(&apps)))
}

async fn app(State(site): State<Site>, named: Result<Named<AppName>, Refused>, uri: Uri) -> Shown {
    let Named(app) = named?;
    let asked = Asked::of(uri.query().unwrap_or_default())?;
    let store = site.store.app(&app);
    let (standing, index) = futures_util::try_join!(runs::standing(&store), store.index())?;
    if index.is_empty() {
        return Err(Refused::NoApp { app }.into());
    }
    let total = index.len();
    let length = usize::from(PAGE);
    let first = match &asked.after {
        None => 0,
        Some(after) => match index.iter().position(|entry| entry.run == *after) {
            Some(place) => place + 1,
            None => return Err(Refused::NoRun { app, run: after.clone() }.into()),
        },
    };
    let newer = (first > 0).then(|| first.checked_sub(length + 1).map(|place| index[place].run.clone()));
    let entries = index.into_iter().skip(first).take(length).map(|entry| line(&store, entry));
    let runs = stream::iter(entries).buffered(AT_A_TIME).try_collect().await?;
    let Asked { after, metrics } = asked;
    Ok(Page(html::runs(&html::Runs { app: &app, standing, runs, first, total, after, newer, metrics })))
}

async fn line(store: &AppStore, entry: RunEntry) -> Result<html::Run, Refused> {
    let (summary, verdict) = futures_util::join!(store.summaries([entry.clone()]), async {
        if entry.verdict { store.run(&entry.run).verdict().await } else { Ok(None) }
    });
    let mut damaged = Vec::new();
    let verdict = noted(verdict, &mut damaged)?;
    let Some(summary) = summary?.pop() else { return Err(Refused::Unknown("the run vanished".to_owned())) };
    let badge = if damaged.is_empty() { badge(&entry, &summary) } else { Badge::DAMAGED };
    Ok(html::Run {
        at: entry.at,
        badge,
        accepted: summary.accepted,
        damaged: summary.damaged.map(|what| escape_hidden(&what)).or_else(|| damaged.pop()),
        // a damaged run says nothing that belongs into a trend
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

async fn run(State(site): State<Site>, named: Result<Named<(AppName, RunId)>, Refused>) -> Shown {
    let Named((app, run)) = named?;
    page_of(&site, app, run).await.map(Page)
}

async fn page_of(site: &Site, app: AppName, run: RunId) -> Shown<String> {
    let store = site.store.app(&app).run(&run);
    let Some(entry) = store.entry().await? else { return Err(Refused::NoRun { app, run }.into()) };
    let latest = async {
        match entry.posts.last() {
            Some(attempt) => store.post(attempt).await,
            None => Ok(None),
        }
    };
    let (pre, post, verdict, accepted) = tokio::join!(store.pre(), latest, store.verdict(), store.accepted());
    let mut damaged = Vec::new();
    let pre = noted(pre, &mut damaged)?;
    let post = noted(post, &mut damaged)?;
    let verdict = noted(verdict, &mut damaged)?;
    let accepted = noted(accepted, &mut damaged)?;
    let Some(verdict) = verdict else {
        let [pre, post] = [pre, post].map(|capture| capture.as_ref().map(taster_flow::side_summary));
        let (pre, post) = (pre.as_ref(), post.as_ref());
        return Ok(html::pending(&Pending { app: &app, run: &run, pre, post, damaged: &damaged }));
    };
    Ok(html::report(
        &verdict,
        &Around {
            accepted: accepted.as_ref(),
            damage: (!damaged.is_empty()).then(|| damaged.join("; ")),
            links: Links::served(&app, &run),
        },
    ))
}

/// The verdict in the forms in which `post` stores it: made from the verdict that stands, whose checksum was confirmed.
async fn form(State(site): State<Site>, named: Result<Named<(AppName, RunId, String)>, Refused>) -> Shown<Response> {
    let Named((app, run, form)) = named?;
    let store = site.store.app(&app).run(&run);
    let verdict = async || match store.verdict().await {
        Ok(Some(verdict)) => Ok(verdict.into_inner()),
        Ok(None) => Err(Refused::NoVerdict { app: app.clone(), run: run.clone() }),
        Err(error) => Err(error.into()),
    };
    Ok(match form.as_str() {
        "report.html" => Page(page_of(&site, app, run).await?).into_response(),
        "report.md" => text("text/markdown; charset=utf-8", taster_report::markdown::verdict(&verdict().await?)),
        "junit.xml" => {
            let verdict = verdict().await?;
            let junit = taster_report::junit::verdict(&verdict);
            text("application/xml", junit.map_err(|error| Refused::Unknown(error.to_string()))?)
        }
        "verdict.json" => axum::Json(verdict().await?).into_response(),
        _ => return Err(Refused::NoSuchPath(format!("/apps/{app}/runs/{run}/{form}")).into()),
    })
}

fn text(kind: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Which runs, and which metrics: the one parameter that may be there more than once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    after: Option<RunId>,
    metrics: Vec<String>,
}

impl Asked {
    fn of(query: &str) -> Result<Self, Refused> {
        let mut asked = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy();
            match name {
                "after" if asked.after.is_none() => {
                    asked.after = Some(value.parse().map_err(|error| Refused::Bad(format!("after: {error}")))?);
                }
                "after" => return Err(Refused::Bad("`after` stands in the address twice".to_owned())),
                "metric" if asked.metrics.len() == METRICS => {
                    return Err(Refused::Bad(format!("more than {METRICS} metrics are asked for")));
                }
                "metric" => asked.metrics.push(value.into_owned()),
                other => {
                    return Err(Refused::Bad(format!("unknown parameter `{other}`: a page knows after and metric")));
                }
            }
        }
        Ok(asked)
    }
}
