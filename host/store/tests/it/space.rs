//! A full disk: said so, and nothing half is left.

use std::process::Command;

use crate::child;

#[test]
fn a_full_disk_is_named_and_leaves_nothing_half() {
    on_a_small_disk("fill");
}

#[test]
fn a_census_that_does_not_fit_is_named_and_leaves_nothing_half() {
    on_a_small_disk("fill with censuses");
}

/// The disk is a small tmpfs in a mount namespace of its own, which ends with the process: nothing is left mounted. A user
/// namespace lets everybody mount it. Where neither is allowed the test fails: nobody would know what a full disk does.
fn on_a_small_disk(part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=512k tmpfs '{}'", folder.path().display());
    let part = child::command(part, folder.path(), "");
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
