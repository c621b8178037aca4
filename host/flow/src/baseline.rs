//! The standing baseline: whose it is, of which copy, and what a killed process could not say about it any more.

use taster_diagnostics::CliError;
use taster_model::{
    Baseline, Capture, CopyRelation, Current, DataKind, LastRun, Outcome, RunId, ServerFacts, Severity, Verdict,
    WorkloadFacts, schema,
};

use super::Kitchen;

/// Captures announced at a time. Each process that dies between announcing and committing leaves one behind.
const CLAIMS: usize = 16;
/// How often it is tried while others keep moving `current.json`.
const TRIES: usize = 20;

/// Where the app stands, with what was committed and could not be noted: a capture whose process died before it said so
/// becomes the baseline, and a verdict or an acceptance that closes the baseline closes it.
pub(super) async fn current(kitchen: &Kitchen) -> Result<Option<Current>, CliError> {
    for _ in 0..TRIES {
        let Some(seen) = kitchen.store.current().await? else { return Ok(None) };
        let mended = mended(kitchen, &seen).await?;
        if mended == seen {
            return Ok(Some(seen));
        }
        let stands = kitchen
            .store
            .update_current(|current| if current.as_ref() == Some(&seen) { Some(mended.clone()) } else { None })
            .await?;
        if stands.as_ref() == Some(&mended) {
            return Ok(stands);
        }
    }
    Ok(kitchen.store.current().await?)
}

async fn mended(kitchen: &Kitchen, seen: &Current) -> Result<Current, CliError> {
    let mut current = seen.clone();
    // An announced capture that is there counts as if its process had noted it. Of several, the first one stands: it was
    // announced before anything that the others might have seen.
    for claim in &seen.claims {
        if !is_committed(kitchen, claim).await? {
            continue;
        }
        current.claims.retain(|other| other != claim);
        if current.baseline.is_none() && !is_closed(kitchen, &claim.run).await? {
            current.baseline = Some(claim.clone());
            current.nothing_yet = None;
            let verdict = kitchen.store.run(&claim.run).verdict().await?.map(|v| v.into_inner().verdict);
            current.last = Some(LastRun { run: claim.run.clone(), verdict });
        }
    }
    let runs = [current.last.as_ref().map(|last| last.run.clone()), current.baseline.as_ref().map(|b| b.run.clone())];
    for run in runs.into_iter().flatten() {
        let Some(baseline) = &current.baseline else { break };
        if let Some(passed) = closes(kitchen, &run, baseline).await? {
            current.baseline = None;
            current.known = passed;
        }
    }
    Ok(current)
}

/// Whether the capture that was announced is the one that stands for its run.
async fn is_committed(kitchen: &Kitchen, claim: &Baseline) -> Result<bool, CliError> {
    let standing = kitchen.store.run(&claim.run).pre().await?;
    Ok(standing.is_some_and(|capture| capture.get().attempt == claim.attempt))
}

/// Whether what stands for `run` closes the baseline: a verdict `same` against it that no later attempt outdid, or an
/// acceptance of what was found against it. Then it is known which versions passed.
async fn closes(kitchen: &Kitchen, run: &RunId, baseline: &Baseline) -> Result<Option<Vec<WorkloadFacts>>, CliError> {
    let store = kitchen.store.run(run);
    let Some(verdict) = store.verdict().await?.map(taster_store::Committed::into_inner) else { return Ok(None) };
    let against = verdict.before.as_ref().is_some_and(|before| before.run == baseline.run);
    let outdone = baseline.judged.as_ref().is_some_and(|judged| *judged > verdict.attempt);
    if !against || outdone {
        return Ok(None);
    }
    let passed = verdict.verdict == Verdict::Same
        || store.accepted().await?.is_some_and(|accepted| accepted.get().attempt == verdict.attempt);
    Ok(passed.then_some(verdict.after.workloads))
}

/// Whether the run has passed or was accepted: nothing is compared with its capture any more.
pub(super) async fn is_closed(kitchen: &Kitchen, run: &RunId) -> Result<bool, CliError> {
    let store = kitchen.store.run(run);
    let passed = store.verdict().await?.is_some_and(|verdict| verdict.get().verdict == Verdict::Same);
    Ok(passed || store.accepted().await?.is_some())
}

/// What a capture is as a baseline.
pub(super) fn of(capture: &Capture) -> Baseline {
    Baseline {
        run: capture.run.clone(),
        attempt: capture.attempt.clone(),
        started: capture.started,
        copy: capture.server.copy_witness(),
        judged: None,
    }
}

/// Announces a capture that is about to be committed: a process that is killed right after that leaves a capture that
/// nobody else would know of, and the next one would take its baseline from what the upgrade has left.
pub(super) async fn announce(kitchen: &Kitchen, claim: &Baseline) -> Result<(), CliError> {
    kitchen
        .store
        .update_current(|current| {
            let mut current = current.unwrap_or_else(|| nothing(kitchen));
            current.claims.push(claim.clone());
            let surplus = current.claims.len().saturating_sub(CLAIMS);
            current.claims.drain(..surplus);
            Some(current)
        })
        .await?;
    Ok(())
}

/// Notes the committed capture of `run`. It becomes the baseline where none stands; where one stands it is kept, for what
/// a later capture saw may be the damage. Two kinds of baseline give way: one of another copy, and one that nothing could
/// ever be `same` against.
pub(super) async fn note(
    kitchen: &Kitchen,
    run: &RunId,
    capture: &Capture,
    server: &ServerFacts,
) -> Result<Baseline, CliError> {
    let own = of(capture);
    let verdict = kitchen.store.run(run).verdict().await?.map(|v| v.into_inner().verdict);
    let closed = is_closed(kitchen, run).await?;
    let unusable = unusable(kitchen, is_whole(capture)).await?;
    let current = kitchen
        .store
        .update_current(|current| {
            let mut current = current.unwrap_or_else(|| nothing(kitchen));
            let of_this_copy = |standing: &Baseline| copy(kitchen, standing, server) != CopyRelation::Another;
            let standing = current.baseline.filter(of_this_copy).filter(|standing| Some(standing) != unusable.as_ref());
            current.baseline = if closed { standing } else { standing.or_else(|| Some(own.clone())) };
            current.claims.retain(|claim| claim.run != *run);
            current.last = Some(LastRun { run: run.clone(), verdict });
            current.nothing_yet = None;
            if current.known.is_empty() {
                current.known.clone_from(&capture.workloads);
            }
            Some(current)
        })
        .await?;
    Ok(current.and_then(|c| c.baseline).unwrap_or(own))
}

/// How the copy of a baseline is related to what the server holds.
pub(super) fn copy(kitchen: &Kitchen, baseline: &Baseline, server: &ServerFacts) -> CopyRelation {
    match kitchen.config.mongodb.data {
        DataKind::Live => CopyRelation::Same,
        DataKind::Copy => server.holds(&baseline.copy),
    }
}

/// The standing baseline, if a whole capture may take its place: it is not whole itself, and no `post` has judged
/// against it. Before the sync nothing can have been lost between the two; after a `post` it may.
async fn unusable(kitchen: &Kitchen, replacement_is_whole: bool) -> Result<Option<Baseline>, CliError> {
    let Some(standing) = kitchen.store.current().await?.and_then(|c| c.baseline) else { return Ok(None) };
    if !replacement_is_whole || standing.judged.is_some() {
        return Ok(None);
    }
    let spoilt = is_spoilt(kitchen, &standing.run).await?;
    Ok(Some(standing).filter(|_| spoilt))
}

/// Whether the run has a capture in which a gating probe failed, and nothing was judged against it yet.
pub(super) async fn is_spoilt(kitchen: &Kitchen, run: &RunId) -> Result<bool, CliError> {
    let store = kitchen.store.run(run);
    let broken = store.pre().await?.is_some_and(|capture| !is_whole(capture.get()));
    Ok(broken && store.latest_post().await?.is_none())
}

/// Whether every gating probe ended well: only then can anything be judged `same` against the capture.
fn is_whole(capture: &Capture) -> bool {
    capture
        .probes
        .iter()
        .filter(|p| p.severity == Severity::Fail && !p.muted)
        .all(|p| matches!(p.outcome, Outcome::Metrics(_)))
        && capture.consistency.unstable.is_empty()
}

/// An app of which nothing is known.
pub(super) fn nothing(kitchen: &Kitchen) -> Current {
    Current {
        schema: schema::CURRENT.to_owned(),
        app: kitchen.config.app.clone(),
        baseline: None,
        claims: Vec::new(),
        last: None,
        nothing_yet: None,
        known: Vec::new(),
    }
}
