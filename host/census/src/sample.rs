//! The sample: documents that are kept whole, the same ones in both censuses, because their ids have the smallest hashes.

use std::collections::BTreeSet;

use crate::{
    Redaction,
    raw::Elements,
    rewrite::{Rewrite, rewrite},
};

/// Largest document that is kept.
const MAX_DOCUMENT_BYTES: usize = 16 << 10;

/// Documents by the hash of their ids.
pub(crate) struct Sample {
    max_documents: usize,
    documents: BTreeSet<(u64, Box<[u8]>)>,
}

impl Sample {
    pub(crate) fn new(max_documents: u32) -> Self {
        Self { max_documents: max_documents as usize, documents: BTreeSet::new() }
    }

    /// Whether a document with this hash belongs to the sample so far.
    #[inline]
    pub(crate) fn wants(&self, hash: u64, document: &[u8]) -> bool {
        self.max_documents > 0
            && document.len() <= MAX_DOCUMENT_BYTES
            && (self.documents.len() < self.max_documents
                || self.documents.last().is_some_and(|(last, _)| hash <= *last))
    }

    pub(crate) fn push(&mut self, hash: u64, document: Box<[u8]>) {
        self.documents.insert((hash, document));
        if self.documents.len() > self.max_documents {
            self.documents.pop_last();
        }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        for (hash, document) in other.documents {
            self.push(hash, document);
        }
    }

    /// The documents in the order of their hashes.
    pub(crate) fn finish(self) -> Vec<Box<[u8]>> {
        self.documents.into_iter().map(|(_, document)| document).collect()
    }
}

/// A document without redacted fields, and with its redacted id. `None`: it cannot be read to its end, so that redaction
/// cannot be guaranteed.
pub(crate) fn redact_document(document: &[u8], redaction: Option<&Redaction>, id: Option<&[u8]>) -> Option<Box<[u8]>> {
    let mut inner = Vec::with_capacity(document.len());
    for element in Elements::of_document(document).ok()? {
        let element = element.ok()?;
        if let Some(id) = id.filter(|_| element.name() == b"_id") {
            inner.extend_from_slice(b"\x05_id\0");
            inner.extend_from_slice(&(id.len() as u32).to_le_bytes());
            inner.push(0);
            inner.extend_from_slice(id);
            continue;
        }
        let mut bytes = element.bytes.to_vec();
        for path in redaction.iter().flat_map(|redaction| &redaction.fields) {
            if path.top_level_name().as_bytes() == element.name() && !bytes.is_empty() {
                let again = Elements::of_fields(&bytes).next()?.ok()?;
                bytes = rewrite(again, path, Rewrite::Remove).ok()?.element;
            }
        }
        inner.extend_from_slice(&bytes);
    }
    let mut out = (u32::try_from(inner.len()).ok()? + 5).to_le_bytes().to_vec();
    out.extend_from_slice(&inner);
    out.push(0);
    Some(out.into())
}
