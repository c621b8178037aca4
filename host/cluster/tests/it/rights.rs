//! The Role that we ship is enough, and nothing in it is too much: without any single verb of it something fails, with an
//! error that names just that verb and resource.

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
    Busy, Cluster, ClusterError, LEASE, LockRequest, Me, Restored, Said, Tone, Workload, WorkloadRef, volumes,
};

use crate::{
    control_plane::{self, Kubelet},
    shop::until,
};

/// Of the shipped Role, as they stand in its file.
fn shipped() -> Vec<Value> {
    let text = include_str!("../../../../manifests/hooks/role.yaml");
    let role: Value = serde_saphyr::from_str(text.split("\n---\n").next().expect("a document")).expect("YAML");
    assert_eq!(role["kind"], "Role");
    role["rules"].as_array().expect("rules").clone()
}

/// The rules without one verb of one of them.
fn without(rules: &[Value], rule: usize, verb: &str) -> Value {
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
    me: Me,
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
        let me = Me { pod: pod.metadata.name, uid: pod.metadata.uid, namespace: Some(namespace.clone()), job: None };
        // the pods of mongo come late, so that whoever waits looks for the reason
        let kubelet = Kubelet::start(&namespace).await;
        kubelet.hold("mongo");
        Self { namespace, me, kubelet }
    }

    /// What a hook does, from its start to its end, with the rights of `rules`. Everything that went wrong.
    async fn hook(&self, rules: &Value) -> Vec<ClusterError> {
        let client = control_plane::client_with(&self.namespace, rules).await;
        let cluster = Cluster::with_client(client, &self.namespace, "pxbbq".parse().expect("an app"), self.me.clone());
        let mut wrong = Vec::new();
        // what cannot be said is no reason to stop
        for said in self.say(&cluster).await {
            wrong.extend(said.err());
        }
        wrong.extend(self.work(&cluster).await.err());
        wrong
    }

    async fn say(&self, cluster: &Cluster) -> Vec<Result<(), ClusterError>> {
        let job = match cluster.own_job().await {
            Ok(job) => job.expect("a Job"),
            Err(error) => return vec![Err(error)],
        };
        let said = || Said { tone: Tone::Normal, reason: "Tasted", action: "Tasting", note: "same".to_owned() };
        let annotations = BTreeMap::from([("taster.dev/verdict".to_owned(), "same".to_owned())]);
        vec![
            cluster.event_on(&reference("StatefulSet", "mongo"), said()).await,
            cluster.event_on_job(&job, said()).await,
            cluster.annotate_job(&job, &annotations).await,
        ]
    }

    async fn work(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let run = "1764000000".parse().expect("a run");
        let request = || LockRequest { run: None, what: "pre", busy: Busy::Fail, lease: LEASE };
        let lock = cluster.lock(request(), &|_| {}).await?;
        let wanted = [wanted("StatefulSet", "mongo"), wanted("Deployment", "pxbbq-web")];
        let inspection = cluster.inspect(&wanted).await?;
        assert_eq!(inspection.found.len(), 2);
        for found in &inspection.found {
            let of = &found.workload.of;
            assert_eq!(cluster.raise(found, &run, &lock).await?.found, 0);
            if of.kind == "StatefulSet" {
                // its pod does not come: the events say why, and the claim is looked for
                let refused =
                    cluster.wait_ready(&found.workload, Instant::now() + Duration::from_secs(4), &|_| {}).await;
                match refused {
                    Err(error @ ClusterError::Forbidden { .. }) => return Err(error),
                    Err(_) => {}
                    Ok(()) => panic!("{of} cannot be ready"),
                }
                self.kubelet.release();
            }
            cluster.wait_ready(&found.workload, Instant::now() + Duration::from_mins(1), &|_| {}).await?;
        }
        volumes(cluster, &reference("StatefulSet", "mongo")).await?;
        for found in inspection.found.iter().rev() {
            let of = &found.workload.of;
            assert_eq!(cluster.restore(of, None).await?, Restored::Back { workload: of.clone(), from: 1, to: 0 });
        }
        lock.release().await
    }
}

fn reference(kind: &str, name: &str) -> WorkloadRef {
    WorkloadRef { api_version: "apps/v1".into(), kind: kind.into(), name: name.into() }
}

fn wanted(kind: &str, name: &str) -> Workload {
    Workload {
        of: reference(kind, name),
        replicas: 1,
        ready: Duration::from_mins(1),
        allow_hpa: false,
        setting: format!("cluster.data[{name}]"),
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_shipped_role_is_enough() {
    let shop = Shop::open().await;
    let wrong = shop.hook(&Value::Array(shipped())).await;
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn without_any_single_verb_the_error_names_it() {
    let rules = shipped();
    let mut tried = 0;
    for (number, rule) in rules.iter().enumerate() {
        for verb in rule["verbs"].as_array().expect("verbs") {
            let (verb, resource) = (verb.as_str().expect("a verb"), rule["resources"][0].as_str().expect("a resource"));
            let shop = Shop::open().await;
            let wrong = shop.hook(&without(&rules, number, verb)).await;
            let named = |error: &ClusterError| match error {
                ClusterError::Forbidden { verb: v, resource: r, group, namespace } => {
                    v == verb
                        && r.split(' ').next() == Some(resource)
                        && rule["apiGroups"][0] == group.as_str()
                        && *namespace == shop.namespace
                }
                _ => false,
            };
            assert!(!wrong.is_empty(), "`{verb} {resource}` is never used: take it out of the Role");
            assert!(wrong.iter().all(named), "without `{verb} {resource}`: {wrong:?}");
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried} verbs");
}

#[test]
fn the_role_grants_no_more_than_single_resources() {
    for rule in shipped() {
        let one = |key: &str| rule[key].as_array().is_some_and(|all| all.len() == 1 && all[0] != "*");
        assert!(one("apiGroups") && one("resources"), "{rule}");
        assert!(rule["verbs"].as_array().is_some_and(|verbs| !verbs.contains(&"*".into())), "{rule}");
    }
}

#[test]
fn a_rule_without_its_last_verb_is_gone() {
    let rules = [json!({"verbs": ["get"]}), json!({"verbs": ["get", "list"]})];
    assert_eq!(without(&rules, 0, "get"), json!([{"verbs": ["get", "list"]}]));
    assert_eq!(without(&rules, 1, "get"), json!([{"verbs": ["get"]}, {"verbs": ["list"]}]));
}
