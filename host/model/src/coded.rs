//! What every error of Taster carries beside its text.

/// An error with a stable code and a way out.
///
/// Codes are `T` and four digits; the first two name the room: `T01` configuration and command line, `T02` query and
/// guard, `T03` engine, `T04` store, `T05` judging, `T06` flows. A code is never given a second meaning. They are listed
/// with their remedies in `host/ERRORS.md`.
pub trait Coded: std::error::Error {
    /// The stable code, `T0203`.
    fn code(&self) -> &'static str;

    /// What to do about it, one line. `None` where the message already says it.
    fn help(&self) -> Option<String> {
        None
    }

    /// The lines of the file that the error is about, where it is about one.
    fn excerpt(&self) -> Option<String> {
        None
    }
}
