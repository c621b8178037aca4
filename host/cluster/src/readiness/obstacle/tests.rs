use serde_json::{Value, json};

use super::*;

/// A pod with one container, `mongo`, in this state.
fn pod(container: &Value) -> Pod {
    let mut status = json!({"name": "mongo", "image": "mongo:7", "imageID": "", "ready": false, "restartCount": 0});
    for (key, value) in container.as_object().expect("an object") {
        status[key] = value.clone();
    }
    with_status(&json!({"phase": "Pending", "containerStatuses": [status]}))
}

fn with_status(status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "mongo-0", "uid": "u"}, "status": status})).expect("a pod")
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": message}}})
}

fn obstacle_of(pod: &Pod) -> (Recoverability, String) {
    let obstacle = find_obstacle(pod, &RestartCounts::new()).expect("an obstacle");
    (obstacle.recoverability, obstacle.text)
}

#[test]
fn every_reason_is_recoverable_or_not() {
    // wording: kubernetes pkg/kubelet/kuberuntime, pkg/kubelet/images, pkg/kubelet/container
    for (reason, message, recoverability) in [
        ("CrashLoopBackOff", "back-off 10s restarting failed container", Recoverability::Impossible),
        (
            "InvalidImageName",
            r#"Failed to apply default image tag "Mongo:7": couldn't parse image name"#,
            Recoverability::Impossible,
        ),
        (
            "ErrImageNeverPull",
            r#"Container image "mongo:7" is not present with pull policy of Never"#,
            Recoverability::Impossible,
        ),
        ("CreateContainerConfigError", r#"configmap "mongo" not found"#, Recoverability::Impossible),
        ("CreateContainerConfigError", "couldn't find key uri in Secret shop/mongo", Recoverability::Impossible),
        (
            "CreateContainerError",
            r#"failed to generate spec: path "/data" is mounted on "/""#,
            Recoverability::Impossible,
        ),
        ("CreateContainerError", "context deadline exceeded", Recoverability::Possible),
        (
            "RunContainerError",
            r#"failed to create containerd task: exec: "mongodd": not found"#,
            Recoverability::Impossible,
        ),
        (
            "ErrImagePull",
            "rpc error: code = NotFound desc = docker.io/library/mongo:77: not found",
            Recoverability::Possible,
        ),
        ("ImagePullBackOff", r#"Back-off pulling image "mongo:77": ErrImagePull: not found"#, Recoverability::Possible),
        ("ImageInspectError", "Failed to inspect image", Recoverability::Possible),
        ("ContainerCreating", "", Recoverability::SettingUp),
        ("SomethingNew", "in Kubernetes 1.99", Recoverability::Possible),
    ] {
        let (found, text) = obstacle_of(&pod(&waiting(reason, message)));
        assert_eq!(found, recoverability, "{reason}: {message}");
        assert!(text.starts_with(&format!("container mongo: {reason}")) && text.ends_with(message), "{text}");
    }
}

#[test]
fn a_crash_loop_includes_how_the_container_ended() {
    let crashed = json!({
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container=mongo pod=mongo-0_shop(u)"}},
        "lastState": {"terminated": {"exitCode": 14, "reason": "Error", "message": "wiredtiger:\n  data corruption\n"}},
    });
    insta::assert_snapshot!(obstacle_of(&pod(&crashed)).1, @"container mongo: CrashLoopBackOff: back-off 40s restarting failed container; restarted 3 times, last ended with exit code 14 (Error): wiredtiger: data corruption");
}

#[test]
fn a_crash_is_unrecoverable_from_the_second_restart_on() {
    let ended = |count: i32, exit: i32| {
        pod(
            &json!({"restartCount": count, "state": {"terminated": {"exitCode": exit, "reason": "OOMKilled", "signal": 9}}}),
        )
    };
    assert_eq!(obstacle_of(&ended(1, 137)).0, Recoverability::Possible);
    let (recoverability, text) = obstacle_of(&ended(2, 137));
    assert_eq!(recoverability, Recoverability::Impossible);
    insta::assert_snapshot!(text, @"container mongo ended with exit code 137, signal 9 (OOMKilled), restarted 2 times");
    assert_ne!(obstacle_of(&ended(2, 0)).0, Recoverability::Impossible, "it ended well");

    // the earlier restarts of a container that was ready do not count
    let mut restarts = RestartCounts::new();
    record_restarts(&pod(&json!({"restartCount": 7, "ready": true, "state": {"running": {}}})), &mut restarts);
    assert_eq!(find_obstacle(&ended(8, 1), &restarts).map(|o| o.recoverability), Some(Recoverability::Possible));
    assert_eq!(find_obstacle(&ended(9, 1), &restarts).map(|o| o.recoverability), Some(Recoverability::Impossible));
    // those of a container that was not ready do
    let mut restarts = RestartCounts::new();
    record_restarts(&pod(&json!({"restartCount": 7, "state": {"running": {}}})), &mut restarts);
    assert_eq!(find_obstacle(&ended(8, 1), &restarts).map(|o| o.recoverability), Some(Recoverability::Impossible));
}

#[test]
fn a_container_that_recovered_from_crashes_is_waited_for() {
    let running = json!({
        "restartCount": 5, "started": true, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    });
    let (recoverability, text) = obstacle_of(&pod(&running));
    assert_eq!((recoverability, text.as_str()), (Recoverability::Probed, "container mongo runs, but is not ready"));
    let starting = json!({"started": false, "state": {"running": {}}});
    assert_eq!(obstacle_of(&pod(&starting)).1, "container mongo runs, but its startup probe has not succeeded");
}

#[test]
fn an_init_container_in_a_crash_loop_comes_before_the_containers_that_wait_for_it() {
    let pod = with_status(&json!({
        "phase": "Pending",
        "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "PodInitializing"}}}],
        "initContainerStatuses": [
            {"name": "done", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            {"name": "chown", "image": "", "imageID": "", "ready": false, "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}}],
    }));
    let (recoverability, text) = obstacle_of(&pod);
    assert_eq!(recoverability, Recoverability::Impossible);
    assert_eq!(text, "init container chown: CrashLoopBackOff: back-off 20s");
}

#[test]
fn an_unscheduled_pod_is_recoverable_unless_a_claim_is_missing() {
    let unscheduled = |message: &str| {
        with_status(&json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}))
    };
    for (message, recoverability) in [
        (
            r#"0/1 nodes are available: persistentvolumeclaim "mongo-data" not found. not found"#,
            Recoverability::UnlessClaimMissing("mongo-data".into()),
        ),
        (r#"persistentvolumeclaim "mongo-data" not found"#, Recoverability::UnlessClaimMissing("mongo-data".into())),
        (
            r#"waiting for ephemeral volume controller to create the persistentvolumeclaim "x""#,
            Recoverability::Possible,
        ),
        (r#"persistentvolumeclaim "x" is being deleted"#, Recoverability::Possible),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", Recoverability::Possible),
        ("0/3 nodes are available: 3 Insufficient memory.", Recoverability::Possible),
    ] {
        let (found, text) = obstacle_of(&unscheduled(message));
        assert_eq!(found, recoverability);
        assert_eq!(text, format!("not scheduled: Unschedulable: {}", message.trim_end_matches('.')));
    }
}

#[test]
fn a_ready_pod_has_no_obstacle_and_a_readiness_gate_is_one() {
    let ready = |status: &str| {
        with_status(&json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": status, "reason": "ReadinessGatesNotReady",
             "message": "corresponding condition of pod readiness gate \"lb\" does not exist."}]}))
    };
    assert_eq!(find_obstacle(&ready("True"), &RestartCounts::new()), None);
    assert!(is_ready(&ready("True")));
    insta::assert_snapshot!(obstacle_of(&ready("False")).1, @r#"ReadinessGatesNotReady: corresponding condition of pod readiness gate "lb" does not exist"#);
    assert_eq!(obstacle_of(&with_status(&json!({"phase": "Pending"}))).1, "Pending");
}

#[test]
fn a_pod_that_failed_as_a_whole_has_a_reason() {
    let evicted = with_status(
        &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}]}),
    );
    insta::assert_snapshot!(pod_failure(&evicted).expect("a failure"), @"Evicted: The node was low on resource: memory; container mongo: exit code 137 (Error)");
    assert_eq!(pod_failure(&pod(&json!({}))), None);
}

#[test]
fn a_container_that_could_not_be_started_is_reported_once() {
    let message = "failed to create containerd task: exec: \"/nowhere\": no such file";
    let unstarted = json!({"state": {"waiting": {"reason": "RunContainerError", "message": message}},
        "lastState": {"terminated": {"exitCode": 128, "reason": "StartError", "message": message}}});
    assert_eq!(obstacle_of(&pod(&unstarted)).1, format!("container mongo: RunContainerError: {message}"));
}
