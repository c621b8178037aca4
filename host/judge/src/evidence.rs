//! On what the verdict rests, collection by collection.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use taster_model::{
    ChangeKind, CollectionEvidence, EvidenceBasis, Finding, FindingOutcome, Labels, ProbeRecord, ReasonCode, Rule,
};

use crate::{
    capture_pair::{COLLECTION, CapturePair, ComparedCensus, collection_labels},
    collections, show, verdict,
};

/// The evidence for each collection of either capture, sorted by name. Only findings that decide the verdict count.
pub(crate) fn of_collections(captures: &CapturePair<'_>, findings: &[Finding]) -> Vec<CollectionEvidence> {
    let deciding = DecidingMetrics::new(findings);
    let mut found: BTreeMap<&str, CollectionEvidence> = BTreeMap::new();
    for census in captures.compared_censuses() {
        let (probe, metric, labels) = census.metric;
        if deciding.metrics.contains(&(probe.as_str(), metric.as_str(), labels)) {
            keep_best(&mut found, &census.after.collection, by_census(census));
        }
    }
    for record in &captures.after.capture.probes {
        for collection in deciding.collections_of(record) {
            keep_best(&mut found, collection, without_census(collection, EvidenceBasis::Metrics));
        }
    }
    let names = [captures.before.capture, captures.after.capture].map(|capture| collections::names(capture).collect());
    let [before, after]: [BTreeSet<&str>; 2] = names;
    let evidence = before.union(&after).map(|name| {
        // one that is there on one side only was compared with nothing, also where that was declared
        let known = found.remove(name).filter(|_| before.contains(name) && after.contains(name));
        known.unwrap_or_else(|| without_census(name, EvidenceBasis::None))
    });
    evidence.collect()
}

fn keep_best<'a>(found: &mut BTreeMap<&'a str, CollectionEvidence>, collection: &'a str, new: CollectionEvidence) {
    let rank = |evidence: &CollectionEvidence| (evidence.basis, evidence.excused);
    match found.get_mut(collection) {
        Some(known) if rank(known) <= rank(&new) => {}
        Some(known) => *known = new,
        None => {
            found.insert(collection, new);
        }
    }
}

fn by_census(census: &ComparedCensus<'_>) -> CollectionEvidence {
    let removed = census.difference.changes.iter().filter(|outcome| {
        matches!(outcome.change.kind, ChangeKind::RemovedDocuments(_)) && outcome.unproven_reason.is_none()
    });
    let options = &census.before.options;
    let ignored = options.get("ignored").and_then(serde_json::Value::as_array).into_iter().flatten();
    CollectionEvidence {
        basis: if census.is_complete() { EvidenceBasis::Whole } else { EvidenceBasis::Part },
        documents: Some(census.after.documents),
        before: Some(census.before.documents),
        excused: removed.map(|outcome| outcome.happened).sum::<u64>() + census.difference.expired.count,
        filter: options.get("filter").filter(|filter| !filter.is_null()).cloned(),
        ignored: ignored.filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect(),
        ..without_census(&census.after.collection, EvidenceBasis::None)
    }
}

fn without_census(collection: &str, basis: EvidenceBasis) -> CollectionEvidence {
    CollectionEvidence {
        collection: collection.to_owned(),
        basis,
        documents: None,
        before: None,
        excused: 0,
        filter: None,
        ignored: Vec::new(),
    }
}

/// The metrics whose findings decide the verdict.
struct DecidingMetrics<'a> {
    /// By probe, metric and labels.
    metrics: HashSet<(&'a str, &'a str, &'a Labels)>,
    /// By probe: the collections that labels name. `None`: a metric that names none.
    named: HashMap<&'a str, BTreeSet<Option<&'a str>>>,
}

impl<'a> DecidingMetrics<'a> {
    fn new(findings: &'a [Finding]) -> Self {
        let ignored = Rule::Ignore.to_string();
        let (mut metrics, mut named) = (HashSet::new(), HashMap::<&str, BTreeSet<Option<&str>>>::new());
        for finding in findings {
            let (Some(probe), Some(metric)) = (&finding.probe, &finding.metric) else { continue };
            if !finding.gates() || finding.rule.as_deref() == Some(&*ignored) {
                continue;
            }
            metrics.insert((probe.as_str(), metric.as_str(), &finding.labels));
            if finding.outcome != FindingOutcome::Unknown {
                named.entry(probe).or_default().insert(finding.labels.get(COLLECTION).map(String::as_str));
            }
        }
        Self { metrics, named }
    }

    /// The collections that metrics of a probe are about: those that labels name, if the probe read them; else all that it
    /// read, because labels are chosen by the probe.
    fn collections_of<'b>(&self, record: &'b ProbeRecord) -> impl Iterator<Item = &'b str> {
        let named = self.named.get(record.name.as_str());
        let read = record.usage.collections.iter().map(String::as_str);
        read.filter(move |name| named.is_some_and(|named| named.contains(&None) || named.contains(&Some(name))))
    }
}

/// A finding for each collection that the operator requires a census of, and of which no census decides about every document
/// and field.
pub(crate) fn missing(evidence: &[CollectionEvidence], required: &[String]) -> Vec<Finding> {
    let of = |collection: &str| {
        evidence.binary_search_by(|known| known.collection.as_str().cmp(collection)).ok().map(|found| &evidence[found])
    };
    let missing = required.iter().filter_map(|collection| {
        let known = of(collection).filter(|known| known.basis == EvidenceBasis::Whole);
        let name = show::name(collection);
        let reason = match known {
            Some(known) if known.compares_documents() => return None,
            Some(known) => format!(
                "`require` asks for a census of {name}, and all {} are excused: none was compared",
                taster_text::counted(known.excused, "document")
            ),
            None => format!("`require` asks for a census of {name}, and none of every document and field decides"),
        };
        let finding = verdict::finding(FindingOutcome::Unknown, ReasonCode::EvidenceMissing, reason);
        Some(Finding { labels: collection_labels(collection), ..finding })
    });
    missing.collect()
}
