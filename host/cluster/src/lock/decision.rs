//! What to do about a Lease that was just read: take it, wait, or give up. Pure: no clock and no API server.

use std::time::Duration;

use taster_model::RunId;

use super::{holder::Holder, request::WhenLocked};

/// How often a Lease that another process holds is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The process that wants the lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contender<'a> {
    /// Its identity as a holder.
    pub(super) identity: &'a str,
    pub(super) run: Option<&'a RunId>,
    pub(super) when_locked: WhenLocked,
}

/// What is known of a Lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseState<'a> {
    /// `None` if no process holds it.
    pub(super) holder: Option<&'a Holder>,
    /// How long it has been seen unchanged.
    pub(super) unchanged_for: Duration,
    pub(super) pod: HolderPod,
    /// How long the lock has been waited for.
    pub(super) waited: Duration,
}

/// The pod of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HolderPod {
    /// Not looked up yet.
    Unknown,
    /// It runs.
    Alive,
    /// It was deleted, has ended, or was replaced by another pod of the same name; or the holder was a process of this machine
    /// that has ended.
    Gone,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Become the holder.
    Take,
    /// Look up the pod or the process of the holder, and decide again.
    LookUpPod,
    /// Read the Lease again after this time.
    Wait(Duration),
    /// Fail: another process holds the lock.
    GiveUp,
}

/// Decides what to do about a Lease.
pub(super) fn decide(contender: &Contender<'_>, lease: &LeaseState<'_>) -> Decision {
    let Some(holder) = lease.holder else { return Decision::Take };
    if holder.identity == contender.identity || lease.unchanged_for >= holder.lease_duration {
        return Decision::Take;
    }
    match lease.pod {
        HolderPod::Unknown if holder.pod.is_some() || holder.process.is_some() => return Decision::LookUpPod,
        HolderPod::Gone => return Decision::Take,
        HolderPod::Unknown | HolderPod::Alive => {}
    }
    let same_run = contender.run.is_some() && holder.run.as_ref() == contender.run;
    if same_run && matches!(contender.when_locked, WhenLocked::TakeOver(_)) {
        return Decision::Take;
    }
    let limit = contender.when_locked.wait_limit();
    if lease.waited >= limit {
        return Decision::GiveUp;
    }
    Decision::Wait(POLL_INTERVAL.min(limit.saturating_sub(lease.waited)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn run(name: &str) -> RunId {
        name.parse().expect("a run")
    }

    /// A process of run `r1` that may go 30 s without a renewal.
    fn holder(identity: &str, pod: Option<&str>) -> Holder {
        Holder {
            identity: identity.to_owned(),
            pod: pod.map(str::to_owned),
            namespace: None,
            run: Some(run("r1")),
            command: "pre".to_owned(),
            process: None,
            lease_duration: seconds(30),
        }
    }

    #[test]
    fn every_decision() {
        use Decision::{GiveUp, LookUpPod, Take, Wait};
        use HolderPod::{Alive, Gone, Unknown};
        use WhenLocked::{Fail, TakeOver};
        let wait = WhenLocked::Wait(seconds(600));
        let take_over = TakeOver(seconds(5));
        let (process, in_pod, me) = (holder("p", None), holder("u", Some("pre-1")), holder("me", Some("pre-2")));
        let here = Holder { process: Some("boot/pid/1/2".to_owned()), ..process.clone() };
        let here = Some(&here);
        let (process, in_pod, me) = (Some(&process), Some(&in_pod), Some(&me));
        let (r1, r2) = (run("r1"), run("r2"));
        let (r1, r2) = (Some(&r1), Some(&r2));
        let again = Wait(seconds(1));
        #[rustfmt::skip]
        let table = [
            ("no process holds it",               None,    0,  Unknown, 0,   r2,   Fail,      Take),
            ("this process holds it",             me,      0,  Unknown, 0,   r2,   Fail,      Take),
            ("a pod is looked up first",          in_pod,  0,  Unknown, 0,   r2,   Fail,      LookUpPod),
            ("a pod that has ended",              in_pod,  0,  Gone,    0,   r2,   Fail,      Take),
            ("a running pod, no wait",            in_pod,  0,  Alive,   0,   r2,   Fail,      GiveUp),
            ("a running pod, a wait",             in_pod,  0,  Alive,   0,   r2,   wait,      again),
            ("a running pod that does not renew", in_pod,  30, Unknown, 30,  r2,   wait,      Take),
            ("a process, no wait",                process, 0,  Unknown, 0,   r2,   Fail,      GiveUp),
            ("a process that renewed 29 s ago",   process, 29, Unknown, 29,  r2,   wait,      again),
            ("a process that renewed 30 s ago",   process, 30, Unknown, 30,  r2,   wait,      Take),
            ("a process of a machine, no wait",   here,    0,  Unknown, 0,   r2,   Fail,      LookUpPod),
            ("a process that was killed here",    here,    0,  Gone,    0,   r2,   Fail,      Take),
            ("a process that runs",               here,    0,  Alive,   0,   r2,   Fail,      GiveUp),
            ("the wait is over",                  process, 5,  Unknown, 600, r2,   wait,      GiveUp),
            ("the same run, take-over",           in_pod,  0,  Alive,   0,   r1,   take_over, Take),
            ("the same run, a wait",              in_pod,  0,  Alive,   0,   r1,   wait,      again),
            ("another run, take-over",            in_pod,  0,  Alive,   0,   r2,   take_over, again),
            ("another run, the wait is over",     in_pod,  0,  Alive,   5,   r2,   take_over, GiveUp),
            ("no run, take-over",                 in_pod,  0,  Alive,   5,   None, take_over, GiveUp),
        ];
        for (name, holder, unchanged_for, pod, waited, run, when_locked, expected) in table {
            let contender = Contender { identity: "me", run, when_locked };
            let (unchanged_for, waited) = (seconds(unchanged_for), seconds(waited));
            assert_eq!(decide(&contender, &LeaseState { holder, unchanged_for, pod, waited }), expected, "{name}");
        }
    }

    #[test]
    fn the_last_wait_ends_at_the_limit() {
        let holder = holder("p", None);
        let contender = Contender { identity: "me", run: None, when_locked: WhenLocked::Wait(seconds(10)) };
        let waited = Duration::from_millis(9_400);
        let state = LeaseState { holder: Some(&holder), unchanged_for: waited, pod: HolderPod::Unknown, waited };
        assert_eq!(decide(&contender, &state), Decision::Wait(Duration::from_millis(600)));
    }
}
