//! A full disk is reported and leaves no partial objects.

use std::process::Command;

use crate::child_process;

#[test]
fn a_full_disk_is_reported_and_leaves_no_partial_object() {
    on_a_small_disk("fill the disk");
}

#[test]
fn a_census_that_does_not_fit_is_reported_and_leaves_no_partial_object() {
    on_a_small_disk("fill the disk with censuses");
}

/// The disk is a small tmpfs in a mount namespace of its own, which ends with the process, so nothing is left mounted. A user
/// namespace lets any user mount it. The test fails where neither is allowed.
fn on_a_small_disk(part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=512k tmpfs '{}'", folder.path().display());
    let part = child_process::command(part, folder.path(), "");
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--propagation", "private", "sh", "-c", &script]);
    command.arg(part.get_program()).args(part.get_args());
    command.envs(part.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
