//! Whether a baseline in which a probe failed, or did not find its collections, may be replaced by a later capture.
//!
//! Nothing could ever be `same` against it, so that a capture in which every probe succeeded takes its place. But what the other
//! probes recorded is good, and stays what `post` is compared with: the later capture must agree with it. Otherwise a loss
//! between the two captures would become part of the baseline.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use taster_model::{
    Capture, CensusFacts, ChangeKind, CollectionFacts, CollectionKind, Labels, Metric, ProbeOutcome, ProbeRecord,
    Severity, Value, other_names,
};

/// The collections that were written, altered or indexed while the capture was read: what it recorded of them is expected to have
/// changed since.
fn unsettled(capture: &Capture) -> BTreeSet<&str> {
    let is_unstable = |record: &&ProbeRecord| match &record.outcome {
        ProbeOutcome::Failed(failure) => failure.reason() == Some(taster_model::ReasonCode::Unstable),
        ProbeOutcome::Metrics(_) => false,
    };
    // the failure does not say which of the probe's collections was written
    let read = capture.probes.iter().filter(is_unstable).flat_map(|record| &record.collections);
    let built = capture.collections.iter().filter(|facts| !facts.building.is_empty());
    let names = read.map(|grant| &grant.name).chain(built.map(|facts| &facts.name));
    names.chain(&capture.consistency.unstable).map(String::as_str).collect()
}

/// The collections that a probe was granted, that did not exist, and that no declared change adds: their names were mistyped, and
/// nothing was recorded of them.
pub(crate) fn absent<'a>(capture: &'a Capture, record: &'a ProbeRecord) -> impl Iterator<Item = &'a str> {
    let exists =
        |name: &str| capture.collections.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent);
    let is_declared = move |name: &str| {
        let mut changes = capture.changes.iter();
        changes.any(|change| change.collection == name && change.kind == ChangeKind::AddedCollection)
            || other_names(&capture.changes, name).any(exists)
    };
    let names = record.collections.iter().map(|grant| grant.name.as_str());
    names.filter(move |name| !exists(name) && !is_declared(name))
}

/// Whether everything that a probe recorded are censuses, which say themselves with which options they were recorded.
fn has_only_censuses(metrics: &[Metric]) -> bool {
    metrics.iter().all(|metric| matches!(metric.value, Value::Census(_)))
}

/// Why `later` must not take the place of `earlier`: the first thing in which they do not agree. `None`: it may.
pub(crate) fn disagreement(earlier: &Capture, later: &Capture) -> Option<String> {
    let unsettled = unsettled(earlier);
    let gating = earlier.probes.iter().filter(|record| record.severity == Severity::Fail && !record.muted);
    for old in gating {
        let ProbeOutcome::Metrics(metrics) = &old.outcome else { continue };
        let absent: BTreeSet<&str> = absent(earlier, old).collect();
        if !absent.is_empty() && absent.len() == old.collections.len() {
            // it read nothing
            continue;
        }
        let name = taster_text::escape_hidden(&old.name);
        let Some(new) = later.probes.iter().find(|record| record.name == old.name) else {
            return Some(format!("probe `{name}` is no longer configured"));
        };
        let may_differ = !absent.is_empty() && has_only_censuses(metrics);
        if !old.has_results_of(new) || old.options_sha256 != new.options_sha256 && !may_differ {
            return Some(format!("probe `{name}` has another component or other options"));
        }
        let ProbeOutcome::Metrics(again) = &new.outcome else {
            return Some(format!("probe `{name}` failed this time"));
        };
        // what is not known of a collection was not recorded well
        let failed = old.failures().filter_map(|metric| metric.labels.get("collection")).map(String::as_str);
        let unknown: BTreeSet<&str> = failed.chain(absent.iter().copied()).chain(unsettled.iter().copied()).collect();
        let is_settled = !old.collections.iter().any(|grant| unsettled.contains(grant.name.as_str()));
        let is_known = |metric: &&'_ Metric| match metric.labels.get("collection") {
            Some(name) => !unknown.contains(name.as_str()),
            // it may be about any of them
            None => is_settled,
        };
        let (before, after) = (values(earlier, old, metrics, is_known), values(later, new, again, is_known));
        // of a mistyped collection, the right one is new
        let again = after.keys().filter(|_| absent.is_empty());
        let differs = before.keys().chain(again).find(|key| before.get(*key) != after.get(*key));
        if let Some((metric, labels)) = differs {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            return Some(format!(
                "`{}` of probe `{name}` differs",
                taster_text::escape_hidden(&format!("{metric}{}", labels.concat()))
            ));
        }
    }
    // one that was not there yet may have been created
    let never_seen = earlier.collections.iter().filter(|facts| facts.kind == CollectionKind::Absent);
    let never_seen: BTreeSet<&str> = never_seen.map(|facts| facts.name.as_str()).collect();
    let definitions = |capture: &Capture| -> Vec<CollectionFacts> {
        // counts are estimates, and what probes counted is compared above
        let is_compared = |facts: &&CollectionFacts| {
            let name = facts.name.as_str();
            facts.kind != CollectionKind::Absent && !unsettled.contains(name) && !never_seen.contains(name)
        };
        let facts = capture.collections.iter().filter(is_compared).cloned();
        facts.map(|facts| CollectionFacts { documents: None, ..facts }).collect()
    };
    (definitions(earlier) != definitions(later)).then(|| "a collection was created, dropped or altered".to_owned())
}

/// A metric's value; of a census what it recorded, since its id says nothing.
#[derive(Debug, PartialEq)]
enum MetricContent<'a> {
    Value(&'a Value),
    Census { documents: u64, sum: &'a str, options: &'a serde_json::Value },
}

fn values<'a>(
    capture: &'a Capture,
    record: &'a ProbeRecord,
    metrics: &'a [Metric],
    is_known: impl Fn(&&'a Metric) -> bool,
) -> BTreeMap<(&'a str, &'a Labels), MetricContent<'a>> {
    let mut censuses: HashMap<&str, &CensusFacts> = HashMap::new();
    for facts in capture.censuses.iter().filter(|facts| facts.probe == record.name) {
        censuses.entry(&facts.id).or_insert(facts);
    }
    let recorded = |metric: &'a Metric| {
        let Value::Census(id) = &metric.value else { return MetricContent::Value(&metric.value) };
        match censuses.get(id.as_str()) {
            Some(facts) => {
                MetricContent::Census { documents: facts.documents, sum: &facts.sum, options: &facts.options }
            }
            None => MetricContent::Value(&metric.value),
        }
    };
    metrics.iter().filter(is_known).map(|metric| ((metric.name.as_str(), &metric.labels), recorded(metric))).collect()
}

#[cfg(test)]
mod tests {
    use taster_model::{CollectionGrant, Failure, Side};
    use taster_testkit::captures;

    use super::*;

    fn metric(name: &str, value: Value) -> Metric {
        Metric { name: name.to_owned(), labels: Labels::new(), value, unit: "1".to_owned() }
    }

    /// A census with this sum, a count, and a probe that failed or succeeded.
    fn capture(sum: &str, count: i64, shape: ProbeOutcome) -> Capture {
        let census = CensusFacts {
            probe: "documents".to_owned(),
            id: captures::empty("one", Side::Pre).attempt.to_string(),
            collection: "orders".to_owned(),
            object: String::new(),
            documents: 3,
            bytes: 30,
            options: serde_json::json!({}),
            sum: sum.to_owned(),
        };
        let metrics = |metric| ProbeOutcome::Metrics(vec![metric]);
        let probes = vec![
            captures::probe("documents", metrics(metric("documents", Value::Census(census.id.clone())))),
            captures::probe("count", metrics(metric("count", Value::Integer(count)))),
            captures::probe("shape", shape),
        ];
        let collections = vec![CollectionFacts { name: "orders".to_owned(), ..CollectionFacts::default() }];
        Capture { probes, collections, censuses: vec![census], ..captures::empty("one", Side::Pre) }
    }

    #[test]
    fn what_was_recorded_well_must_be_found_again() {
        let failed = || ProbeOutcome::Failed(Failure::from_probe("no"));
        let worked = || ProbeOutcome::Metrics(vec![metric("shape", Value::Integer(1))]);
        let earlier = capture("aa", 3, failed());
        assert_eq!(disagreement(&earlier, &capture("aa", 3, worked())), None);
        let why = |later: &Capture| disagreement(&earlier, later).unwrap();
        assert_eq!(why(&capture("ab", 3, worked())), "`documents` of probe `documents` differs");
        assert_eq!(why(&capture("aa", 2, worked())), "`count` of probe `count` differs");
        let mut later = capture("aa", 3, worked());
        later.probes.remove(1);
        assert_eq!(why(&later), "probe `count` is no longer configured");
        let mut later = capture("aa", 3, worked());
        later.probes[1].options_sha256.push('x');
        assert_eq!(why(&later), "probe `count` has another component or other options");
        let mut later = capture("aa", 3, worked());
        later.collections.clear();
        assert_eq!(why(&later), "a collection was created, dropped or altered");
        // a probe that does not decide
        let mut later = capture("aa", 2, worked());
        let mut muted = earlier.clone();
        muted.probes[1].muted = true;
        later.collections[0].documents = Some(7);
        assert_eq!(disagreement(&muted, &later), None);
    }

    #[test]
    fn only_what_was_written_meanwhile_may_differ() {
        let failed = || ProbeOutcome::Failed(Failure::from_probe("no"));
        let worked = || ProbeOutcome::Metrics(vec![metric("shape", Value::Integer(1))]);
        let granted = |mut side: Capture| {
            for record in &mut side.probes {
                record.collections = vec![CollectionGrant::any("orders")];
            }
            side
        };
        let (earlier, later) = (granted(capture("aa", 3, failed())), granted(capture("ab", 2, worked())));
        assert!(disagreement(&earlier, &later).is_some());
        // a collection that was created, dropped or altered, one whose index was being built, and one that was written
        let unstable = |name: &str| {
            let mut unstable = earlier.clone();
            unstable.consistency.unstable.push(name.to_owned());
            unstable
        };
        assert_eq!(disagreement(&unstable("orders"), &later), None);
        let mut building = earlier.clone();
        building.collections[0].building.push("total_1".to_owned());
        assert_eq!(disagreement(&building, &later), None);
        let written = |name: &str| {
            let mut written = earlier.clone();
            let failure = Failure { code: Some("T0622".to_owned()), ..Failure::from_probe("it was written") };
            written.probes[2].outcome = ProbeOutcome::Failed(failure);
            written.probes[2].collections = vec![CollectionGrant::any(name)];
            written
        };
        assert_eq!(disagreement(&written("orders"), &later), None);
        // it did not exist: somebody makes it again
        let mut absent = earlier.clone();
        absent.collections[0].kind = CollectionKind::Absent;
        assert_eq!(disagreement(&absent, &later), None);
        // the loss is in another collection
        assert!(disagreement(&unstable("sessions"), &later).is_some());
        assert!(disagreement(&written("sessions"), &later).is_some());
        let mut building = earlier.clone();
        let sessions = CollectionFacts { name: "sessions".to_owned(), ..CollectionFacts::default() };
        building.collections.push(CollectionFacts { building: vec!["at_1".to_owned()], ..sessions });
        assert!(disagreement(&building, &later).is_some());
    }

    #[test]
    fn a_mistyped_collection_is_corrected() {
        let worked = || ProbeOutcome::Metrics(vec![metric("shape", Value::Integer(1))]);
        let labelled = |sum: &str, names: &[&str]| {
            let mut side = capture(sum, 3, worked());
            side.probes[0].collections = names.iter().map(|name| CollectionGrant::any(name)).collect();
            side.probes[0].options_sha256 = names.concat();
            let ProbeOutcome::Metrics(metrics) = &mut side.probes[0].outcome else { panic!() };
            metrics[0].labels.insert("collection".to_owned(), "orders".to_owned());
            side
        };
        let before = labelled("aa", &["orders", "mneu"]);
        assert_eq!(absent(&before, &before.probes[0]).collect::<Vec<_>>(), ["mneu"]);
        let corrected = |sum: &str| disagreement(&before, &labelled(sum, &["orders", "menu"]));
        assert_eq!(corrected("aa"), None);
        assert_eq!(corrected("ab").unwrap(), "`documents collection=orders` of probe `documents` differs");
        // it read nothing at all
        assert_eq!(disagreement(&labelled("aa", &["odrers"]), &labelled("ab", &["orders"])), None);
        // without a typing error, other options are other options
        assert!(disagreement(&labelled("aa", &["orders"]), &labelled("aa", &["orders", "menu"])).is_some());
        // numbers do not say with which options they were counted
        let mut counted = before.clone();
        counted.probes[1].collections = vec![CollectionGrant::any("mneu"), CollectionGrant::any("orders")];
        let mut again = labelled("aa", &["orders", "menu"]);
        again.probes[1].options_sha256.push('x');
        assert!(disagreement(&counted, &again).is_some());
        // a collection that the upgrade creates
        let mut declared = before.clone();
        declared.changes = serde_json::from_value(serde_json::json!([{"addedCollection": "mneu"}])).unwrap();
        assert_eq!(absent(&declared, &declared.probes[0]).count(), 0);
    }
}
