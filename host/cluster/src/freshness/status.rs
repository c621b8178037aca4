//! The last successful copy, as an object of one of the source kinds reports it.

use jiff::Timestamp;

/// The last successful copy, as the object reports it.
#[derive(Debug)]
pub(super) struct CopyStatus {
    /// The time of the data: when copying them began.
    pub(super) data_time: Timestamp,
    /// Identifies the copy within the source.
    pub(super) copy_id: String,
    /// What else the object reports: a running copy, that it is suspended.
    pub(super) notes: Vec<String>,
}

/// `; it is paused; one is running`: notes as the end of an error's text.
pub(super) fn joined(notes: &[String]) -> String {
    notes.iter().fold(String::new(), |text, note| text + "; " + note)
}
