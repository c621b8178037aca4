//! A real control plane: etcd, API server and controller manager, started once by each test process that asks for it, and
//! gone with it however it ends. There is no kubelet; [`Kubelet`] writes what one would write in the status of pods.
//!
//! The tests of other crates take this file in by its path.

#![expect(dead_code, reason = "each crate that takes this file in uses a part of it")]

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, Pod, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
    config::{Config, KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use taster_cluster::{Cluster, ProcessIdentity};

/// How long it may take to come up. It takes about six seconds on an idle machine.
const START: Duration = Duration::from_mins(3);

/// Runs the three parts until the owner ends: then nobody holds our standard input open any more.
const KEEPER: &str = r#"
dir=$1 assets=$2 etcd=$3 peer=$4 api=$5 manager=$6
exec 3<&0 </dev/null
"$assets/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd" \
  --advertise-client-urls "http://127.0.0.1:$etcd" --listen-peer-urls "http://127.0.0.1:$peer" \
  --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer" \
  >"$dir/etcd.log" 2>&1 3<&- & pids=$!
"$assets/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd" --bind-address 127.0.0.1 --secure-port "$api" \
  --cert-dir "$dir/certs" --token-auth-file "$dir/tokens.csv" --authorization-mode RBAC \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$dir/sa.key" \
  --service-account-signing-key-file "$dir/sa.key" --service-cluster-ip-range 10.0.0.0/24 \
  >"$dir/kube-apiserver.log" 2>&1 3<&- & server=$!
echo "$server" >"$dir/kube-apiserver.pid"
"$assets/kube-controller-manager" --kubeconfig "$dir/kubeconfig" --service-account-private-key-file "$dir/sa.key" \
  --leader-elect=false --secure-port "$manager" --bind-address 127.0.0.1 --cert-dir "$dir/certs-manager" \
  >"$dir/kube-controller-manager.log" 2>&1 3<&- & pids="$pids $server $!"
cat <&3 >/dev/null
kill -9 $pids
rm -rf "$dir"
"#;

struct ControlPlane {
    dir: PathBuf,
    url: String,
    /// Its end is the end of everything: it is never waited for.
    _keeper: Child,
}

const ADMIN: &str = "taster-tests-admin";

fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceLock<ControlPlane> = OnceLock::new();
    SHARED.get_or_init(ControlPlane::start)
}

impl ControlPlane {
    fn start() -> Self {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).expect(
            "KUBEBUILDER_ASSETS names the folder with etcd, kube-apiserver and kube-controller-manager; `make test-cluster` sets it",
        );
        let dir = tempfile::Builder::new().prefix("taster-control-plane-").tempdir().expect("a folder").keep();
        let mut ports = free_ports::<4>();
        let url = format!("https://127.0.0.1:{}", ports[2]);
        run(Command::new("openssl").args(["genrsa", "-out"]).arg(dir.join("sa.key")).arg("2048"));
        fs::write(dir.join("tokens.csv"), format!("{ADMIN},admin,admin,system:masters\n")).expect("tokens");
        fs::write(dir.join("kubeconfig"), kubeconfig_text(&url, ADMIN, "default")).expect("a kubeconfig");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&dir).arg(&assets);
        keeper.args(ports.iter_mut().map(|port| port.to_string()));
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
        let plane = Self { dir, url, _keeper: keeper };
        let begun = Instant::now();
        while !plane.is_ready(&assets) {
            assert!(begun.elapsed() < START, "the control plane did not come up:\n{}", plane.logs());
            std::thread::sleep(Duration::from_millis(200));
        }
        plane
    }

    fn is_ready(&self, assets: &Path) -> bool {
        let mut ask = Command::new(assets.join("kubectl"));
        ask.arg("--kubeconfig").arg(self.dir.join("kubeconfig"));
        // the ServiceAccount that every pod needs is the controller manager's work
        ask.args(["--request-timeout=5s", "get", "serviceaccount", "default", "--namespace", "default"]);
        ask.output().is_ok_and(|output| output.status.success())
    }

    fn logs(&self) -> String {
        let mut logs = String::new();
        for part in ["etcd", "kube-apiserver", "kube-controller-manager"] {
            let text = fs::read_to_string(self.dir.join(format!("{part}.log"))).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(10).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            logs.extend([part, ":\n", &tail.join("\n"), "\n"]);
        }
        logs
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    // all at once, so that no two are the same
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn kubeconfig_text(url: &str, token: &str, namespace: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": {"server": url, "insecure-skip-tls-verify": true}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}],
        "users": [{"name": "tests", "user": {"token": token}}],
    })
    .to_string()
}

/// The kubeconfig of the administrator.
pub(crate) fn kubeconfig() -> PathBuf {
    control_plane().dir.join("kubeconfig")
}

async fn client_from(file: &Path) -> Client {
    let file = Kubeconfig::read_from(file).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration");
    Client::try_from(config).expect("a client")
}

/// A client of the administrator.
pub(crate) async fn client() -> Client {
    client_from(&kubeconfig()).await
}

/// What the room offers, with the administrator's rights.
pub(crate) async fn cluster(namespace: &str, me: ProcessIdentity) -> Cluster {
    cluster_of(client().await, namespace, me)
}

/// What the room offers, with the rights of `client`.
pub(crate) fn cluster_of(client: Client, namespace: &str, me: ProcessIdentity) -> Cluster {
    Cluster::with_client(client, namespace, "shop".parse().expect("an app"), me)
}

/// A new namespace, with the account that pods need.
pub(crate) async fn namespace(prefix: &str) -> String {
    let client = client().await;
    let name = format!("{prefix}-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let space: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    Api::all(client.clone()).create(&PostParams::default(), &space).await.expect("created");
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &name);
    let begun = Instant::now();
    while accounts.get_opt("default").await.expect("an answer").is_none() {
        assert!(begun.elapsed() < START, "the namespace got no account");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    name
}

/// A kubeconfig of a new ServiceAccount that may do what `rules` (of a Role) allow, and nothing else.
pub(crate) async fn kubeconfig_with(namespace: &str, rules: &Value) -> PathBuf {
    let client = client().await;
    let name = format!("limited-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": name}})).expect("an account");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    accounts.create(&PostParams::default(), &account).await.expect("created");
    let role: Role = serde_json::from_value(json!({"metadata": {"name": name}, "rules": rules})).expect("a role");
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &role).await.expect("created");
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }))
    .expect("a binding");
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await.expect("created");
    let request: TokenRequest =
        serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": []}})).expect("a request");
    let answer = accounts.create_token_request(&name, &PostParams::default(), &request).await.expect("a token");
    let token = answer.status.expect("a status").token;
    let file = control_plane().dir.join(format!("{name}.kubeconfig"));
    fs::write(&file, kubeconfig_text(&control_plane().url, &token, namespace)).expect("a kubeconfig");
    file
}

/// A client of such an account.
pub(crate) async fn client_with(namespace: &str, rules: &Value) -> Client {
    client_from(&kubeconfig_with(namespace, rules).await).await
}

/// Stops the API server as a whole machine would stop, until it is dropped. Every test of the process feels it: run those
/// that use it by themselves.
pub(crate) struct Away {
    pid: String,
}

impl Away {
    /// From now on.
    pub(crate) fn begin() -> Self {
        let pid = fs::read_to_string(control_plane().dir.join("kube-apiserver.pid")).expect("its number");
        let pid = pid.trim().to_owned();
        run(Command::new("kill").args(["-STOP", &pid]));
        Self { pid }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", &self.pid]));
    }
}

/// Makes every pod of a namespace run and be ready, as a kubelet does, except those that are held.
pub(crate) struct Kubelet {
    held: Arc<Mutex<BTreeSet<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Kubelet {
    /// From now on, until it is dropped.
    pub(crate) async fn start(namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client().await, namespace);
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        let task = tokio::spawn({
            let held: Arc<Mutex<BTreeSet<String>>> = Arc::clone(&held);
            async move {
                loop {
                    // an API server that is away is one for a kubelet, too
                    let list = pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
                    for pod in list.iter().filter(|pod| !is_ready(pod)) {
                        let name = pod.metadata.name.clone().unwrap_or_default();
                        let is_held = held.lock().expect("a set").iter().any(|prefix| name.starts_with(prefix));
                        if !is_held {
                            let _ =
                                pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(running(pod))).await;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
        Self { held, task }
    }

    /// Pods whose names begin so are left alone.
    pub(crate) fn hold(&self, prefix: &str) {
        self.held.lock().expect("a set").insert(prefix.to_owned());
    }

    /// No pod is left alone any more.
    pub(crate) fn let_go(&self) {
        self.held.lock().expect("a set").clear();
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn running(pod: &Pod) -> Value {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let statuses: Vec<Value> = containers
        .map(|container| {
            json!({"name": container.name, "image": container.image, "imageID": "", "ready": true, "started": true,
                "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
        })
        .collect();
    json!({"status": {
        "phase": "Running", "podIP": "10.0.0.2", "containerStatuses": statuses,
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    }})
}
