//! Captures of probes that were added since the baseline, judged by themselves and added to the judgement.

use std::collections::BTreeSet;

use taster_model::{Capture, ReasonCode, ReplicaMember, Verdict};

use crate::{Judgement, fixtures::*};

/// A judgement of two captures with one probe: its name, and its value on both sides.
fn judged(name: &str, before: i64, after: i64) -> Judgement {
    let side = |value| {
        let record =
            taster_model::ProbeRecord { name: name.to_owned(), ..shop_probe(vec![metric("a", integer(value))]) };
        capture(vec![record])
    };
    judge_captures(&side(before), &side(after), &[])
}

fn with_part(mut whole: Judgement, part: Judgement) -> Judgement {
    whole.add_part(part, &BTreeSet::from(["added".to_owned()]), "; since then");
    whole
}

#[test]
fn the_worse_part_decides() {
    for (whole, part, expected) in [
        ((1, 1), (1, 1), Verdict::Same),
        ((1, 1), (2, 1), Verdict::Different),
        ((2, 1), (1, 1), Verdict::Different),
        // nothing of the baseline itself is evidence
        ((0, 0), (1, 1), Verdict::Unknown),
        ((1, 1), (0, 0), Verdict::Unknown),
    ] {
        let judgement = with_part(judged("shop", whole.0, whole.1), judged("added", part.0, part.1));
        assert_eq!(judgement.verdict, expected, "{whole:?} {part:?}: {}", summarize(&judgement));
        let since = judgement.findings.iter().filter(|finding| finding.reason.ends_with("; since then"));
        assert!(
            since.clone().count() > 0 && since.into_iter().all(|finding| finding.probe.as_deref() == Some("added"))
        );
    }
}

#[test]
fn a_part_brings_its_doubts_about_the_copy_and_nothing_about_other_probes() {
    let record = taster_model::ProbeRecord { name: "added".to_owned(), ..shop_probe(vec![metric("a", integer(1))]) };
    let before = capture(vec![record]);
    let mut after = before.clone();
    after.server.process_id = Some("p2".to_owned());
    after.server.members = vec![ReplicaMember { process_id: Some("p2".to_owned()), ..ReplicaMember::default() }];
    let unwitnessed = with_part(judged("shop", 1, 1), judge_captures(&before, &after, &[]));
    assert_eq!(unwitnessed.verdict, Verdict::Unknown, "{}", summarize(&unwitnessed));
    assert!(unwitnessed.findings.iter().any(|finding| finding.code == ReasonCode::CopyUnwitnessed));
    let other = with_part(judged("shop", 1, 1), judged("stranger", 2, 1));
    assert_eq!(other.verdict, Verdict::Same, "{}", summarize(&other));
}

#[test]
fn an_expectation_is_used_if_it_matches_a_metric_of_any_part() {
    let judged = |name: &str, metric_name: &str, expected: &str| {
        let record =
            taster_model::ProbeRecord { name: name.to_owned(), ..shop_probe(vec![metric(metric_name, integer(1))]) };
        let side: Capture = capture(vec![record]);
        judge_captures(&side, &side, &[expectation(expected, "equal")])
    };
    let unmatched = |judgement: &Judgement| {
        judgement.findings.iter().filter(|finding| finding.code == ReasonCode::ExpectationUnmatched).count()
    };
    for (expected, count) in [("a", 0), ("b", 0), ("c", 1)] {
        let judgement = with_part(judged("shop", "a", expected), judged("added", "b", expected));
        assert_eq!(unmatched(&judgement), count, "{expected}: {}", summarize(&judgement));
    }
}
