//! Notifications about a verdict: webhooks, the status of a commit on GitHub and comments on its pull requests.
//!
//! They are the last step of `post`: the verdict is stored, the workloads are restored, the lock is released and the
//! termination message is written. A notification that fails is a warning; it changes neither the verdict nor the exit code.

mod client;
mod error;
mod github;
mod revision;
mod webhook;

use std::time::Duration;

use taster_config::{Config, NotificationTarget};
use taster_flow::FlowContext;
use taster_model::{FindingCounts, FindingOutcome, Notification, VerdictDocument, schema};

pub use error::NotifyError;
pub use revision::is_commit;

/// How long all notifications may take together: the sync waits for the process to end.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(1);
/// The most bytes of the summary.
const SUMMARY_BYTES: usize = 1000;

/// Sends all notifications that are configured for this verdict, at the same time. `revision` is that of the command line.
pub async fn send_all(context: &FlowContext, verdict: &VerdictDocument, reports: &[String], revision: Option<&str>) {
    let config = &context.config;
    let wanted = config.notify.iter().filter(|entry| entry.on.contains(&verdict.verdict));
    let all = futures_util::future::join_all(wanted.map(|entry| send_one(entry, config, verdict, reports, revision)));
    tokio::select! {
        _ = all => {}
        why = context.stop_requested() => tracing::warn!(%why, "notifications that were not sent by now are dropped"),
    }
}

async fn send_one(
    entry: &NotificationTarget,
    config: &Config,
    verdict: &VerdictDocument,
    reports: &[String],
    revision: Option<&str>,
) {
    let receiver = match (&entry.webhook, &entry.github) {
        (Some(webhook), _) => client::host_of(webhook.expose()),
        (None, Some(github)) => format!("GitHub repository {}", github.repository),
        (None, None) => return,
    };
    let page = config.report.url_of(&verdict.app, &verdict.run);
    let work = async {
        let client = client::Client::new(entry)?;
        if let Some(github) = &entry.github {
            let revision = match revision {
                Some(revision) => revision.to_owned(),
                None => revision::synced_commit(config, github).await?,
            };
            let repository = github::Repository::new(&client, github, &revision);
            return repository.publish(verdict, page.as_deref().or_else(|| browser_url(reports))).await;
        }
        let notification = notification(verdict, reports, page.clone(), revision.map(str::to_owned));
        webhook::send(&client, entry, &notification).await
    };
    let result =
        tokio::time::timeout(TOTAL_TIMEOUT, work).await.unwrap_or(Err(NotifyError::TimedOut { limit: TOTAL_TIMEOUT }));
    match result {
        Ok(what) => tracing::info!(receiver, "{what}"),
        Err(error) => {
            use taster_model::Diagnostic as _;
            let (code, help) = (error.code(), error.help());
            tracing::warn!(receiver, code, %error, help, "the receiver was not notified; the verdict is unchanged");
        }
    }
}

/// The URL of a report that a browser can open.
fn browser_url(reports: &[String]) -> Option<&str> {
    reports.iter().map(String::as_str).find(|url| url.starts_with("https://") || url.starts_with("http://"))
}

fn notification(
    verdict: &VerdictDocument,
    reports: &[String],
    page: Option<String>,
    revision: Option<String>,
) -> Notification {
    let of = |outcome| verdict.findings.iter().filter(|finding| finding.outcome == outcome).count() as u64;
    Notification {
        schema: schema::NOTIFICATION.to_owned(),
        app: verdict.app.clone(),
        run: verdict.run.clone(),
        attempt: verdict.attempt.clone(),
        verdict: verdict.verdict,
        summary: taster_report::line::verdict(verdict, SUMMARY_BYTES),
        findings: FindingCounts {
            different: of(FindingOutcome::Different),
            unknown: of(FindingOutcome::Unknown),
            expected: of(FindingOutcome::Expected),
            same: of(FindingOutcome::Same),
        },
        remedy: verdict.remedy.clone(),
        revision,
        page,
        reports: reports.to_vec(),
    }
}
