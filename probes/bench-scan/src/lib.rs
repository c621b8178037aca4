//! Reads and hashes every document, to measure the cost of the interface. For benchmarks and tests.
//!
//! With `{"calls": 1000000}`, it calls the host's cheapest function this often instead.

use serde::Deserialize;
use taster_probe::{
    Config, Database, Failure, Manifest, Merge, Metric, MetricDeclaration, Probe, Role, Value, ValueKind, progress,
};
use xxhash_rust::xxh3::xxh3_64;

struct Scan;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    calls: u64,
}

impl Probe for Scan {
    fn manifest() -> Manifest {
        let labels = ["collection"];
        Manifest::new("scan", env!("CARGO_PKG_VERSION"), "reads and hashes every document")
            .role(Role::many("collections", "the collections to read").optional())
            .calls("find")
            .metric(
                MetricDeclaration::new("documents", ValueKind::Integer, "documents read")
                    .unit("{document}")
                    .labels(labels)
                    .merge(Merge::Sum),
            )
            .metric(
                MetricDeclaration::new("bytes", ValueKind::Integer, "their size in BSON")
                    .unit("By")
                    .labels(labels)
                    .merge(Merge::Sum),
            )
            .metric(MetricDeclaration::new("hash", ValueKind::Text, "the sum of their hashes").labels(labels))
            .metric(MetricDeclaration::new("calls", ValueKind::Integer, "calls of the host").unit("{call}"))
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings: Settings = config.parse()?;
        if settings.calls > 0 {
            (0..settings.calls).for_each(|call| progress(call, None));
            return Ok(vec![Metric::count("calls", settings.calls).unit("{call}")]);
        }
        let mut found = Vec::new();
        for collection in db.collections()? {
            let mut cursor = db.find(&collection.name).run()?;
            let (mut documents, mut bytes, mut hash) = (0, 0, 0_u64);
            while let Some(batch) = cursor.next_batch()? {
                bytes += batch.as_bytes().len() as u64;
                for document in batch.documents() {
                    // a sum, so that the order of the documents does not count
                    hash = hash.wrapping_add(xxh3_64(document?.as_bytes()));
                    documents += 1;
                }
            }
            let name = collection.name;
            found.push(Metric::count("documents", documents).unit("{document}").label("collection", &name));
            found.push(Metric::count("bytes", bytes).unit("By").label("collection", &name));
            found.push(Metric::new("hash", Value::Text(format!("{hash:016x}"))).label("collection", &name));
        }
        Ok(found)
    }
}

taster_probe::export!(Scan);
