//! The last word: what Kubernetes shows of a container that ended (`kubectl get pod -o yaml`, Argo CD's hook message).

use std::{ffi::OsString, fs::OpenOptions, io::Write, path::PathBuf};

use taster_diagnostics::{CliError, Exit};
use taster_text::truncate_bytes;

/// The kubelet reads no more.
pub const BYTES: usize = 4096;

/// How a command ended, and its last word.
#[derive(Debug)]
pub struct Told {
    /// What the process ends with.
    pub exit: Exit,
    /// One line.
    pub line: String,
}

/// Writes the last word of a command where the kubelet reads it, and hands on how it ended.
pub fn tell(told: Result<Told, CliError>) -> Result<Exit, CliError> {
    let line = match &told {
        Ok(told) => told.line.clone(),
        Err(problem) => problem.one_line(),
    };
    if let Some(path) = place(std::env::var_os("TASTER_TERMINATION_LOG"), std::env::var_os("KUBERNETES_SERVICE_HOST")) {
        // the kubelet has made the file; outside a pod nobody reads it
        let written = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        if let Err(error) = written.and_then(|mut file| file.write_all(truncate_bytes(&line, BYTES).as_bytes())) {
            tracing::warn!("the termination message could not be written to {}: {error}", path.display());
        }
    }
    told.map(|told| told.exit)
}

fn place(named: Option<OsString>, in_pod: Option<OsString>) -> Option<PathBuf> {
    match named.filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => in_pod.map(|_| PathBuf::from("/dev/termination-log")),
    }
}

/// How a flow that came to its end ends the process, where something is not back: a verdict that fails the sync anyway
/// keeps its own number.
#[must_use]
pub fn exit(exit: Exit, not_restored: Option<&str>) -> Exit {
    match not_restored {
        Some(_) if exit == Exit::Done => Exit::Failed,
        _ => exit,
    }
}

/// One line of at most [`BYTES`]: what is not back first, then what came of it, then where the report lies.
#[must_use]
pub fn line(not_restored: Option<&str>, what: &str, report: Option<&str>) -> String {
    let lead = not_restored.map(|text| format!("{text}; ")).unwrap_or_default();
    let tail = report.map(|url| format!(" report={url}")).unwrap_or_default();
    let room = BYTES.saturating_sub(lead.len() + tail.len());
    truncate_bytes(&format!("{lead}{}{tail}", truncate_bytes(what, room)), BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_stays_however_long_the_verdict_is() {
        let long = "ü".repeat(BYTES);
        let line = line(Some("NOT RESTORED mongo 1→0"), &long, Some("https://t/7"));
        assert!(line.len() <= BYTES && line.starts_with("NOT RESTORED mongo 1→0; ü"), "{line}");
        assert!(line.ends_with("… report=https://t/7"), "{line}");
        assert_eq!(super::line(None, "same", None), "same");
    }

    #[test]
    fn it_is_written_where_the_kubelet_reads_it_and_nowhere_else() {
        let path = |text: &str| Some(OsString::from(text));
        assert_eq!(place(path("/tmp/x"), None), Some(PathBuf::from("/tmp/x")));
        assert_eq!(place(None, path("10.0.0.1")), Some(PathBuf::from("/dev/termination-log")));
        assert_eq!(place(None, None), None);
        assert_eq!(exit(Exit::Done, Some("x")), Exit::Failed);
        assert_eq!(exit(Exit::Different, Some("x")), Exit::Different);
        assert_eq!(exit(Exit::Done, None), Exit::Done);
    }
}
