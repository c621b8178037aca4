//! Events on the workloads and on the Job, and annotations on the Job. If one cannot be written, Taster logs a warning.

use std::{collections::BTreeMap, time::Duration};

use taster_cluster::{Cluster, ClusterError, EventSpec, EventType, OwnJob, WorkloadRef};
use taster_diagnostics::CliError;
use taster_model::{RunId, Verdict, VerdictDocument};
use taster_report::line::JOB_ANNOTATION_BYTES;
use tokio::time::timeout;

use super::{report::RestoreReport, scaler::Scaler};

/// How long writing one Event or annotation may take: the process may be about to end.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Annotations of the Job.
const VERDICT: &str = "taster.dev/verdict";
const RUN: &str = "taster.dev/run";
/// Argo CD shows it as a link.
const LINK: &str = "link.argocd.argoproj.io/report";

async fn write(what: &str, writing: impl Future<Output = Result<(), ClusterError>>) {
    match timeout(WRITE_TIMEOUT, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(what, %error, "cannot write to the cluster"),
        Err(_) => tracing::warn!(what, limit_s = WRITE_TIMEOUT.as_secs(), "cannot write to the cluster in time"),
    }
}

/// Publishes an Event about a workload.
pub(super) async fn publish_on_workload(cluster: &Cluster, workload: &WorkloadRef, event: EventSpec) {
    write(&format!("an Event of {workload}"), cluster.publish_workload_event(workload, event)).await;
}

/// Publishes an Event for each workload that was restored, or was not.
pub(crate) async fn publish_restored(cluster: &Cluster, report: &RestoreReport) {
    for change in &report.restored {
        let event = EventSpec {
            event_type: EventType::Normal,
            reason: "Restored",
            action: "Restoring",
            note: format!("scaled {change}"),
        };
        publish_on_workload(cluster, &change.workload, event).await;
    }
    for failed in &report.failed {
        let one = RestoreReport { restored: Vec::new(), failed: vec![failed.clone()] };
        let note = format!("{}: {}", one.not_restored().unwrap_or_default(), failed.why);
        let event = EventSpec { event_type: EventType::Warning, reason: "NotRestored", action: "Restoring", note };
        publish_on_workload(cluster, &failed.workload, event).await;
    }
}

/// Publishes the error of a flow on the Job.
pub(super) async fn publish_failure(cluster: &Cluster, job: Option<&OwnJob>, error: &CliError) {
    let Some(job) = job else { return };
    let note = error.one_line();
    let text = taster_text::truncate_bytes(&format!("failed: {note}"), JOB_ANNOTATION_BYTES);
    let annotations = BTreeMap::from([(VERDICT.to_owned(), text)]);
    write("the annotations of the Job", cluster.annotate_job(job, &annotations)).await;
    let event = EventSpec { event_type: EventType::Warning, reason: "Failed", action: "Tasting", note };
    write("an Event of the Job", cluster.publish_job_event(job, event)).await;
}

/// The Event of a result.
struct ResultEvent {
    event_type: EventType,
    reason: &'static str,
    text: String,
}

impl Scaler<'_> {
    /// Publishes the verdict on the Job.
    pub(crate) async fn publish_verdict(&self, document: &VerdictDocument) {
        let (event_type, reason) = match document.verdict {
            Verdict::Same => (EventType::Normal, "Same"),
            Verdict::Different => (EventType::Warning, "Different"),
            Verdict::Unknown => (EventType::Warning, "Unknown"),
        };
        // workloads that were not restored come first
        let not_restored = self.state().restored.as_ref().and_then(RestoreReport::not_restored);
        let (event_type, lead) = match not_restored {
            Some(text) => (EventType::Warning, format!("{text}; ")),
            None => (event_type, String::new()),
        };
        let room = JOB_ANNOTATION_BYTES.saturating_sub(lead.len());
        let line = format!("{lead}{}", taster_report::line::verdict(document, room));
        let text = taster_text::truncate_bytes(&line, JOB_ANNOTATION_BYTES);
        self.publish(&document.run, ResultEvent { event_type, reason, text }).await;
    }

    /// Publishes the result of `pre` on the Job.
    pub(crate) async fn publish_capture(&self, run: &RunId, text: &str, event_type: EventType) {
        let text = taster_text::truncate_bytes(text, JOB_ANNOTATION_BYTES);
        self.publish(run, ResultEvent { event_type, reason: "Tasted", text }).await;
    }

    async fn publish(&self, run: &RunId, ResultEvent { event_type, reason, text }: ResultEvent) {
        let Some(job) = &self.job else { return };
        let mut annotations = BTreeMap::from([(VERDICT.to_owned(), text.clone()), (RUN.to_owned(), run.to_string())]);
        let config = &self.context.config;
        annotations.extend(config.report.url_of(&config.app, run).map(|url| (LINK.to_owned(), url)));
        write("the annotations of the Job", self.cluster.annotate_job(job, &annotations)).await;
        let event = EventSpec { event_type, reason, action: "Tasting", note: text };
        write("an Event of the Job", self.cluster.publish_job_event(job, event)).await;
    }
}
