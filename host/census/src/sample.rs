//! A few whole documents, the same ones on both sides: those whose ids have the smallest hashes.

use std::collections::BTreeSet;

use crate::{
    Redaction,
    raw::Elements,
    rewrite::{Rewrite, rewrite},
};

/// Larger documents are not kept.
const LARGEST: usize = 16 << 10;

/// Documents by the hash of their ids.
pub(crate) struct Sample {
    most: usize,
    documents: BTreeSet<(u64, Box<[u8]>)>,
}

impl Sample {
    pub(crate) fn new(most: u32) -> Self {
        Self { most: most as usize, documents: BTreeSet::new() }
    }

    /// Whether a document with that hash is kept so far.
    #[inline]
    pub(crate) fn wants(&self, hash: u64, document: &[u8]) -> bool {
        self.most > 0
            && document.len() <= LARGEST
            && (self.documents.len() < self.most || self.documents.last().is_some_and(|(last, _)| hash <= *last))
    }

    pub(crate) fn push(&mut self, hash: u64, document: Box<[u8]>) {
        self.documents.insert((hash, document));
        if self.documents.len() > self.most {
            self.documents.pop_last();
        }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        for (hash, document) in other.documents {
            self.push(hash, document);
        }
    }

    /// In the order of their hashes, which is the same on both sides.
    pub(crate) fn finish(self) -> Vec<Box<[u8]>> {
        self.documents.into_iter().map(|(_, document)| document).collect()
    }
}

/// A document as it may be written down: without the fields that are left out, and with what its id is written as. `None`
/// where it cannot be read to its end, for then nobody knows what would be written.
pub(crate) fn redacted(document: &[u8], redaction: Option<&Redaction>, id: Option<&[u8]>) -> Option<Box<[u8]>> {
    let mut inner = Vec::with_capacity(document.len());
    for element in Elements::of(document).ok()? {
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
            if path.top().as_bytes() == element.name() && !bytes.is_empty() {
                let again = Elements::inner(&bytes).next()?.ok()?;
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
