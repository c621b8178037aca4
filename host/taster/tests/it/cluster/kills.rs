//! Asked to stop at any moment, killed at any place: never a wrong count, never a record or a lock that is left behind.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Shop, ended};

/// Moments of each command at which it is asked to stop.
const MOMENTS: u32 = 10;
/// More places than any command passes.
const PLACES: u32 = 200;
/// How long everything may take to be back after a signal.
const BACK: Duration = Duration::from_secs(5);

/// Numbers of xorshift, the same in every run, so that a failure can be repeated.
fn chance() -> impl FnMut() -> u64 {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_signal_at_any_moment_restores_all_replica_counts() {
    let shop = Shop::open().await;
    let whole = |begun: Instant| begun.elapsed();
    let begun = Instant::now();
    shop.fine(&["pre", "--run", "first"]).await;
    let pre = whole(begun);
    let begun = Instant::now();
    shop.fine(&["post", "--run", "first"]).await;
    let post = whole(begun);
    let mut chance = chance();
    let mut stopped = 0;
    for round in 0..MOMENTS * 2 {
        let (command, length) = if round < MOMENTS { ("pre", pre) } else { ("post", post) };
        let run = format!("{command}-{round}");
        if command == "post" {
            shop.fine(&["pre", "--run", &run]).await;
        }
        let child = shop.spawn(&[command, "--run", &run]);
        let pid = Pid::from_child(&child);
        let moment = Duration::from_micros(chance() % u64::try_from(length.as_micros()).expect("it is there"));
        tokio::time::sleep(moment).await;
        let signal = if round % 2 == 0 { Signal::TERM } else { Signal::INT };
        let asked = Instant::now();
        // it may have ended already
        let _ = kill_process(pid, signal);
        if round % 3 == 0 {
            // a second one, while it restores
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = kill_process(pid, signal);
        }
        let ended = ended(child).await;
        let took = asked.elapsed();
        let why = format!("{command} asked to stop after {moment:?}, ended after {took:?}: {}", ended.all());
        match (command, ended.code) {
            // asked before it listened: nothing was changed by it, but `pre` before it had
            ("pre", 0) | ("post", -1) => {
                shop.fine(&["restore", "--run", &run]).await;
            }
            ("pre", -1) | ("post", 0) => {}
            _ => {
                assert_eq!(ended.code, if signal == Signal::INT { 130 } else { 4 }, "{why}");
                assert!(ended.err.contains("T0604"), "{why}");
                assert!(took < BACK, "{why}");
                stopped += 1;
                if command == "post" && shop.counts().await != (0, 0, 0) {
                    // it was stopped before it held the lock, so it restores nothing: another process may be at work
                    assert!(!ended.err.contains("holds the lock"), "{why}");
                    shop.fine(&["restore", "--run", &run]).await;
                }
            }
        }
        shop.expect_back(0, &why).await;
    }
    assert!(stopped >= MOMENTS, "only {stopped} signals came in time");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn after_a_kill_at_any_place_restore_resets_all_replica_counts() {
    let shop = Shop::open().await;
    let (mut rounds, mut seen) = (0, Vec::new());
    for command in ["pre", "post"] {
        for place in 1.. {
            assert!(place < PLACES, "{command} passes {place} places");
            let run = format!("{command}-{place}");
            if command == "post" {
                shop.fine(&["pre", "--run", &run]).await;
            }
            let mut child = shop.command(&[command, "--run", &run]);
            // every place within a write of the store is another test's, which needs no cluster
            child.env("TASTER_FAULT", place.to_string()).env("TASTER_FAULT_SKIP", "file:");
            let child = child
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("the binary runs");
            let ended = ended(child).await;
            let at = ended.err.lines().find_map(|line| line.strip_prefix("killed at: "));
            let Some(at) = at else {
                assert_eq!(ended.code, 0, "{}", ended.all());
                shop.fine(&["restore", "--run", &run]).await;
                break;
            };
            // a count is that of before, or that of tasting, and the latter is never without a record
            let (mongo, web, recorded) = shop.counts().await;
            assert!((0..=1).contains(&mongo) && (0..=1).contains(&web), "killed at {at}");
            assert!(usize::try_from(mongo + web).expect("it is there") <= recorded, "killed at {at}");
            // who fails in the middle of a sync names the same run, and need not wait for a process that is dead
            let restored = shop.fine(&["restore", "--run", &run]).await;
            shop.expect_back(0, &format!("{command} killed at {at}, then {}", restored.all())).await;
            rounds += 1;
            seen.push(at.to_owned());
        }
    }
    println!("killed at {rounds} places: {seen:?}");
    // with the signals of the other test, fifty rounds
    assert!(rounds >= 30, "{rounds} places: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_panic_anywhere_restores_all_replica_counts() {
    let shop = Shop::open().await;
    let mut seen = Vec::new();
    // the first place is the lock's, before which nothing was changed
    for place in [2, 3, 4, 5, 8] {
        let run = format!("panic-{place}");
        let mut child = shop.command(&["pre", "--run", &run]);
        child.env("TASTER_FAULT", place.to_string()).env("TASTER_FAULT_SKIP", "file:").env("TASTER_FAULT_HOW", "panic");
        let piped = std::process::Stdio::piped;
        let ended = ended(child.stdout(piped()).stderr(piped()).spawn().expect("the binary runs")).await;
        assert_eq!(ended.code, 4, "{}", ended.all());
        let at = ended.err.split("error[T0629]: taster itself failed: asked to panic at: ").nth(1);
        seen.push(at.and_then(|rest| rest.lines().next()).unwrap_or_else(|| panic!("{}", ended.all())).to_owned());
        shop.expect_back(0, &ended.all()).await;
    }
    println!("{seen:?}");
}
