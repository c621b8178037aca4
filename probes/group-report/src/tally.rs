//! The results of a report so far: for all documents, and for each group.

use std::collections::BTreeMap;

use taster_probe::{
    Failure, Malformed, Metric, RawDocument,
    group::{each_value_at, key_text, number, value_at},
};

use crate::{extreme::Extreme, settings::Report, sum::Sum};

const UNIT: &str = "{document}";
const VALUES: &str = "{value}";

/// The results of one report.
pub(crate) struct Tally<'a> {
    report: &'a Report,
    max_groups: usize,
    total: GroupTotals,
    /// By sum.
    terms: Vec<SumTerms>,
    groups: BTreeMap<Vec<String>, GroupTotals>,
}

/// What one sum found in all documents.
#[derive(Clone, Default)]
struct SumTerms {
    /// Finite numbers, which were added.
    numbers: u64,
    /// NaN and the infinities.
    nonfinite: u64,
    /// Documents without a number, or with a value of another type.
    skipped: u64,
}

/// The results of one group, or of all documents.
#[derive(Clone)]
struct GroupTotals {
    count: u64,
    sums: Vec<Sum>,
    extremes: Vec<Extreme>,
}

impl GroupTotals {
    fn new(report: &Report) -> Self {
        Self {
            count: 0,
            sums: vec![Sum::default(); report.sums.len()],
            extremes: report.extremes.iter().map(|(_, end, _)| Extreme::new(*end)).collect(),
        }
    }

    fn metrics(&self, report: &Report, labels: &[(String, String)], found: &mut Vec<Metric>) {
        let mut push = |metric: Metric| found.push(Metric { labels: labels.to_vec(), ..metric });
        push(Metric::count(format!("{}.count", report.name), self.count).unit(UNIT));
        for ((name, _), sum) in report.sums.iter().zip(&self.sums) {
            push(Metric::decimal(name, sum.text()));
        }
        for ((name, ..), extreme) in report.extremes.iter().zip(&self.extremes) {
            push(Metric::document(name, extreme.document()));
        }
    }
}

impl<'a> Tally<'a> {
    pub(crate) fn new(report: &'a Report, max_groups: usize) -> Self {
        let terms = vec![SumTerms::default(); report.sums.len()];
        Self { report, max_groups, total: GroupTotals::new(report), terms, groups: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, document: RawDocument<'_>) -> Result<(), Failure> {
        let report = self.report;
        let Self { total, groups, terms, .. } = self;
        let mut group = None;
        if !report.group_by.is_empty() {
            let key = report
                .group_by
                .iter()
                .map(|(_, path)| Ok(key_text(value_at(document, path)?)))
                .collect::<Result<Vec<String>, Malformed>>()?;
            if !groups.contains_key(&key) && groups.len() == self.max_groups {
                let message = format!("the report {} has more than {} groups", report.name, self.max_groups);
                let asked = format!("one more group: {}", title(report, &key));
                return Err(Failure::limit(message, asked, self.max_groups, "groups"));
            }
            group = Some(groups.entry(key).or_insert_with(|| GroupTotals::new(report)));
        }
        total.count += 1;
        if let Some(group) = &mut group {
            group.count += 1;
        }
        for (index, (_, path)) in report.sums.iter().enumerate() {
            let terms = &mut terms[index];
            let (mut added, mut others) = (0, 0);
            each_value_at(document, path, &mut |value| match number(value) {
                Some(term) if total.sums[index].add(term) => {
                    added += 1;
                    if let Some(group) = &mut group {
                        group.sums[index].add(term);
                    }
                }
                Some(_) => {
                    terms.nonfinite += 1;
                    others += 1;
                }
                None => others += 1,
            })?;
            terms.numbers += added;
            if added == 0 || others > 0 {
                terms.skipped += 1;
            }
        }
        for (index, (.., path)) in report.extremes.iter().enumerate() {
            each_value_at(document, path, &mut |value| {
                total.extremes[index].add(value);
                if let Some(group) = &mut group {
                    group.extremes[index].add(value);
                }
            })?;
        }
        Ok(())
    }

    pub(crate) fn metrics(&self, found: &mut Vec<Metric>) {
        let report = self.report;
        self.total.metrics(report, &[], found);
        for ((name, _), terms) in report.sums.iter().zip(&self.terms) {
            found.push(Metric::count(format!("{name}.numbers"), terms.numbers).unit(VALUES));
            found.push(Metric::count(format!("{name}.nonfinite"), terms.nonfinite).unit(VALUES));
            found.push(Metric::count(format!("{name}.skipped"), terms.skipped).unit(UNIT));
        }
        for (name, extreme) in &report.values {
            found.push(Metric::count(name, self.total.extremes[*extreme].values()).unit(VALUES));
        }
        if report.group_by.is_empty() {
            return;
        }
        let titles = self.groups.keys().map(|key| title(report, key));
        found.push(Metric::set(format!("{}.groups", report.name), titles));
        for (key, part) in &self.groups {
            let labels: Vec<_> = report.group_by.iter().map(|(label, _)| label.clone()).zip(key.clone()).collect();
            part.metrics(report, &labels, found);
        }
    }
}

/// `status=open, country=de`
fn title(report: &Report, key: &[String]) -> String {
    let pairs = report.group_by.iter().zip(key).map(|((label, _), text)| format!("{label}={text}"));
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use taster_probe::{Config, Value, extjson};

    use super::*;
    use crate::settings::Settings;

    fn run(config: &Json, documents: &[Json]) -> Result<Vec<String>, Failure> {
        let settings = Settings::read(&Config::new(config.to_string()))?;
        let mut tally = Tally::new(&settings.reports[0], settings.groups);
        for json in documents {
            tally.add(extjson::to_document(json, "document").unwrap().as_raw())?;
        }
        let mut found = Vec::new();
        tally.metrics(&mut found);
        let value = |value: &Value| match value {
            Value::Document(bytes) => format!("{:?}", RawDocument::from_bytes(bytes).unwrap()),
            other => format!("{other:?}"),
        };
        Ok(found.iter().map(|metric| format!("{} {:?} {}", metric.name, metric.labels, value(&metric.value))).collect())
    }

    #[test]
    fn a_report_counts_sums_and_bounds_all_and_each_group() {
        let config = json!({"reports": [{"name": "orders", "collection": "orders", "groupBy": ["status"],
            "sums": {"revenue": "total"}, "max": {"largest": "total"}}]});
        let documents = [
            json!({"status": "open", "total": {"$numberDecimal": "12.50"}}),
            json!({"status": "open", "total": 3}),
            json!({"status": null, "total": 0.1}),
            json!({"total": "7.00"}),
            json!({"status": "paid"}),
        ];
        let found = run(&config, &documents).unwrap();
        insta::assert_snapshot!(found.join("\n"), @r#"
        orders.count [] Value::Integer(5)
        orders.revenue [] Value::Decimal("15.60")
        orders.largest.max [] {"v": "7.00"}
        orders.revenue.numbers [] Value::Integer(3)
        orders.revenue.nonfinite [] Value::Integer(0)
        orders.revenue.skipped [] Value::Integer(2)
        orders.largest.values [] Value::Integer(4)
        orders.groups [] Value::Set(["status=(missing)", "status=null", "status=open", "status=paid"])
        orders.count [("status", "(missing)")] Value::Integer(1)
        orders.revenue [("status", "(missing)")] Value::Decimal("0")
        orders.largest.max [("status", "(missing)")] {"v": "7.00"}
        orders.count [("status", "null")] Value::Integer(1)
        orders.revenue [("status", "null")] Value::Decimal("0.1")
        orders.largest.max [("status", "null")] {"v": {"$numberDouble": "0.1"}}
        orders.count [("status", "open")] Value::Integer(2)
        orders.revenue [("status", "open")] Value::Decimal("15.50")
        orders.largest.max [("status", "open")] {"v": {"$numberDecimal": "12.50"}}
        orders.count [("status", "paid")] Value::Integer(1)
        orders.revenue [("status", "paid")] Value::Decimal("0")
        orders.largest.max [("status", "paid")] {}
        "#);
        let backwards: Vec<Json> = documents.iter().rev().cloned().collect();
        assert_eq!(run(&config, &backwards).unwrap(), found);
    }

    #[test]
    fn too_many_groups_name_the_setting() {
        let config = json!({"groups": 2, "reports": [{"name": "r", "collection": "c", "groupBy": ["k"]}]});
        let failure =
            run(&config, &[json!({"k": 1}), json!({"k": 2}), json!({"k": 1.0}), json!({"k": 3})]).unwrap_err();
        insta::assert_snapshot!(format!("{failure:?}"), @r#"
        Failure { message: "the report r has more than 2 groups", refusal: None, code: None, asked: Some("one more group: k=3"), allowed: Some("2"), setting: Some("probes[…].config.groups") }
        "#);
    }

    #[test]
    fn a_sum_goes_through_arrays_and_counts_what_it_skips() {
        let config = json!({"reports": [{"name": "r", "collection": "c", "sums": {"price": "items.price"}}]});
        let found = run(
            &config,
            &[
                json!({"items": [{"price": 1}, {"price": 2.5}]}),
                json!({"items": [{"price": "3"}, {"price": 4}]}),
                json!({}),
            ],
        )
        .unwrap();
        insta::assert_snapshot!(found.join("\n"), @r#"
        r.count [] Value::Integer(3)
        r.price [] Value::Decimal("7.5")
        r.price.numbers [] Value::Integer(3)
        r.price.nonfinite [] Value::Integer(0)
        r.price.skipped [] Value::Integer(2)
        "#);
    }

    #[test]
    fn a_path_that_no_document_has_counts_zero_values() {
        let config = json!({"reports": [{"name": "r", "collection": "c", "groupBy": ["k"], "sums": {"revenue": "totl"},
            "min": {"created": "creatd"}, "max": {"created": "creatd", "newest": "at"}}]});
        let found = run(&config, &[json!({"k": "a", "total": 1, "at": 5}), json!({"k": "a", "at": null})]).unwrap();
        insta::assert_snapshot!(found.join("\n"), @r#"
        r.count [] Value::Integer(2)
        r.revenue [] Value::Decimal("0")
        r.created.min [] {}
        r.created.max [] {}
        r.newest.max [] {"v": {"$numberInt": "5"}}
        r.revenue.numbers [] Value::Integer(0)
        r.revenue.nonfinite [] Value::Integer(0)
        r.revenue.skipped [] Value::Integer(2)
        r.created.values [] Value::Integer(0)
        r.newest.values [] Value::Integer(1)
        r.groups [] Value::Set(["k=a"])
        r.count [("k", "a")] Value::Integer(2)
        r.revenue [("k", "a")] Value::Decimal("0")
        r.created.min [("k", "a")] {}
        r.created.max [("k", "a")] {}
        r.newest.max [("k", "a")] {"v": {"$numberInt": "5"}}
        "#);
    }

    #[test]
    fn infinities_and_nan_are_not_added() {
        let config = json!({"reports": [{"name": "r", "collection": "c", "sums": {"price": "items.price"}}]});
        let found = run(
            &config,
            &[
                json!({"items": [{"price": 1}, {"price": {"$numberDouble": "NaN"}}]}),
                json!({"items": [{"price": {"$numberDecimal": "-Infinity"}}, {"price": {"$numberDouble": "inf"}}]}),
                json!({"items": {"price": 2.5}}),
            ],
        )
        .unwrap();
        insta::assert_snapshot!(found.join("\n"), @r#"
        r.count [] Value::Integer(3)
        r.price [] Value::Decimal("3.5")
        r.price.numbers [] Value::Integer(2)
        r.price.nonfinite [] Value::Integer(3)
        r.price.skipped [] Value::Integer(2)
        "#);
    }
}
