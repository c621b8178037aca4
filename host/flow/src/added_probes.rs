//! Probes that were added to the configuration while a baseline is open. The first `pre` that ran such a probe is its baseline;
//! the other probes keep theirs.
//!
//! Each such capture is judged by itself, with its own probes only: what a probe has seen since it was added must not excuse
//! what another one misses since the baseline.

use std::collections::{BTreeMap, BTreeSet};

use taster_diagnostics::CliError;
use taster_model::{AddedProbe, Capture, ProbeOutcome, RunId};
use taster_store::{AppStore, Censuses};

use crate::differences::StoredCapture;

/// The open baseline, and the captures that are the baselines of added probes.
#[derive(Default)]
pub struct BaselineCaptures {
    /// The capture of the baseline, with the place of its censuses.
    pub own: Option<(Capture, Censuses)>,
    /// For each run in which probes were added, its capture with these probes only.
    pub added: Vec<(Capture, Censuses)>,
}

impl BaselineCaptures {
    /// The capture of `run`, and those of the probes that were added.
    pub async fn load(store: &AppStore, run: &RunId, added: &[AddedProbe]) -> Result<Self, CliError> {
        let own = store.run(run);
        let Some(capture) = own.pre().await?.map(taster_store::Committed::into_inner) else {
            return Ok(Self::default());
        };
        let mut by_run: BTreeMap<&RunId, BTreeSet<&str>> = BTreeMap::new();
        for probe in added {
            by_run.entry(&probe.run).or_default().insert(&probe.probe);
        }
        let mut parts = Vec::new();
        for (run, probes) in by_run {
            let of_run = store.run(run);
            // without it, its probes have no baseline: they are reported as having run on one side only
            let Some(part) = of_run.pre().await?.map(taster_store::Committed::into_inner) else { continue };
            parts.push((with_probes(&part, |name| probes.contains(name)), of_run.censuses()));
        }
        Ok(Self { own: Some((capture, own.censuses())), added: parts })
    }

    /// One capture with the records of every probe: what `post` takes clock, seed, census key and options from.
    #[must_use]
    pub(crate) fn merged(&self) -> Option<Capture> {
        let (own, _) = self.own.as_ref()?;
        let mut merged = own.clone();
        for (part, _) in &self.added {
            merged.probes.extend(part.probes.iter().cloned());
            merged.censuses.extend(part.censuses.iter().cloned());
            merged.census_key = merged.census_key.or_else(|| part.census_key.clone());
        }
        Some(merged)
    }

    /// The capture of the baseline, as a comparison takes it.
    #[must_use]
    pub fn own_stored(&self) -> Option<StoredCapture<'_>> {
        self.own.as_ref().map(|(capture, censuses)| StoredCapture { capture, censuses })
    }

    /// The captures of the added probes, as a comparison takes them.
    #[must_use]
    pub fn added_stored(&self) -> Vec<StoredCapture<'_>> {
        self.added.iter().map(|(capture, censuses)| StoredCapture { capture, censuses }).collect()
    }
}

/// The capture with some of its probes and their censuses.
pub(crate) fn with_probes(capture: &Capture, is_wanted: impl Fn(&str) -> bool) -> Capture {
    let mut part = capture.clone();
    part.probes.retain(|record| is_wanted(&record.name));
    part.censuses.retain(|facts| is_wanted(&facts.probe));
    part
}

/// The probes of `capture` that the baseline does not know: no probe of that name ran in it, and none was added since. One whose
/// options changed keeps its name, so that it is not among them, and one that was renamed is still missed under its old name.
pub(crate) fn unknown_to(baseline: &Capture, added: &[AddedProbe], capture: &Capture) -> Vec<AddedProbe> {
    let is_known = |name: &str| {
        baseline.probes.iter().any(|record| record.name == name) || added.iter().any(|probe| probe.probe == name)
    };
    let worked = capture.probes.iter().filter(|record| matches!(record.outcome, ProbeOutcome::Metrics(_)));
    worked
        .filter(|record| !is_known(&record.name))
        .map(|record| AddedProbe {
            probe: record.name.clone(),
            run: capture.run.clone(),
            attempt: capture.attempt.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use taster_model::{Failure, Side};
    use taster_testkit::captures;

    use super::*;

    #[test]
    fn a_probe_is_added_if_no_probe_of_its_name_is_known_and_it_worked() {
        let worked = |name| captures::probe(name, ProbeOutcome::Metrics(Vec::new()));
        let baseline = Capture { probes: vec![worked("counts")], ..captures::empty("one", Side::Pre) };
        let mut changed = worked("counts");
        changed.options_sha256.push('x');
        let failed = captures::probe("shape", ProbeOutcome::Failed(Failure::from_probe("no")));
        let probes = vec![changed, worked("census"), failed, worked("indexes")];
        let capture = Capture { probes, ..captures::empty("two", Side::Pre) };
        let names = |added: &[AddedProbe]| {
            unknown_to(&baseline, added, &capture).into_iter().map(|added| added.probe).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["census", "indexes"], "not the changed one, and not the one that failed");
        let earlier =
            AddedProbe { probe: "census".to_owned(), run: capture.run.clone(), attempt: capture.attempt.clone() };
        assert_eq!(names(&[earlier]), ["indexes"], "the first capture of a probe stays its baseline");
    }
}
