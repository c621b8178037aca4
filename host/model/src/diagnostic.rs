//! The trait of every error that is shown to a user: a stable code and a remedy.

/// An error with a stable code and a remedy.
///
/// Codes are `T` and four digits. The first two digits name the family:
///
/// | codes | about |
/// | --- | --- |
/// | `T01` | configuration and command line |
/// | `T02` | database, query guard and scans |
/// | `T03` | sandbox of the probes (engine) |
/// | `T04` | store |
/// | `T06` | flows, output, notifications and server |
/// | `T07` | Kubernetes cluster |
/// | `T08` | census |
///
/// `T05` is not used: judging returns findings, which carry a [`crate::ReasonCode`]. A code is never given a second
/// meaning. The list of errors and reasons in the documentation names each code with its remedy.
pub trait Diagnostic: std::error::Error {
    /// The stable code, `T0203`.
    fn code(&self) -> &'static str;

    /// What to do about it, in one line. `None`: the message already says it.
    fn help(&self) -> Option<String> {
        None
    }

    /// The lines of the file that the error is about. `None`: it is not about a file.
    fn excerpt(&self) -> Option<String> {
        None
    }
}
