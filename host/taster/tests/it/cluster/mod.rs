//! The flows against a control plane: a namespace with the shop's workloads, a stand-in for the kubelet, a real mongod
//! outside, and the built binary as a process of its own.

mod hooks;
mod kills;
mod others;
mod story;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    coordination::v1::Lease,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taster_testkit::wait_until;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{
    control_plane::{self, Kubelet},
    support::{CommandOutput, LoggedCommand, ShopDatabase, Workspace},
};

/// Held by every test for reading, and for writing by those that stop the API server for all of them.
static CALM: RwLock<()> = RwLock::const_new(());

enum Calm {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Calm {
    async fn shared() -> Self {
        Self::Shared { _guard: CALM.read().await }
    }
}

/// The shop at no replicas, and what tastes it.
struct Shop {
    client: Client,
    namespace: String,
    database: ShopDatabase,
    workspace: Workspace,
    kubelet: Kubelet,
    _calm: Calm,
}

const PROBES: &str = "probes:\n  - {name: counts, component: document-count}\n";

impl Shop {
    async fn open() -> Self {
        Self::with(Calm::shared().await, 0).await
    }

    async fn alone() -> Self {
        Self::with(Calm::Alone { _guard: CALM.write().await }, 0).await
    }

    /// Both workloads at so many replicas.
    async fn with(calm: Calm, replicas: i32) -> Self {
        let shop = Self::empty(calm).await;
        shop.create(replicas).await;
        shop
    }

    /// A namespace with nothing in it.
    async fn empty(calm: Calm) -> Self {
        let client = control_plane::client().await;
        let namespace = control_plane::namespace("flow").await;
        let database = ShopDatabase::standalone(300).await;
        let workspace = database.workspace();
        let kubelet = Kubelet::start(&namespace).await;
        let shop = Self { client, namespace, database, workspace, kubelet, _calm: calm };
        shop.configure("", PROBES);
        shop
    }

    /// Writes `taster.yaml`; `more` goes into its `cluster`.
    fn configure(&self, more: &str, rest: &str) {
        let Self { namespace, .. } = self;
        self.workspace.configure(&format!(
            "{}cluster:\n  namespace: {namespace}\n  data: [{{kind: StatefulSet, name: mongo, readyTimeout: 1m}}]\n  apps: \
             [{{kind: Deployment, name: pxbbq-web, readyTimeout: 1m}}]\n{more}{rest}",
            crate::support::SHOP,
        ));
    }

    async fn create(&self, replicas: i32) {
        let sets: Api<StatefulSet> = self.api();
        let set =
            serde_json::from_value(workload("StatefulSet", "mongo", "mongo:6.0.5", replicas)).expect("it is there");
        sets.create(&PostParams::default(), &set).await.expect("an answer");
        let deployments: Api<Deployment> = self.api();
        let web = serde_json::from_value(workload("Deployment", "pxbbq-web", "pxbbq-web:v4.2", replicas))
            .expect("it is there");
        deployments.create(&PostParams::default(), &web).await.expect("an answer");
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Somebody else scales both.
    async fn scale(&self, replicas: i32) {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let params = PatchParams::default();
        self.api::<StatefulSet>().patch_scale("mongo", &params, &patch).await.expect("an answer");
        self.api::<Deployment>().patch_scale("pxbbq-web", &params, &patch).await.expect("an answer");
    }

    /// The sync brings another version of the app.
    async fn release(&self, image: &str) {
        let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}});
        let patch = Patch::Strategic(image);
        self.api::<Deployment>().patch("pxbbq-web", &PatchParams::default(), &patch).await.expect("an answer");
    }

    /// Counts of mongo and web, and how many of them carry a record.
    async fn counts(&self) -> (i32, i32, usize) {
        let mongo = self.api::<StatefulSet>().get("mongo").await.expect("an answer");
        let web = self.api::<Deployment>().get("pxbbq-web").await.expect("an answer");
        let recorded = [&mongo.metadata, &web.metadata]
            .into_iter()
            .filter(|metadata| metadata.annotations.iter().flatten().any(|(key, _)| key == "taster.dev/scaled"));
        let recorded = recorded.count();
        (
            mongo.spec.expect("it is there").replicas.expect("it is there"),
            web.spec.expect("it is there").replicas.expect("it is there"),
            recorded,
        )
    }

    /// How long ago the last of the two workloads was recorded.
    async fn youngest_record_age(&self) -> Duration {
        let mongo = self.api::<StatefulSet>().get_metadata("mongo").await.expect("an answer").metadata;
        let web = self.api::<Deployment>().get_metadata("pxbbq-web").await.expect("an answer").metadata;
        let since = [mongo, web].map(|metadata| {
            let record = metadata.annotations.expect("a record")["taster.dev/scaled"].clone();
            let record: Value = serde_json::from_str(&record).expect("JSON");
            record["since"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time")
        });
        let age = jiff::Timestamp::now().duration_since(since.into_iter().max().expect("two records"));
        Duration::try_from(age).unwrap_or_default()
    }

    /// Who holds the lock, if anybody.
    async fn holder(&self) -> Option<String> {
        let lease = self.api::<Lease>().get_opt("taster-pxbbq").await.expect("an answer")?;
        lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
    }

    /// The original replica counts are restored, nothing is recorded, and no process holds the lock.
    async fn expect_back(&self, replicas: i32, why: &str) {
        assert_eq!(self.counts().await, (replicas, replicas, 0), "{why}");
        assert_eq!(self.holder().await, None, "{why}");
        let path = self.workspace.path().join("results/v1/pxbbq/scaled.json");
        if let Ok(text) = std::fs::read_to_string(path) {
            let scaled: Value = serde_json::from_str(&text).expect("it is there");
            assert_eq!(scaled["workloads"], json!([]), "{why}");
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.command(arguments);
        command.env("KUBECONFIG", control_plane::kubeconfig());
        command.env("TASTER_TERMINATION_LOG", self.termination_log());
        command
    }

    fn termination_log(&self) -> PathBuf {
        self.workspace.path().join("termination-log")
    }

    /// What the kubelet would show.
    fn last_word(&self) -> String {
        std::fs::read_to_string(self.termination_log()).unwrap_or_default()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// Starts a command whose log can be waited for.
    fn spawn_logged(&self, arguments: &[&str]) -> LoggedCommand {
        LoggedCommand::spawn(&self.workspace, &mut self.command(arguments))
    }

    /// Runs to the end without keeping the kubelet from its work.
    async fn taster(&self, arguments: &[&str]) -> CommandOutput {
        ended(self.spawn(arguments)).await
    }

    async fn fine(&self, arguments: &[&str]) -> CommandOutput {
        let ended = self.taster(arguments).await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
        ended
    }
}

async fn ended(child: Child) -> CommandOutput {
    let output =
        tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("it ends").expect("it ends");
    CommandOutput::read(&output)
}

/// Waits as long as a controller may take.
async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    wait_until(what, Duration::from_mins(1), condition).await;
}

fn workload(kind: &str, name: &str, image: &str, replicas: i32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 0}}}})
}

fn stored(workspace: &Path, path: &str) -> Value {
    let path = workspace.join("results/v1/pxbbq").join(path);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .expect("it is there")
}
