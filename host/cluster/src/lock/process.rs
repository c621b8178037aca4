//! Which process outside of a pod holds the lock, and whether it has ended. That can be known on the same machine only.

use std::{fs, path::Path};

/// The process as `BOOT/NAMESPACE/PID/START`: the machine since its boot, the namespace of process ids, the id, and when the process
/// started. No other process has the same. `None` where the system does not tell.
pub(super) fn this_process() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{}/{pid}/{}", machine()?, started(pid)?))
}

/// Whether the recorded process ran on this machine and has ended. Another machine's process may be alive.
pub(super) fn has_ended(recorded: &str) -> bool {
    let mut parts = recorded.rsplitn(3, '/');
    let (Some(start), Some(pid), Some(recorded_machine)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse() else { return false };
    // another process may have the id by now
    machine().is_some_and(|machine| machine == recorded_machine) && started(pid).as_deref() != Some(start)
}

/// The boot of the machine, and the namespace in which this process sees process ids: containers have their own.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// When a process started, in ticks since boot. `None` if there is none, or only a zombie.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // the name of the program is in parentheses and may contain anything; then the state is the third field
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_has_ended_when_it_was_killed_and_not_before() {
        let me = this_process().expect("a Linux machine");
        assert!(!has_ended(&me), "{me}");
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let recorded = format!("{}/{}/{}", machine().unwrap(), child.id(), started(child.id()).unwrap());
        assert!(!has_ended(&recorded));
        child.kill().expect("a signal");
        // a zombie until it is waited for
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !has_ended(&recorded) {
            assert!(std::time::Instant::now() < give_up, "it does not end");
            std::thread::yield_now();
        }
        child.wait().expect("it ended");
        assert!(has_ended(&recorded));
    }

    #[test]
    fn what_cannot_be_known_is_not_ended() {
        let (machine, pid) = (machine().unwrap(), std::process::id());
        assert!(has_ended(&format!("{machine}/{pid}/1")), "another process had the id");
        assert!(!has_ended(&format!("another/pid:[1]/{pid}/1")), "another machine");
        for unreadable in ["", "x", "a/b", "/1/2", &format!("{machine}/x/1")] {
            assert!(!has_ended(unreadable), "{unreadable}");
        }
    }
}
