//! Records every document of each collection, so that a comparison can name missing, extra and changed documents.
//!
//! ```yaml
//! config:
//!   detail: fields                        # also name the changed fields; `documents`: only the changed documents
//!   ignore: [updatedAt]                   # top-level fields that may change
//!   filter: {archived: false}             # Extended JSON
//!   sample: 20                            # keep this many whole documents
//!   collections: {logs: {detail: documents}}   # replaces all of the above for one collection
//! ```
//!
//! Views are skipped: they have no documents of their own.

mod settings;

use settings::{CensusSettings, Settings};
use taster_probe::{
    CensusSummary, CollectionInfo, CollectionKind, Config, Database, Failure, Level, Manifest, Merge, Metric,
    MetricDeclaration, Probe, Role, ValueKind, log, or_failed, progress,
};

struct Census;

const UNIT: &str = "{document}";

impl Probe for Census {
    fn manifest() -> Manifest {
        Manifest::new("census", env!("CARGO_PKG_VERSION"), "which documents are missing, extra or changed")
            .results(1)
            .role(Role::many("collections", "the collections to record; views are skipped"))
            .calls("census")
            .metric(
                // no expectation, so that an empty collection before and after is `unknown`
                MetricDeclaration::new("documents", ValueKind::Census, "every document, by `_id`, with a keyed digest")
                    .unit(UNIT)
                    .labels(["collection"])
                    .merge(Merge::Union),
            )
            .metric(MetricDeclaration::failed())
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let granted = db.collections()?;
        Config::check_granted("collections", settings.named_collections(), &granted)?;
        let collections = recordable(&granted)?;
        let mut found = Vec::new();
        for (done, name) in collections.iter().enumerate() {
            progress(done as u64, Some(collections.len() as u64));
            let summary = record(db, name, settings.for_collection(name));
            let metric = summary.map(|one| Metric::census("documents", one.id).unit(UNIT).label("collection", *name));
            found.extend(or_failed(name, metric.map(|metric| vec![metric]))?);
        }
        Ok(found)
    }
}

/// The collections with documents of their own. Absent ones are included: a removed collection has lost all documents.
fn recordable(granted: &[CollectionInfo]) -> Result<Vec<&str>, Failure> {
    let (views, recordable): (Vec<_>, Vec<_>) = granted.iter().partition(|one| one.kind == CollectionKind::View);
    let names = |infos: &[&CollectionInfo]| infos.iter().map(|info| info.name.clone()).collect::<Vec<_>>().join(", ");
    if recordable.is_empty() {
        return Err(Failure {
            asked: Some(names(&views)),
            allowed: Some("collections".to_owned()),
            setting: Some("probes[…].collections".to_owned()),
            ..Failure::new(
                "nothing to record: all granted collections are views, which have no documents of their own; grant the \
                 collections that they read",
            )
        });
    }
    if !views.is_empty() {
        log(Level::Info, &format!("skipped views, which have no documents of their own: {}", names(&views)));
    }
    Ok(recordable.into_iter().map(|info| info.name.as_str()).collect())
}

fn record(db: &Database<'_>, collection: &str, settings: &CensusSettings) -> Result<CensusSummary, Failure> {
    let mut census = db
        .census(collection)
        .ignore(settings.ignore.iter().map(String::as_str))
        .detail(settings.detail)
        .sample(settings.sample);
    if settings.values {
        census = census.keep_values();
    }
    if settings.ignore_order {
        census = census.ignore_order();
    }
    if let Some(filter) = &settings.filter {
        census = census.filter(filter.clone());
    }
    census.record()
}

taster_probe::export!(Census);

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(kinds: &[(&str, CollectionKind)]) -> Vec<CollectionInfo> {
        let info = |&(name, kind): &(&str, _)| CollectionInfo { name: name.to_owned(), role: String::new(), kind };
        kinds.iter().map(info).collect()
    }

    #[test]
    fn absent_collections_are_recorded() {
        let granted = granted(&[
            ("gone", CollectionKind::Absent),
            ("measures", CollectionKind::TimeSeries),
            ("orders", CollectionKind::Collection),
        ]);
        assert_eq!(recordable(&granted).unwrap(), ["gone", "measures", "orders"]);
    }

    #[test]
    fn a_grant_of_views_only_is_an_error() {
        let granted = granted(&[("late_orders", CollectionKind::View), ("open_orders", CollectionKind::View)]);
        let failure = recordable(&granted).unwrap_err();
        insta::assert_snapshot!(failure.message, @"nothing to record: all granted collections are views, which have no documents of their own; grant the collections that they read");
        assert_eq!(failure.asked.as_deref(), Some("late_orders, open_orders"));
    }
}
