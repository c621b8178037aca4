//! The documents of one bucket, and which of them are paired with a document of the other side.

use std::cmp::Ordering;

use crate::{
    Census, CensusError, ReadAt,
    bucket::Bucket,
    record::{NOT_CONVERTED, SeparateField, Undo, sort_key},
};

/// The documents of one bucket, and which of them are paired with a document of the other side.
pub(crate) struct BucketDocuments {
    bucket: Bucket,
    paired: Vec<bool>,
}

/// One document of a bucket.
#[derive(Clone, Copy)]
pub(crate) struct DocumentRef<'a> {
    bucket: &'a Bucket,
    index: usize,
}

impl BucketDocuments {
    /// Reads a bucket.
    pub(crate) fn read<R: ReadAt>(census: &Census<R>, bucket: usize) -> Result<Self, CensusError> {
        Ok(Self::new(census.bucket(bucket)?))
    }

    /// The documents of a bucket that was read.
    pub(crate) fn new(bucket: Bucket) -> Self {
        let paired = vec![false; bucket.len()];
        Self { bucket, paired }
    }

    pub(crate) fn len(&self) -> usize {
        self.bucket.len()
    }

    pub(crate) fn get(&self, index: usize) -> DocumentRef<'_> {
        DocumentRef { bucket: &self.bucket, index }
    }

    /// `length` documents from `begin` on.
    pub(crate) fn group(&self, begin: usize, length: usize) -> Vec<DocumentRef<'_>> {
        (begin..begin + length).map(|index| self.get(index)).collect()
    }

    /// Notes that the other side has documents with these ids.
    pub(crate) fn mark_paired(&mut self, begin: usize, length: usize) {
        self.paired[begin..begin + length].fill(true);
    }

    /// The documents that are not paired.
    pub(crate) fn unpaired(&self) -> impl Iterator<Item = DocumentRef<'_>> {
        (0..self.len()).filter(|index| !self.paired[*index]).map(|index| self.get(index))
    }
}

impl<'a> DocumentRef<'a> {
    /// Type and bytes of its id.
    #[inline]
    pub(crate) fn id(&self) -> (u8, &'a [u8]) {
        self.bucket.key(self.index)
    }

    pub(crate) fn digest(&self) -> u64 {
        self.bucket.digests[self.index]
    }

    pub(crate) fn shape(&self) -> &'a [u8] {
        self.bucket.shape(self.index)
    }

    pub(crate) fn mark(&self) -> u8 {
        self.bucket.mark(self.index)
    }

    pub(crate) fn expiry(&self) -> i64 {
        self.bucket.expiry(self.index)
    }

    pub(crate) fn separate(&self, column: usize) -> SeparateField {
        self.bucket.separate(self.index, column)
    }

    /// The digest of a converted value; `None`: there is none.
    pub(crate) fn converted(&self, column: usize) -> Option<u64> {
        Some(self.bucket.converted(self.index, column)).filter(|hash| *hash != NOT_CONVERTED)
    }

    pub(crate) fn undo(&self, column: usize) -> Undo {
        self.bucket.undo(self.index, column)
    }

    pub(crate) fn fields(&self) -> &'a [u8] {
        self.bucket.fields(self.index)
    }

    /// Compares ids, in the order of a bucket.
    #[inline]
    pub(crate) fn order(&self, other: &DocumentRef<'_>) -> Ordering {
        let ((kind, id), (other_kind, other_id)) = (self.id(), other.id());
        if kind == other_kind && id == other_id {
            return Ordering::Equal;
        }
        (sort_key(kind, id), id).cmp(&(sort_key(other_kind, other_id), other_id))
    }

    /// Compares the contents of documents with the same id, in the order of a bucket.
    pub(crate) fn order_of_contents(&self, other: &DocumentRef<'_>, separate: usize) -> Ordering {
        let columns = |document: &Self| (0..separate).map(|column| document.separate(column)).collect::<Vec<_>>();
        (self.digest(), self.shape())
            .cmp(&(other.digest(), other.shape()))
            .then_with(|| columns(self).cmp(&(0..separate).map(|column| other.separate(column)).collect()))
    }
}
