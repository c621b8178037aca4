//! A changed document with the declared changes reversed: if it then equals the document before the sync, it changed as
//! declared.

use taster_model::FieldPath;

use crate::{
    document_pair::{ChangeStatus, DocumentPair},
    shape,
};

/// Up to this many changes of nested fields, every combination of them is tried; beyond it, only all or none.
const MAX_COMBINED: usize = 6;

/// A document after the sync with every declared change reversed that can be reversed.
#[derive(Default)]
pub(crate) struct Attempt<'a> {
    /// The status of each change in the document, in the order of the changes.
    pub(crate) statuses: Vec<ChangeStatus>,
    /// What the reversed changes added to the digest.
    delta: u64,
    /// The reversed changes, each with what it added to the digest.
    pub(crate) applied: Vec<(usize, u64)>,
    /// Reversed changes of nested fields. Shapes do not show whether they were there before the sync.
    tentative: Vec<(usize, u64)>,
    /// Top-level fields that are ignored when shapes are compared.
    ignored_names: Vec<&'a [u8]>,
    /// Columns of separate fields that may differ.
    pub(crate) excused: Vec<usize>,
}

impl<'a> Attempt<'a> {
    /// Reverses a change.
    pub(crate) fn apply(&mut self, delta: u64, path: &'a FieldPath) -> ChangeStatus {
        self.reverse(delta);
        if path.is_top_level() {
            self.ignore_name(path);
        }
        ChangeStatus::Happened
    }

    /// Reverses a change that may have been there before the sync.
    pub(crate) fn apply_tentative(&mut self, delta: u64, status: ChangeStatus) -> ChangeStatus {
        let reversed = self.reverse(delta);
        self.tentative.push(reversed);
        status
    }

    /// Ignores a top-level field when shapes are compared.
    pub(crate) fn ignore_name(&mut self, path: &'a FieldPath) {
        self.ignored_names.push(path.top_level_name().as_bytes());
    }

    fn reverse(&mut self, delta: u64) -> (usize, u64) {
        // each change adds one status, after it was asked
        let reversed = (self.statuses.len(), delta);
        self.delta = self.delta.wrapping_add(delta);
        self.applied.push(reversed);
        reversed
    }

    /// The status of each change in the document, if it changed as declared. `None`: it changed otherwise.
    pub(crate) fn settle(&self, separate: &[FieldPath], pair: DocumentPair<'_>) -> Option<Vec<ChangeStatus>> {
        let DocumentPair { before, after } = pair;
        let fits = (0..separate.len())
            .all(|column| self.excused.contains(&column) || before.separate(column) == after.separate(column))
            && shape::without_fields(before.shape(), &self.ignored_names)
                == shape::without_fields(after.shape(), &self.ignored_names);
        if !fits {
            return None;
        }
        let difference = after.digest().wrapping_sub(before.digest());
        if difference == self.delta {
            return Some(self.statuses.clone());
        }
        self.settle_without_some(difference)
    }

    /// Tries which tentative changes were there before the sync: those must not be reversed.
    fn settle_without_some(&self, difference: u64) -> Option<Vec<ChangeStatus>> {
        let all_combinations = self.tentative.len() <= MAX_COMBINED;
        let combinations = if all_combinations { 1_u32 << self.tentative.len() } else { 1 };
        for combination in (1..combinations).chain((!all_combinations).then_some(u32::MAX)) {
            let kept = self.tentative.iter().zip(0..32).filter(|(_, bit)| combination & (1 << bit) != 0);
            let kept: Vec<(usize, u64)> = kept.map(|(tentative, _)| *tentative).collect();
            let delta = kept.iter().fold(self.delta, |sum, (_, delta)| sum.wrapping_sub(*delta));
            if difference == delta {
                let mut statuses = self.statuses.clone();
                for (change, _) in kept {
                    // a change that is still missing in some array elements stays `NotHappened`
                    if statuses[change] == ChangeStatus::Happened {
                        statuses[change] = ChangeStatus::AlreadyBefore;
                    }
                }
                return Some(statuses);
            }
        }
        None
    }
}
