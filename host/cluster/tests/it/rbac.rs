//! The Role in `manifests/hooks` is sufficient and minimal: without any one of its verbs something fails, and the error names
//! that verb and resource.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::Pod,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{
    Cluster, ClusterError, EventSpec, EventType, LEASE_DURATION, LockRequest, ProcessIdentity, RestoreOutcome,
    WhenLocked, Workload, WorkloadRef,
};

use crate::{
    control_plane::{self, Kubelet},
    shop::until,
};

/// The rules of the Role in `manifests/hooks`.
fn shipped_rules() -> Vec<Value> {
    let text = include_str!("../../../../manifests/hooks/role.yaml");
    let role: Value = serde_saphyr::from_str(text.split("\n---\n").next().expect("a document")).expect("YAML");
    assert_eq!(role["kind"], "Role");
    role["rules"].as_array().expect("rules").clone()
}

/// The rules without one verb of one rule.
fn without_verb(rules: &[Value], rule: usize, verb: &str) -> Value {
    let mut rules = rules.to_vec();
    let verbs = rules[rule]["verbs"].as_array().expect("verbs").iter().filter(|v| *v != verb).cloned().collect();
    rules[rule]["verbs"] = Value::Array(verbs);
    if rules[rule]["verbs"].as_array().is_some_and(Vec::is_empty) {
        rules.remove(rule);
    }
    Value::Array(rules)
}

/// The shop in a namespace of its own, and the hook's own Job.
struct Shop {
    namespace: String,
    me: ProcessIdentity,
    kubelet: Kubelet,
}

impl Shop {
    async fn open() -> Self {
        let namespace = control_plane::namespace("rights").await;
        let client = control_plane::client().await;
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let template = |name: &str| {
            json!({"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "main:v1"}]}})
        };
        let post = PostParams::default();
        let set: StatefulSet = serde_json::from_value(json!({"metadata": {"name": "mongo"}, "spec": {"replicas": 0,
            "serviceName": "mongo", "selector": {"matchLabels": {"app": "mongo"}}, "template": template("mongo"),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}}]}}))
        .expect("a set");
        Api::namespaced(client.clone(), &namespace).create(&post, &set).await.expect("created");
        let web: Deployment = serde_json::from_value(json!({"metadata": {"name": "pxbbq-web"}, "spec": {"replicas": 0,
            "selector": {"matchLabels": {"app": "web"}}, "template": template("web")}}))
        .expect("a deployment");
        Api::namespaced(client.clone(), &namespace).create(&post, &web).await.expect("created");
        let job: Job =
            serde_json::from_value(json!({"metadata": {"name": "pre"}, "spec": {"activeDeadlineSeconds": 3600,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "taste", "image": "taster"}]}}}}))
            .expect("a Job");
        Api::namespaced(client.clone(), &namespace).create(&post, &job).await.expect("created");
        let list = ListParams::default().labels("batch.kubernetes.io/job-name=pre");
        let pod =
            until("the Job's pod", || async { pods.list(&list).await.expect("pods").items.into_iter().next() }).await;
        let me = ProcessIdentity {
            pod: pod.metadata.name,
            uid: pod.metadata.uid,
            namespace: Some(namespace.clone()),
            job: None,
        };
        // the pods of mongo become ready late, so that the wait looks for the reason
        let kubelet = Kubelet::start(&namespace).await;
        kubelet.hold("mongo");
        Self { namespace, me, kubelet }
    }

    /// Makes all requests of a hook with the rights of `rules`. Returns all errors.
    async fn hook(&self, rules: &Value) -> Vec<ClusterError> {
        let client = control_plane::client_with(&self.namespace, rules).await;
        let cluster = Cluster::with_client(client, &self.namespace, "pxbbq".parse().expect("an app"), self.me.clone());
        let mut errors = Vec::new();
        // a hook goes on when it cannot publish
        for published in self.publish(&cluster).await {
            errors.extend(published.err());
        }
        errors.extend(self.scale(&cluster).await.err());
        errors
    }

    async fn publish(&self, cluster: &Cluster) -> Vec<Result<(), ClusterError>> {
        let job = match cluster.own_job().await {
            Ok(job) => job.expect("a Job"),
            Err(error) => return vec![Err(error)],
        };
        let event = || EventSpec {
            event_type: EventType::Normal,
            reason: "Tasted",
            action: "Tasting",
            note: "same".to_owned(),
        };
        let annotations = BTreeMap::from([("taster.dev/verdict".to_owned(), "same".to_owned())]);
        vec![
            cluster.publish_workload_event(&reference("StatefulSet", "mongo"), event()).await,
            cluster.publish_job_event(&job, event()).await,
            cluster.annotate_job(&job, &annotations).await,
        ]
    }

    async fn scale(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let run = "1764000000".parse().expect("a run");
        let request =
            || LockRequest { run: None, command: "pre", when_locked: WhenLocked::Fail, lease_duration: LEASE_DURATION };
        let lock = cluster.acquire_lock(request(), &|_| {}).await?;
        let wanted = [wanted("StatefulSet", "mongo"), wanted("Deployment", "pxbbq-web")];
        let inspection = cluster.inspect(&wanted).await?;
        assert_eq!(inspection.found.len(), 2);
        for found in &inspection.found {
            let of = &found.workload.reference;
            assert_eq!(cluster.scale_up(found, &run, &lock).await?.original, 0);
            if of.kind == "StatefulSet" {
                // its pod does not become ready: the events and the claim are looked up
                let result =
                    cluster.wait_until_ready(&found.workload, Instant::now() + Duration::from_secs(4), &|_| {}).await;
                match result {
                    Err(error @ ClusterError::Forbidden { .. }) => return Err(error),
                    Err(_) => {}
                    Ok(()) => panic!("{of} cannot be ready"),
                }
                self.kubelet.release();
            }
            cluster.wait_until_ready(&found.workload, Instant::now() + Duration::from_mins(1), &|_| {}).await?;
        }
        cluster.claimed_volumes(&reference("StatefulSet", "mongo")).await?;
        for found in inspection.found.iter().rev() {
            let of = &found.workload.reference;
            assert_eq!(
                cluster.restore_workload(of, None).await?,
                RestoreOutcome::Restored { workload: of.clone(), from: 1, to: 0 }
            );
        }
        lock.release().await
    }
}

fn reference(kind: &str, name: &str) -> WorkloadRef {
    WorkloadRef { api_version: "apps/v1".into(), kind: kind.into(), name: name.into() }
}

fn wanted(kind: &str, name: &str) -> Workload {
    Workload {
        reference: reference(kind, name),
        replicas: 1,
        ready_timeout: Duration::from_mins(1),
        allow_hpa: false,
        setting: format!("cluster.data[{name}]"),
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_shipped_role_is_sufficient() {
    let shop = Shop::open().await;
    let errors = shop.hook(&Value::Array(shipped_rules())).await;
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn without_any_one_verb_the_error_names_it() {
    let rules = shipped_rules();
    let mut tried = 0;
    for (number, rule) in rules.iter().enumerate() {
        for verb in rule["verbs"].as_array().expect("verbs") {
            let (verb, resource) = (verb.as_str().expect("a verb"), rule["resources"][0].as_str().expect("a resource"));
            let shop = Shop::open().await;
            let errors = shop.hook(&without_verb(&rules, number, verb)).await;
            let names_it = |error: &ClusterError| match error {
                ClusterError::Forbidden { verb: v, resource: r, group, namespace } => {
                    v == verb
                        && r.split(' ').next() == Some(resource)
                        && rule["apiGroups"][0] == group.as_str()
                        && *namespace == shop.namespace
                }
                _ => false,
            };
            assert!(!errors.is_empty(), "`{verb} {resource}` is never used: remove it from the Role");
            assert!(errors.iter().all(names_it), "without `{verb} {resource}`: {errors:?}");
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried} verbs");
}

#[test]
fn every_rule_of_the_role_grants_one_resource_and_no_wildcard() {
    for rule in shipped_rules() {
        let one = |key: &str| rule[key].as_array().is_some_and(|all| all.len() == 1 && all[0] != "*");
        assert!(one("apiGroups") && one("resources"), "{rule}");
        assert!(rule["verbs"].as_array().is_some_and(|verbs| !verbs.contains(&"*".into())), "{rule}");
    }
}

#[test]
fn a_rule_without_its_last_verb_is_removed() {
    let rules = [json!({"verbs": ["get"]}), json!({"verbs": ["get", "list"]})];
    assert_eq!(without_verb(&rules, 0, "get"), json!([{"verbs": ["get", "list"]}]));
    assert_eq!(without_verb(&rules, 1, "get"), json!([{"verbs": ["get"]}, {"verbs": ["list"]}]));
}
