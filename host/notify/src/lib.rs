//! Tells others what came of a run: a webhook, a commit on GitHub and its pull requests.
//!
//! It comes last in `post`: the verdict is stored, the replicas are back, the lock is free, and the termination message is
//! written. What cannot be told is said in the log, and changes neither the verdict nor how the process ends.

mod client;
mod error;
mod github;
mod revision;
mod webhook;

use std::time::Duration;

use taster_config::{Config, Notify};
use taster_flow::Kitchen;
use taster_model::{FindingOutcome, Notification, Tally, VerdictDocument, schema};

pub use error::NotifyError;
pub use revision::is_commit;

/// How long telling everybody may take together: somebody waits for the process to end.
const WHOLE: Duration = Duration::from_mins(1);
/// Bytes of the summary.
const SUMMARY: usize = 1000;

/// Tells everybody who wants to know of such a verdict, all at the same time. `revision` is what the command line says.
pub async fn tell(kitchen: &Kitchen, verdict: &VerdictDocument, reports: &[String], revision: Option<&str>) {
    let config = &kitchen.config;
    let wanted = config.notify.iter().filter(|entry| entry.on.contains(&verdict.verdict));
    let all = futures_util::future::join_all(wanted.map(|entry| told(entry, config, verdict, reports, revision)));
    tokio::select! {
        _ = all => {}
        why = kitchen.asked_to_stop() => tracing::warn!("{why}: whoever was not told of the verdict by now never is"),
    }
}

async fn told(entry: &Notify, config: &Config, verdict: &VerdictDocument, reports: &[String], revision: Option<&str>) {
    let who = match (&entry.webhook, &entry.github) {
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
                None => revision::of(config, github).await?,
            };
            let repository = github::Repository::new(&client, github, &revision);
            return repository.tell(verdict, page.as_deref().or_else(|| web(reports))).await;
        }
        let notification = notification(verdict, reports, page.clone(), revision.map(str::to_owned));
        webhook::send(&client, entry, &notification).await
    };
    let result = tokio::time::timeout(WHOLE, work).await.unwrap_or(Err(NotifyError::Late { limit: WHOLE }));
    match result {
        Ok(what) => tracing::info!("{who}: {what}"),
        Err(NotifyError::Skipped { what }) => tracing::warn!("{who} was not told: {what}"),
        Err(error) => {
            use taster_model::Coded as _;
            let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
            tracing::warn!("[{}] {who} was not told of the verdict, which stands: {error}{help}", error.code());
        }
    }
}

/// A report that a browser can open.
fn web(reports: &[String]) -> Option<&str> {
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
        summary: taster_report::line::verdict(verdict, SUMMARY),
        findings: Tally {
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
