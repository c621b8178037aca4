//! Metrics: what the runs came to, and how the server does.
//!
//! What the store says is read at most once in [`FRESH`], by one request at a time, and a verdict that was read once is not
//! read again while nothing was added to its run. Labels are names of apps and words of ours: neither a database nor a
//! client can make up more of them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use prometheus_client::{
    encoding::text,
    metrics::{family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};
use taster_model::VERSION;
use taster_model::{AppName, FindingOutcome, RunId, Severity, Side, SideSummary, Verdict, VerdictDocument};
use taster_store::{AppStore, Committed, RunEntry, Store, StoreError};
use taster_text::escape_hidden;
use tokio::sync::Mutex;

use super::{Site, refusal::is_damage};

/// How long what was read counts.
const FRESH: Duration = Duration::from_secs(15);
/// Apps that there are metrics of, by name.
const MOST_APPS: usize = 200;
/// Runs of an app whose verdicts are counted, newest first.
const MOST_RUNS: usize = 1000;
/// Verdicts that are read at a time.
const AT_A_TIME: usize = 16;
/// `OpenMetrics`: what Prometheus reads since its version 2.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Numbers<N = i64> = Family<Labels, N>;

/// What the store said last.
#[derive(Default)]
pub(super) struct Results {
    read: Arc<Mutex<Read>>,
}

#[derive(Default)]
struct Read {
    at: Option<Instant>,
    /// What was read of each app, so that it need not be read again.
    apps: BTreeMap<AppName, App>,
    /// How many apps there are, those without metrics as well.
    total: usize,
    /// Whether the store answered.
    up: bool,
}

/// What is known of one app.
#[derive(Default, Clone)]
struct App {
    verdicts: BTreeMap<RunId, (RunEntry, Told)>,
    /// Bytes of all its runs.
    bytes: u64,
    latest: Option<Latest>,
}

/// What a run has to say for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Told {
    Same,
    Different,
    /// Damaged ones as well.
    Unknown,
    /// No verdict yet.
    Nothing,
}

impl Told {
    const ALL: [Self; 4] = [Self::Same, Self::Different, Self::Unknown, Self::Nothing];
}

impl From<Verdict> for Told {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::Same,
            Verdict::Different => Self::Different,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Unknown => "unknown",
            Self::Nothing => "none",
        })
    }
}

/// The newest run of an app.
#[derive(Clone)]
struct Latest {
    entry: RunEntry,
    told: Told,
    sides: Vec<(Side, SideSummary)>,
    /// Of the newest run that has a verdict: how many findings came out how.
    findings: Vec<Findings>,
}

/// How many findings came out in one way.
#[derive(Clone, Copy)]
struct Findings {
    outcome: FindingOutcome,
    severity: Severity,
    count: i64,
}

/// Say what the runs came to, and how the server does
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operation",
    responses((status = 200, description = "Metrics as Prometheus reads them.",
        content_type = "application/openmetrics-text", body = String)),
)]
pub(super) async fn metrics(State(site): State<Site>) -> Response {
    let mut registry = Registry::with_prefix("taster");
    registry.register("build", "Which version this is", Info::new(vec![("version", VERSION)]));
    site.requests.register(&mut registry);
    site.results.register(&site.store, &mut registry).await;
    let mut text = String::new();
    // a string takes whatever is written to it
    let _ = text::encode(&mut text, &registry);
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

impl Results {
    async fn register(&self, store: &Store, registry: &mut Registry) {
        // who waits here may go away; whoever reads does not stop because of that
        let mut read = Arc::clone(&self.read).lock_owned().await;
        if read.at.is_none_or(|at| at.elapsed() >= FRESH) {
            let store = store.clone();
            let reading = tokio::spawn(async move {
                read.refresh(&store).await;
                read
            });
            match reading.await {
                Ok(refreshed) => read = refreshed,
                Err(error) => {
                    tracing::error!("cannot read what metrics are made of: {error}");
                    return;
                }
            }
        }
        read.register(registry);
    }
}

impl Read {
    async fn refresh(&mut self, store: &Store) {
        match self.again(store).await {
            Ok(()) => self.up = true,
            Err(error) => {
                tracing::warn!(
                    "no metrics of the store: {}",
                    escape_hidden(&taster_text::redact_credentials(&error.to_string()))
                );
                self.up = false;
            }
        }
        self.at = Some(Instant::now());
    }

    async fn again(&mut self, store: &Store) -> Result<(), StoreError> {
        let names = store.apps().await?;
        self.total = names.len();
        self.apps.retain(|app, _| names.contains(app));
        for name in names.into_iter().take(MOST_APPS) {
            let known = self.apps.get(&name).cloned().unwrap_or_default();
            let app = read(&store.app(&name), known).await?;
            self.apps.insert(name, app);
        }
        Ok(())
    }

    fn register(&self, registry: &mut Registry) {
        let up = Gauge::<i64>::default();
        up.set(self.up.into());
        registry.register("store_up", "Whether the store could be read, 15 s ago at most", up);
        // numbers of long ago would look like those of now
        if !self.up {
            return;
        }
        let total = Gauge::<i64>::default();
        total.set(whole(self.total as u64));
        registry.register("apps", "Apps that have results; of the first 200 by name there are metrics", total);
        let runs = Numbers::<Gauge>::default();
        let bytes = Numbers::<Gauge>::default();
        let findings = Numbers::<Gauge>::default();
        let last = Numbers::<Gauge>::default();
        let at = Numbers::<Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        let sides = Sides::default();
        for (name, app) in &self.apps {
            for told in Told::ALL {
                let count = app.verdicts.values().filter(|(_, other)| *other == told).count();
                runs.get_or_create(&labels(name, [("verdict", &told)])).set(whole(count as u64));
            }
            bytes.get_or_create(&labels(name, [])).set(whole(app.bytes));
            let Some(latest) = &app.latest else { continue };
            for told in Told::ALL {
                last.get_or_create(&labels(name, [("verdict", &told)])).set((told == latest.told).into());
            }
            at.get_or_create(&labels(name, [])).set(latest.entry.at.as_duration().as_secs_f64());
            for Findings { outcome, severity, count } in &latest.findings {
                let severity = match severity {
                    Severity::Fail => "fail",
                    Severity::Warn => "warn",
                };
                findings.get_or_create(&labels(name, [("outcome", outcome), ("severity", &severity)])).set(*count);
            }
            for (side, summary) in &latest.sides {
                sides.set(&labels(name, [("side", side)]), summary);
            }
        }
        let help = "Runs by verdict, of the newest 1000 of each app; none: no verdict yet";
        registry.register("runs", help, runs);
        registry.register_with_unit("stored", "Bytes of all objects of the app's runs", Unit::Bytes, bytes);
        registry.register("last_run_verdict", "Which verdict the newest run has; none: no verdict yet", last);
        let help = "When the newest run last got somewhere, by the store's clock";
        registry.register_with_unit("last_run_timestamp", help, Unit::Seconds, at);
        let help = "Findings of the newest verdict, by outcome; muted ones are of severity warn";
        registry.register("findings", help, findings);
        sides.register(registry);
    }
}

/// Facts about the captures of newest runs.
#[derive(Default)]
struct Sides {
    seconds: Numbers<Gauge<f64, std::sync::atomic::AtomicU64>>,
    documents: Numbers<Gauge>,
    bytes: Numbers<Gauge>,
}

impl Sides {
    fn set(&self, labels: &Labels, summary: &SideSummary) {
        let took = summary.finished.duration_since(summary.started);
        self.seconds.get_or_create(labels).set(took.as_secs_f64());
        self.documents.get_or_create(labels).set(whole(summary.documents));
        self.bytes.get_or_create(labels).set(whole(summary.bytes));
    }

    fn register(self, registry: &mut Registry) {
        let help = "How long the capture of the newest run took, by side";
        registry.register_with_unit("capture_duration", help, Unit::Seconds, self.seconds);
        registry.register("capture_documents", "Documents that its probes were handed", self.documents);
        registry.register_with_unit("capture_read", "Bytes of those documents", Unit::Bytes, self.bytes);
    }
}

fn labels<const N: usize>(app: &AppName, more: [(&'static str, &dyn fmt::Display); N]) -> Labels {
    let more = more.into_iter().map(|(name, value)| (name, value.to_string()));
    std::iter::once(("app", app.to_string())).chain(more).collect()
}

/// Gauges hold signed numbers; what is larger than they can hold is not told apart.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is to be known of an app; `known` is what was known of it before.
async fn read(store: &AppStore, known: App) -> Result<App, StoreError> {
    let index = store.index().await?;
    let bytes = index.iter().map(|entry| entry.bytes).sum();
    let newest: Vec<RunEntry> = index.into_iter().take(MOST_RUNS).collect();
    let unchanged = known.latest.filter(|latest| newest.first() == Some(&latest.entry));
    let verdicts = stream::iter(newest.iter().cloned().map(|entry| {
        let before = known.verdicts.get(&entry.run).filter(|(before, _)| *before == entry).map(|(_, told)| *told);
        async move {
            let told = match before {
                Some(told) => told,
                None => told(store, &entry).await?,
            };
            Ok::<_, StoreError>((entry.run.clone(), (entry, told)))
        }
    }));
    let verdicts: BTreeMap<_, _> = verdicts.buffered(AT_A_TIME).try_collect().await?;
    let latest = match (unchanged, newest.first()) {
        (Some(latest), _) => Some(latest),
        (None, Some(entry)) => {
            let told = verdicts.get(&entry.run).map_or(Told::Unknown, |(_, told)| *told);
            let judged = newest.iter().find(|entry| entry.verdict);
            Some(Latest {
                entry: entry.clone(),
                told,
                sides: sides(store, entry).await?,
                findings: findings(store, judged).await?,
            })
        }
        (None, None) => None,
    };
    Ok(App { verdicts, bytes, latest })
}

async fn told(store: &AppStore, entry: &RunEntry) -> Result<Told, StoreError> {
    if !entry.verdict {
        return Ok(Told::Nothing);
    }
    let verdict = undamaged(store.run(&entry.run).verdict().await)?;
    Ok(verdict.map_or(Told::Unknown, |verdict| verdict.verdict.into()))
}

async fn sides(store: &AppStore, entry: &RunEntry) -> Result<Vec<(Side, SideSummary)>, StoreError> {
    let run = store.run(&entry.run);
    let pre = undamaged(run.pre().await)?;
    let post = match entry.posts.last() {
        Some(attempt) => undamaged(run.post(attempt).await)?,
        None => None,
    };
    let sides = [(Side::Pre, pre), (Side::Post, post)];
    Ok(sides.into_iter().filter_map(|(side, capture)| Some((side, taster_flow::side_summary(&capture?)))).collect())
}

/// How many findings came out how; all kinds of them, so that a rule that waits for one sees zero until then.
async fn findings(store: &AppStore, judged: Option<&RunEntry>) -> Result<Vec<Findings>, StoreError> {
    let verdict: Option<VerdictDocument> = match judged {
        Some(entry) => undamaged(store.run(&entry.run).verdict().await)?,
        None => None,
    };
    let Some(verdict) = verdict else { return Ok(Vec::new()) };
    let count = |outcome, severity| {
        let gates = severity == Severity::Fail;
        let these = verdict.findings.iter().filter(|found| found.outcome == outcome && found.gates() == gates);
        Findings { outcome, severity, count: whole(these.count() as u64) }
    };
    let outcomes = [FindingOutcome::Same, FindingOutcome::Expected, FindingOutcome::Different, FindingOutcome::Unknown];
    let all = outcomes.map(|outcome| [Severity::Fail, Severity::Warn].map(|severity| count(outcome, severity)));
    Ok(all.into_iter().flatten().collect())
}

/// A damaged document says nothing; a store that cannot be read is an error.
fn undamaged<T>(result: Result<Option<Committed<T>>, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if is_damage(&error) => Ok(None),
        other => Ok(other?.map(Committed::into_inner)),
    }
}
