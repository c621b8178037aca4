//! A real control plane: etcd, API server and controller manager. A test process starts one when it first needs it, and
//! it ends with the process, even on SIGKILL. There is no kubelet; [`Kubelet`] plays one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
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

use crate::{free_ports, wait::holds_within, wait_until};

/// How long it may take to start. It takes about six seconds on an idle machine.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// How often it is asked whether it has started. Each time starts a kubectl.
const START_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Runs the three processes until the owner ends, which closes the standard input of this script.
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
    /// Its standard input stays open as long as the test process lives.
    keeper: Child,
}

const ADMIN: &str = "taster-tests-admin";

fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceLock<ControlPlane> = OnceLock::new();
    SHARED.get_or_init(ControlPlane::start)
}

const PROCESSES: [&str; 3] = ["etcd", "kube-apiserver", "kube-controller-manager"];

impl ControlPlane {
    fn start() -> Self {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).expect(
            "KUBEBUILDER_ASSETS names the folder with etcd, kube-apiserver and kube-controller-manager; `make test-cluster` sets it",
        );
        // a port that was free may be taken before the process listens
        let mut attempts = (0..4).map(|_| Self::attempt(&assets));
        attempts.find_map(|plane| plane).expect("four times a port of the control plane was taken")
    }

    /// Returns `None` when a port is taken.
    fn attempt(assets: &Path) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("taster-control-plane-").tempdir().expect("a folder").keep();
        let mut ports = free_ports::<4>();
        let url = format!("https://127.0.0.1:{}", ports[2]);
        run(Command::new("openssl").args(["genrsa", "-out"]).arg(dir.join("sa.key")).arg("2048"));
        fs::write(dir.join("tokens.csv"), format!("{ADMIN},admin,admin,system:masters\n")).expect("tokens");
        fs::write(dir.join("kubeconfig"), kubeconfig_text(&url, ADMIN, "default")).expect("a kubeconfig");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&dir).arg(assets);
        keeper.args(ports.iter_mut().map(|port| port.to_string()));
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
        let mut plane = Self { dir, url, keeper };
        let mut port_taken = false;
        let decided = holds_within(START_TIMEOUT, START_POLL_INTERVAL, || {
            if plane.is_ready(assets) {
                return true;
            }
            port_taken = plane.log_tails(usize::MAX).contains("address already in use");
            port_taken
        });
        assert!(decided, "the control plane did not start:\n{}", plane.log_tails(10));
        if port_taken {
            drop(plane.keeper.stdin.take());
            let _ = plane.keeper.wait();
            return None;
        }
        Some(plane)
    }

    fn is_ready(&self, assets: &Path) -> bool {
        let mut ask = Command::new(assets.join("kubectl"));
        ask.arg("--kubeconfig").arg(self.dir.join("kubeconfig"));
        // the ServiceAccount that every pod needs is the controller manager's work
        ask.args(["--request-timeout=5s", "get", "serviceaccount", "default", "--namespace", "default"]);
        ask.output().is_ok_and(|output| output.status.success())
    }

    /// The last lines of each process's log.
    fn log_tails(&self, lines: usize) -> String {
        let mut tails = String::new();
        for process in PROCESSES {
            let text = fs::read_to_string(self.dir.join(format!("{process}.log"))).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(lines).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            tails.extend([process, ":\n", &tail.join("\n"), "\n"]);
        }
        tails
    }
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

/// Path of the administrator's kubeconfig.
#[must_use]
pub fn kubeconfig() -> PathBuf {
    control_plane().dir.join("kubeconfig")
}

async fn client_from(file: &Path) -> Client {
    let file = Kubeconfig::read_from(file).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration");
    Client::try_from(config).expect("a client")
}

/// A client of the administrator.
pub async fn client() -> Client {
    client_from(&kubeconfig()).await
}

/// A new namespace, with the account that pods need.
pub async fn namespace(prefix: &str) -> String {
    let client = client().await;
    let name = format!("{prefix}-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let space: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    Api::all(client.clone()).create(&PostParams::default(), &space).await.expect("created");
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &name);
    let what = "the service account of a new namespace";
    wait_until(what, START_TIMEOUT, async || accounts.get_opt("default").await.expect("an answer").is_some()).await;
    name
}

/// Path of a kubeconfig of a new ServiceAccount that has these `rules` (of a Role) and no other rights.
pub async fn kubeconfig_with(namespace: &str, rules: &Value) -> PathBuf {
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

/// A client of a new ServiceAccount with these `rules`.
pub async fn client_with(namespace: &str, rules: &Value) -> Client {
    client_from(&kubeconfig_with(namespace, rules).await).await
}

/// Stops the API server's process (SIGSTOP) until it is dropped. That affects every test of the process: tests that use
/// it must run alone.
#[derive(Debug)]
pub struct ApiServerPause {
    pid: String,
}

impl ApiServerPause {
    /// Stops it.
    #[must_use]
    pub fn begin() -> Self {
        let pid = fs::read_to_string(control_plane().dir.join("kube-apiserver.pid")).expect("its process id");
        let pid = pid.trim().to_owned();
        run(Command::new("kill").args(["-STOP", &pid]));
        Self { pid }
    }
}

impl Drop for ApiServerPause {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", &self.pid]));
    }
}

/// Makes every pod of a namespace running and ready, as a kubelet does, except those that are held back.
#[derive(Debug)]
pub struct Kubelet {
    held: Arc<Mutex<BTreeSet<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Kubelet {
    /// Starts one; it works until it is dropped.
    pub async fn start(namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client().await, namespace);
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        let task = tokio::spawn({
            let held: Arc<Mutex<BTreeSet<String>>> = Arc::clone(&held);
            async move {
                loop {
                    // the API server may be paused
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

    /// Holds back pods whose names begin with `prefix`.
    pub fn hold(&self, prefix: &str) {
        self.held.lock().expect("a set").insert(prefix.to_owned());
    }

    /// Holds no pod back any more.
    pub fn release(&self) {
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
