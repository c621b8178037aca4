//! A process that is killed at any moment leaves nothing half.

use std::time::Duration;

use crate::{child, place::Place, shop};

const KILLS: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_no_half_object_is_read() {
    for place in &Place::both().await {
        kill_at(place).await;
    }
}

async fn kill_at(place: &Place) {
    let store = place.app().await;
    let mut unfinished = 0;
    for kill in 0..KILLS {
        let name = format!("kill{kill}");
        let mut writer = child::spawn("write runs until killed", place, &name);
        child::wait_for(&place.note(&format!("{name}.ready")));
        // other moments each time, from the very first write to some runs later
        std::thread::sleep(Duration::from_micros(u64::from(kill) * 1_700));
        writer.kill().unwrap();
        writer.wait().unwrap();

        for summary in store.runs().await.unwrap() {
            assert_eq!(summary.damaged, None, "{summary:?}");
            let run = store.run(&summary.run);
            let pre = run.pre().await.unwrap();
            // a capture that counts has all of its censuses, whole
            for object in pre.iter().flat_map(|pre| &pre.get().objects) {
                let path = place.file(&format!("v1/pxbbq/{}/{}", summary.run, object.key));
                assert_eq!(std::fs::metadata(path).unwrap().len(), object.length);
            }
            unfinished += u32::from(pre.is_none() || summary.verdict.is_none());
            // each stands on what was stored before it
            assert!(summary.post.is_none() || pre.is_some(), "{summary:?}");
            assert!(!summary.accepted || summary.verdict.is_some(), "{summary:?}");
            if let Some(verdict) = run.verdict().await.unwrap() {
                let attempt = &verdict.get().attempt;
                assert!(run.post(attempt).await.unwrap().is_some());
                assert!(place.file(&format!("v1/pxbbq/{}/post/{attempt}/report.md", summary.run)).exists());
            }
        }
        if let Some(baseline) = store.current().await.unwrap().and_then(|current| current.baseline) {
            let pre = store.run(&baseline.run).pre().await.unwrap().unwrap();
            assert_eq!(pre.get().attempt, baseline.attempt);
        }
    }
    // a test that never hit the middle of a run would prove nothing
    assert!(unfinished > 0, "{}: every kill fell between two runs", place.kind());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_attempt_left_is_in_nobodys_way() {
    for place in &Place::both().await {
        go_on_at(place).await;
    }
}

async fn go_on_at(place: &Place) {
    let store = place.app().await;
    let mut writer = child::spawn("write runs until killed", place, "first");
    child::wait_for(&place.note("first.ready"));
    std::thread::sleep(Duration::from_millis(10));
    writer.kill().unwrap();
    writer.wait().unwrap();
    // the same run ids again: a capture that was committed stands, everything else begins anew
    for round in 0..3 {
        let run = shop::run(&format!("first-{round}"));
        let before = store.run(&run).pre().await.unwrap();
        let again = shop::capture(&run, taster_model::Side::Pre);
        store.run(&run).commit_pre(&again).await.unwrap();
        let stands = store.run(&run).pre().await.unwrap().unwrap().into_inner();
        assert_eq!(stands, before.map_or(again, taster_store::Committed::into_inner));
        let post = shop::capture(&run, taster_model::Side::Post);
        store.run(&run).commit_post(&post).await.unwrap();
        assert_eq!(store.run(&run).latest_post().await.unwrap().unwrap().into_inner(), post);
    }
}
