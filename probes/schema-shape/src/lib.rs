//! Records the shape of a collection: every path, with its types and their numbers. Missing fields differ from null.
//!
//! ```yaml
//! config:
//!   ignore: [audit.trail, "visits.*.ip"]  # with everything below
//!   paths: 2000                           # limit of paths of a collection
//!   children: 200                         # a subdocument with more different fields is a map: `visits.*`
//! ```
//!
//! Elements of arrays are `items[]`. Every document is read completely.

mod settings;
mod trie;

use settings::Settings;
use taster_probe::{
    Config, Cursor, Database, Document, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind, progress,
};
use trie::Trie;

struct SchemaShape;

impl Probe for SchemaShape {
    fn manifest() -> Manifest {
        Manifest::new("schema-shape", env!("CARGO_PKG_VERSION"), "the types of each path, and how often they occur")
            .results(1)
            .role(Role::many("collections", "the collections to read"))
            .calls("find")
            // no expectation, so that an empty collection before and after is `unknown`
            .metric(
                MetricDeclaration::new("shape", ValueKind::Document, "each path's types with their numbers")
                    .labels(["collection"]),
            )
            .metric(MetricDeclaration::failed())
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let mut found = Vec::new();
        let mut done = 0;
        for collection in db.collections()? {
            let name = collection.name.as_str();
            let shape = db.find(name).run().and_then(|cursor| read(cursor, &settings, &mut done));
            let metric = shape.map(|shape| vec![Metric::document("shape", shape).label("collection", name)]);
            let metric =
                metric.map_err(|failure| Failure { message: format!("{name}: {}", failure.message), ..failure });
            found.extend(taster_probe::or_failed(name, metric)?);
        }
        Ok(found)
    }
}

fn read(mut cursor: Cursor, settings: &Settings, done: &mut u64) -> Result<Document, Failure> {
    let mut trie = Trie::new(settings);
    while let Some(batch) = cursor.next_batch()? {
        let mut rest = batch.as_bytes();
        while !rest.is_empty() {
            let length = taster_probe::RawDocument::first_of(rest)?.as_bytes().len();
            trie.add_document(rest, length)?;
            rest = &rest[length..];
            *done += 1;
        }
        progress(*done, None);
    }
    trie.shrink()?;
    let mut shape = Document::new();
    for (path, types) in trie.shape() {
        let mut counts = Document::new();
        for (name, count) in types {
            counts.push(name, i64::try_from(count).unwrap_or(i64::MAX));
        }
        shape.push(path, counts);
    }
    Ok(shape)
}

taster_probe::export!(SchemaShape);
