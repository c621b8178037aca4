//! The configuration: reports, each over one collection.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use taster_probe::{
    Config, Document, Failure, check_name, extjson,
    group::{GroupBy, check_path},
};

use crate::extreme::ExtremeKind;

const DEFAULT_GROUPS: usize = 1000;
/// The last segments of metrics that every report has.
const RESERVED_NAMES: [&str; 8] = ["count", "groups", "min", "max", "skipped", "numbers", "nonfinite", "values"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    reports: Vec<RawReport>,
    groups: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawReport {
    name: String,
    collection: String,
    #[serde(default)]
    filter: Map<String, Json>,
    #[serde(default)]
    group_by: GroupBy,
    #[serde(default)]
    sums: Map<String, Json>,
    #[serde(default)]
    min: Map<String, Json>,
    #[serde(default)]
    max: Map<String, Json>,
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) reports: Vec<Report>,
    /// The limit of groups of a report.
    pub(crate) groups: usize,
}

/// One report.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) collection: String,
    pub(crate) filter: Document,
    /// Label and path.
    pub(crate) group_by: Vec<(String, String)>,
    /// Metric and path.
    pub(crate) sums: Vec<(String, String)>,
    /// Metric, end and path.
    pub(crate) extremes: Vec<(String, ExtremeKind, String)>,
    /// Metric, and the index of the extreme that counts its values.
    pub(crate) values: Vec<(String, usize)>,
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let raw: RawSettings = config.parse()?;
        if raw.reports.is_empty() {
            return Err(Config::invalid("reports", "expected at least one report"));
        }
        let mut reports: Vec<Report> = Vec::new();
        for (index, report) in raw.reports.into_iter().enumerate() {
            let key = format!("reports[{index}]");
            let report = Report::read(report, &key)?;
            if reports.iter().any(|other| other.name == report.name) {
                return Err(Config::invalid(
                    &format!("{key}.name"),
                    &format!("duplicate report name `{}`", report.name),
                ));
            }
            reports.push(report);
        }
        Ok(Self { reports, groups: raw.groups.unwrap_or(DEFAULT_GROUPS) })
    }
}

impl Report {
    fn read(raw: RawReport, key: &str) -> Result<Self, Failure> {
        check_name(&raw.name).map_err(|error| Config::invalid(&format!("{key}.name"), &error))?;
        let name = raw.name;
        let filter_key = format!("{key}.filter");
        let filter = extjson::to_document(&Json::Object(raw.filter), "filter")
            .map_err(|error| Config::invalid(&filter_key, &error))?;
        let min = paths(raw.min, &format!("{key}.min"))?;
        let max = paths(raw.max, &format!("{key}.max"))?;
        // one metric counts the values of both
        if let Some((both, ..)) = max.iter().find(|(name, path)| min.iter().any(|(n, p)| n == name && p != path)) {
            let hint = format!("`{both}` has another path in `min`: choose another name for one of them");
            return Err(Config::invalid(&format!("{key}.max.{both}"), &hint));
        }
        let mut values: Vec<(String, usize)> = Vec::new();
        for (index, (extreme, _)) in min.iter().chain(&max).enumerate() {
            let metric = format!("{name}.{extreme}.values");
            if values.iter().all(|(other, _)| *other != metric) {
                values.push((metric, index));
            }
        }
        let extreme = |end: ExtremeKind, word: &'static str| {
            let name = name.clone();
            move |(key, path): (String, String)| (format!("{name}.{key}.{word}"), end, path)
        };
        Ok(Self {
            group_by: raw.group_by.labels(&format!("{key}.groupBy"), &[])?,
            sums: paths(raw.sums, &format!("{key}.sums"))?
                .into_iter()
                .map(|(sum, path)| (format!("{name}.{sum}"), path))
                .collect(),
            extremes: (min.into_iter().map(extreme(ExtremeKind::Least, "min")))
                .chain(max.into_iter().map(extreme(ExtremeKind::Greatest, "max")))
                .collect(),
            values,
            collection: raw.collection,
            filter,
            name,
        })
    }

    /// The projection of the fields that the report reads.
    pub(crate) fn projection(&self) -> Document {
        let mut paths: Vec<&str> = (self.group_by.iter().chain(&self.sums).map(|(_, path)| path.as_str()))
            .chain(self.extremes.iter().map(|(_, _, path)| path.as_str()))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        // the server refuses `a` beside `a.b`; `a` includes it
        let covered =
            |path: &str| paths.iter().any(|other| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.')));
        let mut projection = Document::new();
        if !paths.iter().any(|path| path.split('.').next() == Some("_id")) {
            projection.push("_id", 0);
        }
        for path in paths.iter().filter(|path| !covered(path)) {
            projection.push(path, 1);
        }
        if paths.is_empty() {
            // only the number of documents is needed: `_id` is the smallest field
            return Document::new().with("_id", 1);
        }
        projection
    }
}

fn paths(map: Map<String, Json>, key: &str) -> Result<Vec<(String, String)>, Failure> {
    map.into_iter()
        .map(|(name, json)| {
            let key = format!("{key}.{name}");
            check_name(&name).map_err(|error| Config::invalid(&key, &error))?;
            if RESERVED_NAMES.contains(&name.as_str()) {
                return Err(Config::invalid(
                    &key,
                    &format!("`{name}` is reserved: choose another name than {}", RESERVED_NAMES.join(", ")),
                ));
            }
            let Json::String(path) = json else {
                return Err(Config::invalid(&key, &format!("expected a path such as `total`, found {json}")));
            };
            check_path(&path, &key)?;
            Ok((name, path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn read(json: &str) -> Result<Settings, Failure> {
        Settings::read(&Config::new(json))
    }

    #[test]
    fn only_the_fields_that_are_read_are_projected() {
        let projection = |json: &str| {
            let report = format!(r#"{{"reports": [{{"name": "r", "collection": "c", {json}}}]}}"#);
            format!("{:?}", read(&report).unwrap().reports[0].projection())
        };
        assert_snapshot!(projection(r#""sums": {"a": "items.price"}, "groupBy": ["items", "status"]"#), @r#"{"_id": {"$numberInt": "0"}, "items": {"$numberInt": "1"}, "status": {"$numberInt": "1"}}"#);
        assert_snapshot!(projection(r#""max": {"newest": "_id"}, "sums": {"total": "total"}"#), @r#"{"_id": {"$numberInt": "1"}, "total": {"$numberInt": "1"}}"#);
        assert_snapshot!(projection(r#""filter": {"a": 1}"#), @r#"{"_id": {"$numberInt": "1"}}"#);
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| read(json).unwrap_err().message;
        assert_snapshot!(wrong("null"), @"probes[…].config: missing field `reports`");
        assert_snapshot!(wrong(r#"{"reports": []}"#), @"probes[…].config.reports: expected at least one report");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c", "sum": {}}]}"#), @"probes[…].config.reports[0].sum: unknown field `sum`, expected one of `name`, `collection`, `filter`, `groupBy`, `sums`, `min`, `max`");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "Orders", "collection": "c"}]}"#), @"probes[…].config.reports[0].name: `Orders` is not a name: a-z, 0-9 and `_`, a letter first, at most 60");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c"}, {"name": "r", "collection": "d"}]}"#), @"probes[…].config.reports[1].name: duplicate report name `r`");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c", "sums": {"count": "n"}}]}"#), @"probes[…].config.reports[0].sums.count: `count` is reserved: choose another name than count, groups, min, max, skipped, numbers, nonfinite, values");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c", "min": {"first": 1}}]}"#), @"probes[…].config.reports[0].min.first: expected a path such as `total`, found 1");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c", "min": {"at": "a"}, "max": {"at": "b"}}]}"#), @"probes[…].config.reports[0].max.at: `at` has another path in `min`: choose another name for one of them");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "r", "collection": "c", "filter": {"at": {"$date": "x"}}}]}"#), @r#"probes[…].config.reports[0].filter: filter.at: "x" is not a value of Extended JSON's $date"#);
    }
}
