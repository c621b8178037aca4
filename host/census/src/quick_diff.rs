//! Finds the differing documents of two buckets without reading them completely, if there are few.
//!
//! The first part of a bucket (its front) holds ids, shapes and one byte of each digest. The full digests of documents that
//! differ there are read, and must explain the difference of the buckets' sums exactly. If they do not (the byte is equal by
//! chance in one of 256 cases, or the census is damaged), the buckets are read completely.

use std::cmp::Ordering;

use crate::{
    Census, CensusError, ReadAt,
    bucket_documents::{BucketDocuments, DocumentRef},
    format::{document_share, shape_hash},
};

/// Number of differences in one bucket up to which this is tried.
const MAX_DIFFERENCES: usize = 32;

/// Differing documents, by their indexes in both buckets.
pub(crate) struct FewDifferences {
    pub(crate) before: BucketDocuments,
    pub(crate) after: BucketDocuments,
    pub(crate) missing: Vec<usize>,
    pub(crate) extra: Vec<usize>,
    pub(crate) changed: Vec<(usize, usize)>,
    /// Those of them that differ in the order of their fields alone, by their index after the sync.
    pub(crate) reordered: Vec<usize>,
}

/// Compares one bucket of each side. `None`: the buckets must be read completely.
pub(crate) fn compare<A: ReadAt, B: ReadAt>(
    before: &Census<A>,
    after: &Census<B>,
    bucket: usize,
) -> Result<Option<FewDifferences>, CensusError> {
    let (Some(old), Some(new)) = (before.front(bucket)?, after.front(bucket)?) else { return Ok(None) };
    let (old, new) = (BucketDocuments::new(old), BucketDocuments::new(new));
    let Some(mut few) = compare_fronts(old, new) else { return Ok(None) };
    // sums do not cover expiry dates
    if !few.missing.is_empty() && !before.options().expiries.is_empty() {
        return Ok(None);
    }
    let mut difference = 0_u128;
    let mut buffer = Vec::new();
    let mut share_of = |document: DocumentRef<'_>, rest: u64| {
        let digest = document.digest() | rest;
        document_share(document.id(), digest, shape_hash(document.shape()), std::iter::empty(), &mut buffer)
    };
    for index in &few.missing {
        difference = difference.wrapping_sub(share_of(few.before.get(*index), before.rest_of_digest(bucket, *index)?));
    }
    for index in &few.extra {
        difference = difference.wrapping_add(share_of(few.after.get(*index), after.rest_of_digest(bucket, *index)?));
    }
    let mut changed = Vec::new();
    for (old, new) in few.changed {
        let (old_rest, new_rest) = (before.rest_of_digest(bucket, old)?, after.rest_of_digest(bucket, new)?);
        let was = share_of(few.before.get(old), old_rest);
        let is = share_of(few.after.get(new), new_rest);
        // a digest is the sum of its fields' digests, whatever their order
        if few.before.get(old).digest() | old_rest == few.after.get(new).digest() | new_rest {
            few.reordered.push(new);
        }
        difference = difference.wrapping_sub(was).wrapping_add(is);
        if was != is {
            changed.push((old, new));
        }
    }
    few.changed = changed;
    let sums = after.footer.buckets[bucket].sum.wrapping_sub(before.footer.buckets[bucket].sum);
    Ok((difference == sums).then_some(few))
}

/// Documents that differ in the fronts. `None`: there are many, or several documents have the same id.
fn compare_fronts(before: BucketDocuments, after: BucketDocuments) -> Option<FewDifferences> {
    let (mut missing, mut extra, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < before.len() || j < after.len() {
        let order = match (i < before.len(), j < after.len()) {
            (true, true) => before.get(i).order(&after.get(j)),
            (true, false) => Ordering::Less,
            _ => Ordering::Greater,
        };
        if order.is_le() {
            if i > 0 && before.get(i - 1).order(&before.get(i)) != Ordering::Less {
                return None;
            }
            i += 1;
        }
        if order.is_ge() {
            if j > 0 && after.get(j - 1).order(&after.get(j)) != Ordering::Less {
                return None;
            }
            j += 1;
        }
        match order {
            Ordering::Less => missing.push(i - 1),
            Ordering::Greater => extra.push(j - 1),
            Ordering::Equal => {
                let (old, new) = (before.get(i - 1), after.get(j - 1));
                if old.digest() != new.digest() || old.shape() != new.shape() {
                    changed.push((i - 1, j - 1));
                }
            }
        }
        if missing.len() + extra.len() + changed.len() > MAX_DIFFERENCES {
            return None;
        }
    }
    Some(FewDifferences { before, after, missing, extra, changed, reordered: Vec::new() })
}
