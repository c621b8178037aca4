//! A full disk: said so, and nothing half is left.

use std::process::{Command, Stdio};

use crate::child;

/// The disk is a small tmpfs in a mount namespace of its own, which ends with the process: nothing is left mounted.
#[test]
fn a_full_disk_is_named_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=512k tmpfs '{}'", folder.path().display());
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script]);
        command
    };
    let allowed = unshared(&mount).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return;
    }
    let part = child::command("fill", folder.path(), "");
    let mut command = unshared(&format!("{mount} && exec \"$0\" \"$@\""));
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
