//! The termination message: what Kubernetes shows of a container that ended (`kubectl get pod -o yaml`, Argo CD's hook message).

use std::{ffi::OsString, fs::OpenOptions, io::Write, path::PathBuf};

use taster_diagnostics::{CliError, Exit};
use taster_text::truncate_bytes;

/// The kubelet reads at most this much of a termination message.
pub const MAX_BYTES: usize = 4096;

/// How a command ended.
#[derive(Debug)]
pub struct Termination {
    /// The exit code of the process.
    pub exit: Exit,
    /// The termination message: one line.
    pub message: String,
}

/// Writes the termination message of a command to where the kubelet reads it, and returns the command's exit code or error.
pub fn write_message(ended: Result<Termination, CliError>) -> Result<Exit, CliError> {
    let message = match &ended {
        Ok(termination) => termination.message.clone(),
        Err(problem) => problem.one_line(),
    };
    let named = std::env::var_os("TASTER_TERMINATION_LOG");
    if let Some(path) = message_path(named, std::env::var_os("KUBERNETES_SERVICE_HOST")) {
        // the kubelet has created the file; outside a pod nothing reads it
        let written = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        if let Err(error) = written.and_then(|mut file| file.write_all(truncate_bytes(&message, MAX_BYTES).as_bytes()))
        {
            tracing::warn!(path = %path.display(), %error, "cannot write the termination message");
        }
    }
    ended.map(|termination| termination.exit)
}

fn message_path(named: Option<OsString>, in_pod: Option<OsString>) -> Option<PathBuf> {
    match named.filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => in_pod.map(|_| PathBuf::from("/dev/termination-log")),
    }
}

/// The exit code of a flow: a flow that succeeded, but could not restore a workload, failed. A verdict that fails the sync
/// anyway keeps its own code.
#[must_use]
pub fn exit_code(exit: Exit, not_restored: Option<&str>) -> Exit {
    match not_restored {
        Some(_) if exit == Exit::Done => Exit::Failed,
        _ => exit,
    }
}

/// One line of at most [`MAX_BYTES`]: the workloads that were not restored, then the result, then the report's address.
#[must_use]
pub fn message(not_restored: Option<&str>, result: &str, report: Option<&str>) -> String {
    let lead = not_restored.map(|text| format!("{text}; ")).unwrap_or_default();
    let tail = report.map(|url| format!(" report={url}")).unwrap_or_default();
    let room = MAX_BYTES.saturating_sub(lead.len() + tail.len());
    truncate_bytes(&format!("{lead}{}{tail}", truncate_bytes(result, room)), MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_verdict_never_pushes_out_the_address_of_the_report() {
        let long = "ü".repeat(MAX_BYTES);
        let line = message(Some("NOT RESTORED mongo 1→0"), &long, Some("https://t/7"));
        assert!(line.len() <= MAX_BYTES && line.starts_with("NOT RESTORED mongo 1→0; ü"), "{line}");
        assert!(line.ends_with("… report=https://t/7"), "{line}");
        assert_eq!(message(None, "same", None), "same");
    }

    #[test]
    fn the_message_goes_to_the_named_file_or_in_a_pod_to_the_kubelets() {
        let path = |text: &str| Some(OsString::from(text));
        assert_eq!(message_path(path("/tmp/x"), None), Some(PathBuf::from("/tmp/x")));
        assert_eq!(message_path(None, path("10.0.0.1")), Some(PathBuf::from("/dev/termination-log")));
        assert_eq!(message_path(None, None), None);
    }

    #[test]
    fn a_workload_that_was_not_restored_fails_a_flow_that_succeeded() {
        assert_eq!(exit_code(Exit::Done, Some("x")), Exit::Failed);
        assert_eq!(exit_code(Exit::Different, Some("x")), Exit::Different);
        assert_eq!(exit_code(Exit::Done, None), Exit::Done);
    }
}
