//! What the server says about its collections.

use bson::{Bson, Document};
use taster_model::{CollectionFacts, CollectionKind};

use crate::grant;

/// One collection, as `listCollections` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) kind: CollectionKind,
    pub(crate) uuid: Option<String>,
    pub(crate) options: Document,
}

impl Collection {
    /// Reads one entry; `None` for what belongs to the server.
    pub(crate) fn from_entry(mut entry: Document) -> Option<Self> {
        let name = entry.get_str("name").ok().filter(|name| grant::is_readable(name))?.to_owned();
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
        Some(Self { name, kind, uuid, options })
    }

    /// Whether it is a ring: old documents give way to new ones.
    pub(crate) fn is_capped(&self) -> bool {
        self.options.get_bool("capped").unwrap_or(false)
    }

    pub(crate) fn facts(&self) -> CollectionFacts {
        CollectionFacts { name: self.name.clone(), kind: self.kind, uuid: self.uuid.clone() }
    }
}
