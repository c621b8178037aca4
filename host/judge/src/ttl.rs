//! The rules by which documents of a collection expire, as the inventories show them.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use taster_model::CollectionFacts;

use crate::capture_pair::{CaptureIndex, CapturePair};

/// Whether every rule by which documents of the collection expired before the sync still applies, unaltered. Only then are
/// missing documents excused that were due: without the rule, something else may have removed them.
pub(crate) fn still_applies(captures: &CapturePair<'_>, collection: &str) -> bool {
    let rules = |capture: &CaptureIndex<'_>| capture.collection(collection).map(expiry_rules).unwrap_or_default();
    rules(&captures.before).is_subset(&rules(&captures.after))
}

/// Each rule as text: the key of a TTL index, its seconds and its filter; or the seconds of the collection itself.
fn expiry_rules(facts: &CollectionFacts) -> BTreeSet<String> {
    let own = facts.options.get("expireAfterSeconds").map(|seconds| format!("collection {}", number(seconds)));
    let by_index = facts.indexes.iter().filter_map(|index| {
        let seconds = number(index.get("expireAfterSeconds")?);
        let part = |name: &str| index.get(name).map(Json::to_string).unwrap_or_default();
        Some(format!("{} {seconds} {}", part("key"), part("partialFilterExpression")))
    });
    by_index.chain(own).collect()
}

/// A number of canonical Extended JSON, whatever its type: the server keeps the seconds as the client wrote them.
fn number(value: &Json) -> String {
    let digits = value.as_object().and_then(|typed| typed.values().next()).and_then(Json::as_str);
    let number = digits.map_or_else(|| value.as_f64(), |digits| digits.parse().ok());
    number.map_or_else(|| value.to_string(), |number: f64| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use taster_model::{Capture, CensusDifferences};

    use super::*;
    use crate::fixtures::{capture, collection};

    fn still_applies(before: &Capture, after: &Capture, collection: &str) -> bool {
        super::still_applies(&CapturePair::new(before, after, &[], &[], &CensusDifferences::new()), collection)
    }

    fn with(options: Json, indexes: Vec<Json>) -> Capture {
        let facts = CollectionFacts { options, indexes, ..collection("orders") };
        Capture { collections: vec![facts], ..capture(Vec::new()) }
    }

    #[test]
    fn a_rule_must_be_there_unaltered() {
        let index = |key: &str, seconds: Json| json!({"name": "ttl", "key": {key: 1}, "expireAfterSeconds": seconds});
        let before = with(Json::Null, vec![json!({"name": "_id_"}), index("due", json!({"$numberInt": "60"}))]);
        let partial = json!({"key": {"due": 1}, "expireAfterSeconds": 60, "partialFilterExpression": {"a": 1}});
        for (indexes, applies) in [
            (vec![index("due", json!({"$numberLong": "60"}))], true),
            (vec![index("due", json!({"$numberDouble": "60.0"})), index("seen", json!(5))], true),
            (vec![index("due", json!({"$numberInt": "61"}))], false),
            (vec![index("seen", json!({"$numberInt": "60"}))], false),
            (vec![partial], false),
            (Vec::new(), false),
        ] {
            assert_eq!(still_applies(&before, &with(Json::Null, indexes.clone()), "orders"), applies, "{indexes:?}");
        }
        assert!(!still_applies(&before, &capture(Vec::new()), "orders"), "nothing is known of its indexes");
        let series = with(json!({"expireAfterSeconds": {"$numberLong": "3600"}}), Vec::new());
        assert!(still_applies(&series, &series, "orders"));
        assert!(!still_applies(&series, &with(json!({}), Vec::new()), "orders"));
    }
}
