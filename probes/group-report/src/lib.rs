//! Counts, exact sums and extremes of documents, in all and by group: a shop's revenue by status.
//!
//! ```yaml
//! config:
//!   groups: 1000                          # at most so many groups a report
//!   reports:
//!     - name: orders
//!       collection: orders
//!       filter: {archived: false}         # Extended JSON
//!       groupBy: [status]                 # or labels of one's own: {state: status}
//!       sums: {revenue: total}            # orders.revenue
//!       min: {created: created}           # orders.created.min
//!       max: {created: created}           # orders.created.max
//! ```
//!
//! Documents are summed here and not by the server: its sums round. Integers and `Decimal128` add up exactly; a double
//! counts as the shortest decimal that reads back as it, so that 0.1 and 0.2 make 0.3. Paths go through
//! arrays: `items.price` is the price of every item.
//!
//! Of all documents together, each sum also says what it is made of: `orders.revenue.numbers` are the terms added,
//! `….nonfinite` the NaN and infinities left out, `….skipped` the documents in which it met no number or something it
//! could not add. `orders.created.values` are the values, null not among them, that `min` and `max` chose from. A
//! mistyped path meets nothing on either side, and 0 `numbers` or `values` against 0 are `unknown`, not equal.

mod extreme;
mod settings;
mod sum;
mod tally;

use settings::Settings;
use tally::Tally;
use taster_probe::{Config, Database, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind, progress};

struct GroupReport;

impl Probe for GroupReport {
    fn manifest() -> Manifest {
        let declare = |name, kind, summary, labels: &[&str]| {
            MetricDeclaration::new(name, kind, summary).labels(labels.iter().copied())
        };
        Manifest::new("group-report", env!("CARGO_PKG_VERSION"), "counts, exact sums and extremes by group")
            .role(Role::many("collections", "the collections that reports name"))
            .calls("find")
            // nothing is expected here, so that an empty collection before and after stays `unknown`
            .metric(declare("*.count", ValueKind::Integer, "documents, in all and by group", &["*"]).unit("{document}"))
            .metric(declare("*", ValueKind::Decimal, "an exact sum, in all and by group", &["*"]).expect("equal"))
            // nor here: a path that met nothing before and after is mistyped
            .metric(declare("*.numbers", ValueKind::Integer, "finite numbers that the sum met", &[]).unit("{value}"))
            .metric(declare("*.values", ValueKind::Integer, "values that min and max chose from", &[]).unit("{value}"))
            .metric(
                declare("*.nonfinite", ValueKind::Integer, "NaN and infinities that the sum left out", &[])
                    .unit("{value}")
                    .expect("equal"),
            )
            .metric(
                declare(
                    "*.skipped",
                    ValueKind::Integer,
                    "documents in which the sum met no number, or something else",
                    &[],
                )
                .unit("{document}")
                .expect("equal"),
            )
            .metric(declare("*.min", ValueKind::Document, "the least value, {v: …}", &["*"]).expect("equal"))
            .metric(declare("*.max", ValueKind::Document, "the greatest value, {v: …}", &["*"]).expect("equal"))
            .metric(declare("*.groups", ValueKind::Set, "the groups there are", &[]).expect("equal"))
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
                    ..Config::wrong(
                        &format!("reports[{index}].collection"),
                        &format!("the report {name} reads {collection}, which the probe is not granted"),
                    )
                });
            }
        }
        let mut found = Vec::new();
        let mut done = 0;
        for report in &settings.reports {
            let mut tally = Tally::new(report, settings.groups);
            let find = db.find(&report.collection).filter(report.filter.clone()).projection(report.projection());
            let mut cursor = find.run()?;
            while let Some(batch) = cursor.next_batch()? {
                for document in batch.documents() {
                    tally.see(document?)?;
                    done += 1;
                }
                progress(done, None);
            }
            tally.metrics(&mut found);
        }
        Ok(found)
    }
}

taster_probe::export!(GroupReport);
