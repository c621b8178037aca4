//! Up: what is there, recorded in the store and on the workload, scaled, waited for.

use std::time::{Duration, Instant};

use taster_cluster::{Found, Record, Said, Tone, Workload, WorkloadRef};
use taster_diagnostics::CliError;
use taster_model::{RunId, Scaled, ScaledWorkload, WorkloadFacts, schema};
use taster_store::fault;

use super::{
    Moved, Scaler, facts, patiently,
    restore::{known_of, record},
    say,
};
use crate::{FlowError, connect::Waiting, stop::Until};

/// What a look at the workloads came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// All of them are there.
    There,
    /// None of them is.
    Nothing,
}

/// In which versions applications are started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Versions<'a> {
    /// In whichever they have: after a sync, that is what is tasted.
    Any,
    /// In those that are known not to lose anything. What is left of a sync that failed does not get at a fresh copy.
    Known(&'a [WorkloadFacts]),
}

/// A workload that was scaled by this process.
#[derive(Debug, Clone)]
pub(super) struct Raised {
    of: WorkloadRef,
    uid: String,
    /// What was live before.
    live: i32,
    record: Record,
}

impl Raised {
    pub(super) fn moved(&self) -> Moved {
        Moved { workload: self.of.clone(), from: self.live, to: self.record.to }
    }

    /// As the store keeps it.
    pub(super) fn entry(&self) -> ScaledWorkload {
        let WorkloadRef { api_version, kind, name } = self.of.clone();
        let Record { found, to, run, since, .. } = self.record.clone();
        ScaledWorkload { api_version, kind, name, uid: self.uid.clone(), found, to, run, since }
    }
}

impl Scaler<'_> {
    /// Looks at all workloads. Changes nothing.
    pub(crate) async fn look(&self) -> Result<Look, CliError> {
        let workloads = self.section.workloads();
        let inspection = patiently(super::PATIENCE, async || self.cluster.inspect(&workloads).await).await?;
        for warning in &inspection.warnings {
            tracing::warn!("{warning}");
        }
        if !inspection.absent.is_empty() && !inspection.found.is_empty() {
            let absent = inspection.absent.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(FlowError::PartlyAbsent { absent, namespace: self.cluster.namespace().to_owned() }.into());
        }
        let look = if inspection.found.is_empty() { Look::Nothing } else { Look::There };
        self.seen().found = inspection.found;
        Ok(look)
    }

    /// None of the workloads is there, and some were.
    pub(crate) fn all_absent(&self) -> FlowError {
        let absent: Vec<String> = self.section.workloads().iter().map(|workload| workload.of.to_string()).collect();
        FlowError::AllAbsent { absent: absent.join(", "), namespace: self.cluster.namespace().to_owned() }
    }

    /// Makes sure, before something is committed, that no other process is at work. From an API server that is away nobody
    /// takes a lock.
    pub(crate) async fn still_mine(&self) -> Result<(), CliError> {
        match self.lock.check().await {
            Err(error) if error.is_passing() => {}
            result => result?,
        }
        self.seen().committed = true;
        Ok(())
    }

    /// Scales the database up, one after the other, each ready before the next.
    pub(crate) async fn data_up(&self, run: &RunId, until: Until) -> Result<(), CliError> {
        for workload in self.section.data() {
            let ready = Box::pin(self.up(&workload, run, until)).await?;
            self.seen().ready_until = Some((ready, workload.setting));
        }
        Ok(())
    }

    /// Scales the applications up in the same way, but for those whose version has not passed.
    pub(crate) async fn apps_up(&self, run: &RunId, until: Until, versions: Versions<'_>) -> Result<(), CliError> {
        for workload in self.section.apps() {
            if let Some(images) = self.stranger(&workload, versions) {
                tracing::info!(
                    "{} stays as it is until after the sync: {images} has not passed, and would be the first to write to \
                     this copy",
                    workload.of
                );
                continue;
            }
            Box::pin(self.up(&workload, run, until)).await?;
        }
        Ok(())
    }

    /// What an application would run that is not known, where that matters.
    fn stranger(&self, workload: &Workload, versions: Versions<'_>) -> Option<String> {
        let Versions::Known(known) = versions else { return None };
        let seen = self.seen();
        let found = seen.found.iter().find(|found| found.workload.of == workload.of)?;
        let now = facts::facts(found);
        let known = known.iter().find(|known| (&known.kind, &known.name) == (&now.kind, &now.name))?;
        (known.images != now.images)
            .then(|| now.images.iter().map(|image| image.image.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// Lets the applications settle.
    pub(crate) async fn settle(&self, until: Until) -> Result<(), CliError> {
        let settle = self.section.settle.get();
        if settle.is_zero() {
            return Ok(());
        }
        tracing::info!("letting the applications settle for {}", taster_text::duration(settle));
        let pause = async {
            tokio::time::sleep(settle).await;
            Ok(())
        };
        self.kitchen.stop.unless(until, pause).await
    }

    /// How long the database may still take to answer.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let (until, setting) = self.seen().ready_until.clone()?;
        Some(Waiting { until, setting })
    }

    /// Scales one workload up and waits until it is ready. Returns until when it may have taken.
    async fn up(&self, workload: &Workload, run: &RunId, until: Until) -> Result<Instant, CliError> {
        let stop = &self.kitchen.stop;
        // what was begun is not left half done, but nothing new is begun
        if let Some((reason, _)) = stop.now() {
            return Err(reason.problem(until));
        }
        let found = self.seen().found.iter().find(|found| found.workload.of == workload.of).cloned();
        let Some(mut found) = found else { return Ok(Instant::now()) };
        let ready = Instant::now() + workload.ready;
        // a sync that replaces objects takes the annotation off; the store still knows
        let scaled = self.kitchen.store.scaled().await?;
        if let Some(entry) = scaled.as_ref().and_then(|scaled| known_of(&workload.of, &scaled.workloads)) {
            found.recall(&entry.uid, record(&self.kitchen.config.app, entry), run);
        }
        self.note(&found, run).await?;
        fault::point("cluster: noted");
        let record = patiently(workload.ready, async || self.cluster.raise(&found, run, &self.lock).await).await?;
        let Found { uid, live, .. } = found;
        let raised = Raised { of: workload.of.clone(), uid, live, record };
        tracing::info!("scaled {}", raised.moved());
        self.seen().up.push(raised.clone());
        fault::point("cluster: scaled");
        if raised.live != raised.record.to {
            let note = format!("scaled {} for tasting (run {run})", raised.moved());
            let said = Said { tone: Tone::Normal, reason: "ScaledUp", action: "Scaling", note };
            say::on_workload(&self.cluster, &workload.of, said).await;
        }
        // it holds the last words of containers
        let say = |text: &str| tracing::info!("waiting for {}", taster_text::redact_credentials(text));
        let waited = stop.unless(until, async { Ok(self.cluster.wait_ready(workload, ready, &say).await?) }).await;
        if let Err(problem) = &waited
            && stop.now().is_none()
        {
            let said = Said { tone: Tone::Warning, reason: "NotReady", action: "Scaling", note: problem.one_line() };
            say::on_workload(&self.cluster, &workload.of, said).await;
        }
        waited?;
        fault::point("cluster: ready");
        // a database answers a moment after its pod is ready, however much time is left
        Ok(ready.max(Instant::now() + Duration::from_secs(10)))
    }

    /// Notes in the store what is going to be scaled, before anything is changed. A count that was noted before of the
    /// same object stands only as long as the annotation says so: what is live beats it.
    async fn note(&self, found: &Found, run: &RunId) -> Result<(), CliError> {
        let WorkloadRef { api_version, kind, name } = found.workload.of.clone();
        let entry = ScaledWorkload {
            api_version,
            kind,
            name,
            uid: found.uid.clone(),
            found: found.count(),
            to: found.live.max(found.workload.replicas),
            run: run.clone(),
            since: patiently(super::PATIENCE, async || self.cluster.now().await).await?,
        };
        let app = &self.kitchen.config.app;
        self.kitchen
            .store
            .update_scaled(|scaled| {
                let mut workloads = scaled.map(|scaled| scaled.workloads).unwrap_or_default();
                let same = |other: &ScaledWorkload| (&other.kind, &other.name) == (&entry.kind, &entry.name);
                match workloads.iter_mut().find(|other| same(other)) {
                    Some(other) => *other = entry.clone(),
                    None => workloads.push(entry.clone()),
                }
                Some(Scaled { schema: schema::SCALED.to_owned(), app: app.clone(), workloads })
            })
            .await?;
        Ok(())
    }
}
