//! Notifications: their contents and retries; they never change a verdict. The tests run the built binary against receivers
//! on real sockets. GitHub itself cannot be used: a stand-in answers the paths that Taster requests, and the requests are
//! checked against GitHub's description of its API.

use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use mongodb::bson::doc;
use serde_json::{Value, json};
use sha2::Sha256;
use taster_testkit::wait_until;

use crate::{
    serve::done,
    support::{CommandOutput, SHOP, ShopDatabase, Workspace},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "a-secret-that-nobody-shows";
const TOKEN: &str = "ghp_a-token-that-nobody-shows";

/// One request.
#[derive(Debug, Clone)]
struct ReceivedRequest {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl ReceivedRequest {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// The reply to one request. After the last configured one, the receiver replies with 200.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Status(u16),
    /// With `Retry-After: 1`.
    Busy,
    /// Never replies.
    Hang,
}

#[derive(Default)]
struct ReceiverState {
    requests: Mutex<Vec<ReceivedRequest>>,
    replies: Mutex<VecDeque<Reply>>,
    /// The pull requests and comments that the stand-in for GitHub holds.
    pulls: Mutex<Vec<Value>>,
    comments: Mutex<Vec<Value>>,
}

/// A server that receives notifications.
struct Receiver {
    state: Arc<ReceiverState>,
    address: SocketAddr,
}

impl Receiver {
    async fn open(replies: &[Reply]) -> Self {
        let state = Arc::new(ReceiverState {
            replies: Mutex::new(replies.iter().copied().collect()),
            ..ReceiverState::default()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { state, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.requests.lock().expect("a list").clone()
    }

    fn request_lines(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// A closed pull request and an open one, with a page and a half of others' comments, one of which looks like ours.
    fn add_pull_requests(&self) {
        let mut pulls = self.state.pulls.lock().expect("a list");
        pulls.push(json!({"number": 6, "state": "closed"}));
        pulls.push(json!({"number": 7, "state": "open"}));
        let mut comments = self.state.comments.lock().expect("a list");
        comments.extend((0..150).map(|id| json!({"id": id, "body": "nice"})));
        comments[3] = json!({"id": 3, "body": "<!-- taster:pxbbq -->\nhello", "foreign": true});
    }

    /// The statuses that commits were given.
    fn statuses(&self) -> Vec<Value> {
        let requests = self.requests();
        let statuses = requests.iter().filter(|request| request.path.contains("/statuses/"));
        statuses.map(ReceivedRequest::json).collect()
    }

    fn comments(&self) -> Vec<Value> {
        self.state.comments.lock().expect("a list").clone()
    }
}

async fn answer(
    State(state): State<Arc<ReceiverState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let request = ReceivedRequest { method: method.clone(), path: path.clone(), headers, body };
    state.requests.lock().expect("a list").push(request.clone());
    let reply = state.replies.lock().expect("a list").pop_front();
    match reply {
        Some(Reply::Hang) => return std::future::pending().await,
        Some(Reply::Busy) => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Some(Reply::Status(status)) if status >= 300 => {
            let said = json!({"message": format!("no; you sent {TOKEN}\u{1b}[2J")});
            return (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")], Json(said))
                .into_response();
        }
        _ => {}
    }
    github(&state, &method, &path, &request)
}

/// The paths of GitHub's API that are asked, and what they do.
fn github(state: &ReceiverState, method: &Method, path: &str, request: &ReceivedRequest) -> Response {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let page = |items: &[Value]| {
        let page: usize = query.rsplit('=').next().and_then(|page| page.parse().ok()).unwrap_or(1);
        Json(items.iter().skip((page - 1) * 100).take(100).cloned().collect::<Vec<_>>()).into_response()
    };
    let mut comments = state.comments.lock().expect("a list");
    match (method.as_str(), path.trim_start_matches("/repos/pxbbq/shop/")) {
        ("POST", status) if status.starts_with("statuses/") => (StatusCode::CREATED, Json(json!({}))).into_response(),
        ("GET", pulls) if pulls.ends_with("/pulls") => page(&state.pulls.lock().expect("a list")),
        ("GET", listed) if listed.ends_with("/comments") => page(&comments),
        ("POST", listed) if listed.ends_with("/comments") => {
            let id = comments.len();
            comments.push(json!({"id": id, "body": request.json()["body"]}));
            (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
        }
        ("PATCH", one) => {
            let id: usize = one.rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id");
            if comments[id]["foreign"] == true {
                return (StatusCode::FORBIDDEN, Json(json!({"message": "not yours"}))).into_response();
            }
            comments[id]["body"] = request.json()["body"].clone();
            Json(json!({})).into_response()
        }
        _ => Json(json!({})).into_response(),
    }
}

/// Whether GitHub's own description of its API has such a request.
fn is_github_request(request: &ReceivedRequest) {
    let api: Value = serde_json::from_str(include_str!("github.json")).expect("operations");
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let fits = |template: &str| {
        let (asked, named): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), template.split('/').collect());
        asked.len() == named.len()
            && asked.iter().zip(&named).all(|(asked, named)| named.starts_with('{') || asked == named)
    };
    let known = api["operations"].as_array().expect("a list").iter();
    let mut fitting =
        known.filter(|one| one["method"] == request.method.as_str() && one["path"].as_str().is_some_and(fits));
    let operation = fitting.next().unwrap_or_else(|| panic!("{} {}", request.method, request.path));
    let names = operation["query"].as_array().expect("a list");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        assert!(
            names.iter().any(|name| pair.starts_with(&format!("{}=", name.as_str().unwrap_or_default()))),
            "{pair}"
        );
    }
    if operation["body"].is_null() {
        assert!(request.body.is_empty(), "{}", request.path);
        return;
    }
    let schema = jsonschema::validator_for(&operation["body"]).expect("a schema");
    let body = request.json();
    assert!(schema.is_valid(&body), "{}: {body}", request.path);
    let unknown =
        body.as_object().expect("an object").keys().find(|key| operation["body"]["properties"].get(key).is_none());
    assert_eq!(unknown, None, "{}", request.path);
}

fn configured(workspace: &Workspace, notify: &str) {
    workspace.configure(&format!(
        "{SHOP}report: {{url: 'https://taster.example.com/apps/{{app}}/runs/{{run}}'}}\nnotify:\n{notify}\n"
    ));
}

/// `post` of a run that was tasted before, and how it ended.
fn post(workspace: &Workspace, run: &str, more: &[&str]) -> CommandOutput {
    done(workspace, 0, &["pre", "--run", run]);
    let mut arguments = vec!["post", "--run", run];
    arguments.extend(more);
    workspace.taster(&arguments)
}

fn is_discreet(ended: &CommandOutput) {
    for hidden in [SECRET, TOKEN, "/hooks/", "\u{1b}[2J"] {
        assert!(!ended.err.contains(hidden) && !ended.out.contains(hidden), "{hidden}: {}", ended.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_called_once_signed_and_in_the_published_shape() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let all = Receiver::open(&[]).await;
    let only_bad = Receiver::open(&[]).await;
    configured(
        &workspace,
        &format!(
            "  - {{webhook: '{}/hooks/{SECRET}', secret: {SECRET}, bearer: {TOKEN}}}\n  - {{webhook: '{}', on: [different, unknown]}}",
            all.url(),
            only_bad.url()
        ),
    );
    let ended = post(&workspace, "r1", &["--revision", COMMIT]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    is_discreet(&ended);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&workspace, 0, &["pre", "--run", "r0"]); // the baseline of nothing that is judged here
    done(&workspace, 0, &["post", "--run", "r0"]);
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 1]}}).await > 0);
    let ended = workspace.taster(&["post", "--run", "r2"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    is_discreet(&ended);

    let requests = all.requests();
    assert_eq!(requests.len(), 3);
    let schema: Value =
        serde_json::from_str(include_str!("../../../model/schemas/notification.v1.json")).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for request in &requests {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(&request.body);
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(request.header("x-taster-signature-256"), expected);
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("x-taster-delivery"), request.json()["attempt"].as_str().expect("an attempt"));
        assert!(schema.is_valid(&request.json()), "{:?}", schema.iter_errors(&request.json()).collect::<Vec<_>>());
    }
    let first = requests[0].json();
    assert_eq!((first["verdict"].as_str(), first["revision"].as_str()), (Some("same"), Some(COMMIT)));
    let last = requests[2].json();
    assert_eq!(last["verdict"], "different");
    assert_eq!(last["page"], "https://taster.example.com/apps/pxbbq/runs/r2");
    assert!(last["findings"]["different"].as_u64() > Some(0), "{last}");
    assert!(last["remedy"].as_str().is_some_and(|remedy| remedy.contains("taster accept r2")), "{last}");
    assert!(last["reports"][0].as_str().is_some_and(|report| report.ends_with("/report.html")), "{last}");
    assert_eq!(only_bad.requests().len(), 1, "it asked for bad news only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_cannot_be_reached_is_named_and_changes_nothing() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let flaky = Receiver::open(&[Reply::Status(500), Reply::Busy, Reply::Hang]).await;
    let broken = Receiver::open(&[Reply::Status(503); 9]).await;
    let refuses = Receiver::open(&[Reply::Status(401); 9]).await;
    let elsewhere = Receiver::open(&[Reply::Status(307); 9]).await;
    let receivers = [&flaky, &broken, &refuses, &elsewhere];
    let mut notify: Vec<String> = receivers
        .iter()
        .map(|receiver| format!("  - {{webhook: '{}/hooks/x', bearer: {TOKEN}, timeout: 2s}}", receiver.url()))
        .collect();
    // a port without a listener, and a file that does not exist
    notify.push("  - {webhook: 'http://127.0.0.1:1/hooks/x'}".to_owned());
    notify.push("  - {webhook: 'https://127.0.0.1:1/hooks/x', caFile: nothing.pem}".to_owned());
    configured(&workspace, &notify.join("\n"));
    let began = Instant::now();
    let ended = post(&workspace, "r1", &[]);
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!(ended.code, 0, "the verdict is unchanged: {}", ended.all());
    assert_eq!(workspace.taster(&["show", "r1", "--format", "json"]).json()["verdict"], "same");
    is_discreet(&ended);
    let counts = receivers.map(|receiver| receiver.requests().len());
    assert_eq!(counts, [4, 4, 1, 1], "what passes is tried again, what does not is not: {}", ended.all());
    let told = ended.err.lines().filter(|line| line.contains("was not notified")).collect::<Vec<_>>();
    assert_eq!(told.len(), 5, "{}", ended.all());
    for (code, words) in [
        ("T0670", "503 Service Unavailable"),
        ("T0671", "401 Unauthorized"),
        ("T0671", "redirects are not followed"),
        ("T0670", "failed after 4 tries"),
        ("T0675", "nothing.pem"),
    ] {
        assert!(told.iter().any(|line| line.contains(code) && line.contains(words)), "{code} {words}: {told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_gets_a_status_and_its_pull_request_one_comment() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let github = Receiver::open(&[]).await;
    github.add_pull_requests();
    configured(
        &workspace,
        &format!("  - github: {{repository: pxbbq/shop, token: {TOKEN}, api: '{}/'}}", github.url()),
    );
    let ended = post(&workspace, "r1", &["--revision", COMMIT]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    is_discreet(&ended);
    let comments = github.comments();
    assert_eq!(comments.len(), 151);
    let ours = comments[150]["body"].as_str().expect("a body");
    assert!(ours.starts_with("<!-- taster:pxbbq -->\n## ✅ Taster: **same**"), "{ours}");
    assert!(ours.contains("(https://taster.example.com/apps/pxbbq/runs/r1)"), "{ours}");
    assert_eq!(comments[3]["body"], "<!-- taster:pxbbq -->\nhello", "another's comment stays");
    let asked = github.request_lines();
    assert_eq!(asked[0], format!("POST /repos/pxbbq/shop/statuses/{COMMIT}"));
    assert!(asked[1].starts_with(&format!("GET /repos/pxbbq/shop/commits/{COMMIT}/pulls")), "{asked:?}");
    let status = github.requests()[0].json();
    assert_eq!((status["state"].as_str(), status["context"].as_str()), (Some("success"), Some("taster/pxbbq")));
    assert_eq!(status["target_url"], "https://taster.example.com/apps/pxbbq/runs/r1");
    for request in github.requests() {
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(request.header("accept"), "application/vnd.github+json");
        assert!(request.header("user-agent").starts_with("taster/"));
        is_github_request(&request);
    }

    // the next verdict changes that comment
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    let command = workspace.command(&["post", "--run", "r2"]).env("TASTER_REVISION", COMMIT).output().expect("it runs");
    let ended = CommandOutput::read(&command);
    assert_eq!(ended.code, 1, "{}", ended.all());
    let comments = github.comments();
    assert_eq!(comments.len(), 151, "one comment, however many verdicts");
    assert!(comments[150]["body"].as_str().is_some_and(|body| body.contains("**different**")), "{}", comments[150]);
    let statuses = github.statuses();
    let outcomes: Vec<&Value> = statuses.iter().map(|posted| &posted["state"]).collect();
    assert_eq!(outcomes, ["success", "failure"]);
    let description = statuses[1]["description"].as_str().expect("text");
    assert!(description.starts_with("different: ") && description.chars().count() <= 140, "{description}");

    // the commit is unknown: Taster logs that, and nothing else happens
    let ended = workspace.taster(&["post", "--run", "r2"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("no commit is known; set --revision"), "{}", ended.all());
    let wrong = workspace.taster(&["post", "--run", "r2", "--revision", "main"]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_notifications_and_leaves_the_verdict() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let hangs = Receiver::open(&[Reply::Hang; 9]).await;
    configured(&workspace, &format!("  - {{webhook: '{}', timeout: 30s}}", hangs.url()));
    done(&workspace, 0, &["pre", "--run", "r1"]);
    let log = workspace.path().join("log");
    let file = fs::File::create(&log).expect("a file");
    let mut child = workspace.command(&["post", "--run", "r1"]).stderr(file).spawn().expect("it runs");
    wait_until("a notification", Duration::from_mins(1), async || !hangs.requests().is_empty()).await;
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let asked = Instant::now();
    let code = child.wait().expect("an end").code();
    assert_eq!(code, Some(0), "it is the verdict's: {}", fs::read_to_string(&log).unwrap_or_default());
    assert!(asked.elapsed() < Duration::from_secs(10));
    let log = fs::read_to_string(&log).expect("a log");
    assert!(log.contains("notifications that were not sent by now are dropped why=stopped by SIGTERM"), "{log}");
}

#[test]
fn an_invalid_receiver_is_refused_with_its_setting() {
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq");
    for (entry, at, told) in [
        ("{on: [same]}", "notify[0]", "exactly one of"),
        ("{webhook: 'https://a.example', github: {repository: a/b, token: x}}", "notify[0]", "exactly one of"),
        ("{webhook: 'ftp://a.example/hooks/x'}", "notify[0].webhook", "no address of the web"),
        ("{webhook: ''}", "notify[0].webhook", "it is empty"),
        ("{webhook: 'https://a.example', on: []}", "notify[0].on", "the list is empty: no verdict would be sent"),
        ("{github: {repository: pxbbq, token: x}}", "notify[0].github.repository", "owner/name"),
        ("{github: {repository: '../x', token: x}}", "notify[0].github.repository", "no repository"),
        ("{github: {repository: a/b, token: ''}}", "notify[0].github.token", "is the variable set?"),
        ("{github: {repository: a/b, token: x}, bearer: y}", "notify[0]", "are for a webhook"),
        (
            "{github: {repository: a/b, token: x, application: {name: A_B}}}",
            "notify[0].github.application.name",
            "no name",
        ),
        ("{webhok: 'https://a.example'}", "taster.yaml:9:6", "did you mean `webhook`?"),
    ] {
        configured(&workspace, &format!("  - {entry}"));
        let ended = workspace.taster(&["config", "check"]);
        assert_eq!(ended.code, 4, "{entry}: {}", ended.all());
        assert!(ended.err.contains(at) && ended.err.contains(told), "{entry}: {}", ended.err);
        assert!(!ended.err.contains("/hooks/"), "{entry}: {}", ended.err);
    }
}
