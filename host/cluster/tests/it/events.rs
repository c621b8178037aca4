//! Events, annotations of the own Job, the own Job itself, and the claimed volumes.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    events::v1::Event,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{EventSpec, EventType, ProcessIdentity, container_images};
use taster_model::Diagnostic;

use crate::{
    cluster_client, control_plane,
    shop::{Shop, until},
};

fn event(note: &str) -> EventSpec {
    EventSpec { event_type: EventType::Warning, reason: "Different", action: "Tasting", note: note.to_owned() }
}

/// The Job `pre`, and its pod.
async fn hook(shop: &Shop) -> (Job, Pod) {
    let jobs: Api<Job> = shop.api();
    let job = json!({"metadata": {"name": "pre"}, "spec": {"activeDeadlineSeconds": 3600, "backoffLimit": 0, "template": {"spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 120, "containers": [{"name": "taste", "image": "taster"}]}}}});
    jobs.create(&PostParams::default(), &serde_json::from_value(job).expect("a Job")).await.expect("created");
    let pods: Api<Pod> = shop.api();
    let list = ListParams::default().labels("batch.kubernetes.io/job-name=pre");
    let pod = until("the Job's pod", || async { pods.list(&list).await.expect("pods").items.into_iter().next() }).await;
    let started = until("the Job's start", || async {
        let job = jobs.get("pre").await.expect("the Job");
        job.status.as_ref().is_some_and(|status| status.start_time.is_some()).then_some(job)
    });
    (started.await, pod)
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_own_job_is_found_by_its_name_or_by_its_pod_with_the_time_left() {
    let shop = Shop::open("job").await;
    let (job, pod) = hook(&shop).await;
    let me = ProcessIdentity {
        pod: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        namespace: Some(shop.namespace.clone()),
        job: None,
    };
    for me in [me.clone(), ProcessIdentity { job: Some("pre".into()), ..me.clone() }] {
        let own = cluster_client::cluster("default", me).await.own_job().await.expect("an answer").expect("a Job");
        assert_eq!((own.name.as_str(), Some(&own.uid)), ("pre", job.metadata.uid.as_ref()));
        assert_eq!(own.grace_period, Duration::from_mins(2));
        let left = own.time_left.expect("a deadline").as_secs();
        assert!((3600 - 120 - 60..=3600 - 120).contains(&left), "{left}");
    }
    for identity in [
        ProcessIdentity::default(),
        ProcessIdentity { uid: Some("another".into()), ..me.clone() },
        ProcessIdentity { pod: Some("laptop".into()), uid: None, ..me.clone() },
    ] {
        let own = cluster_client::cluster(&shop.namespace, identity.clone()).await.own_job().await.expect("an answer");
        assert_eq!(own, None, "{identity:?}");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_own_job_is_annotated_and_another_job_of_the_same_name_is_not() {
    let shop = Shop::open("annotate").await;
    let (job, pod) = hook(&shop).await;
    let me = ProcessIdentity {
        pod: pod.metadata.name,
        uid: pod.metadata.uid,
        namespace: Some(shop.namespace.clone()),
        job: Some("pre".into()),
    };
    let cluster = cluster_client::cluster("default", me).await;
    let own = cluster.own_job().await.expect("an answer").expect("a Job");
    let annotations = BTreeMap::from([("taster.dev/verdict".to_owned(), "different: orders: 34 missing".to_owned())]);
    cluster.annotate_job(&own, &annotations).await.expect("annotated");
    let jobs: Api<Job> = shop.api();
    let found = jobs.get("pre").await.expect("the Job").metadata;
    assert_eq!(found.annotations.expect("annotations")["taster.dev/verdict"], "different: orders: 34 missing");
    assert!(found.managed_fields.expect("managers").iter().any(|entry| entry.manager.as_deref() == Some("taster")));

    let before = taster_cluster::OwnJob { uid: "of-the-job-before".into(), ..own };
    cluster.annotate_job(&before, &annotations).await.expect_err("a retry created another Job of that name");
    assert_eq!(jobs.get("pre").await.expect("the Job").metadata.uid, job.metadata.uid);
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn kubectl_describe_finds_an_event() {
    let shop = Shop::open("events").await;
    let (job, pod) = hook(&shop).await;
    let mongo = shop.mongo().await;
    let me = ProcessIdentity {
        pod: pod.metadata.name.clone(),
        uid: pod.metadata.uid,
        namespace: Some(shop.namespace.clone()),
        job: Some("pre".into()),
    };
    let cluster = cluster_client::cluster(&shop.namespace, me).await;
    let own = cluster.own_job().await.expect("an answer").expect("a Job");
    cluster.publish_workload_event(&mongo.reference, event(&"ü".repeat(2000))).await.expect("an Event");
    cluster.publish_workload_event(&mongo.reference, event("a second one")).await.expect("another Event");
    cluster.publish_job_event(&own, event("different: orders: 34 missing")).await.expect("an Event");

    let events: Api<Event> = shop.api();
    let set: Api<k8s_openapi::api::apps::v1::StatefulSet> = shop.api();
    let uid = set.get("mongo").await.expect("the set").metadata.uid.expect("a UID");
    let ours = |uid: &str| ListParams::default().fields(&format!("regarding.uid={uid},reason=Different"));
    let mut found = events.list(&ours(&uid)).await.expect("events").items;
    found.sort_by_key(|event| event.note.as_ref().map(String::len));
    assert_eq!(
        found.iter().map(|event| event.note.as_ref().map(String::len)).collect::<Vec<_>>(),
        [Some(12), Some(1023)]
    );
    assert_eq!(found[0].reporting_controller.as_deref(), Some("taster.dev/taster"));
    assert_eq!(found[0].reporting_instance, pod.metadata.name);
    let of_job = events.list(&ours(job.metadata.uid.as_deref().expect("a UID"))).await.expect("events").items;
    assert_eq!(of_job.len(), 1);
    assert_eq!(of_job[0].note.as_deref(), Some("different: orders: 34 missing"));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_claimed_volumes_of_a_stateful_set_without_pods_are_found() {
    let shop = Shop::open("volumes").await;
    let volume = |claim: &str| format!("{}-{claim}", shop.namespace);
    let claims: Api<PersistentVolumeClaim> = shop.api();
    let all: Api<PersistentVolume> = Api::all(shop.client.clone());
    for claim in ["data-mongo-0", "shared"] {
        let spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/nowhere"},
            "storageClassName": volume(claim)});
        let object = json!({"metadata": {"name": volume(claim)}, "spec": spec});
        all.create(&PostParams::default(), &serde_json::from_value(object).expect("a volume")).await.expect("created");
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": volume(claim), "volumeName": volume(claim)});
        let object = json!({"metadata": {"name": claim}, "spec": spec});
        claims
            .create(&PostParams::default(), &serde_json::from_value(object).expect("a claim"))
            .await
            .expect("created");
    }
    let template = |volumes: Value| {
        json!({"metadata": {"labels": {"app": "mongo"}}, "spec": {"volumes": volumes,
            "containers": [{"name": "mongo", "image": "mongo:7"}]}})
    };
    let of_claim = json!([{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
        {"name": "gone", "persistentVolumeClaim": {"claimName": "gone"}}]);
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mongo"}, "spec": {
        "replicas": 0, "serviceName": "mongo", "selector": {"matchLabels": {"app": "mongo"}}, "template": template(of_claim),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}}]}});
    assert_eq!(container_images(&set["spec"]["template"])[0].image, "mongo:7");
    let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> = shop.api();
    sets.create(&PostParams::default(), &serde_json::from_value(set).expect("a set")).await.expect("created");
    let of =
        taster_cluster::WorkloadRef { api_version: "apps/v1".into(), kind: "StatefulSet".into(), name: "mongo".into() };
    let found = shop.cluster.claimed_volumes(&of).await.expect("an answer");
    assert_eq!(found, [format!("data-mongo-0={}", volume("data-mongo-0")), format!("shared={}", volume("shared"))]);
    for claim in ["data-mongo-0", "shared"] {
        all.delete(&volume(claim), &kube::api::DeleteParams::default()).await.expect("deleted");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_missing_right_is_named() {
    let shop = Shop::open("events-rights").await;
    let (_, pod) = hook(&shop).await;
    let mongo = shop.mongo().await;
    let me = ProcessIdentity {
        pod: pod.metadata.name.clone(),
        uid: pod.metadata.uid,
        namespace: Some(shop.namespace.clone()),
        job: Some("pre".into()),
    };
    let admin = cluster_client::cluster(&shop.namespace, me.clone()).await;
    let own = admin.own_job().await.expect("an answer").expect("a Job");
    let unprivileged = control_plane::client_with(&shop.namespace, &json!([])).await;
    let unprivileged = cluster_client::cluster_of(unprivileged, &shop.namespace, me);
    let annotations = BTreeMap::from([("taster.dev/run".to_owned(), "1".to_owned())]);
    let pod = pod.metadata.name.expect("a name");
    for (error, text) in [
        (unprivileged.own_job().await.map(drop), format!("get pods {pod}")),
        (unprivileged.annotate_job(&own, &annotations).await, "patch jobs pre".to_owned()),
        (unprivileged.publish_job_event(&own, event("x")).await, "create events".to_owned()),
        (unprivileged.publish_workload_event(&mongo.reference, event("x")).await, "get statefulsets mongo".to_owned()),
        (unprivileged.claimed_volumes(&mongo.reference).await.map(drop), "get statefulsets mongo".to_owned()),
    ] {
        let error = error.expect_err("it may not");
        assert_eq!(error.code(), "T0702");
        assert_eq!(error.to_string(), format!("the ServiceAccount may not {text} in namespace {}", shop.namespace));
    }
}
