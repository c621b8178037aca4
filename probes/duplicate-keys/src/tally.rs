//! The counts of one key.

use taster_probe::{Examples, RawValue, group::key_text};

/// The counts of one key.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Values that occur more than once.
    pub(crate) groups: u64,
    /// Documents beyond the first of each value.
    pub(crate) surplus: u64,
    /// Documents that have the key.
    pub(crate) documents: u64,
    /// Examples of values that occur more than once.
    pub(crate) examples: Examples,
}

impl Tally {
    pub(crate) fn new(examples: usize) -> Self {
        Self { groups: 0, surplus: 0, documents: 0, examples: Examples::at_most(examples) }
    }

    /// Adds a value, with the number of its documents.
    pub(crate) fn add(&mut self, documents: u64, text: impl FnOnce() -> String) {
        if documents > 1 {
            self.groups += 1;
            self.surplus += documents - 1;
            self.examples.add(text());
        }
    }
}

/// The value of a key as text: `ada@example.com, ribs-2025-05`.
pub(crate) fn text<'a>(parts: impl IntoIterator<Item = Option<RawValue<'a>>>) -> String {
    parts.into_iter().map(key_text).collect::<Vec<_>>().join(", ")
}
