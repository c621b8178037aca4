//! The few documents of two buckets that differ, found without reading all of them.
//!
//! The fronts of the buckets hold ids, shapes and one byte of each digest. Whatever differs there is looked up whole, and
//! must account for the difference of the buckets' sums to the last bit. Where it does not (one time in 256 the byte is
//! the same by chance; or something is damaged), the buckets are read whole.

use std::cmp::Ordering;

use crate::{
    Census, CensusError, ReadAt,
    format::{shape_hash, share},
    side::{Document, Documents},
};

/// So many differences in one bucket are few.
const FEW: usize = 32;

/// What differs, by places in both sides.
pub(crate) struct Few {
    pub(crate) before: Documents,
    pub(crate) after: Documents,
    pub(crate) missing: Vec<usize>,
    pub(crate) extra: Vec<usize>,
    pub(crate) changed: Vec<(usize, usize)>,
}

/// Compares one bucket of each side; `None`: they must be read whole.
pub(crate) fn compare<A: ReadAt, B: ReadAt>(
    before: &Census<A>,
    after: &Census<B>,
    bucket: usize,
) -> Result<Option<Few>, CensusError> {
    let (Some(old), Some(new)) = (before.front(bucket)?, after.front(bucket)?) else { return Ok(None) };
    let (old, new) = (Documents::of(old), Documents::of(new));
    let Some(mut few) = differing(old, new) else { return Ok(None) };
    // when a document was due to expire stands in no sum
    if !few.missing.is_empty() && !before.options().expiries.is_empty() {
        return Ok(None);
    }
    let mut off = 0_u128;
    let mut buffer = Vec::new();
    let mut share = |document: Document<'_>, rest: u64| {
        let digest = document.digest() | rest;
        share(document.id(), digest, shape_hash(document.shape()), std::iter::empty(), &mut buffer)
    };
    for place in &few.missing {
        off = off.wrapping_sub(share(few.before.get(*place), before.rest_of_digest(bucket, *place)?));
    }
    for place in &few.extra {
        off = off.wrapping_add(share(few.after.get(*place), after.rest_of_digest(bucket, *place)?));
    }
    let mut changed = Vec::new();
    for (old, new) in few.changed {
        let was = share(few.before.get(old), before.rest_of_digest(bucket, old)?);
        let is = share(few.after.get(new), after.rest_of_digest(bucket, new)?);
        off = off.wrapping_sub(was).wrapping_add(is);
        if was != is {
            changed.push((old, new));
        }
    }
    few.changed = changed;
    let sums = after.footer.buckets[bucket].sum.wrapping_sub(before.footer.buckets[bucket].sum);
    Ok((off == sums).then_some(few))
}

/// What differs in the fronts. `None` where it is much, or where several documents have one id.
fn differing(before: Documents, after: Documents) -> Option<Few> {
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
        if missing.len() + extra.len() + changed.len() > FEW {
            return None;
        }
    }
    Some(Few { before, after, missing, extra, changed })
}
