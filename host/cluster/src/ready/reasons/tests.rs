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

fn seen(pod: &Pod) -> (Hope, String) {
    let obstacle = obstacle(pod, &Restarts::new()).expect("an obstacle");
    (obstacle.hope, obstacle.text)
}

#[test]
fn a_reason_is_final_or_passing() {
    // wording: kubernetes pkg/kubelet/kuberuntime, pkg/kubelet/images, pkg/kubelet/container
    for (reason, message, hope) in [
        ("CrashLoopBackOff", "back-off 10s restarting failed container", Hope::None),
        ("InvalidImageName", r#"Failed to apply default image tag "Mongo:7": couldn't parse image name"#, Hope::None),
        ("ErrImageNeverPull", r#"Container image "mongo:7" is not present with pull policy of Never"#, Hope::None),
        ("CreateContainerConfigError", r#"configmap "mongo" not found"#, Hope::None),
        ("CreateContainerConfigError", "couldn't find key uri in Secret shop/mongo", Hope::None),
        ("CreateContainerError", r#"failed to generate spec: path "/data" is mounted on "/""#, Hope::None),
        ("CreateContainerError", "context deadline exceeded", Hope::Passing),
        ("RunContainerError", r#"failed to create containerd task: exec: "mongodd": not found"#, Hope::None),
        ("ErrImagePull", "rpc error: code = NotFound desc = docker.io/library/mongo:77: not found", Hope::Passing),
        ("ImagePullBackOff", r#"Back-off pulling image "mongo:77": ErrImagePull: not found"#, Hope::Passing),
        ("ImageInspectError", "Failed to inspect image", Hope::Passing),
        ("ContainerCreating", "", Hope::SettingUp),
        ("SomethingNew", "in Kubernetes 1.99", Hope::Passing),
    ] {
        let (found, text) = seen(&pod(&waiting(reason, message)));
        assert_eq!(found, hope, "{reason}: {message}");
        assert!(text.starts_with(&format!("container mongo: {reason}")) && text.ends_with(message), "{text}");
    }
}

#[test]
fn a_crash_loop_says_how_it_ended() {
    let crashed = json!({
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container=mongo pod=mongo-0_shop(u)"}},
        "lastState": {"terminated": {"exitCode": 14, "reason": "Error", "message": "wiredtiger:\n  data corruption\n"}},
    });
    insta::assert_snapshot!(seen(&pod(&crashed)).1, @"container mongo: CrashLoopBackOff: back-off 40s restarting failed container; restarted 3 times, it ended last with exit code 14 (Error): wiredtiger: data corruption");
}

#[test]
fn a_crash_before_the_kubelet_backs_off_counts_from_the_second_restart_on() {
    let ended = |count: i32, exit: i32| {
        pod(
            &json!({"restartCount": count, "state": {"terminated": {"exitCode": exit, "reason": "OOMKilled", "signal": 9}}}),
        )
    };
    assert_eq!(seen(&ended(1, 137)).0, Hope::Passing);
    let (hope, text) = seen(&ended(2, 137));
    assert_eq!(hope, Hope::None);
    insta::assert_snapshot!(text, @"container mongo ended with exit code 137, signal 9 (OOMKilled), restarted 2 times");
    assert_ne!(seen(&ended(2, 0)).0, Hope::None, "it ended well");

    // seven restarts that a ready container had behind it are not ours
    let mut restarts = Restarts::new();
    note_restarts(&pod(&json!({"restartCount": 7, "ready": true, "state": {"running": {}}})), &mut restarts);
    assert_eq!(obstacle(&ended(8, 1), &restarts).map(|o| o.hope), Some(Hope::Passing));
    assert_eq!(obstacle(&ended(9, 1), &restarts).map(|o| o.hope), Some(Hope::None));
    // those of one that was not ready are
    let mut restarts = Restarts::new();
    note_restarts(&pod(&json!({"restartCount": 7, "state": {"running": {}}})), &mut restarts);
    assert_eq!(obstacle(&ended(8, 1), &restarts).map(|o| o.hope), Some(Hope::None));
}

#[test]
fn a_container_that_recovered_from_crashes_is_waited_for() {
    let running = json!({
        "restartCount": 5, "started": true, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    });
    let (hope, text) = seen(&pod(&running));
    assert_eq!((hope, text.as_str()), (Hope::Probed, "container mongo runs and is not ready"));
    let starting = json!({"started": false, "state": {"running": {}}});
    assert_eq!(seen(&pod(&starting)).1, "container mongo runs and has not started up");
}

#[test]
fn an_init_container_in_a_crash_loop_is_named_before_those_that_wait_for_it() {
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
    let (hope, text) = seen(&pod);
    assert_eq!(hope, Hope::None);
    assert_eq!(text, "init container chown: CrashLoopBackOff: back-off 20s");
}

#[test]
fn the_scheduler_is_waited_for_unless_a_claim_is_missing() {
    let unscheduled = |message: &str| {
        with_status(&json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}))
    };
    for (message, hope) in [
        (
            r#"0/1 nodes are available: persistentvolumeclaim "mongo-data" not found. not found"#,
            Hope::Claim("mongo-data".into()),
        ),
        (r#"persistentvolumeclaim "mongo-data" not found"#, Hope::Claim("mongo-data".into())),
        (r#"waiting for ephemeral volume controller to create the persistentvolumeclaim "x""#, Hope::Passing),
        (r#"persistentvolumeclaim "x" is being deleted"#, Hope::Passing),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", Hope::Passing),
        ("0/3 nodes are available: 3 Insufficient memory.", Hope::Passing),
    ] {
        let (found, text) = seen(&unscheduled(message));
        assert_eq!(found, hope);
        assert_eq!(text, format!("not scheduled: Unschedulable: {}", message.trim_end_matches('.')));
    }
}

#[test]
fn a_pod_that_is_ready_has_no_obstacle_and_a_readiness_gate_is_one() {
    let ready = |status: &str| {
        with_status(&json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": status, "reason": "ReadinessGatesNotReady",
             "message": "corresponding condition of pod readiness gate \"lb\" does not exist."}]}))
    };
    assert_eq!(obstacle(&ready("True"), &Restarts::new()), None);
    assert!(is_ready(&ready("True")));
    insta::assert_snapshot!(seen(&ready("False")).1, @r#"ReadinessGatesNotReady: corresponding condition of pod readiness gate "lb" does not exist"#);
    assert_eq!(seen(&with_status(&json!({"phase": "Pending"}))).1, "Pending");
}

#[test]
fn a_pod_that_failed_as_a_whole_says_why() {
    let evicted = with_status(
        &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "containerStatuses": [{"name": "mongo", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}]}),
    );
    insta::assert_snapshot!(failure(&evicted).expect("a failure"), @"Evicted: The node was low on resource: memory; container mongo: exit code 137 (Error)");
    assert_eq!(failure(&pod(&json!({}))), None);
}

#[test]
fn a_container_that_could_not_be_started_says_so_once() {
    let words = "failed to create containerd task: exec: \"/nowhere\": no such file";
    let unstarted = json!({"state": {"waiting": {"reason": "RunContainerError", "message": words}},
        "lastState": {"terminated": {"exitCode": 128, "reason": "StartError", "message": words}}});
    assert_eq!(seen(&pod(&unstarted)).1, format!("container mongo: RunContainerError: {words}"));
}
