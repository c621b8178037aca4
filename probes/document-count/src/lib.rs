//! Counts the documents of each collection: all, by named filter, and by group.
//!
//! ```yaml
//! config:
//!   filters: {open: {status: open}}       # Extended JSON
//!   groupBy: [status]                     # or with other label names: {state: status}
//!   groups: 1000                          # limit of groups of a collection
//!   collections: {logs: {groupBy: [level]}}   # replaces all of the above for one collection
//! ```

mod settings;

use settings::{Counts, Settings};
use taster_probe::{
    Array, Config, Database, Document, Failure, Manifest, Merge, Metric, MetricDeclaration, Probe, Role, ValueKind,
    doc, group::key_text, or_failed, progress,
};

struct DocumentCount;

const UNIT: &str = "{document}";

impl Probe for DocumentCount {
    fn manifest() -> Manifest {
        Manifest::new("document-count", env!("CARGO_PKG_VERSION"), "how many documents there are, by filter and group")
            .results(1)
            .role(Role::many("collections", "the collections to count"))
            .calls("count")
            .calls("aggregate")
            .metric(
                // no expectation, so that an empty collection before and after is `unknown`
                MetricDeclaration::new("documents", ValueKind::Integer, "documents of the collection")
                    .unit(UNIT)
                    .labels(["collection", "*"])
                    .merge(Merge::Sum),
            )
            .metric(MetricDeclaration::failed())
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let collections = db.collections()?;
        Config::check_granted("collections", settings.named_collections(), &collections)?;
        let mut found = Vec::new();
        for (done, collection) in collections.iter().enumerate() {
            progress(done as u64, Some(collections.len() as u64));
            let name = &collection.name;
            let mut counted = Vec::new();
            let ended = count(db, name, settings.for_collection(name), settings.groups, &mut counted);
            found.extend(or_failed(name, ended.map(|()| counted))?);
        }
        Ok(found)
    }
}

fn count(
    db: &Database<'_>,
    collection: &str,
    counts: &Counts,
    max_groups: u32,
    found: &mut Vec<Metric>,
) -> Result<(), Failure> {
    let metric = |count| Metric::count("documents", count).unit(UNIT).label("collection", collection);
    found.push(metric(db.count(collection, &Document::new())?));
    for (name, filter) in &counts.filters {
        found.push(metric(db.count(collection, filter)?).label("filter", name));
    }
    if counts.group_by.is_empty() {
        return Ok(());
    }
    let mut cursor = db.aggregate(collection, &stages(&counts.group_by, max_groups))?;
    let mut groups = 0;
    while let Some(group) = cursor.next_document()? {
        groups += 1;
        if groups > max_groups {
            let paths: Vec<&str> = counts.group_by.iter().map(|(_, path)| path.as_str()).collect();
            let message = format!("{collection} has more than {max_groups} groups of {}", paths.join(", "));
            return Err(Failure::limit(message, format!("more than {max_groups} groups"), max_groups, "groups"));
        }
        let key = group.get("_id")?.and_then(|key| key.value.as_document());
        let count = group.get("n")?.and_then(|count| count.value.as_i64()).unwrap_or_default();
        let mut metric = metric(count.unsigned_abs());
        for (index, (label, _)) in counts.group_by.iter().enumerate() {
            let part =
                |name| Ok::<_, Failure>(key.map(|key| key.get(&format!("{name}{index}"))).transpose()?.flatten());
            let there = part("there")?.is_some_and(|element| element.value.bytes == [1]);
            let value = part("key")?.filter(|_| there).map(|element| element.value);
            metric = metric.label(label, key_text(value));
        }
        found.push(metric);
    }
    Ok(())
}

/// The pipeline. In a group key of several parts, the server does not distinguish a missing field from null, so each part has a
/// flag beside it. The limit is one group more than allowed, to notice that there are too many without reading all of them.
fn stages(group_by: &[(String, String)], max_groups: u32) -> [Document; 2] {
    let mut key = Document::new();
    for (index, (_, path)) in group_by.iter().enumerate() {
        let field = format!("${path}");
        let mut missing = Document::new();
        missing.push("0", doc(&[("$type", &field)]));
        missing.push("1", "missing");
        key.push(format!("key{index}"), field);
        key.push(format!("there{index}"), doc(&[("$ne", &Array(missing))]));
    }
    let group = doc(&[("_id", &key), ("n", &doc(&[("$sum", &1_i64)]))]);
    [doc(&[("$group", &group)]), doc(&[("$limit", &(i64::from(max_groups) + 1))])]
}

taster_probe::export!(DocumentCount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_counts_groups_up_to_one_more_than_allowed() {
        let [group, limit] = stages(&[("state".to_owned(), "status".to_owned())], 10);
        insta::assert_snapshot!(format!("{group:?} {limit:?}"), @r#"{"\$group": {"_id": {"key0": "$status", "there0": {"\$ne": [{"\$type": "$status"}, "missing"]}}, "n": {"\$sum": {"$numberLong": "1"}}}} {"\$limit": {"$numberLong": "11"}}"#);
    }
}
