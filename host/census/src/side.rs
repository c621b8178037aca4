//! The documents of one bucket.

use std::cmp::Ordering;

use crate::{
    Census, CensusError, ReadAt,
    block::Bucket,
    record::{Apart, Undo, sort_key},
};

/// A bucket, and which of its documents were found on the other side.
pub(crate) struct Documents {
    bucket: Bucket,
    seen: Vec<bool>,
}

/// One document.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    bucket: &'a Bucket,
    index: usize,
}

impl Documents {
    /// Reads a bucket.
    pub(crate) fn read<R: ReadAt>(census: &Census<R>, bucket: usize) -> Result<Self, CensusError> {
        Ok(Self::of(census.bucket(bucket)?))
    }

    /// A bucket that was read.
    pub(crate) fn of(bucket: Bucket) -> Self {
        let seen = vec![false; bucket.len()];
        Self { bucket, seen }
    }

    pub(crate) fn len(&self) -> usize {
        self.bucket.len()
    }

    pub(crate) fn get(&self, index: usize) -> Document<'_> {
        Document { bucket: &self.bucket, index }
    }

    /// So many documents from there on.
    pub(crate) fn group(&self, begin: usize, length: usize) -> Vec<Document<'_>> {
        (begin..begin + length).map(|place| self.get(place)).collect()
    }

    /// Notes that the other side has documents of these ids.
    pub(crate) fn see(&mut self, begin: usize, length: usize) {
        self.seen[begin..begin + length].fill(true);
    }

    /// The documents that the other side does not have.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = Document<'_>> {
        (0..self.len()).filter(|index| !self.seen[*index]).map(|index| self.get(index))
    }
}

impl<'a> Document<'a> {
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

    pub(crate) fn apart(&self, column: usize) -> Apart {
        self.bucket.apart(self.index, column)
    }

    pub(crate) fn undo(&self, column: usize) -> Undo {
        self.bucket.undo(self.index, column)
    }

    pub(crate) fn fields(&self) -> &'a [u8] {
        self.bucket.fields(self.index)
    }

    /// By id, as buckets are sorted.
    #[inline]
    pub(crate) fn order(&self, other: &Document<'_>) -> Ordering {
        let ((kind, id), (other_kind, other_id)) = (self.id(), other.id());
        if kind == other_kind && id == other_id {
            return Ordering::Equal;
        }
        (sort_key(kind, id), id).cmp(&(sort_key(other_kind, other_id), other_id))
    }

    /// Of one id, by contents, as buckets are sorted.
    pub(crate) fn order_of_contents(&self, other: &Document<'_>, apart: usize) -> Ordering {
        let columns = |document: &Self| (0..apart).map(|column| document.apart(column)).collect::<Vec<_>>();
        (self.digest(), self.shape())
            .cmp(&(other.digest(), other.shape()))
            .then_with(|| columns(self).cmp(&(0..apart).map(|column| other.apart(column)).collect()))
    }
}
