//! What the server says about its collections.

use bson::{Bson, Document, RawDocument, RawDocumentBuf};
use taster_model::{CollectionFacts, CollectionKind};

use crate::grant;

/// One collection, as `listCollections` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) kind: CollectionKind,
    pub(crate) uuid: Option<String>,
    pub(crate) options: Document,
    /// The options of a view byte for byte: the guard reads them, and must see what the server sees.
    pub(crate) definition: Option<RawDocumentBuf>,
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
        Ok(Some(Self { name, kind, uuid, options, definition }))
    }

    /// Whether it is a ring: old documents give way to new ones.
    pub(crate) fn is_capped(&self) -> bool {
        self.options.get_bool("capped").unwrap_or(false)
    }

    pub(crate) fn facts(&self) -> CollectionFacts {
        CollectionFacts { name: self.name.clone(), kind: self.kind, uuid: self.uuid.clone() }
    }
}
