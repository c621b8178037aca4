//! One document before and after the sync, and what it shows about a declared change.

use crate::bucket_documents::DocumentRef;

/// One document before and after the sync.
#[derive(Clone, Copy)]
pub(crate) struct DocumentPair<'d> {
    pub(crate) before: DocumentRef<'d>,
    pub(crate) after: DocumentRef<'d>,
}

/// Types of the top-level field of a change, by the shapes of the document before and after the sync. Of a renaming: of
/// the old name, and of the new name before the sync.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FieldTypes {
    pub(crate) before: Option<u8>,
    pub(crate) after: Option<u8>,
    pub(crate) new_name_before: Option<u8>,
}

/// What one document shows about one declared change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeStatus {
    /// The change does not concern the document.
    NotConcerned,
    /// The change happened in the document.
    Happened,
    /// The field was converted in the document. Each bit is a reading that explains the value.
    Converted(u8),
    /// The change should have happened in the document and did not.
    NotHappened,
    /// The document had the change before the sync.
    AlreadyBefore,
}
