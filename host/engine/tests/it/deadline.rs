//! Wasm guests that never return: infinite loops in each place, and a host call that never ends.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::Guest,
    fixtures::{FakeDatabase, brief, describe_error, failure, input, load_within, run},
    reading::FIND,
};

const SPIN: &str = "(loop $again (br $again))";

#[tokio::test]
async fn spinning_in_run() {
    let begun = Instant::now();
    let report = run(&Guest { run: SPIN.to_owned(), ..Guest::default() }, brief()).await;
    assert!(begun.elapsed() < 10 * brief().deadline, "{:?}", begun.elapsed());
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe was computing (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)");
    assert!(report.usage.guest_ms > 100, "{:?}", report.usage);
}

#[tokio::test]
async fn spinning_in_describe() {
    let guest = Guest { describe: SPIN, ..Guest::default() };
    assert_snapshot!(describe_error(&load_within(&guest.build(), &brief()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0321: the deadline passed while the probe was computing (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)
    help: raise probes[orders].limits.deadline, or fix the probe's `describe`
    ");
}

#[tokio::test]
async fn spinning_in_an_initialiser() {
    let guest = Guest { items: "(func $init (loop $again (br $again))) (start $init)", ..Guest::default() };
    assert_snapshot!(describe_error(&load_within(&guest.build(), &brief()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0321: the deadline passed while the probe was computing (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)
    help: raise probes[orders].limits.deadline, or fix the probe's `describe`
    ");
}

#[tokio::test]
async fn spinning_in_the_allocator_that_the_host_calls() {
    // the host calls it for the configuration, before `run` begins
    let report = run(&Guest { realloc: SPIN, ..Guest::default() }, brief()).await;
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe was computing (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)");
}

#[tokio::test]
async fn waiting_for_a_call_that_never_answers() {
    let guest =
        Guest { items: FIND, run: "(call $find_in (local.get $db) (i32.const 0))".to_owned(), ..Guest::default() };
    let report = run(&guest, brief()).await;
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe waited for `find` (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)");
    assert!(report.usage.guest_ms < 100, "waiting is not computing: {:?}", report.usage);
}

#[tokio::test]
async fn other_tasks_of_the_thread_run_while_a_guest_spins() {
    // #[tokio::test] has one thread: if the guest did not yield at each tick, the timer would fire after the deadline
    let guest = Guest { run: SPIN.to_owned(), ..Guest::default() };
    let probe = load_within(&guest.build(), &brief()).await.unwrap();
    let begun = Instant::now();
    let timer = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        begun.elapsed()
    };
    let limits = Limits { deadline: Duration::from_secs(2), ..brief() };
    let (report, fired) = tokio::join!(probe.run(input(limits, FakeDatabase::default())), timer);
    assert!(report.outcome.is_err());
    assert!(fired < Duration::from_secs(1), "{fired:?}");
}
