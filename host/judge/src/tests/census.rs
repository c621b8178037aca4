//! Censuses: what two of them say of the documents of a collection.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{
    Capture, CensusDifference, CensusProblem, DataKind, Documents, Expectation, FindingOutcome, Outcome, ReasonCode,
    Severity, Verdict,
};

use crate::{Judgement, testing::*};

/// What is said of one census of `orders`.
fn of_orders(difference: CensusDifference, expectations: &[Expectation]) -> Judgement {
    let side = census_side();
    censused(&side, &side, &orders(Ok(difference)), &[], expectations)
}

#[test]
fn what_the_documents_became_is_the_outcome() {
    let cases = [
        (clean(200_000), "same unchanged: 200 000 documents, each as it was"),
        (clean(1), "same unchanged: 1 document, each as it was"),
        (clean(0), "unknown zero-against-zero: no document before and after; nobody declared that this is right"),
        (differing(34, 0, 2), "different changed: 34 missing, 2 changed"),
        (differing(0, 7, 0), "different changed: 7 extra"),
        (differing(1, 1, 1234), "different changed: 1 missing, 1 extra, 1 234 changed"),
        (
            CensusDifference { after: 97, expired: set_of(3), ..clean(100) },
            "expected declared-change: 97 documents, each as it was but for what is declared; 3 expired",
        ),
        (
            CensusDifference { after: 97, ..clean(100) },
            "unknown census-unreadable: 100 → 97 documents, and the censuses name none that is missing or extra",
        ),
    ];
    for (difference, told) in cases {
        let finding = of_orders(difference, &[]).findings.into_iter().find(|f| f.metric.is_some()).unwrap();
        assert_eq!(format!("{} {}: {}", finding.outcome, finding.code.as_str(), finding.reason), told);
    }
}

#[test]
fn rules_of_a_census() {
    let cases = [
        ("superset", differing(0, 7, 0), "expected allowed: 7 extra"),
        ("superset", differing(1, 7, 0), "different changed: 1 missing, 7 extra"),
        ("superset", differing(0, 0, 1), "different changed: 1 changed"),
        ("subset", differing(5, 0, 0), "expected allowed: 5 missing"),
        ("subset", differing(5, 1, 0), "different changed: 5 missing, 1 extra"),
        ("ignore", differing(5, 1, 9), "expected allowed: 5 missing, 1 extra, 9 changed"),
        ("equal", clean(0), "same unchanged: 0 documents, each as it was"),
        ("equal", clean(5), "same unchanged: 5 documents, each as it was"),
        ("never-decreases", differing(0, 7, 0), "expected allowed: 7 extra"),
        ("never-decreases", differing(1, 7, 0), "different changed: 1 missing, 7 extra"),
        ("never-increases", differing(5, 0, 0), "expected allowed: 5 missing"),
        ("never-increases", differing(0, 0, 1), "different changed: 1 changed"),
    ];
    for (rule, difference, told) in cases {
        let judgement = of_orders(difference, &[expect("documents", rule)]);
        let finding = judgement.findings.into_iter().find(|f| f.metric.is_some()).unwrap();
        assert_eq!(format!("{} {}: {}", finding.outcome, finding.code.as_str(), finding.reason), told, "{rule}");
    }
}

#[test]
fn live_data_may_have_newer_documents_and_no_other_ones() {
    let side = Capture { data: DataKind::Live, ..census_side() };
    let told_of = |difference, expectations: &[Expectation]| {
        told(&censused(&side, &side, &orders(Ok(difference)), &[], expectations))
    };
    assert_snapshot!(told_of(differing(0, 7, 0), &[]), @"
        same
        expected allowed [documents documents collection=orders]: 7 newer than the baseline
    ");
    assert_snapshot!(told_of(differing(0, 7, 1), &[]), @"
        different
        different changed [documents documents collection=orders]: 7 newer than the baseline, 1 changed
    ");
    assert_snapshot!(told_of(differing(0, 7, 0), &[expect("documents", "equal")]), @"
        different
        different changed [documents documents collection=orders]: 7 extra
    ");
}

#[test]
fn a_finding_names_the_documents_and_counts_instead_of_ids_of_censuses() {
    let mut difference = differing(34, 0, 2);
    difference.documents.missing.ids = vec![json!({"$oid": "665f1f77bcf86cd799439011"})];
    difference.documents.changed.fields = [("total".to_owned(), 2)].into();
    difference.paths = vec!["total".to_owned()];
    let judgement = of_orders(difference.clone(), &[]);
    let finding = &judgement.findings[0];
    assert_eq!((finding.before.clone(), finding.after.clone()), (Some(100.into()), Some(66.into())));
    let documents = finding.documents.clone().unwrap();
    assert_eq!(documents.missing, difference.documents.missing);
    assert_eq!(documents.changed.fields, difference.documents.changed.fields);
    assert_eq!(documents.changed.paths, ["total"]);
}

#[test]
fn a_census_that_nobody_compared_is_never_same() {
    let side = census_side();
    let unread = || CensusProblem { code: ReasonCode::CensusUnreadable, reason: "the object is damaged".to_owned() };
    let none = Vec::new();
    for rule in ["equal", "superset", "subset", "ignore"] {
        for differences in [none.clone(), orders(Err(unread()))] {
            let judgement = censused(&side, &side, &differences, &[], &[expect("documents", rule)]);
            assert_eq!(judgement.verdict, Verdict::Unknown, "{rule}: {}", told(&judgement));
        }
    }
    assert_snapshot!(told(&censused(&side, &side, &none, &[], &[])), @"
        unknown
        unknown census-unreadable [documents documents collection=orders]: nobody compared the censuses
    ");
    assert_snapshot!(told(&censused(&side, &side, &orders(Err(unread())), &[], &[])), @"
        unknown
        unknown census-unreadable [documents documents collection=orders]: the object is damaged
    ");
}

#[test]
fn a_census_of_one_side_shows_how_many_documents_it_has() {
    let side = census_side();
    let mut bare = side.clone();
    bare.probes[0].outcome = Outcome::Metrics(vec![metric("other", integer(1))]);
    assert_snapshot!(told(&censused(&side, &bare, &Vec::new(), &[], &[])), @"
        unknown
        unknown only-before [documents documents collection=orders]: only before the sync: 100 documents
        unknown only-after [documents other]: only after the sync: 1
    ");
}

#[test]
fn a_census_gates_as_its_probe_does() {
    for (severity, muted, verdict) in [
        (Severity::Fail, false, Verdict::Different),
        (Severity::Warn, false, Verdict::Same),
        (Severity::Fail, true, Verdict::Same),
    ] {
        let mut side = census_side();
        side.probes[0].severity = severity;
        side.probes[0].muted = muted;
        side.probes.push(shop(vec![metric("a", integer(1))]));
        let judgement = censused(&side, &side, &orders(Ok(differing(1, 0, 0))), &[], &[]);
        assert_eq!(judgement.verdict, verdict, "{}", told(&judgement));
        assert!(judgement.findings.iter().any(|finding| finding.outcome == FindingOutcome::Different));
    }
}

#[test]
fn a_census_alone_is_evidence() {
    assert_eq!(of_orders(clean(5), &[]).verdict, Verdict::Same);
    assert_eq!(of_orders(clean(5), &[expect("*", "ignore")]).verdict, Verdict::Unknown);
    let equal = of_orders(clean(5), &[]);
    assert_eq!(equal.findings[0].documents, Some(Documents::default()));
}
