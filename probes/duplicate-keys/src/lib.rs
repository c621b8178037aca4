//! Finds business keys that occur more than once, such as after an import that ran twice.
//!
//! ```yaml
//! config:
//!   keys:
//!     orders: [[number]]                  # each key is a list of paths
//!     registrations: [[email, event]]
//!   examples: 20                          # name this many of the duplicate values
//! ```
//!
//! Arrays are compared as a whole; numbers of different types are equal if their values are. A missing field is not null, and a
//! document without any field of the key has no key.

mod grouped;
mod settings;
mod sorted;
mod tally;

use grouped::NoOrder;
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
            .results(1)
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
            // for people: if there are more values than examples, other ones may be named afterwards
            .metric(
                declare("duplicates.keys", ValueKind::Set, GROUP, "the first of the values that occur more than once")
                    .expect("ignore"),
            )
            .metric(MetricDeclaration::failed())
            // no expectation, so that a mistyped path, which no document has, is `unknown`
            .metric(declare("keyed", ValueKind::Integer, DOCUMENT, "documents that have the key").merge(Merge::Sum))
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let granted = db.collections()?;
        Config::check_granted("keys", settings.named_collections(), &granted)?;
        let mut found = Vec::new();
        for (done, (collection, keys)) in settings.keys.iter().enumerate() {
            progress(done as u64, Some(settings.keys.len() as u64));
            let indexes = indexes(db, collection, &granted)?;
            let counted = keys.iter().map(|key| {
                let tally = count(db, collection, key, &indexes, settings.examples)?;
                Ok(metrics(tally, collection, key))
            });
            let counted: Result<Vec<[Metric; 4]>, Failure> = counted.collect();
            found.extend(taster_probe::or_failed(collection, counted.map(|all| all.into_iter().flatten().collect()))?);
        }
        Ok(found)
    }
}

/// The indexes that can be read in order. A view has none of its own, and those of a time series contain buckets.
fn indexes(db: &Database<'_>, collection: &str, granted: &[CollectionInfo]) -> Result<Vec<Document>, Failure> {
    match granted.iter().find(|info| info.name == collection).map(|info| info.kind) {
        Some(CollectionKind::Collection) => db.indexes(collection),
        _ => Ok(Vec::new()),
    }
}

/// Counts along an index if there is one, which needs no memory on the server; otherwise in groups.
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
    let reason = if order.is_some() { NoOrder::NotScalar } else { NoOrder::NoIndex };
    grouped::count(db, collection, key, examples)
        .map_err(|failure| grouped::with_remedy(failure, collection, key, reason))
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
