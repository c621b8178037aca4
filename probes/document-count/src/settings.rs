//! The configuration: filters and groups, for all collections and for single ones.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use taster_probe::{Config, Document, Failure, extjson, group::GroupBy};

const DEFAULT_GROUPS: u32 = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawSettings {
    #[serde(default)]
    filters: Map<String, Json>,
    #[serde(default)]
    group_by: GroupBy,
    #[serde(default)]
    collections: Map<String, Json>,
    groups: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawCollection {
    #[serde(default)]
    filters: Map<String, Json>,
    #[serde(default)]
    group_by: GroupBy,
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    default: Counts,
    collections: Vec<(String, Counts)>,
    /// The limit of groups of a collection.
    pub(crate) groups: u32,
}

/// What is counted in a collection, beside all documents.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Name and filter.
    pub(crate) filters: Vec<(String, Document)>,
    /// Label and path.
    pub(crate) group_by: Vec<(String, String)>,
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let raw: RawSettings = config.parse()?;
        let mut collections = Vec::new();
        for (name, json) in raw.collections {
            let key = format!("collections.{name}");
            let own: RawCollection =
                serde_json::from_value(json).map_err(|error| Config::invalid(&key, &error.to_string()))?;
            collections.push((name, Counts::read(own.filters, &own.group_by, &format!("{key}."))?));
        }
        Ok(Self {
            default: Counts::read(raw.filters, &raw.group_by, "")?,
            collections,
            groups: raw.groups.unwrap_or(DEFAULT_GROUPS),
        })
    }

    /// The settings of a collection: its own entry, or else the default.
    pub(crate) fn for_collection(&self, collection: &str) -> &Counts {
        self.collections.iter().find(|(name, _)| name == collection).map_or(&self.default, |(_, own)| own)
    }

    /// The collections with an entry of their own.
    pub(crate) fn named_collections(&self) -> impl Iterator<Item = &str> {
        self.collections.iter().map(|(name, _)| name.as_str())
    }
}

impl Counts {
    fn read(filters: Map<String, Json>, group_by: &GroupBy, prefix: &str) -> Result<Self, Failure> {
        let filters = filters
            .into_iter()
            .map(|(name, json)| {
                let key = format!("{prefix}filters.{name}");
                // the name is the value of the label `filter`; the count of all documents has no such label
                if name.is_empty() {
                    return Err(Config::invalid(&key, "a filter needs a name"));
                }
                let filter = extjson::to_document(&json, "filter").map_err(|error| Config::invalid(&key, &error))?;
                Ok((name, filter))
            })
            .collect::<Result<_, _>>()?;
        let group_by = group_by.labels(&format!("{prefix}groupBy"), &["collection", "filter"])?;
        Ok(Self { filters, group_by })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn an_entry_for_a_collection_replaces_the_default() {
        let config = r#"{"filters": {"open": {"status": "open"}}, "collections": {"logs": {"groupBy": ["level"]}}}"#;
        let settings = Settings::read(&Config::new(config)).unwrap();
        assert_eq!(settings.for_collection("orders").filters.len(), 1);
        assert!(settings.for_collection("logs").filters.is_empty());
        assert_eq!(settings.for_collection("logs").group_by, [("level".to_owned(), "level".to_owned())]);
        assert_eq!(Settings::read(&Config::new("null")).unwrap().groups, 1000);
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong(r#"{"filter": {}}"#), @"probes[…].config.filter: unknown field `filter`, expected one of `filters`, `groupBy`, `collections`, `groups`");
        assert_snapshot!(wrong(r#"{"filters": {"open": 1}}"#), @r#"probes[…].config.filters.open: filter: expected a document such as {"status": "open"}, found 1"#);
        assert_snapshot!(wrong(r#"{"filters": {"late": {"due": {"$lt": {"$date": "soon"}}}}}"#), @r#"probes[…].config.filters.late: filter.due.$lt: "soon" is not a value of Extended JSON's $date"#);
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"groups": 1}}}"#), @"probes[…].config.collections.logs: unknown field `groups`, expected `filters` or `groupBy`");
        assert_snapshot!(wrong(r#"{"groupBy": "status"}"#), @r#"probes[…].config.groupBy: expected paths such as ["status"], or labels with paths such as {"state": "status"}"#);
    }
}
