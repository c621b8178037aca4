//! Where people look: Events on the workloads and the Job, annotations on the Job. What cannot be said is a warning.

use std::{collections::BTreeMap, time::Duration};

use taster_cluster::{Cluster, ClusterError, OwnJob, Said, Tone, WorkloadRef};
use taster_diagnostics::CliError;
use taster_model::{RunId, Verdict, VerdictDocument};
use taster_report::line::ON_THE_JOB;
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
pub(super) async fn on_workload(cluster: &Cluster, of: &WorkloadRef, event: Said) {
    said(&format!("an Event of {of}"), cluster.event_on(of, event)).await;
}

/// What came of putting workloads back.
pub(crate) async fn restored(cluster: &Cluster, report: &Report) {
    for moved in &report.back {
        let event =
            Said { tone: Tone::Normal, reason: "Restored", action: "Restoring", note: format!("scaled {moved}") };
        on_workload(cluster, &moved.workload, event).await;
    }
    for failed in &report.failed {
        let one = Report { back: Vec::new(), failed: vec![failed.clone()] };
        let note = format!("{}: {}", one.not_restored().unwrap_or_default(), failed.why);
        let event = Said { tone: Tone::Warning, reason: "NotRestored", action: "Restoring", note };
        on_workload(cluster, &failed.workload, event).await;
    }
}

/// That it could not be done.
pub(super) async fn failed(cluster: &Cluster, job: Option<&OwnJob>, problem: &CliError) {
    let Some(job) = job else { return };
    let note = problem.one_line();
    let annotations =
        BTreeMap::from([(VERDICT.to_owned(), taster_text::truncate_bytes(&format!("failed: {note}"), ON_THE_JOB))]);
    said("the annotations of the Job", cluster.annotate_job(job, &annotations)).await;
    let event = Said { tone: Tone::Warning, reason: "Failed", action: "Tasting", note };
    said("an Event of the Job", cluster.event_on_job(job, event)).await;
}

const VERDICT: &str = "taster.dev/verdict";
const RUN: &str = "taster.dev/run";
/// Argo CD shows it as a link.
const LINK: &str = "link.argocd.argoproj.io/report";

impl Scaler<'_> {
    /// The verdict, on the own Job.
    pub(crate) async fn say_verdict(&self, document: &VerdictDocument) {
        let (tone, reason) = match document.verdict {
            Verdict::Same => (Tone::Normal, "Same"),
            Verdict::Different => (Tone::Warning, "Different"),
            Verdict::Unknown => (Tone::Warning, "Unknown"),
        };
        // what is not back is told first
        let not_restored = self.seen().back.as_ref().and_then(Report::not_restored);
        let (tone, lead) = match not_restored {
            Some(text) => (Tone::Warning, format!("{text}; ")),
            None => (tone, String::new()),
        };
        let room = ON_THE_JOB.saturating_sub(lead.len());
        let line =
            taster_text::truncate_bytes(&format!("{lead}{}", taster_report::line::verdict(document, room)), ON_THE_JOB);
        self.say(&document.run, line, tone, reason).await;
    }

    /// What came of a `pre`, on the own Job.
    pub(crate) async fn say_tasted(&self, run: &RunId, text: String, tone: Tone) {
        self.say(run, text, tone, "Tasted").await;
    }

    async fn say(&self, run: &RunId, text: String, tone: Tone, reason: &'static str) {
        let Some(job) = &self.job else { return };
        let mut annotations = BTreeMap::from([(VERDICT.to_owned(), text.clone()), (RUN.to_owned(), run.to_string())]);
        let config = &self.kitchen.config;
        annotations.extend(config.report.url_of(&config.app, run).map(|url| (LINK.to_owned(), url)));
        said("the annotations of the Job", self.cluster.annotate_job(job, &annotations)).await;
        let event = Said { tone, reason, action: "Tasting", note: text };
        said("an Event of the Job", self.cluster.event_on_job(job, event)).await;
    }
}
