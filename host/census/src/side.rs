//! The documents of one side that fall in one bucket of the other.

use std::cmp::Ordering;

use crate::{
    Census, CensusError, ReadAt,
    block::Bucket,
    record::{Apart, Undo, sort_key},
};

/// One or more buckets, in the order of ids.
pub(crate) struct Documents {
    buckets: Vec<Bucket>,
    order: Vec<(u32, u32)>,
}

/// One document.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    bucket: &'a Bucket,
    index: usize,
}

impl Documents {
    /// The buckets of a range. Each is sorted; several are brought into one order.
    pub(crate) fn read<R: ReadAt>(census: &Census<R>, range: std::ops::Range<usize>) -> Result<Self, CensusError> {
        Ok(Self::of(range.map(|index| census.bucket(index)).collect::<Result<_, _>>()?))
    }

    /// Buckets that were read.
    pub(crate) fn of(buckets: Vec<Bucket>) -> Self {
        let mut order: Vec<(u32, u32)> = buckets
            .iter()
            .zip(0..)
            .flat_map(|(bucket, number)| (0..bucket.len() as u32).map(move |index| (number, index)))
            .collect();
        if buckets.len() > 1 {
            let at =
                |(bucket, index): &(u32, u32)| Document { bucket: &buckets[*bucket as usize], index: *index as usize };
            order.sort_by(|a, b| at(a).order(&at(b)));
        }
        Self { buckets, order }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// So many documents from there on.
    pub(crate) fn group(&self, begin: usize, length: usize) -> Vec<Document<'_>> {
        (begin..begin + length).map(|place| self.get(place)).collect()
    }

    pub(crate) fn get(&self, place: usize) -> Document<'_> {
        let (bucket, index) = self.order[place];
        Document { bucket: &self.buckets[bucket as usize], index: index as usize }
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
}
