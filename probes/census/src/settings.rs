//! The configuration: what a census covers and how finely it records, for all collections and for some.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use taster_probe::{CensusDetail, Config, Document, Failure, extjson};

/// Whole documents that are kept of one collection: a report of more helps nobody.
const MOST_SAMPLES: u32 = 250;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    ignore: Vec<String>,
    detail: Detail,
    sample: u32,
    filter: Option<Json>,
    collections: BTreeMap<String, RawCollection>,
}

// the keys of `Raw` once more, for serde does not flatten what also refuses unknown keys
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCollection {
    ignore: Vec<String>,
    detail: Detail,
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

/// The configuration, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    everywhere: Taking,
    collections: Vec<(String, Taking)>,
}

/// How the census of one collection is taken.
#[derive(Debug)]
pub(crate) struct Taking {
    /// Top-level fields that are not looked at; sorted.
    pub(crate) ignore: Vec<String>,
    pub(crate) detail: CensusDetail,
    /// So many whole documents are kept.
    pub(crate) sample: u32,
    pub(crate) filter: Option<Document>,
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let Raw { ignore, detail, sample, filter, collections } = config.parse()?;
        let everywhere = Taking::read(RawCollection { ignore, detail, sample, filter }, "")?;
        let collections = collections
            .into_iter()
            .map(|(name, own)| {
                let taking = Taking::read(own, &format!("collections.{name}."))?;
                Ok((name, taking))
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self { everywhere, collections })
    }

    /// How `collection` is recorded: by its own entry, else like everything.
    pub(crate) fn of(&self, collection: &str) -> &Taking {
        self.collections.iter().find(|(name, _)| name == collection).map_or(&self.everywhere, |(_, own)| own)
    }

    /// The collections that have an entry of their own.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.collections.iter().map(|(name, _)| name.as_str())
    }
}

impl Taking {
    fn read(raw: RawCollection, prefix: &str) -> Result<Self, Failure> {
        let wrong = |key: &str, message: &str| Config::wrong(&format!("{prefix}{key}"), message);
        for (index, field) in raw.ignore.iter().enumerate() {
            check_field(field).map_err(|message| wrong(&format!("ignore[{index}]"), &message))?;
        }
        if raw.sample > MOST_SAMPLES {
            return Err(wrong("sample", &format!("at most {MOST_SAMPLES} documents, found {}", raw.sample)));
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
            sample: raw.sample,
            filter: filter.map_err(|error| wrong("filter", &error))?,
        })
    }
}

/// A digest is made of top-level fields; what is below one cannot be left out of it.
fn check_field(field: &str) -> Result<(), String> {
    match field.split_once('.') {
        _ if field.is_empty() || field.contains('\0') => {
            Err("expected the name of a field, such as `updatedAt`".to_owned())
        }
        _ if field == "_id" => Err("`_id` says which document it is, and is in no digest".to_owned()),
        Some((top, _)) => Err(format!("only top-level fields can be left out: `{top}`, and not `{field}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_collections_own_entry_replaces_what_holds_everywhere() {
        let config = r#"{"detail": "fields", "ignore": ["seen", "at", "seen"], "sample": 5, "filter": {"open": true},
            "collections": {"logs": {"sample": 2}}}"#;
        let settings = Settings::read(&Config::new(config)).unwrap();
        let taking = |name| format!("{:?}", settings.of(name));
        assert_snapshot!(taking("orders"), @r#"Taking { ignore: ["at", "seen"], detail: CensusDetail::Fields, sample: 5, filter: Some({"open": true}) }"#);
        assert_snapshot!(taking("logs"), @"Taking { ignore: [], detail: CensusDetail::Documents, sample: 2, filter: None }");
        assert_eq!(settings.named().collect::<Vec<_>>(), ["logs"]);
    }

    #[test]
    fn without_a_configuration_every_document_has_one_digest() {
        let settings = Settings::read(&Config::new("null")).unwrap();
        assert_snapshot!(format!("{:?}", settings.of("orders")), @"Taking { ignore: [], detail: CensusDetail::Documents, sample: 0, filter: None }");
    }

    #[test]
    fn mistakes_are_named_with_their_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong(r#"{"ignored": []}"#), @"probes[…].config.ignored: unknown field `ignored`, expected one of `ignore`, `detail`, `sample`, `filter`, `collections`");
        assert_snapshot!(wrong(r#"{"detail": "field"}"#), @"probes[…].config.detail: unknown variant `field`, expected `documents` or `fields`");
        assert_snapshot!(wrong(r#"{"sample": 251}"#), @"probes[…].config.sample: at most 250 documents, found 251");
        assert_snapshot!(wrong(r#"{"sample": -1}"#), @"probes[…].config.sample: invalid value: integer `-1`, expected u32");
        assert_snapshot!(wrong(r#"{"ignore": ["a", "customer.seen"]}"#), @"probes[…].config.ignore[1]: only top-level fields can be left out: `customer`, and not `customer.seen`");
        assert_snapshot!(wrong(r#"{"ignore": ["_id"]}"#), @"probes[…].config.ignore[0]: `_id` says which document it is, and is in no digest");
        assert_snapshot!(wrong(r#"{"ignore": [""]}"#), @"probes[…].config.ignore[0]: expected the name of a field, such as `updatedAt`");
        assert_snapshot!(wrong(r#"{"filter": "open"}"#), @r#"probes[…].config.filter: filter: expected a document such as {"status": "open"}, found "open""#);
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"collections": {}}}}"#), @"probes[…].config.collections.logs.collections: unknown field `collections`, expected one of `ignore`, `detail`, `sample`, `filter`");
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"ignore": ["a.b"]}}}"#), @"probes[…].config.collections.logs.ignore[0]: only top-level fields can be left out: `a`, and not `a.b`");
        assert_snapshot!(wrong(r#"{"collections": {"logs": {"filter": {"at": {"$date": "soon"}}}}}"#), @r#"probes[…].config.collections.logs.filter: filter.at: "soon" is not a value of Extended JSON's $date"#);
    }
}
