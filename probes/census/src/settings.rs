//! The configuration: what a census records, for all collections and for single ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use taster_probe::{CensusDetail, Config, Document, Failure, extjson};

/// The limit of whole documents that are kept of one collection.
const MAX_SAMPLES: u32 = 250;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct RawSettings {
    ignore: Vec<String>,
    detail: Detail,
    values: bool,
    ignore_order: bool,
    sample: u32,
    filter: Option<Json>,
    collections: BTreeMap<String, RawCollection>,
}

// repeats the keys of `RawSettings`: serde cannot combine `flatten` with `deny_unknown_fields`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct RawCollection {
    ignore: Vec<String>,
    detail: Detail,
    values: bool,
    ignore_order: bool,
    sample: u32,
    filter: Option<Json>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Detail {
    #[default]
    Documents,
    Fields,
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    default: CensusSettings,
    collections: Vec<(String, CensusSettings)>,
}

/// The settings of one collection's census.
#[derive(Debug)]
pub(crate) struct CensusSettings {
    /// Ignored top-level fields, sorted.
    pub(crate) ignore: Vec<String>,
    pub(crate) detail: CensusDetail,
    /// Whether small values of fields are kept.
    pub(crate) values: bool,
    /// Whether the order of fields counts.
    pub(crate) ignore_order: bool,
    /// How many whole documents are kept.
    pub(crate) sample: u32,
    pub(crate) filter: Option<Document>,
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let RawSettings { ignore, detail, values, ignore_order, sample, filter, collections } = config.parse()?;
        let default = CensusSettings::read(RawCollection { ignore, detail, values, ignore_order, sample, filter }, "")?;
        let collections = collections
            .into_iter()
            .map(|(name, own)| {
                let own_settings = CensusSettings::read(own, &format!("collections.{name}."))?;
                Ok((name, own_settings))
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self { default, collections })
    }

    /// The settings of a collection: its own entry, or else the default.
    pub(crate) fn for_collection(&self, collection: &str) -> &CensusSettings {
        self.collections.iter().find(|(name, _)| name == collection).map_or(&self.default, |(_, own)| own)
    }

    /// The collections with an entry of their own.
    pub(crate) fn named_collections(&self) -> impl Iterator<Item = &str> {
        self.collections.iter().map(|(name, _)| name.as_str())
    }
}

impl CensusSettings {
    fn read(raw: RawCollection, prefix: &str) -> Result<Self, Failure> {
        let wrong = |key: &str, message: &str| Config::invalid(&format!("{prefix}{key}"), message);
        for (index, field) in raw.ignore.iter().enumerate() {
            check_field(field).map_err(|message| wrong(&format!("ignore[{index}]"), &message))?;
        }
        if raw.sample > MAX_SAMPLES {
            return Err(wrong("sample", &format!("at most {MAX_SAMPLES} documents, found {}", raw.sample)));
        }
        if raw.values && matches!(raw.detail, Detail::Documents) {
            return Err(wrong("values", "needs `detail: fields`: the values are those of changed fields"));
        }
        let filter = raw.filter.map(|json| extjson::to_document(&json, "filter")).transpose();
        let mut ignore = raw.ignore;
        ignore.sort();
        ignore.dedup();
        Ok(Self {
            ignore,
            detail: match raw.detail {
                Detail::Documents => CensusDetail::Documents,
                Detail::Fields => CensusDetail::Fields,
            },
            values: raw.values,
            ignore_order: raw.ignore_order,
            sample: raw.sample,
            filter: filter.map_err(|error| wrong("filter", &error))?,
        })
    }
}

/// Checks the name of an ignored field. Digests are made of top-level fields, so only those can be ignored.
fn check_field(field: &str) -> Result<(), String> {
    match field.split_once('.') {
        _ if field.is_empty() || field.contains('\0') => {
            Err("expected the name of a field, such as `updatedAt`".to_owned())
        }
        _ if field == "_id" => Err("`_id` identifies the document and cannot be ignored".to_owned()),
        Some((top, _)) => Err(format!("only top-level fields can be ignored: `{top}`, not `{field}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn an_entry_for_a_collection_replaces_the_default() {
        let config = r#"{"detail": "fields", "ignore": ["seen", "at", "seen"], "sample": 5, "filter": {"open": true},
            "collections": {"logs": {"sample": 2}}}"#;
        let settings = Settings::read(&Config::new(config)).unwrap();
        let shown = |name| format!("{:?}", settings.for_collection(name));
        assert_snapshot!(shown("orders"), @r#"CensusSettings { ignore: ["at", "seen"], detail: CensusDetail::Fields, values: false, ignore_order: false, sample: 5, filter: Some({"open": true}) }"#);
        assert_snapshot!(shown("logs"), @"CensusSettings { ignore: [], detail: CensusDetail::Documents, values: false, ignore_order: false, sample: 2, filter: None }");
        assert_eq!(settings.named_collections().collect::<Vec<_>>(), ["logs"]);
    }

    #[test]
    fn without_a_configuration_every_document_has_one_digest() {
        let settings = Settings::read(&Config::new("null")).unwrap();
        assert_snapshot!(format!("{:?}", settings.for_collection("orders")), @"CensusSettings { ignore: [], detail: CensusDetail::Documents, values: false, ignore_order: false, sample: 0, filter: None }");
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong(r#"{"ignored": []}"#), @"probes[…].config.ignored: unknown field `ignored`, expected one of `ignore`, `detail`, `values`, `ignoreOrder`, `sample`, `filter`, `collections`");
        assert_snapshot!(wrong(r#"{"detail": "field"}"#), @"probes[…].config.detail: unknown variant `field`, expected `documents` or `fields`");
        assert_snapshot!(wrong(r#"{"values": true}"#), @"probes[…].config.values: needs `detail: fields`: the values are those of changed fields");
        assert_snapshot!(wrong(r#"{"sample": 251}"#), @"probes[…].config.sample: at most 250 documents, found 251");
        assert_snapshot!(wrong(r#"{"sample": -1}"#), @"probes[…].config.sample: invalid value: integer `-1`, expected u32");
        assert_snapshot!(wrong(r#"{"ignore": ["a", "customer.seen"]}"#), @"probes[…].config.ignore[1]: only top-level fields can be ignored: `customer`, not `customer.seen`");
        assert_snapshot!(wrong(r#"{"ignore": ["_id"]}"#), @"probes[…].config.ignore[0]: `_id` identifies the document and cannot be ignored");
        assert_snapshot!(wrong(r#"{"ignore": [""]}"#), @"probes[…].config.ignore[0]: expected the name of a field, such as `updatedAt`");
        assert_snapshot!(wrong(r#"{"filter": "open"}"#), @r#"probes[…].config.filter: filter: expected a document such as {"status": "open"}, found "open""#);
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"collections": {}}}}"#), @"probes[…].config.collections.logs.collections: unknown field `collections`, expected one of `ignore`, `detail`, `values`, `ignoreOrder`, `sample`, `filter`");
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"ignore": ["a.b"]}}}"#), @"probes[…].config.collections.logs.ignore[0]: only top-level fields can be ignored: `a`, not `a.b`");
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"filter": {"at": {"$date": "soon"}}}}}"#), @r#"probes[…].config.collections.logs.filter: filter.at: "soon" is not a value of Extended JSON's $date"#);
    }
}
