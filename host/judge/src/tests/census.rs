//! Findings about censuses.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{
    Capture, CensusComparisonError, CensusDifference, CollectionFacts, DataKind, DifferingDocuments, Expectation,
    FindingOutcome, ProbeOutcome, ReasonCode, Severity, Verdict,
};

use crate::{Judgement, JudgementInput, fixtures::*, judge};

/// Judges one census of `orders`.
fn judge_orders(difference: CensusDifference, expectations: &[Expectation]) -> Judgement {
    let side = capture_with_census();
    judge_with_censuses(&side, &side, &orders_census(Ok(difference)), &[], expectations)
}

#[test]
fn differing_documents_decide_the_outcome() {
    let cases = [
        (unchanged_documents(200_000), "same unchanged: 200 000 documents unchanged"),
        (unchanged_documents(1), "same unchanged: 1 document unchanged"),
        (
            unchanged_documents(0),
            "unknown zero-against-zero: no document before and after the sync, and no expectation says that this is correct",
        ),
        (differing(34, 0, 2), "different changed: 34 missing, 2 changed"),
        (differing(0, 7, 0), "different changed: 7 extra"),
        (differing(1, 1, 1234), "different changed: 1 missing, 1 extra, 1 234 changed"),
        (
            CensusDifference { after: 97, expired: document_count(3), ..unchanged_documents(100) },
            "expected declared-change: 97 documents unchanged except as declared; 3 expired",
        ),
        (
            CensusDifference { after: 97, ..unchanged_documents(100) },
            "unknown census-unreadable: 100 → 97 documents, but the censuses list no missing or extra document",
        ),
    ];
    for (difference, expected) in cases {
        let finding = judge_orders(difference, &[]).findings.into_iter().find(|f| f.metric.is_some()).unwrap();
        assert_eq!(format!("{} {}: {}", finding.outcome, finding.code.as_str(), finding.reason), expected);
    }
}

#[test]
fn required_evidence() {
    let judged = |side: &Capture, required: &[&str], expectations: &[Expectation]| {
        let required_censuses: Vec<String> = required.iter().map(|name| (*name).to_owned()).collect();
        let differences = orders_census(Ok(unchanged_documents(100))).into_iter().collect();
        let input = JudgementInput {
            expectations,
            differences: &differences,
            required_censuses: &required_censuses,
            ..JudgementInput::new(Some(side), side)
        };
        summarize(&judge(&input))
    };
    let whole = capture_with_census();
    assert!(judged(&whole, &["orders"], &[]).starts_with("same"), "{}", judged(&whole, &["orders"], &[]));
    let missing = "unknown evidence-missing [collection=orders]: `require` asks for a census of `orders`, and none of every document and field decides";
    let mut filtered = whole.clone();
    filtered.censuses[0].options = json!({"filter": {"status": "open"}});
    let mut ignoring = whole.clone();
    ignoring.censuses[0].options = json!({"ignored": ["total"]});
    let mut muted = whole.clone();
    muted.probes[0].muted = true;
    for side in [&filtered, &ignoring, &muted] {
        let summary = judged(side, &["orders"], &[]);
        assert!(summary.starts_with("unknown") && summary.contains(missing), "{summary}");
    }
    let ignored = judged(&whole, &["orders"], &[expectation("documents", "ignore")]);
    assert!(ignored.contains(missing), "{ignored}");
    assert!(judged(&whole, &["carts"], &[]).contains("evidence-missing [collection=carts]"));
}

#[test]
fn required_evidence_of_a_renamed_collection() {
    let named = |name: &str| {
        let mut side = Capture { collections: vec![collection(name)], ..capture_with_census() };
        name.clone_into(&mut side.censuses[0].collection);
        if let ProbeOutcome::Metrics(metrics) = &mut side.probes[0].outcome {
            metrics[0].labels = collection_label(name);
        }
        side
    };
    let (before, after) = (named("carts"), named("orders"));
    let changes = [declared_change(json!({"renamedCollection": "carts", "to": "orders"}))];
    let differences = orders_census(Ok(unchanged_documents(100))).into_iter().collect();
    for required in [["carts"], ["orders"]] {
        let required_censuses = required.map(str::to_owned);
        let judgement = judge(&JudgementInput {
            changes: &changes,
            differences: &differences,
            required_censuses: &required_censuses,
            ..JudgementInput::new(Some(&before), &after)
        });
        assert_eq!(judgement.verdict, Verdict::Same, "{required:?}: {}", summarize(&judgement));
    }
}

#[test]
fn a_probe_that_no_longer_decides_is_unknown() {
    let before = capture_with_census();
    let mut after = before.clone();
    after.probes[0].severity = Severity::Warn;
    let judgement = judge_with_censuses(&before, &after, &orders_census(Ok(differing(1, 0, 0))), &[], &[]);
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert_eq!(judgement.findings[0].code, ReasonCode::OptionsChanged);
    // the other way round it is stricter than before
    let judgement = judge_with_censuses(&after, &before, &orders_census(Ok(unchanged_documents(100))), &[], &[]);
    assert_eq!(judgement.verdict, Verdict::Same);
}

#[test]
fn a_ttl_index_that_is_gone_excuses_nothing() {
    let index = json!({"name": "ttl", "key": {"due": 1}, "expireAfterSeconds": {"$numberInt": "60"}});
    let with = |indexes| {
        let collections = vec![CollectionFacts { indexes, ..collection("orders") }];
        Capture { collections, ..capture_with_census() }
    };
    let expired = CensusDifference { after: 50, expired: document_count(50), ..unchanged_documents(100) };
    let removed = declared_change(json!({"collection": "orders", "removedIndex": "ttl"}));
    let judged = |after: Vec<serde_json::Value>, rule: Option<&str>| {
        let expectations: Vec<Expectation> = rule.map(|rule| expectation("documents", rule)).into_iter().collect();
        let (before, after) = (with(vec![index.clone()]), with(after));
        let found = orders_census(Ok(expired.clone()));
        let judgement = judge_with_censuses(&before, &after, &found, std::slice::from_ref(&removed), &expectations);
        let finding = judgement.findings.into_iter().find(|finding| finding.metric.is_some()).unwrap();
        (judgement.verdict, finding.outcome, finding.code)
    };
    let unproven = (Verdict::Unknown, FindingOutcome::Unknown, ReasonCode::ChangeUnproven);
    assert_eq!(judged(Vec::new(), None), unproven);
    let mut later = index.clone();
    later["expireAfterSeconds"] = json!({"$numberInt": "61"});
    assert_eq!(judged(vec![later], None).1, FindingOutcome::Unknown);
    // missing documents are allowed whatever removed them
    assert_eq!(judged(Vec::new(), Some("subset")).1, FindingOutcome::Expected);
    assert_eq!(judged(vec![index.clone()], None).1, FindingOutcome::Expected);
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
        ("equal", unchanged_documents(0), "same unchanged: 0 documents unchanged"),
        ("equal", unchanged_documents(5), "same unchanged: 5 documents unchanged"),
        ("never-decreases", differing(0, 7, 0), "expected allowed: 7 extra"),
        ("never-decreases", differing(1, 7, 0), "different changed: 1 missing, 7 extra"),
        ("never-increases", differing(5, 0, 0), "expected allowed: 5 missing"),
        ("never-increases", differing(0, 0, 1), "different changed: 1 changed"),
    ];
    for (rule, difference, expected) in cases {
        let judgement = judge_orders(difference, &[expectation("documents", rule)]);
        let finding = judgement.findings.into_iter().find(|f| f.metric.is_some()).unwrap();
        assert_eq!(format!("{} {}: {}", finding.outcome, finding.code.as_str(), finding.reason), expected, "{rule}");
    }
}

#[test]
fn live_data_may_only_have_newer_documents() {
    let side = Capture { data: DataKind::Live, ..capture_with_census() };
    let summary_of = |difference, expectations: &[Expectation]| {
        summarize(&judge_with_censuses(&side, &side, &orders_census(Ok(difference)), &[], expectations))
    };
    assert_snapshot!(summary_of(differing(0, 7, 0), &[]), @"
        same
        expected allowed [documents documents collection=orders]: 7 newer than the baseline
    ");
    assert_snapshot!(summary_of(differing(0, 7, 1), &[]), @"
        different
        different changed [documents documents collection=orders]: 7 newer than the baseline, 1 changed
    ");
    assert_snapshot!(summary_of(differing(0, 7, 0), &[expectation("documents", "equal")]), @"
        different
        different changed [documents documents collection=orders]: 7 extra
    ");
}

#[test]
fn a_finding_lists_documents_and_shows_counts_instead_of_census_ids() {
    let mut difference = differing(34, 0, 2);
    difference.documents.missing.ids = vec![json!({"$oid": "665f1f77bcf86cd799439011"})];
    difference.documents.changed.fields = [("total".to_owned(), 2)].into();
    difference.paths = vec!["total".to_owned()];
    let judgement = judge_orders(difference.clone(), &[]);
    let finding = &judgement.findings[0];
    assert_eq!((finding.before.clone(), finding.after.clone()), (Some(100.into()), Some(66.into())));
    let documents = finding.documents.clone().unwrap();
    assert_eq!(documents.missing, difference.documents.missing);
    assert_eq!(documents.changed.fields, difference.documents.changed.fields);
    assert_eq!(documents.changed.paths, ["total"]);
}

#[test]
fn a_census_that_was_not_compared_is_never_same() {
    let side = capture_with_census();
    let unread =
        || CensusComparisonError { code: ReasonCode::CensusUnreadable, reason: "the object is damaged".to_owned() };
    let none = Vec::new();
    for rule in ["equal", "superset", "subset", "ignore"] {
        for differences in [none.clone(), orders_census(Err(unread()))] {
            let judgement = judge_with_censuses(&side, &side, &differences, &[], &[expectation("documents", rule)]);
            assert_eq!(judgement.verdict, Verdict::Unknown, "{rule}: {}", summarize(&judgement));
        }
    }
    assert_snapshot!(summarize(&judge_with_censuses(&side, &side, &none, &[], &[])), @"
        unknown
        unknown census-unreadable [documents documents collection=orders]: the censuses were not compared
    ");
    assert_snapshot!(summarize(&judge_with_censuses(&side, &side, &orders_census(Err(unread())), &[], &[])), @"
        unknown
        unknown census-unreadable [documents documents collection=orders]: the object is damaged
    ");
}

#[test]
fn a_census_of_one_side_shows_how_many_documents_it_has() {
    let side = capture_with_census();
    let mut bare = side.clone();
    bare.probes[0].outcome = ProbeOutcome::Metrics(vec![metric("other", integer(1))]);
    assert_snapshot!(summarize(&judge_with_censuses(&side, &bare, &Vec::new(), &[], &[])), @"
        unknown
        unknown only-before [documents documents collection=orders]: only before the sync: 100 documents
        unknown only-after [documents other]: only after the sync: 1
    ");
}

#[test]
fn a_census_decides_as_its_probe_does() {
    for (severity, muted, verdict) in [
        (Severity::Fail, false, Verdict::Different),
        (Severity::Warn, false, Verdict::Same),
        (Severity::Fail, true, Verdict::Same),
    ] {
        let mut side = capture_with_census();
        side.probes[0].severity = severity;
        side.probes[0].muted = muted;
        side.probes.push(shop_probe(vec![metric("a", integer(1))]));
        let judgement = judge_with_censuses(&side, &side, &orders_census(Ok(differing(1, 0, 0))), &[], &[]);
        assert_eq!(judgement.verdict, verdict, "{}", summarize(&judgement));
        assert!(judgement.findings.iter().any(|finding| finding.outcome == FindingOutcome::Different));
    }
}

#[test]
fn a_census_alone_is_evidence() {
    assert_eq!(judge_orders(unchanged_documents(5), &[]).verdict, Verdict::Same);
    assert_eq!(judge_orders(unchanged_documents(5), &[expectation("*", "ignore")]).verdict, Verdict::Unknown);
    let equal = judge_orders(unchanged_documents(5), &[]);
    assert_eq!(equal.findings[0].documents, Some(DifferingDocuments::default()));
}
