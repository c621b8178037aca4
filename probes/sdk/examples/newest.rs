//! The greatest `_id` of each collection.
use taster_probe::{Config, Database, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind, doc};

struct Newest;

impl Probe for Newest {
    fn manifest() -> Manifest {
        Manifest::new("newest", env!("CARGO_PKG_VERSION"), "the greatest _id of each collection")
            .role(Role::many("collections", "what to look at"))
            .calls("find")
            .metric(MetricDeclaration::new("newest", ValueKind::Document, "the greatest _id").labels(["collection"]))
    }

    fn run(db: &Database<'_>, _: Config) -> Result<Vec<Metric>, Failure> {
        let mut metrics = Vec::new();
        for collection in db.collections()? {
            let mut cursor = db.find(&collection.name).sort(doc(&[("_id", &-1)])).limit(1).run()?;
            while let Some(document) = cursor.next_document()? {
                metrics.push(Metric::document("newest", document.to_owned()).label("collection", &collection.name));
            }
        }
        Ok(metrics)
    }
}

taster_probe::export!(Newest);
