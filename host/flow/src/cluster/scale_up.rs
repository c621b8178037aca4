//! Scaling up: find the workloads, record their counts in the store and on the workload, scale, wait until they are ready.

use std::time::{Duration, Instant};

use taster_cluster::{EventSpec, EventType, InspectedWorkload, StoredRecord, Workload, WorkloadRef};
use taster_diagnostics::CliError;
use taster_model::{RunId, ScaledState, ScaledWorkload, WorkloadFacts, schema};
use taster_store::fault;

use super::{
    api::retry_while_unreachable,
    events,
    facts::workload_facts,
    restore::{record, stored_entry},
    scaler::{API_TIMEOUT, ScaledUp, Scaler},
};
use crate::{connect::StartupDeadline, error::FlowError, shutdown::StopPoint};

/// A database answers a moment after its pod is ready. It gets this long even when `ready` is over.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How many of the configured workloads exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkloadPresence {
    /// All of them.
    All,
    /// None of them.
    None,
}

/// The images with which applications may be started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AllowedImages<'a> {
    /// Any: after a sync, `post` captures what the new images do.
    Any,
    /// Only images that have passed. The images of a failed sync must not be the first to write to a fresh copy.
    Verified(&'a [WorkloadFacts]),
}

impl Scaler<'_> {
    /// Reads all configured workloads. Fails if only some of them exist.
    pub(crate) async fn find_workloads(&self) -> Result<WorkloadPresence, CliError> {
        let workloads = self.section.workloads();
        let inspection = retry_while_unreachable(API_TIMEOUT, async || self.cluster.inspect(&workloads).await).await?;
        for warning in &inspection.warnings {
            tracing::warn!(details = %warning, "another field manager sets the replicas of a workload");
        }
        if !inspection.not_found.is_empty() && !inspection.found.is_empty() {
            let absent = inspection.not_found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(FlowError::PartlyAbsent { absent, namespace: self.cluster.namespace().to_owned() }.into());
        }
        let presence = if inspection.found.is_empty() { WorkloadPresence::None } else { WorkloadPresence::All };
        self.state().found = inspection.found;
        Ok(presence)
    }

    /// Scales the database up, one workload after the other. Each is ready before the next is scaled.
    pub(crate) async fn scale_up_data(&self, run: &RunId, stop_point: StopPoint) -> Result<(), CliError> {
        for workload in self.section.data() {
            let ready = Box::pin(self.scale_up(&workload, run, stop_point)).await?;
            self.state().ready_until = Some((ready, workload.setting));
        }
        Ok(())
    }

    /// Scales the applications up in the same way, except those whose images are not allowed.
    pub(crate) async fn scale_up_apps(
        &self,
        run: &RunId,
        stop_point: StopPoint,
        allowed: AllowedImages<'_>,
    ) -> Result<(), CliError> {
        for workload in self.section.apps() {
            if let Some(images) = self.unverified_images(&workload, allowed) {
                tracing::info!(
                    workload = %workload.reference,
                    %images,
                    "the application stays as it is until after the sync: its images have not passed, and would be the \
                     first to write to this copy"
                );
                continue;
            }
            Box::pin(self.scale_up(&workload, run, stop_point)).await?;
        }
        Ok(())
    }

    /// The images of an application that has run with other images so far.
    fn unverified_images(&self, workload: &Workload, allowed: AllowedImages<'_>) -> Option<String> {
        let AllowedImages::Verified(verified) = allowed else { return None };
        let state = self.state();
        let found = state.found.iter().find(|found| found.workload.reference == workload.reference)?;
        let current = workload_facts(found);
        let verified = verified.iter().find(|facts| (&facts.kind, &facts.name) == (&current.kind, &current.name))?;
        (verified.images != current.images)
            .then(|| current.images.iter().map(|image| image.image.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// Waits `cluster.settle` for the applications to settle.
    pub(crate) async fn settle(&self, stop_point: StopPoint) -> Result<(), CliError> {
        let settle = self.section.settle.get();
        if settle.is_zero() {
            return Ok(());
        }
        tracing::info!(settle_s = settle.as_secs(), "waiting for the applications to settle");
        let pause = async {
            tokio::time::sleep(settle).await;
            Ok(())
        };
        self.context.shutdown.run_until(stop_point, pause).await
    }

    /// Until when the database must answer, if this process has scaled it up.
    pub(crate) fn startup_deadline(&self) -> Option<StartupDeadline> {
        let (at, setting) = self.state().ready_until.clone()?;
        Some(StartupDeadline { at, setting })
    }

    /// Scales one workload up and waits until it is ready. Returns until when a database in it must answer.
    async fn scale_up(&self, workload: &Workload, run: &RunId, stop_point: StopPoint) -> Result<Instant, CliError> {
        let shutdown = &self.context.shutdown;
        // a scaling that has begun is finished, but no new one begins
        if let Some((reason, _)) = shutdown.reason() {
            return Err(reason.error(stop_point));
        }
        let found = self.state().found.iter().find(|found| found.workload.reference == workload.reference).cloned();
        let Some(found) = found else { return Ok(Instant::now()) };
        let ready_until = Instant::now() + workload.ready_timeout;
        self.scale(workload, found, run).await?;
        // the text quotes the last log lines of containers
        let log = |text: &str| {
            tracing::info!(missing = %taster_text::redact_credentials(text), "waiting for a workload");
        };
        let waiting = async { Ok(self.cluster.wait_until_ready(workload, ready_until, &log).await?) };
        let waited = shutdown.run_until(stop_point, waiting).await;
        if let Err(error) = &waited
            && shutdown.reason().is_none()
        {
            let event = EventSpec {
                event_type: EventType::Warning,
                reason: "NotReady",
                action: "Scaling",
                note: error.one_line(),
            };
            events::publish_on_workload(&self.cluster, &workload.reference, event).await;
        }
        waited?;
        fault::point("cluster: ready");
        Ok(ready_until.max(Instant::now() + ANSWER_TIMEOUT))
    }

    /// Records the original count, then scales.
    async fn scale(&self, workload: &Workload, mut found: InspectedWorkload, run: &RunId) -> Result<(), CliError> {
        // a sync that replaces objects removes the annotation; the store still has the record
        let scaled = self.context.store.scaled().await?;
        if let Some(entry) = scaled.as_ref().and_then(|scaled| stored_entry(&workload.reference, &scaled.workloads)) {
            let record = record(&self.context.config.app, entry);
            found.adopt_stored_record(StoredRecord { uid: &entry.uid, record: &record }, run);
        }
        self.record_in_store(&found, run).await?;
        fault::point("cluster: noted");
        let scaling = async || self.cluster.scale_up(&found, run, &self.lock).await;
        let record = retry_while_unreachable(workload.ready_timeout, scaling).await?;
        let InspectedWorkload { uid, current_replicas: live, .. } = found;
        let scaled_up = ScaledUp { workload: workload.reference.clone(), uid, replicas_before: live, record };
        let change = scaled_up.change();
        tracing::info!(workload = %change.workload, from = change.from, to = change.to, "scaled a workload");
        self.state().scaled_up.push(scaled_up);
        fault::point("cluster: scaled");
        if change.from != change.to {
            let note = format!("scaled {change} for tasting (run {run})");
            let event = EventSpec { event_type: EventType::Normal, reason: "ScaledUp", action: "Scaling", note };
            events::publish_on_workload(&self.cluster, &workload.reference, event).await;
        }
        Ok(())
    }

    /// Records in the store what is about to be scaled, before anything is changed. An earlier record of the same object
    /// counts only while the annotation on the workload agrees: the live count wins over it.
    async fn record_in_store(&self, found: &InspectedWorkload, run: &RunId) -> Result<(), CliError> {
        let WorkloadRef { api_version, kind, name } = found.workload.reference.clone();
        let entry = ScaledWorkload {
            api_version,
            kind,
            name,
            uid: found.uid.clone(),
            found: found.original_replicas(),
            to: found.current_replicas.max(found.workload.replicas),
            run: run.clone(),
            since: retry_while_unreachable(API_TIMEOUT, async || self.cluster.server_time().await).await?,
        };
        let app = &self.context.config.app;
        self.context
            .store
            .update_scaled(|scaled| {
                let mut workloads = scaled.map(|scaled| scaled.workloads).unwrap_or_default();
                let is_same = |other: &ScaledWorkload| (&other.kind, &other.name) == (&entry.kind, &entry.name);
                match workloads.iter_mut().find(|other| is_same(other)) {
                    Some(other) => *other = entry.clone(),
                    None => workloads.push(entry.clone()),
                }
                Some(ScaledState { schema: schema::SCALED.to_owned(), app: app.clone(), workloads })
            })
            .await?;
        Ok(())
    }
}
