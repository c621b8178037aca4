//! Two captures and the operator's expectations in, findings and a verdict out.
//!
//! Pure: no I/O, no clock, no configuration of its own. The same input always gives the same judgement, so that a
//! stored run can be judged again.

mod case;
mod census;
mod changes;
mod collections;
mod compare;
mod copy;
mod declared;
mod diff;
mod expect;
mod metric;
mod number;
mod probes;
mod show;
mod sides;
mod verdict;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use case::Case;
use taster_model::{Capture, DeclaredChange, Differences, Expectation, Finding, Verdict};

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The baseline. `None` makes the verdict `unknown`.
    pub before: Option<&'a Capture>,
    /// The capture after the sync.
    pub after: &'a Capture,
    /// The operator's word. Of several that match a metric the most specific one counts: one that names the probe before
    /// one that does not; then one that names the metric before a pattern; then more spelled-out segments; then more
    /// labels; then, of equals, the later one.
    pub expectations: &'a [Expectation],
    /// What the migration was meant to do: the operator's word of today.
    pub changes: &'a [DeclaredChange],
    /// What the censuses of both sides say about each other.
    pub differences: &'a Differences,
    /// A baseline that is older than this makes the verdict `unknown`. `None`: it may be of any age.
    pub max_baseline_age: Option<Duration>,
}

static NO_DIFFERENCES: Differences = Differences::new();

impl<'a> Input<'a> {
    /// Two captures, and nothing that anybody says of them.
    #[must_use]
    pub fn of(before: Option<&'a Capture>, after: &'a Capture) -> Self {
        Self { before, after, expectations: &[], changes: &[], differences: &NO_DIFFERENCES, max_baseline_age: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// `different` when any gating finding is; else `unknown` when any gating finding is, or when nothing that gates
    /// was judged; else `same`.
    pub verdict: Verdict,
    /// What decides comes first: gating `different`, gating `unknown`, other `different` and `unknown`, `expected`,
    /// `same`; within these by probe, metric and labels.
    pub findings: Vec<Finding>,
    /// Collections of either side that no probe read after the sync, by name.
    pub uncovered: Vec<String>,
}

/// Judges `after` against `before`.
#[must_use]
pub fn judge(input: &Input<'_>) -> Judgement {
    let other = input.before.and_then(|before| {
        collections::other_place(before, input.after).or_else(|| copy::replaced(before, input.after))
    });
    let mut findings = if let Some(finding) = other {
        // whatever differs between two databases, or two copies of one, says nothing about either
        vec![finding]
    } else if let Some(before) = input.before {
        let Input { after, expectations, changes, differences, .. } = *input;
        let case = Case { before, after, expectations, changes, differences };
        let mut findings = probes::findings(&case);
        findings.extend(changes::findings(&case));
        findings.extend(collections::gone(&case));
        findings.extend(collections::never_there(before, input.after));
        findings.extend(collections::remarkable(before, input.after));
        findings.extend(collections::unstable(before, input.after));
        findings.extend(expect::unmatched(before, input.after, input.expectations));
        let doubts = copy::doubts(before, input.after, input.max_baseline_age);
        if !doubts.is_empty() {
            // it is shown what differs, but nobody can tell what that means
            for finding in &mut findings {
                finding.muted = true;
            }
        }
        findings.extend(doubts);
        findings
    } else {
        let mut findings = vec![verdict::no_baseline()];
        findings.extend(probes::failures_after(input.after));
        findings
    };
    let verdict = verdict::decide(&mut findings, input.changes);
    verdict::sort(&mut findings);
    Judgement { verdict, findings, uncovered: collections::uncovered(input.before, input.after) }
}
