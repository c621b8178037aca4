//! Computes counts, exact sums and extremes, for all documents and by group: a shop's revenue by status.
//!
//! ```yaml
//! config:
//!   groups: 1000                          # limit of groups of a report
//!   reports:
//!     - name: orders
//!       collection: orders
//!       filter: {archived: false}         # Extended JSON
//!       groupBy: [status]                 # or with other label names: {state: status}
//!       sums: {revenue: total}            # orders.revenue
//!       min: {created: created}           # orders.created.min
//!       max: {created: created}           # orders.created.max
//! ```
//!
//! The probe adds the values itself, because the server's sums are rounded. Integers and `Decimal128` are added exactly; a double
//! counts as the shortest decimal that parses to it, so that 0.1 and 0.2 are 0.3. Paths go through arrays: `items.price` is the
//! price of every item.
//!
//! For all documents together, each sum has further metrics: `orders.revenue.numbers` counts the added terms, `….nonfinite` the NaN
//! and infinities that were not added, `….skipped` the documents without a number or with a value of another type.
//! `orders.created.values` counts the values, without null, that `min` and `max` compare. With a mistyped path, `numbers` or
//! `values` are 0 on both sides, which is `unknown` and not equal.

mod extreme;
mod settings;
mod sum;
mod tally;

use settings::{Report, Settings};
use tally::Tally;
use taster_probe::{Config, Database, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind, progress};

struct GroupReport;

impl Probe for GroupReport {
    fn manifest() -> Manifest {
        let declare = |name, kind, summary, labels: &[&str]| {
            MetricDeclaration::new(name, kind, summary).labels(labels.iter().copied())
        };
        Manifest::new("group-report", env!("CARGO_PKG_VERSION"), "counts, exact sums and extremes by group")
            .results(1)
            .role(Role::many("collections", "the collections that reports name"))
            .calls("find")
            // no expectation, so that an empty collection before and after is `unknown`
            .metric(
                declare("*.count", ValueKind::Integer, "documents, in total and by group", &["*"]).unit("{document}"),
            )
            .metric(declare("*", ValueKind::Decimal, "an exact sum, in total and by group", &["*"]).expect("equal"))
            // no expectation either: a path without values before and after is mistyped
            .metric(declare("*.numbers", ValueKind::Integer, "finite numbers in the sum", &[]).unit("{value}"))
            .metric(declare("*.values", ValueKind::Integer, "values that min and max compare", &[]).unit("{value}"))
            .metric(
                declare("*.nonfinite", ValueKind::Integer, "NaN and infinities, which are not in the sum", &[])
                    .unit("{value}")
                    .expect("equal"),
            )
            .metric(
                declare(
                    "*.skipped",
                    ValueKind::Integer,
                    "documents without a number, or with a value of another type",
                    &[],
                )
                .unit("{document}")
                .expect("equal"),
            )
            .metric(declare("*.min", ValueKind::Document, "the least value, {v: …}", &["*"]).expect("equal"))
            .metric(declare("*.max", ValueKind::Document, "the greatest value, {v: …}", &["*"]).expect("equal"))
            .metric(declare("*.groups", ValueKind::Set, "the groups", &[]).expect("equal"))
            .metric(MetricDeclaration::failed().labels(["collection", "report"]))
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let granted: Vec<String> = db.collections()?.into_iter().map(|collection| collection.name).collect();
        for (index, report) in settings.reports.iter().enumerate() {
            if !granted.contains(&report.collection) {
                let (name, collection) = (&report.name, &report.collection);
                return Err(Failure {
                    asked: Some(collection.clone()),
                    allowed: Some(granted.join(", ")),
                    setting: Some("probes[…].collections".to_owned()),
                    ..Config::invalid(
                        &format!("reports[{index}].collection"),
                        &format!("report {name}: the probe has no grant for collection {collection}"),
                    )
                });
            }
        }
        let mut found = Vec::new();
        let mut done = 0;
        for report in &settings.reports {
            match read(db, report, settings.groups, &mut done) {
                Ok(tally) => tally.metrics(&mut found),
                Err(failure) if failure.is_about_collection() => {
                    found.push(Metric::failed(&report.collection, &failure).label("report", &report.name));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }
}

fn read<'a>(db: &Database<'_>, report: &'a Report, groups: usize, done: &mut u64) -> Result<Tally<'a>, Failure> {
    let mut tally = Tally::new(report, groups);
    let find = db.find(&report.collection).filter(report.filter.clone()).projection(report.projection());
    let mut cursor = find.run()?;
    while let Some(batch) = cursor.next_batch()? {
        for document in batch.documents() {
            tally.add(document?)?;
            *done += 1;
        }
        progress(*done, None);
    }
    Ok(tally)
}

taster_probe::export!(GroupReport);
