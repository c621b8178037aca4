//! Descriptions of collections, as the server reports them.

use bson::{Bson, Document, RawDocument, RawDocumentBuf};
use taster_census::extended_json;
use taster_model::{CollectionFacts, CollectionKind};

use crate::{canonical, namespace, write_counters::WriteCounters};

/// One collection, as `listCollections`, `listIndexes` and `$collStats` describe it.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) kind: CollectionKind,
    pub(crate) uuid: Option<String>,
    pub(crate) options: Document,
    /// The options of a view as raw BSON: the guard checks them, and must see the bytes that the server sees.
    pub(crate) definition: Option<RawDocumentBuf>,
    /// Canonical, sorted by name. Without those that are still being built.
    pub(crate) indexes: Vec<Document>,
    /// Names of indexes that are still being built, sorted.
    pub(crate) building: Vec<String>,
    pub(crate) stats: StorageStats,
}

/// What the storage engine says about a collection. Empty for views, and where the user lacks `collStats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StorageStats {
    /// The fast count. It can be wrong after an unclean shutdown.
    pub(crate) documents: Option<u64>,
    /// Size of the documents.
    pub(crate) bytes: u64,
    /// Counters of writes since the server started.
    pub(crate) writes: Option<WriteCounters>,
}

/// The UUID of an entry of `listCollections`.
fn uuid(entry: &Document) -> Option<String> {
    match entry.get_document("info").ok()?.get("uuid") {
        Some(Bson::Binary(binary)) => binary.to_uuid().ok().map(|uuid| uuid.to_string()),
        _ => None,
    }
}

/// The name of a time-series collection and the UUID of the buckets that hold its data, if this entry of `listCollections` is
/// about its buckets. The entry of the collection itself has no UUID.
pub(crate) fn buckets(raw: &RawDocument) -> Option<(String, String)> {
    let series = raw.get_str("name").ok()?.strip_prefix("system.buckets.")?;
    Some((series.to_owned(), uuid(&Document::try_from(raw).ok()?)?))
}

impl Collection {
    /// Reads one entry of `listCollections`; `None` for system collections.
    pub(crate) fn from_entry(raw: &RawDocument) -> bson::error::Result<Option<Self>> {
        let mut entry = Document::try_from(raw)?;
        let Some(name) = entry.get_str("name").ok().filter(|name| namespace::is_application_collection(name)) else {
            return Ok(None);
        };
        let name = name.to_owned();
        let kind = match entry.get_str("type") {
            Ok("view") => CollectionKind::View,
            Ok("timeseries") => CollectionKind::TimeSeries,
            _ => CollectionKind::Collection,
        };
        let uuid = uuid(&entry);
        let options = match entry.remove("options") {
            Some(Bson::Document(options)) => options,
            _ => Document::new(),
        };
        let definition = match kind {
            CollectionKind::View => {
                Some(raw.get_document("options").map_or_else(|_| RawDocumentBuf::new(), ToOwned::to_owned))
            }
            _ => None,
        };
        Ok(Some(Self {
            name,
            kind,
            uuid,
            options,
            definition,
            indexes: Vec::new(),
            building: Vec::new(),
            stats: StorageStats::default(),
        }))
    }

    /// Whether the collection is capped.
    pub(crate) fn is_capped(&self) -> bool {
        self.options.get_bool("capped").unwrap_or(false)
    }

    /// Whether a server of this major version can read it at a past point in time. Capped collections: since 8.0.
    pub(crate) fn supports_snapshots(&self, major: u32) -> bool {
        !self.is_capped() || major >= 8
    }

    /// Whether it can be read in ranges of `_id`: an ordinary collection with its `_id_` index.
    pub(crate) fn supports_ranges(&self) -> bool {
        self.kind == CollectionKind::Collection
            && !self.is_capped()
            && !self.options.contains_key("clusteredIndex")
            && self.indexes.iter().any(|index| index.get_str("name").is_ok_and(|name| name == "_id_"))
    }

    /// Its options in canonical form, with its kind.
    pub(crate) fn canonical_options(&self) -> Document {
        canonical::options(self.kind, &self.options)
    }

    /// As a capture records it.
    pub(crate) fn facts(&self) -> CollectionFacts {
        let json = |document: Document| extended_json(Bson::Document(document));
        CollectionFacts {
            name: self.name.clone(),
            kind: self.kind,
            uuid: self.uuid.clone(),
            options: json(self.canonical_options()),
            indexes: self.indexes.iter().cloned().map(json).collect(),
            documents: self.stats.documents,
            building: self.building.clone(),
            functions: None,
        }
    }
}
