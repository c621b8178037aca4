//! `taster serve`: the gate in every state, who may read, what is refused, and how it ends. The built binary, asked with
//! `curl`, over stores that real runs filled.

#![expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "metrics are doubles, and these are whole numbers")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use insta::assert_snapshot;
use mongodb::bson::doc;
use serde_json::{Value, json};
use taster_testkit::{WAIT_TIMEOUT, block_until};
use tokio::sync::OnceCell;

use crate::support::{SHOP, ShopDatabase, Workspace};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A server on a port of its own.
pub(crate) struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    pub(crate) fn start(workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "-v"];
        all.extend(arguments);
        let mut command = workspace.command(&all);
        let log = fs::File::create(workspace.path().join("serve.log")).expect("a file");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("`{line}`")).parse().expect("an address");
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        curl(&[&self.url(path)])
    }

    fn with_token(&self, path: &str, token: &str) -> Reply {
        curl(&["-H", &format!("Authorization: Bearer {token}"), &self.url(path)])
    }

    /// Whether `curl -f` ends well: what a pipeline does with this.
    #[expect(clippy::unused_self, reason = "it is asked of a server that stands")]
    fn passes(&self, arguments: &[&str]) -> bool {
        let mut curl = Command::new("curl");
        curl.args(["-f", "-sS", "-o", "/dev/null", "--max-time", "60"]).args(arguments).stderr(Stdio::null());
        curl.status().expect("curl").success()
    }

    /// A connection, to say on it what curl would not.
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        stream
    }

    /// A request whose body does not come: it is being answered until it is over.
    fn unfinished(&self) -> TcpStream {
        let mut stream = self.connect();
        let head =
            "POST /compare HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("the head");
        self.until(|served| served.metric("taster_http_requests_in_flight") == Some(2.0));
        stream
    }

    fn metric(&self, series: &str) -> Option<f64> {
        self.get("/metrics").body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    fn until(&self, holds: impl Fn(&Self) -> bool) {
        block_until("the server's state", WAIT_TIMEOUT, || holds(self));
    }

    fn until_refused(&self) {
        block_until("the server to refuse connections", WAIT_TIMEOUT, || TcpStream::connect(self.address).is_err());
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// How it ended, and how long that took.
    fn ended(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let code = self.child.wait().expect("an end").code();
        (code, begun.elapsed())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn verdict(&self) -> String {
        self.json()["verdict"].as_str().unwrap_or_else(|| panic!("no verdict: {self:?}")).to_owned()
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |values| values[0].as_str())
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        Self { status: status.expect("a status"), headers, body: body.to_owned() }
    }
}

fn curl(arguments: &[&str]) -> Reply {
    let output = Command::new("curl").args(["-sS", "-i", "--max-time", "60"]).args(arguments).output().expect("curl");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    // what is said before a body is sent
    Reply::parse(text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text))
}

/// What comes on a connection until the other side ends it.
fn rest_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an end");
    text
}

/// Every file of a folder, with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(path).expect("a file"));
            }
        }
    }
    found
}

pub(crate) fn done(workspace: &Workspace, code: i32, arguments: &[&str]) {
    let ended = workspace.taster(arguments);
    assert_eq!(ended.code, code, "{arguments:?}: {}", ended.all());
}

/// Changes one byte of an object, and returns how to undo that.
fn damage(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).expect("an object");
    let text = String::from_utf8(whole.clone()).expect("text").replacen("pxbbq", "pxbbx", 1);
    fs::write(path, text).expect("an object");
    whole
}

/// Asks about a run in every way there is, and says whether all of them pass. They must agree, and the body with them.
fn gate(served: &Served, run: Option<&str>, status: u16, verdict: &str) -> Value {
    let query = run.map(|run| format!("?app=pxbbq&run={run}")).unwrap_or_default();
    let url = served.url(&format!("/compare{query}"));
    let form = query.trim_start_matches('?');
    let body = run.map_or_else(|| json!({}), |run| json!({"app": "pxbbq", "run": run})).to_string();
    let plain = served.url("/compare");
    let ways: [&[&str]; 5] = [
        &[&url],
        &["-X", "POST", &url],
        &["-d", form, &plain],
        &["-H", "Content-Type: application/json", "-d", &body, &plain],
        &["-I", &url],
    ];
    let mut last = Value::Null;
    for way in ways {
        assert_eq!(served.passes(way), status == 200, "{way:?}");
        let reply = curl(way);
        assert_eq!(reply.status, status, "{way:?}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        if way[0] != "-I" {
            assert_eq!(reply.verdict(), verdict, "{way:?}: {reply:?}");
            last = reply.json();
        }
    }
    last
}

/// Asks about the newest run.
fn newest(served: &Served, status: u16, verdict: &str) -> Value {
    gate(served, None, status, verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_is_closed_until_the_run_has_passed() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    // the configuration names the store
    let served = Served::start(&workspace, &[]);
    assert_eq!(newest(&served, 409, "unknown")["error"]["code"], "T0664", "nothing is there yet");
    assert_eq!(gate(&served, Some("r1"), 409, "unknown")["run"], "r1", "no such app");

    done(&workspace, 0, &["pre", "--run", "r1"]);
    let waiting = newest(&served, 409, "unknown");
    assert_eq!((&waiting["app"], &waiting["run"]), (&json!("pxbbq"), &json!("r1")), "{waiting}");
    assert!(waiting["error"]["message"].as_str().expect("a message").contains("no verdict yet"), "{waiting}");

    done(&workspace, 0, &["post", "--run", "r1"]);
    let passed = newest(&served, 200, "same");
    assert_eq!(passed["url"], "/apps/pxbbq/runs/r1");
    assert!(passed.get("error").is_none() && passed.get("accepted").is_none(), "{passed}");
    gate(&served, Some("r9"), 409, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_run_that_has_begun_closes_the_gate_of_the_newest() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    assert_eq!(newest(&served, 409, "unknown")["run"], "r3");
    gate(&served, Some("r1"), 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_closes_the_gate_and_accepting_it_does_not_open_it() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let served = Served::start(&workspace, &[]);
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&workspace, 1, &["post", "--run", "r2"]);
    let lost = newest(&served, 404, "different");
    assert!(lost["remedy"].as_str().expect("a remedy").contains("taster accept r2"), "{lost}");

    done(&workspace, 0, &["accept", "r2", "--reason", "they were tests"]);
    let accepted = newest(&served, 404, "different");
    assert_eq!(accepted["accepted"]["who"], "tester", "{accepted}");
    assert_eq!(accepted["accepted"]["reason"], "they were tests", "{accepted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_baseline_closes_the_gate_with_its_stored_verdict() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let served = Served::start(&workspace, &[]);
    done(&workspace, 3, &["post", "--run", "r3"]);
    let baseless = newest(&served, 409, "unknown");
    assert!(baseless.get("error").is_none() && baseless["remedy"].is_string(), "a stored verdict: {baseless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_changes_nothing_in_the_store() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let before = contents(&workspace.path().join("results"));
    for run in [None, Some("r1"), Some("r2"), Some("r3"), Some("r4")] {
        let query = run.map(|run| format!("?run={run}")).unwrap_or_default();
        for path in [format!("/compare{query}"), format!("/v1/apps/pxbbq/runs/{}", run.unwrap_or("r1"))] {
            served.get(&path);
        }
    }
    for path in ["/v1/apps", "/v1/apps/pxbbq/runs", "/v1/apps/pxbbq/runs/r1/verdict", "/metrics", "/readyz"] {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    assert_eq!(contents(&workspace.path().join("results")), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_passed_passes_no_more_when_an_object_of_it_is_damaged() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let results = workspace.path().join("results/v1/pxbbq");
    let capture = fs::read_dir(results.join("r1/post")).expect("attempts").next().expect("one").expect("an entry");
    for object in
        [results.join("r1/verdict.json"), capture.path().join("capture.json"), results.join("r1/pre/capture.json")]
    {
        let whole = damage(&object);
        let damaged = gate(&served, Some("r1"), 409, "unknown");
        assert_eq!(damaged["error"]["code"], "T0406", "{damaged}");
        let listed = served.get("/v1/apps/pxbbq/runs/r1").json();
        assert_eq!(listed["verdict"], "unknown", "{listed}");
        fs::write(&object, "").expect("an object");
        gate(&served, Some("r1"), 409, "unknown");
        fs::write(&object, whole).expect("an object");
        gate(&served, Some("r1"), 200, "same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_of_another_run_opens_no_gate() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let results = workspace.path().join("results/v1/pxbbq");
    fs::copy(results.join("r1/verdict.json"), results.join("r2/verdict.json")).expect("a copy");
    assert_eq!(gate(&served, Some("r2"), 409, "unknown")["error"]["code"], "T0407");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_readable_current_json_no_run_is_the_newest() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    let file = workspace.path().join("results/v1/pxbbq/current.json");
    newest(&served, 200, "same");
    let current = fs::read(&file).expect("current.json");
    fs::remove_file(&file).expect("it was there");
    newest(&served, 409, "unknown");
    fs::write(&file, &current[..current.len() / 2]).expect("a file");
    newest(&served, 409, "unknown");
    gate(&served, Some("r1"), 200, "same");
    fs::write(&file, &current).expect("a file");
    newest(&served, 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_apps_a_request_must_name_one() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    newest(&served, 200, "same");
    fs::create_dir(workspace.path().join("results/v1/other")).expect("a folder");
    newest(&served, 409, "unknown");
    gate(&served, Some("r1"), 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_is_503_until_it_is_back() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    let (there, away) = (workspace.path().join("results"), workspace.path().join("away"));
    fs::rename(&there, &away).expect("a move");
    newest(&served, 409, "unknown");
    // a file in its place
    fs::write(&there, "").expect("a file");
    assert_eq!(gate(&served, Some("r1"), 503, "unknown")["error"]["code"], "T0404");
    assert_eq!(served.get("/compare").header("retry-after"), "1");
    served.until(|served| served.get("/readyz").status == 503);
    assert_eq!(served.get("/readyz").code(), "T0665");
    assert_eq!(served.get("/healthz").status, 200, "the process lives all the same");
    fs::remove_file(&there).expect("a file");
    fs::rename(&away, &there).expect("a move");
    served.until(|served| served.get("/readyz").status == 200);
    newest(&served, 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_valid_token_learns_nothing() {
    let workspace = Workspace::new("");
    let tokens = workspace.path().join("tokens");
    fs::write(&tokens, format!("# ada's\n{TOKEN}\n")).expect("a file");
    let file = tokens.display().to_string();
    let served = Served::start(&workspace, &["--store", "file://./results", "--token-file", &file]);
    let other = "fedcba9876543210fedcba9876543210";

    for path in ["/compare", "/v1/apps", "/v1/apps/pxbbq/runs/r1", "/metrics", "/openapi.json", "/nothing"] {
        for headers in [vec![], vec!["-H", "Authorization: Bearer wrong"], vec!["-u", "ada:wrong"]] {
            let url = served.url(path);
            let arguments = [headers.as_slice(), &[url.as_str()]].concat();
            let reply = curl(&arguments);
            assert_eq!((reply.status, reply.code().as_str()), (401, "T0644"), "{arguments:?}");
            assert_eq!(reply.verdict(), "unknown");
            let challenges = &reply.headers["www-authenticate"];
            assert!(
                challenges[0].starts_with("Bearer realm") && challenges[1].starts_with("Basic realm"),
                "{challenges:?}"
            );
            assert!(!served.passes(&arguments), "{arguments:?}");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.get(path).status, 200, "an orchestrator has no token: {path}");
    }
    let url = served.url("/v1/apps");
    assert_eq!(served.with_token("/v1/apps", TOKEN).status, 200);
    assert_eq!(curl(&["-u", &format!("anyone:{TOKEN}"), &url]).status, 200, "as a browser sends it");
    assert_eq!(served.with_token("/nothing", TOKEN).status, 404);
    // two of them: nobody can say which one counts
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(curl(&["-H", &bearer, "-H", &bearer, &url]).status, 401);
    assert_eq!(curl(&[&format!("{url}?token={TOKEN}")]).status, 401, "an address ends up in logs");

    // another token in the file, as when a Secret is mounted anew
    fs::write(workspace.path().join("tokens.new"), format!("{other}\n{TOKEN}\n")).expect("a file");
    fs::rename(workspace.path().join("tokens.new"), &tokens).expect("a move");
    served.until(|served| served.with_token("/v1/apps", other).status == 200);
    assert_eq!(served.with_token("/v1/apps", TOKEN).status, 200, "both are known while one takes the other's place");
    fs::write(&tokens, format!("{other}\n")).expect("a file");
    served.until(|served| served.with_token("/v1/apps", TOKEN).status == 401);
    assert_eq!(served.with_token("/v1/apps", other).status, 200);
    // emptied: taken back, and never a server that asks for none
    fs::write(&tokens, "").expect("a file");
    served.until(|served| served.with_token("/v1/apps", other).status == 401);
    assert_eq!(served.get("/v1/apps").status, 401);
    fs::write(&tokens, other).expect("a file");
    served.until(|served| served.with_token("/v1/apps", other).status == 200);

    let log = fs::read_to_string(workspace.path().join("serve.log")).expect("a log");
    assert!(log.contains("T0642") || log.contains("the file has no token"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains(other) && !log.contains("wrong"), "{log}");
}

#[test]
fn a_server_that_would_tell_everybody_does_not_start() {
    let workspace = Workspace::new("");
    fs::write(workspace.path().join("short"), "0123456789\n").expect("a file");
    let says = |code: i32, arguments: &[&str]| {
        let ended = workspace.taster(&[&["serve", "--store", "file://./results"], arguments].concat());
        assert_eq!(ended.code, code, "{}", ended.all());
        ended.err.trim().to_owned()
    };
    assert_snapshot!(says(2, &["--listen", "0.0.0.0:0"]), @r"
    error[T0640]: --listen 0.0.0.0:0 can be reached from other machines, and no token would be required
      help: give a token file with --token-file, or allow everybody with --allow-anonymous
    ");
    assert_snapshot!(says(4, &["--token-file", "short"]), @r"
    error[T0642]: cannot use the token file short: line 1 has 10 characters, fewer than 16
      help: one token per line, of at least 16 visible ASCII characters; `openssl rand -hex 32` makes one
    ");
    assert_snapshot!(says(4, &["--token-file", "absent"]), @r"
    error[T0642]: cannot use the token file absent: No such file or directory (os error 2)
      help: one token per line, of at least 16 visible ASCII characters; `openssl rand -hex 32` makes one
    ");
    let taken = Served::start(&workspace, &["--store", "file://./results"]);
    let address = taken.address.to_string();
    let says_taken = says(4, &["--listen", &address]).replace(&address, "[address]");
    assert_snapshot!(says_taken, @r"
    error[T0641]: cannot listen on [address]: Address already in use (os error 98)
      help: name another address with --listen; port 0 picks a free one
    ");
    let listen = says(2, &["--listen", "localhost"]);
    assert!(listen.contains("--listen <ADDRESS:PORT>"), "{listen}");
    says(2, &["--allow-anonymous", "--token-file", "short"]);
}

#[test]
fn without_tokens_only_this_machine_is_served_unless_the_flag_says_otherwise() {
    let workspace = Workspace::new("");
    let store = ["--store", "file://./results"];
    let here = Served::start(&workspace, &store);
    let asks = |served: &Served, host: &str| curl(&["-H", &format!("Host: {host}"), &served.url("/v1/apps")]);
    for host in ["localhost", "127.0.0.1:1", "[::1]"] {
        assert_eq!(asks(&here, host).status, 200, "{host}");
    }
    // a page of evil.example whose name was given the address of this machine
    let rebound = asks(&here, "evil.example");
    assert_eq!((rebound.status, rebound.code().as_str()), (421, "T0648"));
    drop(here);
    let anybody = Served::start(&workspace, &[&store[..], &["--allow-anonymous"]].concat());
    assert_eq!(asks(&anybody, "taster.example").status, 200);
}

#[test]
fn what_is_hostile_is_refused_in_the_words_of_the_api() {
    let workspace = Workspace::new("");
    let served = Served::start(&workspace, &["--store", "file://./results"]);
    let long = format!("/compare?run={}", "9".repeat(300));
    let bad = [
        "/compare?app=..%2f..%2fetc%2fpasswd",
        "/compare?app=pxbbq&app=pxbbq",
        "/compare?run=%ff%fe",
        "/compare?run=%00",
        "/compare?rnu=r1",
        "/compare?app=",
        "/compare?%",
        &long,
        "/v1/apps/..%2f..%2fetc/runs",
        "/v1/apps/%2e%2e/runs",
        "/v1/apps//runs",
        "/v1/apps/PXBBQ/runs",
        "/v1/apps/pxbbq/runs/current.json",
        "/v1/apps/pxbbq/runs/%ff/verdict",
        "/v1/apps/pxbbq/runs/a%2fb/verdict",
        "/v1/apps/pxbbq/runs?limit=0",
        "/v1/apps/pxbbq/runs?limit=201",
        "/v1/apps/pxbbq/runs?limit=-1",
        "/v1/apps/pxbbq/runs?limit=99999999999999999999",
        "/v1/apps/pxbbq/runs?after=../x",
        "/v1/apps/pxbbq/runs?before=x",
    ];
    for path in bad {
        let reply = curl(&["--path-as-is", &served.url(path)]);
        assert_eq!((reply.status, reply.code().as_str()), (400, "T0643"), "{path}: {reply:?}");
        assert_eq!(reply.verdict(), "unknown", "{path}");
        assert!(reply.body.len() < 1000, "{path}: {}", reply.body);
    }
    for path in ["/nothing", "/compare/", "/v1", "/v1/apps/", "/..%2f", "//compare", "/compare/../healthz"] {
        let reply = curl(&["--path-as-is", &served.url(path)]);
        assert_eq!((reply.status, reply.code().as_str()), (404, "T0645"), "{path}: {reply:?}");
        assert_eq!(reply.verdict(), "unknown", "{path}");
    }
    for (method, path, allow) in [
        ("PUT", "/compare", "GET,HEAD,POST"),
        ("DELETE", "/v1/apps/pxbbq/runs/r1", "GET,HEAD"),
        ("OPTIONS", "/metrics", "GET,HEAD"),
        ("BREW", "/healthz", "GET,HEAD"),
    ] {
        let reply = curl(&["-X", method, &served.url(path)]);
        assert_eq!((reply.status, reply.code().as_str()), (405, "T0645"), "{method} {path}: {reply:?}");
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
    let text = curl(&["-H", "Content-Type: text/plain", "-d", "app=x", &served.url("/compare")]);
    assert_eq!((text.status, text.code().as_str()), (415, "T0647"));

    // every answer forbids a browser to do more than show it
    for path in ["/compare", "/healthz", "/nothing", "/metrics", "/v1/apps", "/compare?app="] {
        let reply = served.get(path);
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'", "{path}");
    }
}

#[test]
fn every_limit_is_kept_and_named() {
    let workspace = Workspace::new("");
    let limits = ["--request-timeout", "2s", "--max-requests", "1"];
    let served = Served::start(&workspace, &[&["--store", "file://./results"], &limits[..]].concat());
    let file = workspace.path().join("large");
    fs::write(&file, format!("app={}", "a".repeat(70_000))).expect("a file");
    let large = curl(&["-d", &format!("@{}", file.display()), &served.url("/compare")]);
    assert_eq!((large.status, large.code().as_str()), (413, "T0646"), "{large:?}");
    let long = served.get(&format!("/compare?run={}", "9".repeat(9000)));
    assert_eq!((long.status, long.code().as_str()), (414, "T0646"), "{long:?}");
    let headers = curl(&["-H", &format!("X-Long: {}", "x".repeat(40_000)), &served.url("/compare")]);
    assert_eq!((headers.status, headers.code().as_str()), (431, "T0646"), "{headers:?}");
    let longer = curl(&["-H", &format!("X-Long: {}", "x".repeat(100_000)), &served.url("/compare")]);
    assert_eq!(longer.status, 431, "{longer:?}");

    // one that does not end has the only place: others are told so at once, and health is not theirs to block
    let begun = Instant::now();
    let mut slow = served.connect();
    let head = "POST /compare HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("the head");
    served.until(|served| served.get("/compare").status == 503);
    let busy = served.get("/compare");
    assert_eq!((busy.code().as_str(), busy.header("retry-after")), ("T0649", "1"), "{busy:?}");
    assert!(busy.body.contains("--max-requests") && busy.verdict() == "unknown", "{busy:?}");
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").status, 200);
    let late = Reply::parse(&rest_of(slow));
    assert_eq!((late.status, late.code().as_str(), late.header("retry-after")), (503, "T0660", "1"), "{late:?}");
    assert!(late.body.contains("--request-timeout") && late.verdict() == "unknown", "{late:?}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(served.get("/compare").status, 409, "its place is free again");
}

#[test]
fn a_client_that_dawdles_loses_its_connection_and_one_that_does_not_keeps_it() {
    let workspace = Workspace::new("");
    let served = Served::start(&workspace, &["--store", "file://./results"]);
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut steady = BufReader::new(served.connect());
    let mut answer = || {
        steady.get_mut().write_all(ask).expect("a request");
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            steady.read_line(&mut text).expect("a line");
        }
        let mut body = vec![0; Reply::parse(&text).header("content-length").parse().expect("a length")];
        steady.read_exact(&mut body).expect("a body");
        body
    };
    assert_eq!(answer(), answer(), "two requests on one connection");

    // a byte a second is less than a request: it is over after ten seconds, whatever still comes
    let begun = Instant::now();
    let mut slow = served.connect();
    slow.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    let mut over = false;
    // no line ever ends
    while !over {
        over = slow.write_all(b"G").is_err();
        let mut buffer = [0; 512];
        // an end or a reset; a time-out says that it goes on
        over |= match slow.read(&mut buffer) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        };
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still served");
    }
    assert!(begun.elapsed() >= Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn a_server_that_is_asked_to_stop_answers_what_was_begun() {
    let workspace = Workspace::new("");
    for signal in ["TERM", "INT"] {
        let mut served = Served::start(&workspace, &["--store", "file://./results"]);
        let idle = served.connect();
        let mut request = served.unfinished();
        served.signal(signal);
        // nobody else is served any more
        served.until_refused();
        assert_eq!(rest_of(idle), "", "who asks nothing is not waited for");
        request.write_all(b"{}").expect("the body");
        let answer = Reply::parse(&rest_of(request));
        assert_eq!((answer.status, answer.verdict().as_str()), (409, "unknown"), "{answer:?}");
        let (code, took) = served.ended();
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    // a request that never ends is not waited for forever
    let mut served = Served::start(&workspace, &["--store", "file://./results"]);
    let _never = served.unfinished();
    served.signal("TERM");
    let (code, took) = served.ended();
    assert_eq!(code, Some(0));
    assert!((Duration::from_secs(8)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

/// A folder of its own with the runs of `three_runs_made`, which are made once.
pub(crate) async fn three_runs() -> Workspace {
    static MADE: OnceCell<Workspace> = OnceCell::const_new();
    MADE.get_or_init(three_runs_made).await.copy()
}

/// Runs of a shop: `r1` passed, `r2` is different and accepted, `r3` waits for its `post`.
async fn three_runs_made() -> Workspace {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = Workspace::lasting(&shop.uri());
    workspace.configure(SHOP);
    done(&workspace, 0, &["pre", "--run", "r1"]);
    done(&workspace, 0, &["post", "--run", "r1"]);
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&workspace, 1, &["post", "--run", "r2"]);
    done(&workspace, 0, &["accept", "r2", "--reason", "they were tests"]);
    done(&workspace, 0, &["pre", "--run", "r3"]);
    workspace
}

/// A folder of its own with one run, `r1`, which passed.
async fn a_run_that_passed() -> Workspace {
    static MADE: OnceCell<Workspace> = OnceCell::const_new();
    let made = async || {
        let shop = ShopDatabase::standalone(300).await;
        let workspace = Workspace::lasting(&shop.uri());
        workspace.configure(SHOP);
        done(&workspace, 0, &["pre", "--run", "r1"]);
        done(&workspace, 0, &["post", "--run", "r1"]);
        workspace
    };
    MADE.get_or_init(made).await.copy()
}

/// The body of a response that must be 200, as JSON.
fn json_of(served: &Served, path: &str) -> Value {
    let reply = served.get(path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}

/// A server that has no configuration and is given the store alone.
async fn serve_three_runs() -> (Workspace, Served) {
    let workspace = three_runs().await;
    fs::remove_file(workspace.path().join("taster.yaml")).expect("a file");
    let served = Served::start(&workspace, &["--store", "file://./results"]);
    (workspace, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_lists_runs_page_by_page_newest_first() {
    let (_workspace, served) = serve_three_runs().await;
    let apps = json!({"apps": [{"app": "pxbbq", "runs": "/v1/apps/pxbbq/runs", "page": "/apps/pxbbq"}]});
    assert_eq!(json_of(&served, "/v1/apps"), apps);
    let mut next = "/v1/apps/pxbbq/runs?limit=2".to_owned();
    let mut runs = Vec::new();
    loop {
        let page = json_of(&served, &next);
        assert_eq!(page["total"], 3);
        runs.extend(page["runs"].as_array().expect("runs").clone());
        let Some(more) = page["next"].as_str() else { break };
        next = more.to_owned();
    }
    let names: Vec<&str> = runs.iter().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(names, ["r3", "r2", "r1"]);
    let verdicts: Vec<&str> = runs.iter().map(|run| run["verdict"].as_str().unwrap_or("none")).collect();
    assert_eq!(verdicts, ["none", "different", "same"]);
    let [waiting, different, same] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((&waiting["baseline"], &different["baseline"]), (&json!(true), &json!(false)), "{waiting}");
    assert_eq!((&different["accepted"], &same["accepted"]), (&json!(true), &json!(false)));
    assert!(waiting["links"].get("verdict").is_none() && waiting.get("post").is_none(), "{waiting}");
    assert!(same["bytes"].as_u64() > Some(1000) && same["objects"].as_u64() > Some(4), "{same}");
    assert_eq!(served.get("/v1/apps/pxbbq/runs?after=r9").code(), "T0662");
    assert_eq!(served.get("/v1/apps/tools/runs").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_returns_a_run_and_its_verdict_as_they_are_stored() {
    let (workspace, served) = serve_three_runs().await;
    let run = json_of(&served, "/v1/apps/pxbbq/runs/r2");
    assert_eq!((&run["verdict"], &run["against"]), (&json!("different"), &json!("r2")), "{run}");
    assert_eq!(run["accepted"]["who"], "tester", "{run}");
    assert_eq!(run["pre"]["server"]["version"], "6.0.5", "{run}");
    assert!(run["post"]["probes"].as_array().is_some_and(|probes| probes.len() > 2), "{run}");
    let stored = fs::read(workspace.path().join("results/v1/pxbbq/r2/verdict.json")).expect("a verdict");
    let mut stored: Value = serde_json::from_slice(&stored).expect("JSON");
    stored.as_object_mut().expect("an object").remove("checksum");
    // 200 although it is `different`: this path is no gate
    assert_eq!(json_of(&served, "/v1/apps/pxbbq/runs/r2/verdict"), stored);
    assert_eq!(served.get("/v1/apps/pxbbq/runs/r3/verdict").code(), "T0663");
    assert_eq!(served.get("/v1/apps/pxbbq/runs/r4").code(), "T0662");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_returns_neither_the_census_key_nor_the_seed_of_probes() {
    let (workspace, served) = serve_three_runs().await;
    let secret = fs::read_to_string(workspace.path().join("results/v1/pxbbq/r1/pre/capture.json")).expect("a capture");
    let secret: Value = serde_json::from_str(&secret).expect("JSON");
    for key in ["census_key", "probe_seed"] {
        let key = secret[key].as_str().unwrap_or_else(|| panic!("{key}"));
        for path in ["/v1/apps/pxbbq/runs/r1", "/v1/apps/pxbbq/runs/r1/verdict", "/v1/apps/pxbbq/runs"] {
            assert!(!served.get(path).body.contains(key), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_the_shape_that_the_openapi_document_gives_it() {
    let (workspace, served) = serve_three_runs().await;
    let document = json_of(&served, "/openapi.json");
    assert_eq!(document, workspace.taster(&["serve", "--openapi"]).json());
    assert_eq!(document["openapi"], "3.1.0");
    let asked = [
        ("/compare", "/compare"),
        ("/compare", "/compare?run=r1"),
        ("/compare", "/compare?run=r2"),
        ("/compare", "/compare?run=r4"),
        ("/compare", "/compare?run=R"),
        ("/v1/apps", "/v1/apps"),
        ("/v1/apps/{app}/runs", "/v1/apps/pxbbq/runs"),
        ("/v1/apps/{app}/runs", "/v1/apps/pxbbq/runs?limit=0"),
        ("/v1/apps/{app}/runs", "/v1/apps/tools/runs"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r1"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r2"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r3"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r4"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r1/verdict"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r2/verdict"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r3/verdict"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/metrics", "/metrics"),
        ("/openapi.json", "/openapi.json"),
    ];
    let mut paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    paths.retain(|path| !asked.iter().any(|(other, _)| other == path));
    assert!(paths.is_empty(), "documented and not asked: {paths:?}");
    for (path, url) in asked {
        fits(&document, path, &served.get(url), url);
    }
}

/// That a reply is one of those that the document lists for the path.
fn fits(document: &Value, path: &str, reply: &Reply, url: &str) {
    let mut response = &document["paths"][path]["get"]["responses"][reply.status.to_string()];
    if let Some(target) = response["$ref"].as_str() {
        response = document.pointer(target.trim_start_matches('#')).expect("a response");
    }
    let kind = reply.header("content-type").split(';').next().unwrap_or_default();
    let content = &response["content"][kind];
    assert!(content.is_object(), "{url}: {} of type `{kind}` is not documented", reply.status);
    if kind != "application/json" {
        return;
    }
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{url}: {error}"));
    let errors: Vec<String> = validator.iter_errors(&reply.json()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{url}: {errors:?}\n{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_the_runs_came_to_and_no_client_can_make_up_more() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    for number in 0..50 {
        served.get(&format!("/nothing/{number}"));
        served.get(&format!("/v1/apps/pxbbq/runs/x{number}"));
    }
    curl(&["-X", "BREW", &served.url("/compare")]);
    let reply = served.get("/metrics");
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let series = samples(&reply.body);
    let is = |name: &str, expected: f64| assert_eq!(series.get(name), Some(&expected), "{name}\n{}", reply.body);
    is("taster_store_up", 1.0);
    is("taster_apps", 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="same"}"#, 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="different"}"#, 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="unknown"}"#, 0.0);
    is(r#"taster_runs{app="pxbbq",verdict="none"}"#, 1.0);
    is(r#"taster_last_run_verdict{app="pxbbq",verdict="none"}"#, 1.0);
    is(r#"taster_last_run_verdict{app="pxbbq",verdict="same"}"#, 0.0);
    is(r#"taster_http_requests_total{route="none",method="GET",status="404"}"#, 50.0);
    is(r#"taster_http_requests_total{route="/v1/apps/{app}/runs/{run}",method="GET",status="404"}"#, 50.0);
    is(r#"taster_http_requests_total{route="/compare",method="other",status="405"}"#, 1.0);
    is(r#"taster_build_info{version="0.1.0"}"#, 1.0);
    let above = |name: &str, least: f64| {
        let value = series.get(name).unwrap_or_else(|| panic!("{name}\n{}", reply.body));
        assert!(*value > least, "{name} {value}");
    };
    above(r#"taster_findings{app="pxbbq",outcome="different",severity="fail"}"#, 0.0);
    above(r#"taster_capture_documents{app="pxbbq",side="pre"}"#, 100.0);
    above(r#"taster_capture_read_bytes{app="pxbbq",side="pre"}"#, 1000.0);
    above(r#"taster_capture_duration_seconds{app="pxbbq",side="pre"}"#, 0.0);
    above(r#"taster_stored_bytes{app="pxbbq"}"#, 1000.0);
    let at = jiff::Timestamp::now().as_second() as f64 - 120.0;
    above(r#"taster_last_run_timestamp_seconds{app="pxbbq"}"#, at);
    assert!(series.len() < 200, "{} series\n{}", series.len(), reply.body);

    // what was read stands for a while, and a store that is gone is said so, without the numbers of before
    let damaged = Served::start(&workspace, &[]);
    damage(&workspace.path().join("results/v1/pxbbq/r1/verdict.json"));
    let series = samples(&damaged.get("/metrics").body);
    assert_eq!(series[r#"taster_runs{app="pxbbq",verdict="same"}"#], 0.0);
    assert_eq!(series[r#"taster_runs{app="pxbbq",verdict="unknown"}"#], 1.0);
    fs::remove_dir_all(workspace.path().join("results")).expect("a folder");
    fs::write(workspace.path().join("results"), "").expect("a file");
    let gone = Served::start(&workspace, &[]);
    let series = samples(&gone.get("/metrics").body);
    assert_eq!(series["taster_store_up"], 0.0);
    assert!(!series.keys().any(|name| name.starts_with("taster_runs")), "{series:?}");
}

/// The samples of an `OpenMetrics` text, which must be one: each family described before its samples, no series twice, an
/// end.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("an end");
    let mut described = Vec::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let words: Vec<&str> = about.splitn(3, ' ').collect();
            assert!(matches!(words[0], "HELP" | "TYPE" | "UNIT") && words.len() == 3, "{line}");
            described.push(words[1]);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let last = described.last().expect("a description");
        let suffixes = ["", "_total", "_info", "_sum", "_count", "_bucket"];
        assert!(suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(last)), "{line} is not of {last}");
        assert!(labels.ends_with('}'), "{line}");
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(found.insert(series.to_owned(), value).is_none(), "twice: {series}");
    }
    found
}
