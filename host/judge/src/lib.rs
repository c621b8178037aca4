//! Compares two captures under the operator's expectations and declared changes, and returns findings and a verdict.
//!
//! Pure: no I/O, no clock, no configuration of its own. The same input always gives the same judgement, so that a stored
//! run can be judged again.

mod capture_pair;
mod census;
mod changes;
mod collections;
mod compare;
mod data_copy;
mod evidence;
mod expectation_index;
mod expectations;
mod explanation;
mod json_diff;
mod metric;
mod number;
mod pairing;
mod probes;
mod rename;
mod show;
mod ttl;
mod verdict;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use capture_pair::CapturePair;
pub use compare::rule_misfit_reason;
pub use rename::Renames;
use taster_model::{
    Capture, CensusDifferences, CollectionEvidence, DeclaredChange, Expectation, Finding, ReasonCode, Verdict,
};

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct JudgementInput<'a> {
    /// The baseline. `None` makes the verdict `unknown`.
    pub before: Option<&'a Capture>,
    /// The capture after the sync.
    pub after: &'a Capture,
    /// The operator's expectations. If several match a metric, the most specific one applies: one with a probe before one
    /// without; then one with the metric's name before one with a pattern; then one with more literal segments; then one
    /// with more labels; then, among equals, the later one.
    pub expectations: &'a [Expectation],
    /// The declared changes of the current configuration.
    pub changes: &'a [DeclaredChange],
    /// The differences of the censuses of both captures.
    pub differences: &'a CensusDifferences,
    /// A baseline that is older than this makes the verdict `unknown`. `None`: no limit.
    pub max_baseline_age: Option<Duration>,
    /// Collections of which a census of every document and field must decide; otherwise the verdict is `unknown`. One that was
    /// renamed as declared may be named by either name.
    pub required_censuses: &'a [String],
}

static NO_DIFFERENCES: CensusDifferences = CensusDifferences::new();

impl<'a> JudgementInput<'a> {
    /// Two captures without expectations, declared changes and censuses.
    #[must_use]
    pub fn new(before: Option<&'a Capture>, after: &'a Capture) -> Self {
        Self {
            before,
            after,
            expectations: &[],
            changes: &[],
            differences: &NO_DIFFERENCES,
            max_baseline_age: None,
            required_censuses: &[],
        }
    }
}

/// The verdict with its findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// `different` if any deciding finding is `different`; else `unknown` if any deciding finding is `unknown`, or if no
    /// finding can decide; else `same`.
    pub verdict: Verdict,
    /// Deciding findings first: deciding `different`, deciding `unknown`, other `different` and `unknown`, `expected`,
    /// `same`; within these sorted by probe, metric and labels.
    pub findings: Vec<Finding>,
    /// Collections of either capture that no probe read after the sync, sorted by name.
    pub uncovered: Vec<String>,
    /// On what the verdict rests, by collection. Empty without a baseline that can be compared.
    pub evidence: Vec<CollectionEvidence>,
}

impl Judgement {
    /// Adds the findings of the probes `own`, which were judged against a later capture because they were added to the
    /// configuration then. Each of their reasons ends with `since`. The findings about that capture's copy come with them; the rest
    /// of its judgement is about the whole database, which the baseline alone decides.
    pub fn add_part(&mut self, part: Judgement, own: &BTreeSet<String>, since: &str) {
        let about_copy = [
            ReasonCode::CopyReplaced,
            ReasonCode::CopyUnwitnessed,
            ReasonCode::ServerChanged,
            ReasonCode::BaselineTooOld,
            ReasonCode::NotComparable,
        ];
        // an expectation that matches a metric of either capture is in use
        let is_used = |finding: &Finding| {
            finding.code == ReasonCode::ExpectationUnmatched && !part.findings.iter().any(|other| other == finding)
        };
        self.findings.retain(|finding| !is_used(finding));
        self.uncovered.retain(|name| part.uncovered.contains(name));
        for mut finding in part.findings {
            let is_own = finding.probe.as_ref().is_some_and(|probe| own.contains(probe));
            if is_own || finding.probe.is_none() && about_copy.contains(&finding.code) {
                finding.reason.push_str(since);
                self.findings.push(finding);
            }
        }
        for better in part.evidence {
            let known = self.evidence.iter_mut().find(|known| known.collection == better.collection);
            if let Some(known) = known.filter(|known| better.basis < known.basis) {
                *known = better;
            }
        }
        self.verdict = verdict::decide(&mut self.findings, &[]);
        verdict::sort(&mut self.findings);
    }
}

/// Judges `after` against `before`.
#[must_use]
pub fn judge(input: &JudgementInput<'_>) -> Judgement {
    let renames = input.before.map(|before| Renames::found(before, input.after, input.changes)).unwrap_or_default();
    let after = renames.after(input.after);
    let before = input.before.map(|before| renames.before(before));
    let changes = renames.changes(input.changes);
    let required_censuses = renames.names(input.required_censuses);
    let (mut findings, evidence) = match (input.before, &before) {
        (Some(recorded), Some(before)) => {
            let aligned = JudgementInput {
                before: Some(before),
                after: &after,
                changes: &changes,
                required_censuses: &required_censuses,
                ..*input
            };
            compare_captures(&aligned, before, |evidence| {
                renames.findings((recorded, input.after), input.changes, evidence)
            })
        }
        _ => {
            let mut findings = vec![verdict::no_baseline()];
            findings.extend(probes::failures_after(input.after));
            (findings, Vec::new())
        }
    };
    let verdict = verdict::decide(&mut findings, input.changes);
    verdict::sort(&mut findings);
    Judgement { verdict, findings, uncovered: collections::uncovered(before.as_deref(), &after), evidence }
}

/// `renamings` makes the findings about declared renamings from the evidence.
fn compare_captures(
    input: &JudgementInput<'_>,
    before: &Capture,
    renamings: impl FnOnce(&[CollectionEvidence]) -> Vec<Finding>,
) -> (Vec<Finding>, Vec<CollectionEvidence>) {
    let JudgementInput { after, expectations, changes, differences, max_baseline_age, required_censuses, .. } = *input;
    let incomparable =
        collections::different_database_or_app(before, after).or_else(|| data_copy::replaced(before, after));
    if let Some(finding) = incomparable {
        // differences between two databases, or two copies of one, do not come from the sync
        return (vec![finding], Vec::new());
    }
    let captures = CapturePair::new(before, after, expectations, changes, differences);
    let mut findings = probes::findings(&captures);
    findings.extend(changes::findings(&captures));
    findings.extend(collections::gone(&captures));
    findings.extend(collections::granted_but_absent(before, after));
    findings.extend(collections::recreated_and_uncovered(&captures));
    findings.extend(collections::unstable(before, after));
    findings.extend(collections::index_builds(before, after));
    findings.extend(expectations::unmatched(before, after, &captures.expectations));
    findings.extend(expectations::newly_quiet(before, after, &captures.expectations));
    let evidence = evidence::of_collections(&captures, &findings);
    findings.extend(renamings(&evidence));
    findings.extend(evidence::missing(&evidence, required_censuses));
    let doubts = data_copy::doubts(before, after, max_baseline_age);
    if !doubts.is_empty() {
        // the differences are reported, but it is unknown whether they come from the sync
        for finding in &mut findings {
            finding.muted = true;
        }
    }
    findings.extend(doubts);
    (findings, evidence)
}
