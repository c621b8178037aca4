//! A namespace of its own with workloads in it, and somebody who plays the kubelet: it writes what a kubelet would write
//! in the status of a pod.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{Cluster, ClusterError, ProcessIdentity, Workload, WorkloadRef};
use taster_testkit::wait_for;

use crate::{cluster_client, control_plane};

/// How long a controller may take to do what it was asked.
const CONTROLLER_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Shop {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) cluster: Cluster,
}

/// What came of a wait, and what was said meanwhile.
pub(crate) struct Waited {
    pub(crate) result: Result<(), ClusterError>,
    pub(crate) said: Vec<String>,
    pub(crate) took: Duration,
}

impl Waited {
    /// The error's text.
    pub(crate) fn error(&self) -> String {
        self.result.as_ref().expect_err(&format!("an error, after {:?}", self.said)).to_string()
    }
}

impl Shop {
    pub(crate) async fn open(name: &str) -> Self {
        let client = control_plane::client().await;
        let namespace = format!("{name}-{}", ulid::Ulid::generate().to_string().to_lowercase());
        let spaces: Api<Namespace> = Api::all(client.clone());
        let space = serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("a namespace");
        spaces.create(&PostParams::default(), &space).await.expect("a namespace of our own");
        let cluster = cluster_client::cluster(&namespace, ProcessIdentity::default()).await;
        let shop = Self { client, namespace, cluster };
        // pods are refused before it is there
        let accounts: Api<ServiceAccount> = shop.api();
        until("the namespace's account", || async { accounts.get_opt("default").await.expect("an answer").map(drop) })
            .await;
        shop
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The StatefulSet `mongo`, at one replica.
    pub(crate) async fn mongo(&self) -> Workload {
        let sets: Api<StatefulSet> = self.api();
        let set = workload("StatefulSet", "mongo", "mongo:7");
        sets.create(&PostParams::default(), &serde_json::from_value(set).expect("a set")).await.expect("created");
        wanted("StatefulSet", "mongo")
    }

    /// The Deployment `web`, at one replica.
    pub(crate) async fn web(&self) -> Workload {
        let deployments: Api<Deployment> = self.api();
        let deployment = workload("Deployment", "web", "pxbbq-web:v4.2");
        let deployment = serde_json::from_value(deployment).expect("a deployment");
        deployments.create(&PostParams::default(), &deployment).await.expect("created");
        wanted("Deployment", "web")
    }

    /// The pod of this workload with this image, once the controller manager has made it.
    pub(crate) async fn pod(&self, workload: &str, image: &str) -> Pod {
        let pods: Api<Pod> = self.api();
        let list = ListParams::default().labels(&format!("app={workload}"));
        until(&format!("a pod of {workload}"), || async {
            let found = pods.list(&list).await.expect("pods").items;
            found.into_iter().find(|pod| {
                let spec = pod.spec.as_ref().expect("a specification");
                pod.metadata.deletion_timestamp.is_none() && spec.containers[0].image.as_deref() == Some(image)
            })
        })
        .await
    }

    /// Writes a pod's status, as the kubelet (or the scheduler) does.
    pub(crate) async fn kubelet(&self, pod: &Pod, status: &Value) {
        let pods: Api<Pod> = self.api();
        let name = pod.metadata.name.as_deref().expect("a name");
        let patch = Patch::Merge(json!({"status": status}));
        pods.patch_status(name, &PatchParams::default(), &patch).await.expect("the status of a pod");
    }

    /// Waits in the background, so long at most.
    pub(crate) fn wait(&self, workload: &Workload, at_most: Duration) -> tokio::task::JoinHandle<Waited> {
        let (cluster, workload) = (self.cluster.clone(), workload.clone());
        tokio::spawn(async move {
            let said = Arc::new(Mutex::new(Vec::new()));
            let hear = |text: &str| said.lock().expect("a list").push(text.to_owned());
            let began = Instant::now();
            let result = cluster.wait_until_ready(&workload, began + at_most, &hear).await;
            let took = began.elapsed();
            let said = said.lock().expect("a list").clone();
            Waited { result, said, took }
        })
    }
}

/// The status of a pod whose one container is in this state.
pub(crate) fn container(state: &Value) -> Value {
    let mut status = json!({"name": "main", "image": "x", "imageID": "", "ready": false, "restartCount": 0});
    for (key, value) in state.as_object().expect("an object") {
        status[key] = value.clone();
    }
    json!({"phase": "Pending", "containerStatuses": [status], "initContainerStatuses": null,
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]})
}

/// The status of a pod that waits for this reason.
pub(crate) fn waits(reason: &str, message: &str) -> Value {
    container(&json!({"state": {"waiting": {"reason": reason, "message": message}}}))
}

/// The status of a pod that is ready.
pub(crate) fn ready() -> Value {
    let mut status = container(&json!({"ready": true, "started": true, "state": {"running": {}}}));
    status["phase"] = json!("Running");
    status["conditions"][1]["status"] = json!("True");
    status
}

/// Waits for an answer as long as a controller may take.
pub(crate) async fn until<T>(what: &str, poll: impl AsyncFnMut() -> Option<T>) -> T {
    wait_for(what, CONTROLLER_TIMEOUT, poll).await
}

fn wanted(kind: &str, name: &str) -> Workload {
    Workload {
        reference: WorkloadRef { api_version: "apps/v1".into(), kind: kind.into(), name: name.into() },
        replicas: 1,
        ready_timeout: Duration::from_mins(1),
        allow_hpa: false,
        setting: format!("cluster.data[{name}]"),
    }
}

fn workload(kind: &str, name: &str, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 0}}}})
}
