use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    WorkloadRef,
    ready::pods::{Pods, Revision},
};

fn workload() -> Workload {
    Workload {
        of: WorkloadRef { api_version: "apps/v1".into(), kind: "StatefulSet".into(), name: "mongo".into() },
        replicas: 1,
        ready: Duration::from_mins(1),
        allow_hpa: false,
        setting: "cluster.data[mongo]".into(),
    }
}

fn pod(uid: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "mongo-0", "uid": uid}, "status": status})).expect("a pod")
}

fn ready_pod() -> Pod {
    pod("r", &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))
}

fn evicted(uid: &str) -> Pod {
    pod(uid, &json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))
}

/// A StatefulSet with one replica, all of whose counts are `count`.
fn seen(count: i32, pods: Vec<Pod>) -> Seen {
    Seen {
        asked: 1,
        replicas: count,
        ready: Some(count),
        updated: Some(count),
        pods: Some(Pods::sort(pods, &Revision::Any)),
        ..Seen::default()
    }
}

fn line(state: State) -> String {
    match state {
        State::Ready => "ready".to_owned(),
        State::Waiting(waiting) => waiting.show(&workload()),
    }
}

fn judge(seen: &Seen) -> Result<String, ReadyError> {
    Before::default().judge(&workload(), seen).map(line)
}

/// Takes one thing away.
type Take = fn(&mut Seen);

#[test]
fn each_count_alone_keeps_it_from_being_ready() {
    assert_eq!(judge(&seen(1, vec![ready_pod()])).expect("ready"), "ready");
    let short: [(&str, Take); 6] = [
        ("replicas", |seen| seen.replicas = 0),
        ("readyReplicas", |seen| seen.ready = Some(0)),
        ("updatedReplicas", |seen| seen.updated = Some(0)),
        ("a pod that is ready", |seen| seen.pods = Some(Pods::default())),
        ("the observed generation", |seen| {
            seen.object =
                serde_json::from_value(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}))
                    .expect("an object");
        }),
        ("the pods of the revision before being gone", |seen| {
            seen.pods = Some(Pods { older: vec![ready_pod()], ..Pods::sort(vec![ready_pod()], &Revision::Any) });
        }),
    ];
    for (what, take) in short {
        let mut seen = seen(1, vec![ready_pod()]);
        take(&mut seen);
        assert_ne!(judge(&seen).expect("it is waited for"), "ready", "without {what}");
    }
    // a kind that counts nothing but replicas, and names no pods
    let mut bare = seen(1, vec![]);
    (bare.ready, bare.updated, bare.pods) = (None, None, None);
    assert_eq!(judge(&bare).expect("ready"), "ready");
    bare.replicas = 0;
    insta::assert_snapshot!(judge(&bare).expect("waited for"), @"StatefulSet mongo: 0 of 1 ready; its scale names no selector, so its pods are not looked at");
}

#[test]
fn what_is_waited_for_is_said_on_one_line() {
    let pulling = json!({"phase": "Pending", "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"mongo:77\""}}}]});
    let mut waited = seen(0, (0..5).map(|n| pod(&n.to_string(), &pulling)).collect());
    waited.pods.as_mut().expect("pods").current.truncate(1);
    insta::assert_snapshot!(judge(&waited).expect("waited for"), @r#"StatefulSet mongo: 0 of 1 ready; pod mongo-0: container mongo: ImagePullBackOff: Back-off pulling image "mongo:77""#);
    let many = seen(0, (0..5).map(|n| pod(&n.to_string(), &pulling)).collect());
    assert!(judge(&many).expect("waited for").ends_with("and 2 more"));
}

#[test]
fn a_count_that_somebody_else_took_down_is_an_error() {
    let mut down = seen(0, vec![]);
    down.asked = 0;
    down.object = serde_json::from_value(json!({"metadata": {"managedFields": [{"manager": "argocd-controller",
        "time": "2026-11-25T01:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}}))
    .expect("an object");
    insta::assert_snapshot!(judge(&down).expect_err("down"), @"StatefulSet mongo was scaled to 0 while it was waited for, and 1 are needed; argocd-controller set it last");
}

#[test]
fn one_pod_may_be_evicted_and_a_second_one_settles_it() {
    let mut before = Before::default();
    let mut judge = |pod: Pod| before.judge(&workload(), &seen(0, vec![pod])).map(line);
    judge(evicted("of another day")).expect("it failed before we began");
    judge(evicted("1")).expect("one may be");
    judge(evicted("1")).expect("it is the same one");
    judge(evicted("of another day")).expect("that one still does not count");
    insta::assert_snapshot!(judge(evicted("2")).expect_err("two"), @"StatefulSet mongo cannot get ready: pod mongo-0 failed, and another one before it: Evicted: low on memory");
}

#[test]
fn a_refusal_counts_when_it_happens_again() {
    let event = |version: &str, note: &str| -> Event {
        serde_json::from_value(json!({"metadata": {"uid": "e", "resourceVersion": version}, "eventTime": null,
            "reason": "FailedCreate", "type": "Warning", "note": note}))
        .expect("an event")
    };
    let quota =
        r#"create Pod mongo-0 in StatefulSet mongo failed error: pods "mongo-0" is forbidden: exceeded quota: few"#;
    let mut before = Before::default();
    let said = before.hear(&workload(), &[event("1", quota)]).expect("it may be of another day");
    assert_eq!(said.as_deref(), Some(quota));
    before.hear(&workload(), &[event("1", quota)]).expect("it has not moved");
    before.hear(&workload(), &[event("2", "etcdserver: request timed out")]).expect("an accident");
    insta::assert_snapshot!(before.hear(&workload(), &[event("3", quota)]).expect_err("refused"), @r#"StatefulSet mongo cannot get ready: the API server refuses its pods: create Pod mongo-0 in StatefulSet mongo failed error: pods "mongo-0" is forbidden: exceeded quota: few"#);
}

#[test]
fn a_specification_that_was_not_seen_yet_is_not_judged_by_the_pods_that_are_there() {
    let crash = json!({"phase": "Running", "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false,
        "restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}}]});
    let mut seen = seen(1, vec![pod("1", &crash)]);
    judge(&seen).expect_err("a crash loop");
    seen.object = serde_json::from_value(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}))
        .expect("an object");
    insta::assert_snapshot!(judge(&seen).expect("waited for"), @"StatefulSet mongo: 0 of 1 ready; pod mongo-0: container mongo: CrashLoopBackOff: back-off 5m0s; its controller has not seen its specification yet");
}
