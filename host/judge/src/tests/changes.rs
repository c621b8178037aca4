//! Declared changes: each is told of, and none of them excuses anything else.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{
    CensusDifference, ChangeOutcome, CollectionFacts, DeclaredChange, DocumentSet, ProbeRecord, Severity, Verdict,
};

use crate::{Input, judge, testing::*};

pub(super) fn archived() -> DeclaredChange {
    change(json!({"collection": "orders", "addedField": "archived", "type": "bool", "reason": "v4.3"}))
}

pub(super) fn outcome(
    change: &DeclaredChange,
    happened: u64,
    not_happened: DocumentSet,
    already: u64,
) -> ChangeOutcome {
    ChangeOutcome { change: change.clone(), happened, not_happened, already, unproven: None }
}

/// What is said where the census of `orders` tells of that outcome.
fn of_outcome(difference: CensusDifference, outcome: ChangeOutcome) -> crate::Judgement {
    let (side, change) = (census_side(), outcome.change.clone());
    censused(&side, &side, &orders(Ok(CensusDifference { changes: vec![outcome], ..difference })), &[change], &[])
}

#[test]
fn what_became_of_a_change_that_a_census_proves() {
    let gone = change(json!({"collection": "orders", "removedDocuments": {"status": "void"}}));
    let renamed = change(json!({"collection": "orders", "renamedField": "mail", "to": "email"}));
    let late = ChangeOutcome {
        unproven: Some("it was declared after the baseline was taken".to_owned()),
        ..outcome(&gone, 0, set_of(0), 0)
    };
    let cases = [
        of_outcome(clean(100), outcome(&archived(), 100, set_of(0), 0)),
        of_outcome(clean(100), outcome(&archived(), 90, set_of(0), 10)),
        of_outcome(clean(100), outcome(&archived(), 97, set_of(3), 0)),
        of_outcome(clean(100), outcome(&archived(), 0, set_of(0), 100)),
        of_outcome(clean(100), outcome(&archived(), 0, set_of(0), 0)),
        of_outcome(clean(100), outcome(&renamed, 97, set_of(3), 0)),
        of_outcome(CensusDifference { after: 93, ..clean(100) }, outcome(&gone, 7, set_of(2), 0)),
        of_outcome(clean(100), late),
        of_outcome(differing(1, 0, 0), outcome(&archived(), 99, set_of(0), 0)),
    ];
    assert_snapshot!(cases.iter().map(told).collect::<Vec<_>>().join("\n\n"), @"
        same
        expected declared-change [documents collection=orders]: in 100 documents
        expected declared-change [documents documents collection=orders]: 100 documents, each as it was but for what is declared

        same
        expected declared-change [documents collection=orders]: in 90 documents; 10 had it before
        expected declared-change [documents documents collection=orders]: 100 documents, each as it was but for what is declared

        different
        different change-missing [documents collection=orders]: missing in 3 documents; it happened in 97
        expected declared-change [documents documents collection=orders]: 100 documents, each as it was but for what is declared

        different
        different change-missing [documents collection=orders]: it was there already before the sync: 100 documents
        same unchanged [documents documents collection=orders]: 100 documents, each as it was

        different
        different change-missing [documents collection=orders]: declared, and it did not happen
        same unchanged [documents documents collection=orders]: 100 documents, each as it was

        different
        different change-missing [documents collection=orders]: did not happen in 3 documents; it happened in 97
        expected declared-change [documents documents collection=orders]: 100 documents, each as it was but for what is declared

        different
        different change-missing [documents collection=orders]: still there: 2 documents; it happened in 7
        expected declared-change [documents documents collection=orders]: 93 documents, each as it was but for what is declared

        unknown
        unknown change-unproven [documents collection=orders]: it was declared after the baseline was taken
        unknown change-unproven [documents documents collection=orders]: removed documents orders: it was declared after the baseline was taken

        different
        different changed [documents documents collection=orders]: 1 missing
        expected declared-change [documents collection=orders]: in 99 documents
    ");
}

#[test]
fn more_than_were_declared_are_none_that_were_declared() {
    let gone = change(json!({"collection": "orders", "removedDocuments": {"status": "void"}, "most": 5}));
    let cases = [
        of_outcome(differing(7, 0, 0), outcome(&gone, 0, set_of(0), 0)),
        of_outcome(clean(100), outcome(&gone, 0, set_of(3), 0)),
        of_outcome(CensusDifference { after: 95, ..clean(100) }, outcome(&gone, 5, set_of(0), 0)),
        of_outcome(CensusDifference { after: 93, ..clean(100) }, outcome(&gone, 7, set_of(0), 0)),
    ];
    assert_snapshot!(cases.iter().map(told).collect::<Vec<_>>().join("\n\n"), @"
        different
        different change-missing [documents collection=orders]: at most 5 were declared, and 7 are missing: none of them is excused
        different changed [documents documents collection=orders]: 7 missing

        different
        different change-missing [documents collection=orders]: declared, and it did not happen
        same unchanged [documents documents collection=orders]: 100 documents, each as it was

        same
        expected declared-change [documents collection=orders]: 5 documents
        expected declared-change [documents documents collection=orders]: 95 documents, each as it was but for what is declared

        different
        different change-missing [documents collection=orders]: at most 5 were declared, and 7 are missing: none of them is excused
        expected declared-change [documents documents collection=orders]: 93 documents, each as it was but for what is declared
    ");
}

#[test]
fn the_documents_in_which_it_did_not_happen_are_named() {
    let ids = vec![json!({"$oid": "665f1f77bcf86cd799439011"})];
    let lacking = DocumentSet { count: 3, ids: ids.clone(), ..DocumentSet::default() };
    let judgement = of_outcome(clean(100), outcome(&archived(), 97, lacking, 0));
    let finding = &judgement.findings[0];
    assert_eq!(finding.documents.as_ref().unwrap().changed.ids, ids);
    assert_eq!(finding.rule.as_deref(), Some("added field orders: archived (bool)"));
    assert_eq!(finding.declared.as_deref(), Some("v4.3"));
}

#[test]
fn a_change_is_told_of_once_by_the_probe_that_decides() {
    let side = |first: Severity| {
        let mut side = census_side();
        side.probes[0].severity = first;
        let second = ProbeRecord { name: "others".to_owned(), severity: Severity::Fail, ..side.probes[0].clone() };
        side.probes.push(second);
        side
    };
    let of = |first: ChangeOutcome, second: ChangeOutcome, severity| {
        let with = |outcome| Ok(CensusDifference { changes: vec![outcome], ..clean(100) });
        let key = |probe: &str| (probe.to_owned(), "documents".to_owned(), of_label("orders"));
        let all = vec![(key("documents"), with(first)), (key("others"), with(second))];
        let judgement = censused(&side(severity), &side(severity), &all, &[archived()], &[]);
        let about: Vec<String> = judgement
            .findings
            .iter()
            .filter(|f| f.rule.as_deref() == Some("added field orders: archived (bool)"))
            .map(|f| format!("{} {}: {}", f.outcome, f.probe.as_deref().unwrap(), f.reason))
            .collect();
        about.join("; ")
    };
    let (all, lacking) = (outcome(&archived(), 100, set_of(0), 0), outcome(&archived(), 97, set_of(3), 0));
    let untold = ChangeOutcome { unproven: Some("too late".to_owned()), ..outcome(&archived(), 0, set_of(0), 0) };
    assert_snapshot!(of(untold.clone(), all.clone(), Severity::Fail), @"expected others: in 100 documents");
    assert_snapshot!(of(all.clone(), lacking, Severity::Fail), @"different others: missing in 3 documents; it happened in 97");
    assert_snapshot!(of(all, untold, Severity::Warn), @"unknown others: too late");
}

#[test]
fn without_a_census_nothing_is_proven() {
    let side = capture(vec![shop(vec![metric("a", integer(1))])]);
    let judgement = censused(&side, &side, &Vec::new(), &[archived()], &[]);
    assert_snapshot!(told(&judgement), @"
        unknown
        unknown change-unproven [collection=orders]: no census covers `orders`: add a probe with `component: census`
        same unchanged [shop a]: unchanged
    ");
    let side = census_side();
    assert_snapshot!(told(&censused(&side, &side, &orders(Ok(clean(5))), &[archived()], &[])), @"
        unknown
        unknown change-unproven [collection=orders]: the censuses of `orders` were not compared, or not with this change in mind
        same unchanged [documents documents collection=orders]: 5 documents, each as it was
    ");
}

/// A capture with these collections, each with these indexes, and a metric that is the same everywhere.
fn with_indexes(collections: &[(&str, &[&str])]) -> taster_model::Capture {
    let mut side = capture(vec![shop(vec![metric("a", integer(1))])]);
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
fn indexes_and_collections_are_read_off_the_inventory() {
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
    .map(change)
    .into();
    let told_of = |before, after, change: &DeclaredChange| {
        let judgement = censused(before, after, &Vec::new(), std::slice::from_ref(change), &[]);
        let finding = judgement.findings.iter().find(|f| f.rule.as_deref() == Some(&*change.to_string())).unwrap();
        format!("{change}: {} {}: {}", finding.outcome, finding.code.as_str(), finding.reason)
    };
    let lines: Vec<String> = changes.iter().map(|change| told_of(&before, &after, change)).collect();
    assert_snapshot!(lines.join("\n"), @"
        added index orders: new_1: expected declared-change: index `new_1` is new
        added index orders: kept_1: different change-missing: index `kept_1` was there already before the sync
        added index orders: other_1: different change-missing: declared, and there is no index `other_1`
        added index orders: old_1: different change-missing: index `old_1` was there before the sync and is gone
        removed index orders: old_1: expected declared-change: index `old_1` is gone
        removed index orders: kept_1: different change-missing: declared, and index `kept_1` is still there
        removed index orders: other_1: different change-missing: index `other_1` was not there before the sync either
        added collection audit: expected declared-change: collection `audit` is new
        added collection kept: different change-missing: collection `kept` was there already before the sync
        added collection nowhere: different change-missing: declared, and there is no collection `nowhere`
        removed collection carts: expected declared-change: collection `carts` is gone
        removed collection kept: different change-missing: declared, and collection `kept` is still there
        removed collection nowhere: different change-missing: collection `nowhere` was not there before the sync either
    ");
    let silent = capture(vec![shop(vec![metric("a", integer(1))])]);
    assert_snapshot!(told_of(&silent, &after, &changes[0]), @"added index orders: new_1: unknown change-unproven: a capture does not say which indexes `orders` has");
}

#[test]
fn a_collection_that_comes_or_goes_as_declared_makes_no_new_trouble() {
    let of = |name: &str, n| labelled("documents", &[("collection", name)], integer(n));
    let mut before = with_indexes(&[("orders", &[]), ("carts", &[])]);
    let mut after = with_indexes(&[("orders", &[]), ("audit", &[])]);
    before.probes = vec![shop(vec![of("orders", 5), of("carts", 9), of("audit", 0)])];
    after.probes = vec![shop(vec![of("orders", 5), of("carts", 0), of("audit", 3)])];
    let changes = [change(json!({"removedCollection": "carts"})), change(json!({"addedCollection": "audit"}))];
    assert_snapshot!(told(&censused(&before, &after, &Vec::new(), &changes, &[])), @"
        same
        expected declared-change [collection=audit]: collection `audit` is new
        expected declared-change [collection=carts]: collection `carts` is gone
        expected declared-change [shop documents collection=audit]: 3 more; added collection audit
        expected declared-change [shop documents collection=carts]: 9 fewer; removed collection carts
        same unchanged [shop documents collection=orders]: unchanged
    ");
    before.probes = vec![shop(vec![of("orders", 5), of("carts", 9)])];
    after.probes = vec![shop(vec![of("orders", 5), of("audit", 3)])];
    assert_snapshot!(told(&censused(&before, &after, &Vec::new(), &changes, &[])), @"
        same
        expected declared-change [collection=audit]: collection `audit` is new
        expected declared-change [collection=carts]: collection `carts` is gone
        expected declared-change [shop documents collection=audit]: only after the sync: 3; added collection audit
        expected declared-change [shop documents collection=carts]: only before the sync: 9; removed collection carts
        same unchanged [shop documents collection=orders]: unchanged
    ");
    assert_eq!(censused(&before, &after, &Vec::new(), &[], &[]).verdict, Verdict::Different);
    // what only comes and goes says of nothing that it survived
    before.probes = vec![shop(vec![of("carts", 9)])];
    after.probes = vec![shop(vec![of("audit", 3)])];
    assert_eq!(censused(&before, &after, &Vec::new(), &changes, &[]).verdict, Verdict::Unknown);
    // the other way round nothing is excused
    let swapped = [change(json!({"addedCollection": "carts"})), change(json!({"removedCollection": "audit"}))];
    assert_eq!(censused(&before, &after, &Vec::new(), &swapped, &[]).verdict, Verdict::Different);
}

#[test]
fn the_census_of_a_collection_that_is_removed_as_declared_is_covered() {
    let before = census_side();
    let mut after = census_side();
    after.collections.clear();
    let lost = CensusDifference { after: 0, ..differing(100, 0, 0) };
    let removed = change(json!({"removedCollection": "orders"}));
    let judgement = censused(&before, &after, &orders(Ok(lost.clone())), std::slice::from_ref(&removed), &[]);
    assert_snapshot!(told(&judgement), @"
        unknown
        unknown nothing-gating []: nothing that gates was judged: every finding is a warning, muted or ignored, or there is none
        expected declared-change [collection=orders]: collection `orders` is gone
        expected declared-change [documents documents collection=orders]: 100 missing; removed collection orders
    ");
    let still_there = censused(&before, &before, &orders(Ok(lost)), &[removed], &[]);
    assert_eq!(still_there.verdict, Verdict::Different);
}

#[test]
fn nothing_is_said_of_changes_where_nothing_is_compared() {
    let after = census_side();
    let changes = [archived()];
    let judgement = judge(&Input { changes: &changes, ..Input::of(None, &after) });
    assert_eq!(judgement.verdict, Verdict::Unknown);
}
