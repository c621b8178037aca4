//! A `post` without a baseline: why it has nothing to compare with, and what the next `pre` says about it.

use std::path::Path;

use taster_diagnostics::CliError;
use taster_model::{CopyRelation, CurrentState, DataKind, ReasonCode, RunId, ServerFacts, Verdict, VerdictDocument};
use taster_store::AppStore;
use taster_text::{counted, escape_hidden};

use crate::context::FlowContext;

/// Adds to a verdict without a baseline where it was looked for, and how to get one next time.
pub(crate) async fn explain(context: &FlowContext, document: &mut VerdictDocument) -> Result<(), CliError> {
    let (why, remedy) = explanation(&context.store, document, &context.store_url).await?;
    for finding in document.findings.iter_mut().filter(|finding| finding.code == ReasonCode::NoBaseline) {
        finding.reason = format!("{}: {why}", finding.reason);
    }
    document.remedy = Some(remedy);
    Ok(())
}

async fn explanation(store: &AppStore, document: &VerdictDocument, url: &str) -> Result<(String, String), CliError> {
    let (app, run) = (&document.app, &document.run);
    if let Some(dropped) = store.run(run).dropped().await? {
        let dropped = dropped.get();
        let why = format!(
            "the baseline of run {run} was dropped by {} on {} ({})",
            escape_hidden(&dropped.who),
            dropped.at.strftime("%Y-%m-%d %H:%M UTC"),
            escape_hidden(&dropped.reason)
        );
        return Ok((why, "run `taster pre` before the next sync: it takes a new baseline".to_owned()));
    }
    let place = place(url);
    let others = store.index().await?.iter().filter(|entry| entry.run != *run).count();
    if others > 0 {
        let runs = counted(others as u64, "other run");
        let why = format!(
            "app {app} has no open baseline in {place}, and run {run} no `pre`; the store has {runs} of the app"
        );
        return Ok((
            why,
            format!("run `taster pre --run {run}` before the sync, or give `post` the --run of that `pre`"),
        ));
    }
    let why = format!("the store {place} has no `pre` of app {app}; it was looked for run {run}");
    let keep = if is_bucket(url) {
        "with the same `app` and the same `store`".to_owned()
    } else {
        "with the same `app` and the same `store`; between two jobs of a CI system, carry its folder along as an artefact or a \
         cache, or keep the results in a bucket (`store: s3://bucket/prefix`)"
            .to_owned()
    };
    Ok((why, format!("run `taster pre` before the sync, {keep}")))
}

fn is_bucket(url: &str) -> bool {
    url.starts_with("s3://")
}

/// The store, with the absolute path of a folder: a relative one is another folder in another job.
fn place(url: &str) -> String {
    let path = url.strip_prefix("file://").unwrap_or(url);
    match std::path::absolute(Path::new(path)) {
        Ok(absolute) if !is_bucket(url) && absolute != Path::new(path) => format!("{url} ({})", absolute.display()),
        _ => url.to_owned(),
    }
}

/// The last run of the app, if its `post` had no baseline and nobody accepted that: what its sync did to this copy was never
/// compared, and becomes part of the next baseline.
pub(crate) async fn uncompared_run(
    context: &FlowContext,
    current: Option<&CurrentState>,
    server: &ServerFacts,
) -> Result<Option<RunId>, CliError> {
    let Some(current) = current.filter(|current| current.baseline.is_none()) else { return Ok(None) };
    let Some(last) = current.last.as_ref().filter(|last| last.verdict == Some(Verdict::Unknown)) else {
        return Ok(None);
    };
    let store = context.store.run(&last.run);
    let Some(verdict) = store.verdict().await?.map(taster_store::Committed::into_inner) else { return Ok(None) };
    let is_another_copy = context.config.mongodb.data == DataKind::Copy
        && server.copy_relation(&verdict.after.server.copy_witness()) == CopyRelation::Different;
    let is_answered = verdict.before.is_some() || store.accepted().await?.is_some();
    Ok((!is_another_copy && !is_answered).then(|| last.run.clone()))
}

#[cfg(test)]
mod tests {
    use taster_model::{DroppedBaseline, Side, schema};
    use taster_store::{Censuses, Store};
    use taster_testkit::captures;

    use super::*;
    use crate::{differences::StoredCapture, judging::verdict_document, rules::Rules};

    #[tokio::test]
    async fn the_next_step_follows_from_what_the_store_has() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let after = captures::empty("r1", Side::Post);
        let store = Store::open_unverified(&url).await.unwrap().app(&after.app);
        let censuses = Censuses::beside_capture(Path::new("capture.json"), Side::Post);
        let after = StoredCapture { capture: &after, censuses: &censuses };
        let document = verdict_document(None, after, Rules::default()).await;
        let next = async |url: &str| explanation(&store, &document, url).await.unwrap().1;

        let once = "run `taster pre` before the sync, with the same `app` and the same `store`";
        assert_eq!(next("s3://bucket/prefix").await, once);
        let carried = "; between two jobs of a CI system, carry its folder along as an artefact or a cache, or keep the results \
                       in a bucket (`store: s3://bucket/prefix`)";
        assert_eq!(next(&url).await, format!("{once}{carried}"));

        let earlier = captures::empty("r0", Side::Pre);
        store.run(&earlier.run).commit_pre(&earlier).await.unwrap();
        let named = "run `taster pre --run r1` before the sync, or give `post` the --run of that `pre`";
        assert_eq!(next(&url).await, named);

        let pre = captures::empty("r1", Side::Pre);
        store.run(&pre.run).commit_pre(&pre).await.unwrap();
        let dropped = DroppedBaseline {
            schema: schema::DROPPED.to_owned(),
            app: pre.app.clone(),
            run: pre.run.clone(),
            attempt: pre.attempt.clone(),
            who: "ann".to_owned(),
            reason: "staging was reloaded".to_owned(),
            at: pre.finished,
        };
        store.run(&pre.run).drop_baseline(&dropped).await.unwrap();
        assert_eq!(next(&url).await, "run `taster pre` before the next sync: it takes a new baseline");
    }
}
