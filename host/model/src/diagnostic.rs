//! The trait of every error that is shown to a user: a stable code and a remedy.

/// What to do when too many files are open.
const OPEN_FILES_HELP: &str = "raise the hard limit of open files (`ulimit -Hn` shows it; `LimitNOFILE` in systemd, the runtime's \
                               limit in a container): the census of each collection keeps a file open until the capture is \
                               stored, and each connection needs one; or let fewer collections have a census";

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

    /// [`Self::help`], unless the process has too many files open: the remedy is the same wherever that happens.
    fn remedy(&self) -> Option<String> {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        // as the operating system names EMFILE and ENFILE
        if text.contains("Too many open files") { Some(OPEN_FILES_HELP.to_owned()) } else { self.help() }
    }

    /// The lines of the file that the error is about. `None`: it is not about a file.
    fn excerpt(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write: {0}")]
    struct Unwritable(std::io::Error);

    impl Diagnostic for Unwritable {
        fn code(&self) -> &'static str {
            "T0000"
        }
        fn help(&self) -> Option<String> {
            Some("free some space".to_owned())
        }
    }

    #[test]
    fn too_many_open_files_have_their_own_remedy() {
        let remedy = |errno| Unwritable(std::io::Error::from_raw_os_error(errno)).remedy().unwrap();
        assert!(remedy(24).contains("ulimit -Hn"), "{}", remedy(24));
        assert!(remedy(23).contains("ulimit -Hn"), "{}", remedy(23));
        assert_eq!(remedy(28), "free some space");
    }
}
