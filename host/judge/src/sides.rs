//! Pairs what both sides have, by key, without losing what one side has twice.

use std::collections::BTreeMap;

/// What each side has under one key.
#[derive(Debug)]
struct Sides<'a, T> {
    before: Vec<&'a T>,
    after: Vec<&'a T>,
}

/// What stands under one key.
#[derive(Debug)]
pub(crate) enum Pair<'a, T> {
    Both(&'a T, &'a T),
    OnlyBefore(&'a T),
    OnlyAfter(&'a T),
    /// More than one on a side; one of them, to speak of. Whoever took the last would hide the others.
    Ambiguous(&'a T),
}

impl<'a, T> Pair<'a, T> {
    /// What is there before, and after, as far as that is clear.
    pub(crate) fn both(&self) -> (Option<&'a T>, Option<&'a T>) {
        match *self {
            Self::Both(old, new) => (Some(old), Some(new)),
            Self::OnlyBefore(old) => (Some(old), None),
            Self::OnlyAfter(new) | Self::Ambiguous(new) => (None, Some(new)),
        }
    }

    /// One that is there, the one after the sync where there is one.
    pub(crate) fn one(&self) -> &'a T {
        match *self {
            Self::Both(_, one) | Self::OnlyBefore(one) | Self::OnlyAfter(one) | Self::Ambiguous(one) => one,
        }
    }
}

/// Pairs `before` and `after` by `key`, in the order of the keys.
pub(crate) fn pair<'a, T, K: Ord>(before: &'a [T], after: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<Pair<'a, T>> {
    let mut sides: BTreeMap<K, Sides<'a, T>> = BTreeMap::new();
    let none = || Sides { before: Vec::new(), after: Vec::new() };
    for item in before {
        sides.entry(key(item)).or_insert_with(none).before.push(item);
    }
    for item in after {
        sides.entry(key(item)).or_insert_with(none).after.push(item);
    }
    sides
        .into_values()
        .map(|sides| match (sides.before.as_slice(), sides.after.as_slice()) {
            (&[old], &[new]) => Pair::Both(old, new),
            (&[old], &[]) => Pair::OnlyBefore(old),
            (&[], &[new]) => Pair::OnlyAfter(new),
            (old, new) => {
                let one = new.first().or(old.first()).copied();
                Pair::Ambiguous(one.expect("every key was put in with an item"))
            }
        })
        .collect()
}
