//! Business keys that occur more than once: what an import that ran twice leaves behind, and no `_id` tells.
//!
//! ```yaml
//! config:
//!   keys:
//!     orders: [[number]]                  # each key is a list of paths
//!     registrations: [[email, event]]
//!   examples: 20                          # name so many of the values that occur more than once
//! ```
//!
//! Values are compared as they are, arrays whole; equal numbers are equal whatever their type. What is missing is not
//! null, and a document without any part of the key has none.

mod grouped;
mod settings;
mod sorted;
mod tally;

use settings::{Key, Settings};
use tally::Tally;
use taster_probe::{
    CollectionInfo, CollectionKind, Config, Database, Document, Failure, Manifest, Merge, Metric, MetricDeclaration,
    Probe, Role, ValueKind, progress,
};

struct DuplicateKeys;

const GROUP: &str = "{group}";
const DOCUMENT: &str = "{document}";

impl Probe for DuplicateKeys {
    fn manifest() -> Manifest {
        let declare = |name, kind, unit, summary| {
            MetricDeclaration::new(name, kind, summary).unit(unit).labels(["collection", "key"])
        };
        Manifest::new("duplicate-keys", env!("CARGO_PKG_VERSION"), "business keys that occur more than once")
            .role(Role::many("collections", "the collections that keys are declared for"))
            .calls("aggregate")
            .calls("find")
            .calls("list-indexes")
            .metric(
                declare("duplicates", ValueKind::Integer, GROUP, "values of the key that occur more than once")
                    .expect("never-increases"),
            )
            .metric(
                declare("duplicates.documents", ValueKind::Integer, DOCUMENT, "documents beyond the first of each")
                    .expect("never-increases"),
            )
            // which ones they are is for people: of more than are named here, others may be named afterwards
            .metric(
                declare("duplicates.keys", ValueKind::Set, GROUP, "the first of the values that occur more than once")
                    .expect("ignore"),
            )
            // nothing is expected here, so that a mistyped path, which no document has, stays `unknown`
            .metric(declare("keyed", ValueKind::Integer, DOCUMENT, "documents that have the key").merge(Merge::Sum))
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let granted = db.collections()?;
        Config::check_granted("keys", settings.named(), &granted)?;
        let mut found = Vec::new();
        for (done, (collection, keys)) in settings.keys.iter().enumerate() {
            progress(done as u64, Some(settings.keys.len() as u64));
            let indexes = indexes(db, collection, &granted)?;
            for key in keys {
                let tally = count(db, collection, key, &indexes, settings.examples)?;
                found.extend(metrics(tally, collection, key));
            }
        }
        Ok(found)
    }
}

/// The indexes that can be read in order: a view has none of its own, and those of a time series hold buckets.
fn indexes(db: &Database<'_>, collection: &str, granted: &[CollectionInfo]) -> Result<Vec<Document>, Failure> {
    match granted.iter().find(|info| info.name == collection).map(|info| info.kind) {
        Some(CollectionKind::Collection) => db.indexes(collection),
        _ => Ok(Vec::new()),
    }
}

/// Along an index where there is one, for that needs no memory of the server's; else in groups.
fn count(
    db: &Database<'_>,
    collection: &str,
    key: &Key,
    indexes: &[Document],
    examples: usize,
) -> Result<Tally, Failure> {
    let order = sorted::order(indexes, key)?;
    if let Some(order) = &order
        && let Some(tally) = sorted::count(db, collection, key, order, examples)?
    {
        return Ok(tally);
    }
    grouped::count(db, collection, key, examples)
        .map_err(|failure| grouped::told_what_to_do(failure, collection, key, order.is_some()))
}

fn metrics(tally: Tally, collection: &str, key: &Key) -> [Metric; 4] {
    let labelled = |metric: Metric, unit| metric.unit(unit).label("collection", collection).label("key", key.name());
    [
        labelled(Metric::count("duplicates", tally.groups), GROUP),
        labelled(Metric::count("duplicates.documents", tally.surplus), DOCUMENT),
        labelled(Metric::count("keyed", tally.documents), DOCUMENT),
        labelled(Metric::set("duplicates.keys", tally.examples.into_texts()), GROUP),
    ]
}

taster_probe::export!(DuplicateKeys);
