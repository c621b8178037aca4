//! Collections that were renamed as declared: what was recorded before the sync is judged under the new names.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use taster_model::{
    Capture, ChangeKind, CollectionEvidence, CollectionKind, DeclaredChange, EvidenceBasis, Finding, Labels, Metric,
    ProbeOutcome, ProbeRecord, Value,
};

use crate::{
    capture_pair::COLLECTION,
    changes::{happened, missing, unproven},
    collections::INVENTORY,
    show,
};

/// The new names of renamed collections, by their old ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames(BTreeMap<String, String>);

impl Renames {
    /// The declared renamings that happened: before the sync only the old name existed, after it only the new one.
    #[must_use]
    pub fn found(before: &Capture, after: &Capture, changes: &[DeclaredChange]) -> Self {
        let renamed = changes.iter().filter_map(|change| {
            let ChangeKind::RenamedCollection(to) = &change.kind else { return None };
            let names = [(before, true, false), (after, false, true)];
            let happened = names.into_iter().all(|(capture, has_old, has_new)| {
                exists(capture, &change.collection) == has_old && exists(capture, to) == has_new
            });
            happened.then(|| (change.collection.clone(), to.clone()))
        });
        Self(renamed.collect())
    }

    /// The name after the sync.
    #[must_use]
    pub fn new_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, String::as_str)
    }

    fn is_new_name(&self, name: &str) -> bool {
        self.0.values().any(|new| new == name)
    }

    /// The capture before the sync under the new names. What it recorded of the new names is dropped: they did not exist.
    #[must_use]
    pub fn before<'a>(&self, capture: &'a Capture) -> Cow<'a, Capture> {
        self.aligned(capture, |name| if self.is_new_name(name) { None } else { Some(self.new_name(name)) })
    }

    /// The capture after the sync, without what it recorded of the old names: they do not exist any more.
    #[must_use]
    pub fn after<'a>(&self, capture: &'a Capture) -> Cow<'a, Capture> {
        self.aligned(capture, |name| if self.0.contains_key(name) { None } else { Some(name) })
    }

    /// Declared changes under the new names.
    #[must_use]
    pub fn changes<'a>(&self, changes: &'a [DeclaredChange]) -> Cow<'a, [DeclaredChange]> {
        if self.0.is_empty() {
            return Cow::Borrowed(changes);
        }
        let renamed = |change: &DeclaredChange| DeclaredChange {
            collection: self.new_name(&change.collection).to_owned(),
            ..change.clone()
        };
        changes.iter().map(renamed).collect()
    }

    /// Names that an operator wrote, under the new names. Both names of one collection are one.
    #[must_use]
    pub(crate) fn names<'a>(&self, names: &'a [String]) -> Cow<'a, [String]> {
        if self.0.is_empty() {
            return Cow::Borrowed(names);
        }
        let renamed: BTreeSet<&str> = names.iter().map(|name| self.new_name(name)).collect();
        renamed.into_iter().map(str::to_owned).collect()
    }

    /// Renames collections; `None` drops what was recorded of one.
    fn aligned<'a, 'n>(&self, capture: &'a Capture, name: impl Fn(&'a str) -> Option<&'n str>) -> Cow<'a, Capture>
    where
        'a: 'n,
    {
        if self.0.is_empty() {
            return Cow::Borrowed(capture);
        }
        let mut aligned = capture.clone();
        aligned.collections = renamed(&capture.collections, |facts| &mut facts.name, |facts| name(&facts.name));
        aligned.collections.sort_by(|a, b| a.name.cmp(&b.name));
        for facts in &mut aligned.collections {
            // a view on a renamed collection must name it to be the same view
            if let Some(serde_json::Value::String(source)) = facts.options.get_mut("viewOn") {
                *source = self.new_name(source).to_owned();
            }
        }
        aligned.censuses = renamed(&capture.censuses, |facts| &mut facts.collection, |facts| name(&facts.collection));
        aligned.consistency.unstable =
            capture.consistency.unstable.iter().filter_map(|collection| name(collection)).map(str::to_owned).collect();
        aligned.probes = capture.probes.iter().map(|record| aligned_record(record, &name)).collect();
        for record in aligned.probes.iter_mut().filter(|record| record.component == INVENTORY) {
            self.align_views(record);
        }
        Cow::Owned(aligned)
    }

    /// Renames the sources of views in what the inventory of definitions has recorded.
    fn align_views(&self, record: &mut ProbeRecord) {
        let ProbeOutcome::Metrics(metrics) = &mut record.outcome else { return };
        for metric in metrics {
            if let Value::Document(definition) = &mut metric.value
                && let Some(serde_json::Value::String(source)) = definition.get_mut("viewOn")
            {
                *source = self.new_name(source).to_owned();
            }
        }
    }

    /// A finding for each declared renaming: it is proven if a census compared the documents.
    pub(crate) fn findings(
        &self,
        (before, after): (&Capture, &Capture),
        changes: &[DeclaredChange],
        evidence: &[CollectionEvidence],
    ) -> Vec<Finding> {
        let finding = |change: &DeclaredChange| {
            let ChangeKind::RenamedCollection(to) = &change.kind else { return None };
            let (old, new) = (show::name(&change.collection), show::name(to));
            if self.0.get(&change.collection) != Some(to) {
                return Some(missing(change, why_not((before, after), change, to)));
            }
            let compared = evidence.iter().find(|known| known.collection == *to).map(|known| known.basis);
            Some(match compared {
                Some(EvidenceBasis::Whole | EvidenceBasis::Part) => {
                    happened(change, format!("{old} is {new} now, and its documents were compared"))
                }
                _ => unproven(
                    change,
                    format!(
                        "{old} is {new} now, but no census compared its documents: add a probe with `component: census`"
                    ),
                ),
            })
        };
        changes.iter().filter_map(finding).collect()
    }
}

/// Items whose collections are renamed.
fn renamed<'a, 'n, T: Clone>(
    items: &'a [T],
    name_of: impl Fn(&mut T) -> &mut String,
    new_name: impl Fn(&'a T) -> Option<&'n str>,
) -> Vec<T> {
    let items = items.iter().filter_map(|item| {
        let name = new_name(item)?;
        let mut item = item.clone();
        name.clone_into(name_of(&mut item));
        Some(item)
    });
    items.collect()
}

fn aligned_record<'a, 'n>(record: &'a ProbeRecord, name: impl Fn(&'a str) -> Option<&'n str>) -> ProbeRecord
where
    'a: 'n,
{
    let mut aligned = record.clone();
    aligned.collections = renamed(&record.collections, |grant| &mut grant.name, |grant| name(&grant.name));
    aligned.collections.dedup();
    let read = record.usage.collections.iter().filter_map(|collection| name(collection));
    aligned.usage.collections = read.map(str::to_owned).collect();
    if let ProbeOutcome::Metrics(metrics) = &record.outcome {
        let metrics = metrics.iter().filter_map(|metric| {
            let Some(collection) = metric.labels.get(COLLECTION) else { return Some(metric.clone()) };
            let mut labels: Labels = metric.labels.clone();
            labels.insert(COLLECTION.to_owned(), name(collection)?.to_owned());
            Some(Metric { labels, ..metric.clone() })
        });
        aligned.outcome = ProbeOutcome::Metrics(metrics.collect());
    }
    aligned
}

fn exists(capture: &Capture, name: &str) -> bool {
    capture.collections.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent)
}

/// Why a declared renaming did not happen.
fn why_not((before, after): (&Capture, &Capture), change: &DeclaredChange, to: &str) -> String {
    let (old, new) = (show::name(&change.collection), show::name(to));
    if !exists(before, &change.collection) {
        format!("collection {old} did not exist before the sync")
    } else if exists(before, to) {
        format!("collection {new} already existed before the sync")
    } else if exists(after, &change.collection) {
        format!("declared, but collection {old} still exists")
    } else {
        format!("declared, but collection {new} does not exist")
    }
}

#[cfg(test)]
mod tests {
    use taster_model::{CollectionGrant, ReasonCode, Severity, Usage};

    use super::*;
    use crate::{
        JudgementInput,
        fixtures::{capture, collection, collection_label, integer, labelled, probe, shop_probe},
        judge,
    };

    fn change() -> DeclaredChange {
        serde_json::from_str(r#"{"renamedCollection": "carts", "to": "baskets"}"#).unwrap()
    }

    fn side(name: &str, documents: i64) -> Capture {
        Capture {
            collections: vec![collection(name)],
            ..capture(vec![ProbeRecord {
                collections: vec![CollectionGrant::any(name)],
                usage: Usage { collections: vec![name.to_owned()], ..Usage::default() },
                ..shop_probe(vec![labelled("documents", &[("collection", name)], integer(documents))])
            }])
        }
    }

    fn reasons(before: &Capture, after: &Capture) -> Vec<String> {
        let changes = [change()];
        let judgement = judge(&JudgementInput { changes: &changes, ..JudgementInput::new(Some(before), after) });
        judgement.findings.iter().map(|finding| format!("{}: {}", finding.outcome, finding.reason)).collect()
    }

    #[test]
    fn metrics_of_the_old_name_are_compared_with_those_of_the_new_one() {
        let unproven = "unknown: `carts` is `baskets` now, but no census compared its documents: add a probe with \
                        `component: census`";
        assert_eq!(reasons(&side("carts", 5), &side("baskets", 5)), [unproven, "same: unchanged"]);
        assert_eq!(reasons(&side("carts", 5), &side("baskets", 4)), ["different: 1 fewer", unproven]);
    }

    #[test]
    fn a_required_census_may_be_named_by_either_name() {
        let changes = [change()];
        let missing = |after: &Capture, required: &[&str]| -> Vec<Labels> {
            let required_censuses: Vec<String> = required.iter().map(|&name| name.to_owned()).collect();
            let before = side("carts", 5);
            let input = JudgementInput {
                changes: &changes,
                required_censuses: &required_censuses,
                ..JudgementInput::new(Some(&before), after)
            };
            let findings = judge(&input).findings.into_iter();
            findings.filter(|f| f.code == ReasonCode::EvidenceMissing).map(|finding| finding.labels).collect()
        };
        let (renamed, of) = (side("baskets", 5), collection_label);
        // without a census it is missing once, under the name that the evidence has
        assert_eq!(missing(&renamed, &["carts"]), [of("baskets")]);
        assert_eq!(missing(&renamed, &["carts", "baskets"]), [of("baskets")]);
        // nothing was renamed: the name stands
        assert_eq!(missing(&side("carts", 5), &["carts"]), [of("carts")]);
    }

    #[test]
    fn a_renaming_that_did_not_happen_is_missing() {
        let both = Capture { collections: vec![collection("baskets"), collection("carts")], ..side("carts", 5) };
        for (before, after, expected) in [
            (side("carts", 5), side("carts", 5), "declared, but collection `carts` still exists"),
            (side("carts", 5), both.clone(), "declared, but collection `carts` still exists"),
            (both, side("baskets", 5), "collection `baskets` already existed before the sync"),
            (side("other", 5), side("other", 5), "collection `carts` did not exist before the sync"),
            (side("carts", 5), side("other", 5), "declared, but collection `baskets` does not exist"),
        ] {
            let found = reasons(&before, &after);
            assert!(found.contains(&format!("different: {expected}")), "{found:?}");
        }
    }

    #[test]
    fn a_view_on_a_renamed_collection_is_the_same_view() {
        let inventory = |collection: &str, source: &str| {
            let definition = Value::Document(serde_json::json!({"kind": "view", "viewOn": source, "pipeline": []}));
            let mut capture = side(collection, 5);
            capture.probes.push(ProbeRecord {
                component: INVENTORY.to_owned(),
                ..probe(
                    "indexes",
                    ProbeOutcome::Metrics(vec![labelled("definition", &[("collection", "open")], definition)]),
                )
            });
            capture
        };
        let before = inventory("carts", "carts");
        let differing = |after: &Capture| reasons(&before, after).iter().any(|reason| reason.starts_with("different"));
        assert!(!differing(&inventory("baskets", "baskets")));
        assert!(differing(&inventory("baskets", "orders")), "it reads another collection");
    }

    #[test]
    fn a_muted_probe_proves_no_renaming() {
        let muted = |name| {
            let mut capture = side(name, 5);
            capture.probes[0].severity = Severity::Warn;
            capture
        };
        assert!(reasons(&muted("carts"), &muted("baskets")).iter().any(|reason| reason.starts_with("unknown")));
    }
}
