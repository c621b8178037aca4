//! Declared changes: each one is reported, and none of them excuses anything else.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{
    CensusDifference, ChangeOutcome, CollectionFacts, DeclaredChange, DocumentSet, ProbeRecord, Severity, Verdict,
};

use crate::{JudgementInput, fixtures::*, judge};

pub(super) fn archived() -> DeclaredChange {
    declared_change(json!({"collection": "orders", "addedField": "archived", "type": "bool", "reason": "v4.3"}))
}

pub(super) fn outcome(
    change: &DeclaredChange,
    happened: u64,
    not_happened: DocumentSet,
    already: u64,
) -> ChangeOutcome {
    let readings = std::collections::BTreeMap::new();
    ChangeOutcome {
        change: change.clone(),
        happened,
        readings,
        not_happened,
        already_before: already,
        unproven_reason: None,
    }
}

/// Judges a census of `orders` with this outcome of a declared change.
fn judge_change(difference: CensusDifference, outcome: ChangeOutcome) -> crate::Judgement {
    let (side, change) = (capture_with_census(), outcome.change.clone());
    judge_with_censuses(
        &side,
        &side,
        &orders_census(Ok(CensusDifference { changes: vec![outcome], ..difference })),
        &[change],
        &[],
    )
}

#[test]
fn outcomes_of_changes_that_a_census_proves() {
    let gone = declared_change(json!({"collection": "orders", "removedDocuments": {"status": "void"}}));
    let renamed = declared_change(json!({"collection": "orders", "renamedField": "mail", "to": "email"}));
    let late = ChangeOutcome {
        unproven_reason: Some("it was declared after the baseline was taken".to_owned()),
        ..outcome(&gone, 0, document_count(0), 0)
    };
    let cases = [
        judge_change(unchanged_documents(100), outcome(&archived(), 100, document_count(0), 0)),
        judge_change(unchanged_documents(100), outcome(&archived(), 90, document_count(0), 10)),
        judge_change(unchanged_documents(100), outcome(&archived(), 97, document_count(3), 0)),
        judge_change(unchanged_documents(100), outcome(&archived(), 0, document_count(0), 100)),
        judge_change(unchanged_documents(100), outcome(&archived(), 0, document_count(0), 0)),
        judge_change(unchanged_documents(100), outcome(&renamed, 97, document_count(3), 0)),
        judge_change(
            CensusDifference { after: 93, ..unchanged_documents(100) },
            outcome(&gone, 7, document_count(2), 0),
        ),
        judge_change(unchanged_documents(100), late),
        judge_change(differing(1, 0, 0), outcome(&archived(), 99, document_count(0), 0)),
    ];
    assert_snapshot!(cases.iter().map(summarize).collect::<Vec<_>>().join("\n\n"), @"
        same
        expected declared-change [documents collection=orders]: in 100 documents; with any value, since no `value` is declared
        expected declared-change [documents documents collection=orders]: 100 documents unchanged except as declared

        same
        expected declared-change [documents collection=orders]: in 90 documents; 10 already had it; with any value, since no `value` is declared
        expected declared-change [documents documents collection=orders]: 100 documents unchanged except as declared

        different
        different change-missing [documents collection=orders]: missing in 3 documents; it happened in 97
        expected declared-change [documents documents collection=orders]: 100 documents unchanged except as declared

        different
        different change-missing [documents collection=orders]: already present before the sync in 100 documents
        same unchanged [documents documents collection=orders]: 100 documents unchanged

        different
        different change-missing [documents collection=orders]: declared, but it did not happen
        same unchanged [documents documents collection=orders]: 100 documents unchanged

        different
        different change-missing [documents collection=orders]: did not happen in 3 documents; it happened in 97
        expected declared-change [documents documents collection=orders]: 100 documents unchanged except as declared

        different
        different change-missing [documents collection=orders]: still present: 2 documents; it happened in 7
        expected declared-change [documents documents collection=orders]: 93 documents unchanged except as declared

        unknown
        unknown change-unproven [documents collection=orders]: it was declared after the baseline was taken
        unknown change-unproven [documents documents collection=orders]: removed documents orders: it was declared after the baseline was taken

        different
        different changed [documents documents collection=orders]: 1 missing
        expected declared-change [documents collection=orders]: in 99 documents; with any value, since no `value` is declared
    ");
}

#[test]
fn a_change_of_too_many_documents_covers_none_of_them() {
    let gone =
        declared_change(json!({"collection": "orders", "removedDocuments": {"status": "void"}, "maxDocuments": 5}));
    let cases = [
        judge_change(differing(7, 0, 0), outcome(&gone, 0, document_count(0), 0)),
        judge_change(unchanged_documents(100), outcome(&gone, 0, document_count(3), 0)),
        judge_change(
            CensusDifference { after: 95, ..unchanged_documents(100) },
            outcome(&gone, 5, document_count(0), 0),
        ),
        judge_change(
            CensusDifference { after: 93, ..unchanged_documents(100) },
            outcome(&gone, 7, document_count(0), 0),
        ),
    ];
    assert_snapshot!(cases.iter().map(summarize).collect::<Vec<_>>().join("\n\n"), @"
        different
        different change-missing [documents collection=orders]: 7 documents missing, but `maxDocuments` allows 5: none of them is covered
        different changed [documents documents collection=orders]: 7 missing

        different
        different change-missing [documents collection=orders]: declared, but it did not happen
        same unchanged [documents documents collection=orders]: 100 documents unchanged

        same
        expected declared-change [documents collection=orders]: 5 documents
        expected declared-change [documents documents collection=orders]: 95 documents unchanged except as declared

        different
        different change-missing [documents collection=orders]: 7 documents missing, but `maxDocuments` allows 5: none of them is covered
        expected declared-change [documents documents collection=orders]: 93 documents unchanged except as declared
    ");
}

#[test]
fn documents_without_the_change_are_listed() {
    let ids = vec![json!({"$oid": "665f1f77bcf86cd799439011"})];
    let lacking = DocumentSet { count: 3, ids: ids.clone(), ..DocumentSet::default() };
    let judgement = judge_change(unchanged_documents(100), outcome(&archived(), 97, lacking, 0));
    let finding = &judgement.findings[0];
    assert_eq!(finding.documents.as_ref().unwrap().changed.ids, ids);
    assert_eq!(finding.rule.as_deref(), Some("added field orders: archived (bool)"));
    assert_eq!(finding.declared.as_deref(), Some("v4.3"));
}

#[test]
fn a_change_has_one_finding_from_the_probe_that_decides() {
    let side = |first: Severity| {
        let mut side = capture_with_census();
        side.probes[0].severity = first;
        let second = ProbeRecord { name: "others".to_owned(), severity: Severity::Fail, ..side.probes[0].clone() };
        side.probes.push(second);
        side
    };
    let findings_of = |first: ChangeOutcome, second: ChangeOutcome, severity| {
        let with = |outcome| Ok(CensusDifference { changes: vec![outcome], ..unchanged_documents(100) });
        let key = |probe: &str| (probe.to_owned(), "documents".to_owned(), collection_label("orders"));
        let all = vec![(key("documents"), with(first)), (key("others"), with(second))];
        let judgement = judge_with_censuses(&side(severity), &side(severity), &all, &[archived()], &[]);
        let about: Vec<String> = judgement
            .findings
            .iter()
            .filter(|f| f.rule.as_deref() == Some("added field orders: archived (bool)"))
            .map(|f| format!("{} {}: {}", f.outcome, f.probe.as_deref().unwrap(), f.reason))
            .collect();
        about.join("; ")
    };
    let (all, lacking) =
        (outcome(&archived(), 100, document_count(0), 0), outcome(&archived(), 97, document_count(3), 0));
    let unproven =
        ChangeOutcome { unproven_reason: Some("too late".to_owned()), ..outcome(&archived(), 0, document_count(0), 0) };
    assert_snapshot!(findings_of(unproven.clone(), all.clone(), Severity::Fail), @"expected others: in 100 documents; with any value, since no `value` is declared");
    assert_snapshot!(findings_of(all.clone(), lacking, Severity::Fail), @"different others: missing in 3 documents; it happened in 97");
    assert_snapshot!(findings_of(all, unproven, Severity::Warn), @"unknown others: too late");
}

#[test]
fn a_change_without_a_census_is_unproven() {
    let side = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    let judgement = judge_with_censuses(&side, &side, &Vec::new(), &[archived()], &[]);
    assert_snapshot!(summarize(&judgement), @"
        unknown
        unknown change-unproven [collection=orders]: no census covers `orders`: add a probe with `component: census`
        same unchanged [shop a]: unchanged
    ");
    let side = capture_with_census();
    assert_snapshot!(summarize(&judge_with_censuses(&side, &side, &orders_census(Ok(unchanged_documents(5))), &[archived()], &[])), @"
        unknown
        unknown change-unproven [collection=orders]: the censuses of `orders` were not compared, or were compared without this change
        same unchanged [documents documents collection=orders]: 5 documents unchanged
    ");
}

/// A capture with these collections and indexes, and one metric.
fn with_indexes(collections: &[(&str, &[&str])]) -> taster_model::Capture {
    let mut side = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    side.collections = collections
        .iter()
        .map(|(name, indexes)| CollectionFacts {
            options: json!({"kind": "collection"}),
            indexes: indexes.iter().map(|index| json!({"name": index})).collect(),
            ..collection(name)
        })
        .collect();
    side
}

#[test]
fn indexes_and_collections_are_read_from_the_inventory() {
    let before = with_indexes(&[("orders", &["_id_", "old_1", "kept_1"]), ("carts", &["_id_"]), ("kept", &["_id_"])]);
    let after = with_indexes(&[("orders", &["_id_", "kept_1", "new_1"]), ("audit", &["_id_"]), ("kept", &["_id_"])]);
    let changes: Vec<DeclaredChange> = [
        json!({"collection": "orders", "addedIndex": "new_1", "reason": "faster"}),
        json!({"collection": "orders", "addedIndex": "kept_1"}),
        json!({"collection": "orders", "addedIndex": "other_1"}),
        json!({"collection": "orders", "addedIndex": "old_1"}),
        json!({"collection": "orders", "removedIndex": "old_1"}),
        json!({"collection": "orders", "removedIndex": "kept_1"}),
        json!({"collection": "orders", "removedIndex": "other_1"}),
        json!({"addedCollection": "audit"}),
        json!({"addedCollection": "kept"}),
        json!({"addedCollection": "nowhere"}),
        json!({"removedCollection": "carts"}),
        json!({"removedCollection": "kept"}),
        json!({"removedCollection": "nowhere"}),
    ]
    .map(declared_change)
    .into();
    let summary_of = |before, after, change: &DeclaredChange| {
        let judgement = judge_with_censuses(before, after, &Vec::new(), std::slice::from_ref(change), &[]);
        let finding = judgement.findings.iter().find(|f| f.rule.as_deref() == Some(&*change.to_string())).unwrap();
        format!("{change}: {} {}: {}", finding.outcome, finding.code.as_str(), finding.reason)
    };
    let lines: Vec<String> = changes.iter().map(|change| summary_of(&before, &after, change)).collect();
    assert_snapshot!(lines.join("\n"), @"
        added index orders: new_1: expected declared-change: index `new_1` was added
        added index orders: kept_1: different change-missing: index `kept_1` already existed before the sync
        added index orders: other_1: different change-missing: declared, but index `other_1` does not exist
        added index orders: old_1: different change-missing: index `old_1` existed before the sync and is gone
        removed index orders: old_1: expected declared-change: index `old_1` was removed
        removed index orders: kept_1: different change-missing: declared, but index `kept_1` still exists
        removed index orders: other_1: different change-missing: index `other_1` did not exist before the sync
        added collection audit: expected declared-change: collection `audit` was added
        added collection kept: different change-missing: collection `kept` already existed before the sync
        added collection nowhere: different change-missing: declared, but collection `nowhere` does not exist
        removed collection carts: expected declared-change: collection `carts` was removed
        removed collection kept: different change-missing: declared, but collection `kept` still exists
        removed collection nowhere: different change-missing: collection `nowhere` did not exist before the sync
    ");
    let without_indexes = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    assert_snapshot!(summary_of(&without_indexes, &after, &changes[0]), @"added index orders: new_1: unknown change-unproven: a capture does not contain the indexes of `orders`");
}

#[test]
fn metrics_of_a_collection_that_was_created_or_dropped_as_declared_are_expected() {
    let count_of = |name: &str, n| labelled("documents", &[("collection", name)], integer(n));
    let mut before = with_indexes(&[("orders", &[]), ("carts", &[])]);
    let mut after = with_indexes(&[("orders", &[]), ("audit", &[])]);
    before.probes = vec![shop_probe(vec![count_of("orders", 5), count_of("carts", 9), count_of("audit", 0)])];
    after.probes = vec![shop_probe(vec![count_of("orders", 5), count_of("carts", 0), count_of("audit", 3)])];
    let changes =
        [declared_change(json!({"removedCollection": "carts"})), declared_change(json!({"addedCollection": "audit"}))];
    assert_snapshot!(summarize(&judge_with_censuses(&before, &after, &Vec::new(), &changes, &[])), @"
        same
        expected declared-change [collection=audit]: collection `audit` was added
        expected declared-change [collection=carts]: collection `carts` was removed
        expected declared-change [shop documents collection=audit]: 3 more; added collection audit
        expected declared-change [shop documents collection=carts]: 9 fewer; removed collection carts
        same unchanged [shop documents collection=orders]: unchanged
    ");
    before.probes = vec![shop_probe(vec![count_of("orders", 5), count_of("carts", 9)])];
    after.probes = vec![shop_probe(vec![count_of("orders", 5), count_of("audit", 3)])];
    assert_snapshot!(summarize(&judge_with_censuses(&before, &after, &Vec::new(), &changes, &[])), @"
        same
        expected declared-change [collection=audit]: collection `audit` was added
        expected declared-change [collection=carts]: collection `carts` was removed
        expected declared-change [shop documents collection=audit]: only after the sync: 3; added collection audit
        expected declared-change [shop documents collection=carts]: only before the sync: 9; removed collection carts
        same unchanged [shop documents collection=orders]: unchanged
    ");
    assert_eq!(judge_with_censuses(&before, &after, &Vec::new(), &[], &[]).verdict, Verdict::Different);
    // collections that were created or dropped are no evidence that other data are unchanged
    before.probes = vec![shop_probe(vec![count_of("carts", 9)])];
    after.probes = vec![shop_probe(vec![count_of("audit", 3)])];
    assert_eq!(judge_with_censuses(&before, &after, &Vec::new(), &changes, &[]).verdict, Verdict::Unknown);
    // the opposite declarations excuse nothing
    let swapped =
        [declared_change(json!({"addedCollection": "carts"})), declared_change(json!({"removedCollection": "audit"}))];
    assert_eq!(judge_with_censuses(&before, &after, &Vec::new(), &swapped, &[]).verdict, Verdict::Different);
}

#[test]
fn the_census_of_a_collection_that_was_dropped_as_declared_is_expected() {
    let before = capture_with_census();
    let mut after = capture_with_census();
    after.collections.clear();
    let lost = CensusDifference { after: 0, ..differing(100, 0, 0) };
    let removed = declared_change(json!({"removedCollection": "orders"}));
    let judgement =
        judge_with_censuses(&before, &after, &orders_census(Ok(lost.clone())), std::slice::from_ref(&removed), &[]);
    assert_snapshot!(summarize(&judgement), @"
        unknown
        unknown nothing-gating []: no finding can decide the verdict: all findings are warnings, muted or ignored, or there are none
        expected declared-change [collection=orders]: collection `orders` was removed
        expected declared-change [documents documents collection=orders]: 100 missing; removed collection orders
    ");
    let still_there = judge_with_censuses(&before, &before, &orders_census(Ok(lost)), &[removed], &[]);
    assert_eq!(still_there.verdict, Verdict::Different);
}

#[test]
fn declared_changes_without_a_baseline_are_unknown() {
    let after = capture_with_census();
    let changes = [archived()];
    let judgement = judge(&JudgementInput { changes: &changes, ..JudgementInput::new(None, &after) });
    assert_eq!(judgement.verdict, Verdict::Unknown);
}
