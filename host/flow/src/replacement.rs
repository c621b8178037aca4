//! Whether a baseline in which a probe failed may be replaced by a later capture.
//!
//! Nothing could ever be `same` against it, so that a capture in which every probe succeeded takes its place. But what the other
//! probes recorded is good, and stays what `post` is compared with: the later capture must agree with it. Otherwise a loss
//! between the two captures would become part of the baseline.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use taster_model::{Capture, CensusFacts, CollectionFacts, Labels, Metric, ProbeOutcome, ProbeRecord, Severity, Value};

/// Whether something was written while the capture was read, or an index was being built: then what it recorded is expected to
/// have changed since.
fn was_unstable(capture: &Capture) -> bool {
    let is_unstable = |record: &ProbeRecord| match &record.outcome {
        ProbeOutcome::Failed(failure) => failure.reason() == Some(taster_model::ReasonCode::Unstable),
        ProbeOutcome::Metrics(_) => false,
    };
    let is_building = |facts: &CollectionFacts| !facts.building.is_empty();
    !capture.consistency.unstable.is_empty()
        || capture.collections.iter().any(is_building)
        || capture.probes.iter().any(is_unstable)
}

/// Why `later` must not take the place of `earlier`: the first thing in which they do not agree. `None`: it may.
pub(crate) fn disagreement(earlier: &Capture, later: &Capture) -> Option<String> {
    if was_unstable(earlier) {
        return None;
    }
    let gating = earlier.probes.iter().filter(|record| record.severity == Severity::Fail && !record.muted);
    for old in gating {
        let ProbeOutcome::Metrics(metrics) = &old.outcome else { continue };
        let name = taster_text::escape_hidden(&old.name);
        let Some(new) = later.probes.iter().find(|record| record.name == old.name) else {
            return Some(format!("probe `{name}` is no longer configured"));
        };
        if !old.has_results_of(new) || old.options_sha256 != new.options_sha256 {
            return Some(format!("probe `{name}` has another component or other options"));
        }
        let ProbeOutcome::Metrics(again) = &new.outcome else {
            return Some(format!("probe `{name}` failed this time"));
        };
        // what is not known of a collection was not recorded well
        let failed: BTreeSet<&String> = old.failures().filter_map(|metric| metric.labels.get("collection")).collect();
        let is_known = |metric: &&'_ Metric| metric.labels.get("collection").is_none_or(|name| !failed.contains(name));
        let (before, after) = (values(earlier, old, metrics, is_known), values(later, new, again, is_known));
        let differs = before.keys().chain(after.keys()).find(|key| before.get(*key) != after.get(*key));
        if let Some((metric, labels)) = differs {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            return Some(format!(
                "`{}` of probe `{name}` differs",
                taster_text::escape_hidden(&format!("{metric}{}", labels.concat()))
            ));
        }
    }
    let definitions = |capture: &Capture| -> Vec<CollectionFacts> {
        // counts are estimates, and what probes counted is compared above
        let facts = capture.collections.iter().cloned();
        facts.map(|facts| CollectionFacts { documents: None, ..facts }).collect()
    };
    (definitions(earlier) != definitions(later)).then(|| "a collection was created, dropped or altered".to_owned())
}

/// A metric's value; of a census what it recorded, since its id says nothing.
#[derive(Debug, PartialEq)]
enum Recorded<'a> {
    Value(&'a Value),
    Census { documents: u64, sum: &'a str, options: &'a serde_json::Value },
}

fn values<'a>(
    capture: &'a Capture,
    record: &'a ProbeRecord,
    metrics: &'a [Metric],
    is_known: impl Fn(&&'a Metric) -> bool,
) -> BTreeMap<(&'a str, &'a Labels), Recorded<'a>> {
    let mut censuses: HashMap<&str, &CensusFacts> = HashMap::new();
    for facts in capture.censuses.iter().filter(|facts| facts.probe == record.name) {
        censuses.entry(&facts.id).or_insert(facts);
    }
    let recorded = |metric: &'a Metric| {
        let Value::Census(id) = &metric.value else { return Recorded::Value(&metric.value) };
        match censuses.get(id.as_str()) {
            Some(facts) => Recorded::Census { documents: facts.documents, sum: &facts.sum, options: &facts.options },
            None => Recorded::Value(&metric.value),
        }
    };
    metrics.iter().filter(is_known).map(|metric| ((metric.name.as_str(), &metric.labels), recorded(metric))).collect()
}

#[cfg(test)]
mod tests {
    use taster_model::{Failure, Side};
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
        // writers were at work
        let mut unstable = earlier.clone();
        unstable.consistency.unstable.push("orders".to_owned());
        assert_eq!(disagreement(&unstable, &capture("ab", 2, worked())), None);
        // a probe that does not decide
        let mut later = capture("aa", 2, worked());
        let mut muted = earlier.clone();
        muted.probes[1].muted = true;
        later.collections[0].documents = Some(7);
        assert_eq!(disagreement(&muted, &later), None);
    }
}
