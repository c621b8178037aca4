//! What the server says about its collections.

use bson::{Bson, Document, RawDocument, RawDocumentBuf};
use taster_model::{CollectionFacts, CollectionKind};

use crate::{canonical, grant, writes::Writes};

/// One collection, as `listCollections`, `listIndexes` and `$collStats` describe it.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) kind: CollectionKind,
    pub(crate) uuid: Option<String>,
    pub(crate) options: Document,
    /// The options of a view byte for byte: the guard reads them, and must see what the server sees.
    pub(crate) definition: Option<RawDocumentBuf>,
    /// Canonical, sorted by name.
    pub(crate) indexes: Vec<Document>,
    pub(crate) storage: Storage,
}

/// What the storage engine says of a collection. Nothing where the user may not ask, and of a view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    /// The fast count, which is wrong after an unclean shutdown.
    pub(crate) documents: Option<u64>,
    /// Size of the documents.
    pub(crate) bytes: u64,
    /// What was ever written, as far as it is counted.
    pub(crate) writes: Option<Writes>,
}

impl Collection {
    /// Reads one entry; `None` for what belongs to the server.
    pub(crate) fn from_entry(raw: &RawDocument) -> bson::error::Result<Option<Self>> {
        let mut entry = Document::try_from(raw)?;
        let Some(name) = entry.get_str("name").ok().filter(|name| grant::is_readable(name)) else { return Ok(None) };
        let name = name.to_owned();
        let kind = match entry.get_str("type") {
            Ok("view") => CollectionKind::View,
            Ok("timeseries") => CollectionKind::TimeSeries,
            _ => CollectionKind::Collection,
        };
        let uuid = entry.get_document("info").ok().and_then(|info| match info.get("uuid") {
            Some(Bson::Binary(binary)) => binary.to_uuid().ok().map(|uuid| uuid.to_string()),
            _ => None,
        });
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
        Ok(Some(Self { name, kind, uuid, options, definition, indexes: Vec::new(), storage: Storage::default() }))
    }

    /// Whether it is a ring: old documents give way to new ones.
    pub(crate) fn is_capped(&self) -> bool {
        self.options.get_bool("capped").unwrap_or(false)
    }

    /// Whether a server of this major version reads it at a point in time. Capped collections came with 8.0.
    pub(crate) fn has_snapshots(&self, major: u32) -> bool {
        !self.is_capped() || major >= 8
    }

    /// Whether it can be read in ranges of `_id`: ordinary, with the index that every ordinary collection has.
    pub(crate) fn has_ranges(&self) -> bool {
        self.kind == CollectionKind::Collection
            && !self.is_capped()
            && !self.options.contains_key("clusteredIndex")
            && self.indexes.iter().any(|index| index.get_str("name").is_ok_and(|name| name == "_id_"))
    }

    pub(crate) fn facts(&self) -> CollectionFacts {
        let json = |document: Document| Bson::Document(document).into_canonical_extjson();
        CollectionFacts {
            name: self.name.clone(),
            kind: self.kind,
            uuid: self.uuid.clone(),
            options: json(canonical::options(Some(self))),
            indexes: self.indexes.iter().cloned().map(json).collect(),
            documents: self.storage.documents,
        }
    }
}
