//! Pairs the items of both captures by key, and notices keys that one capture has twice.

use std::collections::BTreeMap;

/// The items of both captures under one key.
#[derive(Debug)]
struct Candidates<'a, T> {
    before: Vec<&'a T>,
    after: Vec<&'a T>,
}

/// The items of both captures under one key, paired.
#[derive(Debug)]
pub(crate) enum Pair<'a, T> {
    Both(&'a T, &'a T),
    OnlyBefore(&'a T),
    OnlyAfter(&'a T),
    /// One capture has several items under this key; one of them is kept to report on. Pairing any of them would hide the
    /// others.
    Ambiguous(&'a T),
}

impl<'a, T> Pair<'a, T> {
    /// The item before the sync, and the one after it.
    pub(crate) fn sides(&self) -> (Option<&'a T>, Option<&'a T>) {
        match *self {
            Self::Both(old, new) => (Some(old), Some(new)),
            Self::OnlyBefore(old) => (Some(old), None),
            Self::OnlyAfter(new) | Self::Ambiguous(new) => (None, Some(new)),
        }
    }

    /// The item after the sync if there is one, else the one before it.
    pub(crate) fn newest(&self) -> &'a T {
        match *self {
            Self::Both(_, item) | Self::OnlyBefore(item) | Self::OnlyAfter(item) | Self::Ambiguous(item) => item,
        }
    }
}

/// Pairs `before` and `after` by `key`, in the order of the keys.
pub(crate) fn pair_by_key<'a, T, K: Ord>(
    before: &'a [T],
    after: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> Vec<Pair<'a, T>> {
    let mut by_key: BTreeMap<K, Candidates<'a, T>> = BTreeMap::new();
    let empty = || Candidates { before: Vec::new(), after: Vec::new() };
    for item in before {
        by_key.entry(key(item)).or_insert_with(empty).before.push(item);
    }
    for item in after {
        by_key.entry(key(item)).or_insert_with(empty).after.push(item);
    }
    by_key
        .into_values()
        .map(|candidates| match (candidates.before.as_slice(), candidates.after.as_slice()) {
            (&[old], &[new]) => Pair::Both(old, new),
            (&[old], &[]) => Pair::OnlyBefore(old),
            (&[], &[new]) => Pair::OnlyAfter(new),
            (old, new) => {
                let item = new.first().or(old.first()).copied();
                Pair::Ambiguous(item.expect("every key was inserted with an item"))
            }
        })
        .collect()
}
