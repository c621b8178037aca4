//! Where people look: Events on the workloads and the Job, annotations on the Job. What cannot be said is a warning.

use std::{collections::BTreeMap, time::Duration};

use taster_cluster::{Cluster, ClusterError, EventSpec, EventType, OwnJob, WorkloadRef};
use taster_diagnostics::Problem;
use taster_model::{RunId, Verdict, VerdictDocument};
use taster_report::line::JOB_ANNOTATION_BYTES;
use tokio::time::timeout;

use super::{Report, Scaler};

/// How long saying one thing may take: whoever says it may be about to be ended.
const SAYING: Duration = Duration::from_secs(2);

async fn said(what: &str, saying: impl Future<Output = Result<(), ClusterError>>) {
    match timeout(SAYING, saying).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{what} could not be written: {error}"),
        Err(_) => tracing::warn!("{what} could not be written in time"),
    }
}

/// An Event about a workload.
pub(super) async fn on_workload(cluster: &Cluster, of: &WorkloadRef, event: EventSpec) {
    said(&format!("an Event of {of}"), cluster.publish_workload_event(of, event)).await;
}

/// What came of putting workloads back.
pub(crate) async fn restored(cluster: &Cluster, report: &Report) {
    for moved in &report.back {
        let event = EventSpec {
            event_type: EventType::Normal,
            reason: "Restored",
            action: "Restoring",
            note: format!("scaled {moved}"),
        };
        on_workload(cluster, &moved.workload, event).await;
    }
    for failed in &report.failed {
        let one = Report { back: Vec::new(), failed: vec![failed.clone()] };
        let note = format!("{}: {}", one.not_restored().unwrap_or_default(), failed.why);
        let event = EventSpec { event_type: EventType::Warning, reason: "NotRestored", action: "Restoring", note };
        on_workload(cluster, &failed.workload, event).await;
    }
}

/// That it could not be done.
pub(super) async fn failed(cluster: &Cluster, job: Option<&OwnJob>, problem: &Problem) {
    let Some(job) = job else { return };
    let note = problem.in_a_line();
    let annotations =
        BTreeMap::from([(VERDICT.to_owned(), taster_text::cut(&format!("failed: {note}"), JOB_ANNOTATION_BYTES))]);
    said("the annotations of the Job", cluster.annotate_job(job, &annotations)).await;
    let event = EventSpec { event_type: EventType::Warning, reason: "Failed", action: "Tasting", note };
    said("an Event of the Job", cluster.publish_job_event(job, event)).await;
}

const VERDICT: &str = "taster.dev/verdict";
const RUN: &str = "taster.dev/run";
/// Argo CD shows it as a link.
const LINK: &str = "link.argocd.argoproj.io/report";

impl Scaler<'_> {
    /// The verdict, on the own Job.
    pub(crate) async fn say_verdict(&self, document: &VerdictDocument) {
        let (tone, reason) = match document.verdict {
            Verdict::Same => (EventType::Normal, "Same"),
            Verdict::Different => (EventType::Warning, "Different"),
            Verdict::Unknown => (EventType::Warning, "Unknown"),
        };
        // what is not back is told first
        let not_restored = self.seen().back.as_ref().and_then(Report::not_restored);
        let (tone, lead) = match not_restored {
            Some(text) => (EventType::Warning, format!("{text}; ")),
            None => (tone, String::new()),
        };
        let room = JOB_ANNOTATION_BYTES.saturating_sub(lead.len());
        let line =
            taster_text::cut(&format!("{lead}{}", taster_report::line::verdict(document, room)), JOB_ANNOTATION_BYTES);
        self.say(&document.run, line, tone, reason).await;
    }

    /// What came of a `pre`, on the own Job.
    pub(crate) async fn say_tasted(&self, run: &RunId, text: String, tone: EventType) {
        self.say(run, text, tone, "Tasted").await;
    }

    async fn say(&self, run: &RunId, text: String, tone: EventType, reason: &'static str) {
        let Some(job) = &self.job else { return };
        let mut annotations = BTreeMap::from([(VERDICT.to_owned(), text.clone()), (RUN.to_owned(), run.to_string())]);
        let config = &self.kitchen.config;
        annotations.extend(config.report.url_of(&config.app, run).map(|url| (LINK.to_owned(), url)));
        said("the annotations of the Job", self.cluster.annotate_job(job, &annotations)).await;
        let event = EventSpec { event_type: tone, reason, action: "Tasting", note: text };
        said("an Event of the Job", self.cluster.publish_job_event(job, event)).await;
    }
}
