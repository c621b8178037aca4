//! Metrics of the stored runs.
//!
//! The store is read at most once per [`CACHE_TIME`], by one request at a time, and a verdict is not read again while its run
//! does not change. Labels are names of apps and fixed words: neither a database nor a client can add more.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use taster_model::{AppName, FindingOutcome, RunId, Severity, Side, SideSummary, Verdict, VerdictDocument};
use taster_store::{AppStore, Committed, RunEntry, Store, StoreError};
use taster_text::escape_hidden;
use tokio::sync::Mutex;

use crate::error::is_damage;

/// How long values are reused.
const CACHE_TIME: Duration = Duration::from_secs(15);
/// Apps with metrics, by name.
const MAX_APPS: usize = 200;
/// Runs of an app whose verdicts are counted, newest first.
const MAX_RUNS: usize = 1000;
/// Verdicts that are read at the same time.
const CONCURRENT_READS: usize = 16;

type Labels = Vec<(&'static str, String)>;
type Numbers<N = i64> = Family<Labels, N>;

/// Metrics of the stored runs.
#[derive(Default)]
pub(super) struct StoreMetrics {
    snapshot: Arc<Mutex<Snapshot>>,
}

#[derive(Default)]
struct Snapshot {
    at: Option<Instant>,
    /// The metrics of each app, reused while its runs do not change.
    apps: BTreeMap<AppName, AppMetrics>,
    /// How many apps there are, also those without metrics.
    total: usize,
    /// Whether the store could be read.
    up: bool,
}

/// Metrics of one app.
#[derive(Default, Clone)]
struct AppMetrics {
    verdicts: BTreeMap<RunId, (RunEntry, RunVerdict)>,
    /// Bytes of all its runs.
    bytes: u64,
    latest: Option<LatestRun>,
}

/// The verdict of a run, or that it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum RunVerdict {
    Same,
    Different,
    /// Also of damaged runs.
    Unknown,
    /// No verdict yet.
    Nothing,
}

impl RunVerdict {
    const ALL: [Self; 4] = [Self::Same, Self::Different, Self::Unknown, Self::Nothing];
}

impl From<Verdict> for RunVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::Same,
            Verdict::Different => Self::Different,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for RunVerdict {
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
struct LatestRun {
    entry: RunEntry,
    verdict: RunVerdict,
    sides: Vec<(Side, SideSummary)>,
    /// Findings of the newest run that has a verdict.
    findings: Vec<FindingCount>,
}

/// How many findings have an outcome and a severity.
#[derive(Clone, Copy)]
struct FindingCount {
    outcome: FindingOutcome,
    severity: Severity,
    count: i64,
}

impl StoreMetrics {
    /// Adds the metrics to a registry; reads the store first, unless that was done less than [`CACHE_TIME`] ago.
    pub(super) async fn register(&self, store: &Store, registry: &mut Registry) {
        // the request may be cancelled; the task that reads the store goes on
        let mut read = Arc::clone(&self.snapshot).lock_owned().await;
        if read.at.is_none_or(|at| at.elapsed() >= CACHE_TIME) {
            let store = store.clone();
            let reading = tokio::spawn(async move {
                read.refresh(&store).await;
                read
            });
            match reading.await {
                Ok(refreshed) => read = refreshed,
                Err(error) => {
                    tracing::error!(%error, "cannot read the store for metrics");
                    return;
                }
            }
        }
        read.register(registry);
    }
}

impl Snapshot {
    async fn refresh(&mut self, store: &Store) {
        match self.read_apps(store).await {
            Ok(()) => self.up = true,
            Err(error) => {
                let error = escape_hidden(&taster_text::redact_credentials(&error.to_string()));
                tracing::warn!(%error, "cannot read metrics of the store");
                self.up = false;
            }
        }
        self.at = Some(Instant::now());
    }

    async fn read_apps(&mut self, store: &Store) -> Result<(), StoreError> {
        let names = store.apps().await?;
        self.total = names.len();
        self.apps.retain(|app, _| names.contains(app));
        for name in names.into_iter().take(MAX_APPS) {
            let known = self.apps.get(&name).cloned().unwrap_or_default();
            let app = read_app(&store.app(&name), known).await?;
            self.apps.insert(name, app);
        }
        Ok(())
    }

    fn register(&self, registry: &mut Registry) {
        let up = Gauge::<i64>::default();
        up.set(self.up.into());
        registry.register("store_up", "Whether the store could be read, at most 15 s ago", up);
        // old values would look current
        if !self.up {
            return;
        }
        let total = Gauge::<i64>::default();
        total.set(gauge_value(self.total as u64));
        registry.register("apps", "Apps with results; the first 200 by name have metrics", total);
        let runs = Numbers::<Gauge>::default();
        let bytes = Numbers::<Gauge>::default();
        let findings = Numbers::<Gauge>::default();
        let last = Numbers::<Gauge>::default();
        let at = Numbers::<Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        let sides = CaptureMetrics::default();
        for (name, app) in &self.apps {
            for verdict in RunVerdict::ALL {
                let count = app.verdicts.values().filter(|(_, other)| *other == verdict).count();
                runs.get_or_create(&labels(name, [("verdict", &verdict)])).set(gauge_value(count as u64));
            }
            bytes.get_or_create(&labels(name, [])).set(gauge_value(app.bytes));
            let Some(latest) = &app.latest else { continue };
            for verdict in RunVerdict::ALL {
                last.get_or_create(&labels(name, [("verdict", &verdict)])).set((verdict == latest.verdict).into());
            }
            at.get_or_create(&labels(name, [])).set(latest.entry.at.as_duration().as_secs_f64());
            for FindingCount { outcome, severity, count } in &latest.findings {
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
        let help = "Runs by verdict, among the newest 1000 of each app; none: no verdict yet";
        registry.register("runs", help, runs);
        registry.register_with_unit("stored", "Bytes of all objects of the app's runs", Unit::Bytes, bytes);
        registry.register("last_run_verdict", "Verdict of the newest run; none: no verdict yet", last);
        let help = "Last change of the newest run, by the store's clock";
        registry.register_with_unit("last_run_timestamp", help, Unit::Seconds, at);
        let help = "Findings of the newest verdict, by outcome; muted findings have severity warn";
        registry.register("findings", help, findings);
        sides.register(registry);
    }
}

/// Metrics of the captures of the newest runs.
#[derive(Default)]
struct CaptureMetrics {
    seconds: Numbers<Gauge<f64, std::sync::atomic::AtomicU64>>,
    documents: Numbers<Gauge>,
    bytes: Numbers<Gauge>,
}

impl CaptureMetrics {
    fn set(&self, labels: &Labels, summary: &SideSummary) {
        let took = summary.finished.duration_since(summary.started);
        self.seconds.get_or_create(labels).set(took.as_secs_f64());
        self.documents.get_or_create(labels).set(gauge_value(summary.documents));
        self.bytes.get_or_create(labels).set(gauge_value(summary.bytes));
    }

    fn register(self, registry: &mut Registry) {
        let help = "Duration of the newest run's capture, by side";
        registry.register_with_unit("capture_duration", help, Unit::Seconds, self.seconds);
        registry.register("capture_documents", "Documents that its probes read", self.documents);
        registry.register_with_unit("capture_read", "Bytes of those documents", Unit::Bytes, self.bytes);
    }
}

fn labels<const N: usize>(app: &AppName, more: [(&'static str, &dyn fmt::Display); N]) -> Labels {
    let more = more.into_iter().map(|(name, value)| (name, value.to_string()));
    std::iter::once(("app", app.to_string())).chain(more).collect()
}

/// Gauges hold signed numbers; a larger value becomes the largest.
fn gauge_value(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads the metrics of an app; `known` holds those of the last time.
async fn read_app(store: &AppStore, known: AppMetrics) -> Result<AppMetrics, StoreError> {
    let index = store.index().await?;
    let bytes = index.iter().map(|entry| entry.bytes).sum();
    let newest: Vec<RunEntry> = index.into_iter().take(MAX_RUNS).collect();
    let unchanged = known.latest.filter(|latest| newest.first() == Some(&latest.entry));
    let verdicts = stream::iter(newest.iter().cloned().map(|entry| {
        let before = known.verdicts.get(&entry.run).filter(|(before, _)| *before == entry).map(|(_, verdict)| *verdict);
        async move {
            let verdict = match before {
                Some(verdict) => verdict,
                None => run_verdict(store, &entry).await?,
            };
            Ok::<_, StoreError>((entry.run.clone(), (entry, verdict)))
        }
    }));
    let verdicts: BTreeMap<_, _> = verdicts.buffered(CONCURRENT_READS).try_collect().await?;
    let latest = match (unchanged, newest.first()) {
        (Some(latest), _) => Some(latest),
        (None, Some(entry)) => {
            let verdict = verdicts.get(&entry.run).map_or(RunVerdict::Unknown, |(_, verdict)| *verdict);
            let judged = newest.iter().find(|entry| entry.verdict);
            Some(LatestRun {
                entry: entry.clone(),
                verdict,
                sides: sides(store, entry).await?,
                findings: findings(store, judged).await?,
            })
        }
        (None, None) => None,
    };
    Ok(AppMetrics { verdicts, bytes, latest })
}

async fn run_verdict(store: &AppStore, entry: &RunEntry) -> Result<RunVerdict, StoreError> {
    if !entry.verdict {
        return Ok(RunVerdict::Nothing);
    }
    let verdict = skip_damaged(store.run(&entry.run).verdict().await)?;
    Ok(verdict.map_or(RunVerdict::Unknown, |verdict| verdict.verdict.into()))
}

async fn sides(store: &AppStore, entry: &RunEntry) -> Result<Vec<(Side, SideSummary)>, StoreError> {
    let run = store.run(&entry.run);
    let pre = skip_damaged(run.pre().await)?;
    let post = match entry.posts.last() {
        Some(attempt) => skip_damaged(run.post(attempt).await)?,
        None => None,
    };
    let sides = [(Side::Pre, pre), (Side::Post, post)];
    Ok(sides.into_iter().filter_map(|(side, capture)| Some((side, taster_flow::side_summary(&capture?)))).collect())
}

/// Findings by outcome and severity; all combinations, so that alert rules see zero.
async fn findings(store: &AppStore, judged: Option<&RunEntry>) -> Result<Vec<FindingCount>, StoreError> {
    let verdict: Option<VerdictDocument> = match judged {
        Some(entry) => skip_damaged(store.run(&entry.run).verdict().await)?,
        None => None,
    };
    let Some(verdict) = verdict else { return Ok(Vec::new()) };
    let count = |outcome, severity| {
        let gates = severity == Severity::Fail;
        let these = verdict.findings.iter().filter(|found| found.outcome == outcome && found.gates() == gates);
        FindingCount { outcome, severity, count: gauge_value(these.count() as u64) }
    };
    let outcomes = [FindingOutcome::Same, FindingOutcome::Expected, FindingOutcome::Different, FindingOutcome::Unknown];
    let all = outcomes.map(|outcome| [Severity::Fail, Severity::Warn].map(|severity| count(outcome, severity)));
    Ok(all.into_iter().flatten().collect())
}

/// A damaged document counts as absent; a store that cannot be read is an error.
fn skip_damaged<T>(result: Result<Option<Committed<T>>, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if is_damage(&error) => Ok(None),
        other => Ok(other?.map(Committed::into_inner)),
    }
}
