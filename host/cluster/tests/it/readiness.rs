//! Waiting for readiness: an unrecoverable state is an error within ten seconds, any other one at the deadline.

use std::time::{Duration, Instant};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, ResourceQuota},
    events::v1::Event,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{ClusterError, ReadinessError, Workload};

use crate::{
    background_wait::BackgroundWait,
    shop::{Shop, container, ready, until, waits},
};

/// Longer than any wait of these tests takes.
const LONG: Duration = Duration::from_mins(1);

/// How soon an unrecoverable state is an error.
const EARLY: Duration = Duration::from_secs(10);

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_unrecoverable_state_is_an_error_within_ten_seconds() {
    let shop = Shop::open("unrecoverable").await;
    let mongo = shop.mongo().await;
    let pod = shop.pod("mongo", "mongo:7").await;
    let crash = container(&json!({"restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=main"}},
        "lastState": {"terminated": {"exitCode": 100, "reason": "Error", "message": "Unable to lock the lock file"}}}));
    let mut init = waits("PodInitializing", "");
    init["initContainerStatuses"] = json!([{"name": "chown", "image": "x", "imageID": "", "ready": false, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}]);
    let twice =
        container(&json!({"restartCount": 2, "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}));
    for (status, text) in [
        (
            crash,
            "container main: CrashLoopBackOff: back-off 20s restarting failed container; restarted 2 times, last ended with exit code 100 (Error): Unable to lock the lock file",
        ),
        (init, "init container chown: CrashLoopBackOff"),
        (
            waits("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
            "ErrImageNeverPull: Container",
        ),
        (waits("InvalidImageName", "couldn't parse image name"), "InvalidImageName: couldn't parse image name"),
        (
            waits("CreateContainerConfigError", "secret \"mongo\" not found"),
            "CreateContainerConfigError: secret \"mongo\" not found",
        ),
        (waits("CreateContainerError", "failed to generate spec"), "CreateContainerError"),
        (waits("RunContainerError", "exec: \"mongodd\": not found"), "RunContainerError: exec"),
        (twice, "exit code 137 (OOMKilled)"),
    ] {
        // starts with a recoverable state
        shop.kubelet(&pod, &waits("ContainerCreating", "")).await;
        let waiting = BackgroundWait::start(&shop.cluster, &mongo, LONG);
        waiting.reported("container main: ContainerCreating").await;
        shop.kubelet(&pod, &status).await;
        let changed = Instant::now();
        let error = waiting.error().await;
        assert!(changed.elapsed() < EARLY, "{text}: {:?}", changed.elapsed());
        assert!(error.contains(text) && error.contains("pod mongo-0"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_recoverable_state_is_reported_at_once_and_an_error_at_the_deadline() {
    let shop = Shop::open("passing").await;
    let mongo = shop.mongo().await;
    let pod = shop.pod("mongo", "mongo:7").await;
    let mut unscheduled = waits("ContainerCreating", "");
    unscheduled["conditions"][0] = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory."});
    for (status, text) in [
        (waits("ErrImagePull", "mongo:77: not found"), "ErrImagePull: mongo:77: not found"),
        (waits("ImagePullBackOff", "Back-off pulling image"), "ImagePullBackOff"),
        (waits("CreateContainerError", "context deadline exceeded"), "CreateContainerError: context deadline exceeded"),
        (unscheduled, "not scheduled: Unschedulable: 0/1 nodes are available: 1 Insufficient memory"),
        (container(&json!({"state": {"running": {}}, "started": true})), "container main runs, but is not ready"),
    ] {
        shop.kubelet(&pod, &status).await;
        let limit = Duration::from_millis(2500);
        let waited = shop.wait(&mongo, limit).await.expect("no panic");
        assert!(waited.took >= limit && waited.took < limit + EARLY, "{text}: {:?}", waited.took);
        let reported =
            waited.said.iter().any(|said| said.contains(text) && said.starts_with("StatefulSet mongo: 0 of 1 ready; "));
        assert!(reported, "{text}: {:?}", waited.said);
        assert!(waited.error().contains(text), "{}", waited.error());
        assert!(matches!(waited.result, Err(ClusterError::Readiness(ReadinessError::Timeout { .. }))));
    }
    shop.kubelet(&pod, &ready()).await;
    shop.wait(&mongo, LONG).await.expect("no panic").result.expect("it got ready after all");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_events_of_a_pod_add_the_cause() {
    let shop = Shop::open("events").await;
    let mongo = shop.mongo().await;
    let pod = shop.pod("mongo", "mongo:7").await;
    let events: Api<Event> = shop.api();
    let running = container(&json!({"state": {"running": {}}, "started": true}));
    for (n, (status, kind, reason, note, text)) in [
        (waits("ContainerCreating", ""), "Normal", "Pulling", "Pulling image \"mongo:7\"", "Pulling image \"mongo:7\""),
        (
            waits("ContainerCreating", ""),
            "Warning",
            "FailedAttachVolume",
            "Multi-Attach error",
            "FailedAttachVolume: Multi-Attach error",
        ),
        (
            waits("ContainerCreating", ""),
            "Warning",
            "FailedMount",
            "MountVolume.SetUp failed",
            "FailedMount: MountVolume.SetUp failed",
        ),
        (
            running,
            "Warning",
            "Unhealthy",
            "Readiness probe failed: refused",
            "is not ready: Unhealthy: Readiness probe failed: refused",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        shop.kubelet(&pod, &status).await;
        let event = json!({"metadata": {"name": format!("e{n}")}, "eventTime": k8s_openapi::jiff::Timestamp::now(),
            "reportingController": "kubelet", "reportingInstance": "node", "action": "x", "type": kind, "reason": reason,
            "note": note, "regarding": {"kind": "Pod", "namespace": shop.namespace, "name": "mongo-0", "uid": pod.metadata.uid}});
        events
            .create(&PostParams::default(), &serde_json::from_value(event).expect("an event"))
            .await
            .expect("created");
        let waited = shop.wait(&mongo, Duration::from_millis(1500)).await.expect("no panic");
        assert!(waited.error().contains(text), "{}", waited.error());
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_pods_that_a_rollout_replaces_do_not_count() {
    let shop = Shop::open("rollout").await;
    let web = shop.web().await;
    let old = shop.pod("web", "pxbbq-web:v4.2").await;
    shop.kubelet(&old, &waits("CrashLoopBackOff", "back-off 5m0s")).await;
    let error = shop.wait(&web, LONG).await.expect("no panic").error();
    assert!(error.contains("CrashLoopBackOff"), "as long as it is the current one: {error}");

    let deployments: Api<Deployment> = shop.api();
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "pxbbq-web:v4.3"}]}}}});
    deployments.patch("web", &PatchParams::default(), &Patch::Strategic(image)).await.expect("patched");
    let waiting = BackgroundWait::start(&shop.cluster, &web, LONG);
    let new = shop.pod("web", "pxbbq-web:v4.3").await;
    waiting.reported(&format!("pod {}: ", new.metadata.name.as_deref().expect("a name"))).await;
    assert!(!waiting.is_finished(), "the new pod is not ready");
    assert!(waiting.has_reported(&format!("of an older revision: {}", old.metadata.name.expect("a name"))));
    shop.kubelet(&new, &ready()).await;
    waiting.result().await.expect("the new pod is ready");

    // a ready old pod does not hide a new one that crashes
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "pxbbq-web:v4.4"}]}}}});
    deployments.patch("web", &PatchParams::default(), &Patch::Strategic(image)).await.expect("patched");
    let waiting = shop.wait(&web, LONG);
    let newest = shop.pod("web", "pxbbq-web:v4.4").await;
    shop.kubelet(&newest, &waits("CrashLoopBackOff", "back-off 10s")).await;
    let error = waiting.await.expect("no panic").error();
    assert!(error.contains("back-off 10s"), "{error}");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_exceeded_quota_is_an_error_that_names_it() {
    let shop = Shop::open("quota").await;
    let quotas: Api<ResourceQuota> = shop.api();
    let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).expect("a quota")).await.expect("created");
    until("the quota's count", || async {
        quotas.get("few").await.expect("the quota").status.and_then(|status| status.hard).map(drop)
    })
    .await;
    for workload in [shop.mongo().await, shop.web().await] {
        let waited = shop.wait(&workload, LONG).await.expect("no panic");
        assert!(waited.took < EARLY, "{:?}", waited.took);
        let error = waited.error();
        assert!(error.contains("exceeded quota: few, requested: pods=1"), "{error}");
        assert!(
            error
                .starts_with(&format!("{} cannot become ready: the API server rejects its pods: ", workload.reference)),
            "{error}"
        );
        assert!(matches!(waited.result, Err(ClusterError::Readiness(ReadinessError::PodsRejected { .. }))));
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_missing_claim_is_an_error_and_an_existing_one_is_waited_for() {
    let shop = Shop::open("claim").await;
    let mongo = shop.mongo().await;
    let pod = shop.pod("mongo", "mongo:7").await;
    let mut unscheduled = waits("ContainerCreating", "");
    unscheduled["containerStatuses"] = Value::Null;
    unscheduled["conditions"][0] = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: persistentvolumeclaim \"mongo-data\" not found. not found"});
    shop.kubelet(&pod, &unscheduled).await;
    let waited = shop.wait(&mongo, LONG).await.expect("no panic");
    assert!(waited.took < EARLY);
    assert!(waited.error().contains("persistentvolumeclaim \"mongo-data\" not found"), "{}", waited.error());

    let claims: Api<PersistentVolumeClaim> = shop.api();
    let claim = json!({"metadata": {"name": "mongo-data"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    claims.create(&PostParams::default(), &serde_json::from_value(claim).expect("a claim")).await.expect("created");
    let waited = shop.wait(&mongo, Duration::from_secs(2)).await.expect("no panic");
    assert!(
        matches!(waited.result, Err(ClusterError::Readiness(ReadinessError::Timeout { .. }))),
        "{:?}",
        waited.result
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_second_evicted_pod_is_an_error() {
    let shop = Shop::open("evicted").await;
    let web = shop.web().await;
    let waiting = BackgroundWait::start(&shop.cluster, &web, LONG);
    // failed pods stay; the controller creates new ones beside them
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..2 {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = shop.api();
        let next = until("a new pod", || async {
            let found = pods.list(&kube::api::ListParams::default()).await.expect("pods").items;
            found.into_iter().find(|pod| !seen.contains(pod.metadata.uid.as_ref().expect("a UID")))
        })
        .await;
        seen.push(next.metadata.uid.clone().expect("a UID"));
        waiting.reported(&format!("pod {}: ", next.metadata.name.as_deref().expect("a name"))).await;
        shop.kubelet(
            &next,
            &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
        )
        .await;
    }
    let error = waiting.error().await;
    assert!(
        error.contains("failed, as another one before it: Evicted: The node was low on resource: memory"),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn scaling_down_or_deleting_the_workload_is_an_error_at_once() {
    let shop = Shop::open("meanwhile").await;
    let web = shop.web().await;
    shop.pod("web", "pxbbq-web:v4.2").await;
    let deployments: Api<Deployment> = shop.api();

    let waiting = BackgroundWait::start(&shop.cluster, &web, LONG);
    waiting.reported("0 of 1 ready").await;
    let down = PatchParams { field_manager: Some("argocd-controller".into()), ..PatchParams::default() };
    deployments.patch("web", &down, &Patch::Merge(json!({"spec": {"replicas": 0}}))).await.expect("patched");
    let error = waiting.error().await;
    assert_eq!(error, "Deployment web was scaled to 0 before it became ready; 1 needed; last set by argocd-controller");

    deployments.patch("web", &down, &Patch::Merge(json!({"spec": {"replicas": 1}}))).await.expect("patched");
    let waiting = BackgroundWait::start(&shop.cluster, &web, LONG);
    waiting.reported("0 of 1 ready").await;
    deployments.delete("web", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(waiting.error().await, "Deployment web was deleted before it became ready");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn more_replicas_than_wanted_need_not_be_ready() {
    let shop = Shop::open("count").await;
    let web = Workload { replicas: 2, ..shop.web().await };
    let deployments: Api<Deployment> = shop.api();
    let three = json!({"spec": {"replicas": 3}});
    deployments.patch("web", &PatchParams::default(), &Patch::Merge(three)).await.expect("patched");
    let pods: Api<k8s_openapi::api::core::v1::Pod> = shop.api();
    let three = until("three pods", || async {
        let found = pods.list(&kube::api::ListParams::default()).await.expect("pods").items;
        (found.len() == 3).then_some(found)
    })
    .await;
    shop.kubelet(&three[0], &ready()).await;
    let waited = shop.wait(&web, Duration::from_secs(2)).await.expect("no panic");
    assert!(waited.error().contains("1 of 2 ready"), "{}", waited.error());
    shop.kubelet(&three[1], &ready()).await;
    shop.wait(&web, LONG).await.expect("no panic").result.expect("two of three are enough");
}
