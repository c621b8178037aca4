//! Killed at any point, started twice at once: never half a capture that `post` accepts.

use std::{process::Stdio, thread, time::Duration};

use mongodb::bson::{Document, doc};

use crate::support::{Ended, Kitchen, SHOP};

#[tokio::test(flavor = "multi_thread")]
async fn pre_killed_at_any_point_and_run_again_leaves_a_whole_capture() {
    let kitchen = Kitchen::open(false, 4000).await;
    let table = kitchen.table();
    table.configure(SHOP);
    let begun = std::time::Instant::now();
    assert_eq!(table.taster(&["pre", "--run", "calibrate", "--store", "file://./other"]).code, 0);
    let whole = begun.elapsed();
    let (mut committed, mut empty) = (0, 0);
    for step in 0..12_u32 {
        let run = format!("kill-{step}");
        let mut child = table
            .command(&["pre", "--run", &run])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        thread::sleep(whole * step / 11);
        // kill -9, or too late
        let _ = child.kill();
        child.wait().expect("it ends");
        let capture = table.path().join(format!("results/v1/pxbbq/{run}/pre/capture.json"));
        if capture.exists() {
            committed += 1;
        } else {
            empty += 1;
        }
        let again = table.taster(&["pre", "--run", &run]);
        assert_eq!(again.code, 0, "killed at {step}/11, then: {}", again.all());
        let post = table.taster(&["post", "--run", &run]);
        assert_eq!(post.code, 0, "killed at {step}/11, then: {}", post.all());
    }
    assert!(empty > 0, "no kill came before the commit ({committed} came after)");
    // what is left on the server?
    let status = kitchen.database.run_command(doc! {"serverStatus": 1}).await.expect("status");
    let open =
        status.get_document("metrics").and_then(|m| m.get_document("cursor")).and_then(|c| c.get_document("open"));
    let pinned = open.expect("cursor metrics").get_i64("pinned").expect("a number");
    assert_eq!(pinned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pre_of_one_run_at_once_leave_one_capture() {
    let kitchen = Kitchen::open(true, 3000).await;
    let table = kitchen.table();
    table.configure(SHOP);
    let children: Vec<_> = (0..2)
        .map(|_| {
            table
                .command(&["pre", "--run", "race", "--format", "json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary runs")
        })
        .collect();
    let ended: Vec<Ended> =
        children.into_iter().map(|child| Ended::of(&child.wait_with_output().expect("it ends"))).collect();
    let attempts: Vec<String> = ended
        .iter()
        .map(|one| {
            assert_eq!(one.code, 0, "{}", one.all());
            one.json()["attempt"].as_str().expect("an attempt").to_owned()
        })
        .collect();
    assert_eq!(attempts[0], attempts[1], "both speak of the one capture that stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_scan_with_4_and_leaves_no_cursor_on_a_standalone() {
    a_signal_leaves_no_cursor(Kitchen::open(false, 120_000).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_scan_with_4_and_leaves_no_cursor_on_a_replica_set() {
    a_signal_leaves_no_cursor(Kitchen::open(true, 120_000).await).await;
}

async fn a_signal_leaves_no_cursor(kitchen: Kitchen) {
    let table = kitchen.table();
    table.configure(SHOP);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let child = table
            .command(&["pre", "--run", "stopped"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let pid = rustix::process::Pid::from_child(&child);
        // wait until it reads: a cursor of ours is open
        for _ in 0..600 {
            if open_cursors(&kitchen).await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rustix::process::kill_process(pid, signal).expect("a signal");
        let ended = Ended::of(&child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, 4, "{}", ended.all());
        assert!(ended.err.contains("T0604"), "{}", ended.err);
        // the server closes a cursor that was killed in the middle of a read once that read notices
        for _ in 0..300 {
            if open_cursors(&kitchen).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(open_cursors(&kitchen).await, 0, "{:#?}\n{}", cursors(&kitchen).await, ended.err);
    }
    assert!(!table.path().join("results/v1/pxbbq/stopped/pre/capture.json").exists());
}

async fn open_cursors(kitchen: &Kitchen) -> i64 {
    let status = kitchen.database.run_command(doc! {"serverStatus": 1}).await.expect("status");
    let open =
        status.get_document("metrics").and_then(|m| m.get_document("cursor")).and_then(|c| c.get_document("open"));
    open.expect("cursor metrics").get_i64("total").expect("a number")
}

/// What the server says of its cursors, for a message.
async fn cursors(kitchen: &Kitchen) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let admin = kitchen.mongod.client().await.expect("a client").database("admin");
    let stages = [
        doc! {"$currentOp": {"allUsers": true, "idleCursors": true, "localOps": true}},
        doc! {"$match": {"cursor": {"$exists": true}}},
    ];
    admin.aggregate(stages).await.expect("operations").try_collect().await.expect("operations")
}
