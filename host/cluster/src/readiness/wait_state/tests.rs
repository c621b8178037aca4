use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{readiness::pods::CurrentRevision, workload::WorkloadRef};

fn workload() -> Workload {
    Workload {
        reference: WorkloadRef { api_version: "apps/v1".into(), kind: "StatefulSet".into(), name: "mongo".into() },
        replicas: 1,
        ready_timeout: Duration::from_mins(1),
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
fn observation(count: i32, pods: Vec<Pod>) -> WorkloadObservation {
    WorkloadObservation {
        wanted_replicas: 1,
        replicas: count,
        ready_replicas: Some(count),
        updated_replicas: Some(count),
        pods: Some(WorkloadPods::sort(pods, &CurrentRevision::Any)),
        ..WorkloadObservation::default()
    }
}

fn line(readiness: Readiness) -> String {
    match readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::Pending(pending) => pending.describe(&workload()),
    }
}

fn evaluate(observation: &WorkloadObservation) -> Result<String, ReadinessError> {
    WaitState::default().evaluate(&workload(), observation).map(line)
}

/// Removes one thing that a ready workload has.
type Remove = fn(&mut WorkloadObservation);

#[test]
fn a_single_low_count_keeps_it_from_being_ready() {
    assert_eq!(evaluate(&observation(1, vec![ready_pod()])).expect("ready"), "ready");
    let short: [(&str, Remove); 6] = [
        ("replicas", |observation| observation.replicas = 0),
        ("readyReplicas", |observation| observation.ready_replicas = Some(0)),
        ("updatedReplicas", |observation| observation.updated_replicas = Some(0)),
        ("a pod that is ready", |observation| observation.pods = Some(WorkloadPods::default())),
        ("the observed generation", |observation| {
            observation.object =
                serde_json::from_value(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}))
                    .expect("an object");
        }),
        ("the pods of an older revision being gone", |observation| {
            observation.pods = Some(WorkloadPods {
                older: vec![ready_pod()],
                ..WorkloadPods::sort(vec![ready_pod()], &CurrentRevision::Any)
            });
        }),
    ];
    for (what, remove) in short {
        let mut observation = observation(1, vec![ready_pod()]);
        remove(&mut observation);
        assert_ne!(evaluate(&observation).expect("it is waited for"), "ready", "without {what}");
    }
    // a kind that counts nothing but replicas, and names no pods
    let mut bare = observation(1, vec![]);
    (bare.ready_replicas, bare.updated_replicas, bare.pods) = (None, None, None);
    assert_eq!(evaluate(&bare).expect("ready"), "ready");
    bare.replicas = 0;
    insta::assert_snapshot!(evaluate(&bare).expect("waited for"), @"StatefulSet mongo: 0 of 1 ready; its pods are unknown, because its scale has no selector");
}

#[test]
fn a_pending_workload_is_described_on_one_line() {
    let pulling = json!({"phase": "Pending", "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"mongo:77\""}}}]});
    let mut waited = observation(0, (0..5).map(|n| pod(&n.to_string(), &pulling)).collect());
    waited.pods.as_mut().expect("pods").current.truncate(1);
    insta::assert_snapshot!(evaluate(&waited).expect("waited for"), @r#"StatefulSet mongo: 0 of 1 ready; pod mongo-0: container mongo: ImagePullBackOff: Back-off pulling image "mongo:77""#);
    let many = observation(0, (0..5).map(|n| pod(&n.to_string(), &pulling)).collect());
    assert!(evaluate(&many).expect("waited for").ends_with("and 2 more"));
}

#[test]
fn scaling_down_by_another_client_is_an_error() {
    let mut down = observation(0, vec![]);
    down.wanted_replicas = 0;
    down.object = serde_json::from_value(json!({"metadata": {"managedFields": [{"manager": "argocd-controller",
        "time": "2026-11-25T01:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}}))
    .expect("an object");
    insta::assert_snapshot!(evaluate(&down).expect_err("down"), @"StatefulSet mongo was scaled to 0 before it became ready; 1 needed; last set by argocd-controller");
}

#[test]
fn one_evicted_pod_is_tolerated_and_a_second_is_an_error() {
    let mut state = WaitState::default();
    let mut evaluate = |pod: Pod| state.evaluate(&workload(), &observation(0, vec![pod])).map(line);
    evaluate(evicted("of another day")).expect("it failed before we began");
    evaluate(evicted("1")).expect("one may be");
    evaluate(evicted("1")).expect("it is the same one");
    evaluate(evicted("of another day")).expect("that one still does not count");
    insta::assert_snapshot!(evaluate(evicted("2")).expect_err("two"), @"StatefulSet mongo cannot become ready: pod mongo-0 failed, as another one before it: Evicted: low on memory");
}

#[test]
fn a_rejection_counts_when_it_happens_again() {
    let event = |version: &str, note: &str| -> Event {
        serde_json::from_value(json!({"metadata": {"uid": "e", "resourceVersion": version}, "eventTime": null,
            "reason": "FailedCreate", "type": "Warning", "note": note}))
        .expect("an event")
    };
    let quota =
        r#"create Pod mongo-0 in StatefulSet mongo failed error: pods "mongo-0" is forbidden: exceeded quota: few"#;
    let mut state = WaitState::default();
    let message = state.observe_events(&workload(), &[event("1", quota)]).expect("it may be of another day");
    assert_eq!(message.as_deref(), Some(quota));
    state.observe_events(&workload(), &[event("1", quota)]).expect("it has not moved");
    state.observe_events(&workload(), &[event("2", "etcdserver: request timed out")]).expect("an accident");
    insta::assert_snapshot!(state.observe_events(&workload(), &[event("3", quota)]).expect_err("refused"), @r#"StatefulSet mongo cannot become ready: the API server rejects its pods: create Pod mongo-0 in StatefulSet mongo failed error: pods "mongo-0" is forbidden: exceeded quota: few"#);
}

#[test]
fn pods_do_not_count_until_the_specification_is_observed() {
    let crash = json!({"phase": "Running", "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false,
        "restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}}]});
    let mut observation = observation(1, vec![pod("1", &crash)]);
    evaluate(&observation).expect_err("a crash loop");
    observation.object =
        serde_json::from_value(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}))
            .expect("an object");
    insta::assert_snapshot!(evaluate(&observation).expect("waited for"), @"StatefulSet mongo: 0 of 1 ready; pod mongo-0: container mongo: CrashLoopBackOff: back-off 5m0s; its controller has not observed its specification yet");
}
