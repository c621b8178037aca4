//! Notifications: what is sent, what is tried again, and that nothing of it changes a verdict. The built binary against
//! receivers on real sockets; GitHub is a stand-in with the few paths that are asked, for the real one is not to be had:
//! what it is asked is held against GitHub's own description of its API.

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
    support::{Ended, Kitchen, SHOP, Table},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "a-secret-that-nobody-shows";
const TOKEN: &str = "ghp_a-token-that-nobody-shows";

/// One request.
#[derive(Debug, Clone)]
struct Heard {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// How a receiver answers, one request after the other; 200 afterwards.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Status(u16),
    /// With `Retry-After: 1`.
    Busy,
    /// Nothing ever comes.
    Hang,
}

#[derive(Default)]
struct Desk {
    heard: Mutex<Vec<Heard>>,
    manners: Mutex<VecDeque<Manner>>,
    /// What GitHub knows: pull requests and comments.
    pulls: Mutex<Vec<Value>>,
    comments: Mutex<Vec<Value>>,
}

/// Something that is told.
struct Receiver {
    desk: Arc<Desk>,
    address: SocketAddr,
}

impl Receiver {
    async fn open(manners: &[Manner]) -> Self {
        let desk = Arc::new(Desk { manners: Mutex::new(manners.iter().copied().collect()), ..Desk::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { desk, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heard(&self) -> Vec<Heard> {
        self.desk.heard.lock().expect("a list").clone()
    }

    fn asked(&self) -> Vec<String> {
        self.heard().iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect()
    }

    fn comments(&self) -> Vec<Value> {
        self.desk.comments.lock().expect("a list").clone()
    }
}

async fn answer(State(desk): State<Arc<Desk>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let heard = Heard { method: method.clone(), path: path.clone(), headers, body };
    desk.heard.lock().expect("a list").push(heard.clone());
    let manner = desk.manners.lock().expect("a list").pop_front();
    match manner {
        Some(Manner::Hang) => return std::future::pending().await,
        Some(Manner::Busy) => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Some(Manner::Status(status)) if status >= 300 => {
            let said = json!({"message": format!("no; you sent {TOKEN}\u{1b}[2J")});
            return (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")], Json(said))
                .into_response();
        }
        _ => {}
    }
    github(&desk, &method, &path, &heard)
}

/// The paths of GitHub's API that are asked, and what they do.
fn github(desk: &Desk, method: &Method, path: &str, heard: &Heard) -> Response {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let page = |items: &[Value]| {
        let page: usize = query.rsplit('=').next().and_then(|page| page.parse().ok()).unwrap_or(1);
        Json(items.iter().skip((page - 1) * 100).take(100).cloned().collect::<Vec<_>>()).into_response()
    };
    let mut comments = desk.comments.lock().expect("a list");
    match (method.as_str(), path.trim_start_matches("/repos/pxbbq/shop/")) {
        ("POST", status) if status.starts_with("statuses/") => (StatusCode::CREATED, Json(json!({}))).into_response(),
        ("GET", pulls) if pulls.ends_with("/pulls") => page(&desk.pulls.lock().expect("a list")),
        ("GET", listed) if listed.ends_with("/comments") => page(&comments),
        ("POST", listed) if listed.ends_with("/comments") => {
            let id = comments.len();
            comments.push(json!({"id": id, "body": heard.json()["body"]}));
            (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
        }
        ("PATCH", one) => {
            let id: usize = one.rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id");
            if comments[id]["foreign"] == true {
                return (StatusCode::FORBIDDEN, Json(json!({"message": "not yours"}))).into_response();
            }
            comments[id]["body"] = heard.json()["body"].clone();
            Json(json!({})).into_response()
        }
        _ => Json(json!({})).into_response(),
    }
}

/// Whether GitHub's own description of its API has such a request.
fn is_githubs(heard: &Heard) {
    let api: Value = serde_json::from_str(include_str!("github.json")).expect("operations");
    let (path, query) = heard.path.split_once('?').unwrap_or((&heard.path, ""));
    let fits = |template: &str| {
        let (asked, named): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), template.split('/').collect());
        asked.len() == named.len()
            && asked.iter().zip(&named).all(|(asked, named)| named.starts_with('{') || asked == named)
    };
    let known = api["operations"].as_array().expect("a list").iter();
    let mut fitting =
        known.filter(|one| one["method"] == heard.method.as_str() && one["path"].as_str().is_some_and(fits));
    let operation = fitting.next().unwrap_or_else(|| panic!("{} {}", heard.method, heard.path));
    let names = operation["query"].as_array().expect("a list");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        assert!(
            names.iter().any(|name| pair.starts_with(&format!("{}=", name.as_str().unwrap_or_default()))),
            "{pair}"
        );
    }
    if operation["body"].is_null() {
        assert!(heard.body.is_empty(), "{}", heard.path);
        return;
    }
    let schema = jsonschema::validator_for(&operation["body"]).expect("a schema");
    let body = heard.json();
    assert!(schema.is_valid(&body), "{}: {body}", heard.path);
    let unknown =
        body.as_object().expect("an object").keys().find(|key| operation["body"]["properties"].get(key).is_none());
    assert_eq!(unknown, None, "{}", heard.path);
}

fn configured(table: &Table, notify: &str) {
    table.configure(&format!(
        "{SHOP}report: {{url: 'https://taster.example.com/apps/{{app}}/runs/{{run}}'}}\nnotify:\n{notify}\n"
    ));
}

/// `post` of a run that was tasted before, and how it ended.
fn post(table: &Table, run: &str, more: &[&str]) -> Ended {
    done(table, 0, &["pre", "--run", run]);
    let mut arguments = vec!["post", "--run", run];
    arguments.extend(more);
    table.taster(&arguments)
}

fn is_discreet(ended: &Ended) {
    for hidden in [SECRET, TOKEN, "/hooks/", "\u{1b}[2J"] {
        assert!(!ended.err.contains(hidden) && !ended.out.contains(hidden), "{hidden}: {}", ended.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_once_signed_and_in_the_published_shape() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let all = Receiver::open(&[]).await;
    let only_bad = Receiver::open(&[]).await;
    configured(
        &table,
        &format!(
            "  - {{webhook: '{}/hooks/{SECRET}', secret: {SECRET}, bearer: {TOKEN}}}\n  - {{webhook: '{}', on: [different, unknown]}}",
            all.url(),
            only_bad.url()
        ),
    );
    let ended = post(&table, "r1", &["--revision", COMMIT]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    is_discreet(&ended);
    assert!(kitchen.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&table, 0, &["pre", "--run", "r0"]); // the baseline of nothing that is judged here
    done(&table, 0, &["post", "--run", "r0"]);
    done(&table, 0, &["pre", "--run", "r2"]);
    assert!(kitchen.lose(doc! {"number": {"$mod": [10, 1]}}).await > 0);
    let ended = table.taster(&["post", "--run", "r2"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    is_discreet(&ended);

    let heard = all.heard();
    assert_eq!(heard.len(), 3);
    let schema: Value =
        serde_json::from_str(include_str!("../../../model/schemas/notification.v1.json")).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for heard in &heard {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(&heard.body);
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(heard.header("x-taster-signature-256"), expected);
        assert_eq!(heard.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(heard.header("content-type"), "application/json");
        assert_eq!(heard.header("x-taster-delivery"), heard.json()["attempt"].as_str().expect("an attempt"));
        assert!(schema.is_valid(&heard.json()), "{:?}", schema.iter_errors(&heard.json()).collect::<Vec<_>>());
    }
    let first = heard[0].json();
    assert_eq!((first["verdict"].as_str(), first["revision"].as_str()), (Some("same"), Some(COMMIT)));
    let last = heard[2].json();
    assert_eq!(last["verdict"], "different");
    assert_eq!(last["page"], "https://taster.example.com/apps/pxbbq/runs/r2");
    assert!(last["findings"]["different"].as_u64() > Some(0), "{last}");
    assert!(last["remedy"].as_str().is_some_and(|remedy| remedy.contains("taster accept r2")), "{last}");
    assert!(last["reports"][0].as_str().is_some_and(|report| report.ends_with("/report.html")), "{last}");
    assert_eq!(only_bad.heard().len(), 1, "it asked for bad news only");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_told_is_named_and_changes_nothing() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let flaky = Receiver::open(&[Manner::Status(500), Manner::Busy, Manner::Hang]).await;
    let broken = Receiver::open(&[Manner::Status(503); 9]).await;
    let refuses = Receiver::open(&[Manner::Status(401); 9]).await;
    let elsewhere = Receiver::open(&[Manner::Status(307); 9]).await;
    let receivers = [&flaky, &broken, &refuses, &elsewhere];
    let mut notify: Vec<String> = receivers
        .iter()
        .map(|receiver| format!("  - {{webhook: '{}/hooks/x', bearer: {TOKEN}, timeout: 2s}}", receiver.url()))
        .collect();
    // a port that nobody listens on, and a file that is none
    notify.push("  - {webhook: 'http://127.0.0.1:1/hooks/x'}".to_owned());
    notify.push("  - {webhook: 'https://127.0.0.1:1/hooks/x', caFile: nothing.pem}".to_owned());
    configured(&table, &notify.join("\n"));
    let began = Instant::now();
    let ended = post(&table, "r1", &[]);
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!(ended.code, 0, "the verdict stands: {}", ended.all());
    assert_eq!(table.taster(&["show", "r1", "--format", "json"]).json()["verdict"], "same");
    is_discreet(&ended);
    let counts = receivers.map(|receiver| receiver.heard().len());
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
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let github = Receiver::open(&[]).await;
    {
        let mut pulls = github.desk.pulls.lock().expect("a list");
        pulls.push(json!({"number": 6, "state": "closed"}));
        pulls.push(json!({"number": 7, "state": "open"}));
        // a page and a half of others' comments, one of which looks like ours
        let mut comments = github.desk.comments.lock().expect("a list");
        comments.extend((0..150).map(|id| json!({"id": id, "body": "nice"})));
        comments[3] = json!({"id": 3, "body": "<!-- taster:pxbbq -->\nhello", "foreign": true});
    }
    configured(&table, &format!("  - github: {{repository: pxbbq/shop, token: {TOKEN}, api: '{}/'}}", github.url()));
    let ended = post(&table, "r1", &["--revision", COMMIT]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    is_discreet(&ended);
    let comments = github.comments();
    assert_eq!(comments.len(), 151);
    let ours = comments[150]["body"].as_str().expect("a body");
    assert!(ours.starts_with("<!-- taster:pxbbq -->\n## ✅ Taster: **same**"), "{ours}");
    assert!(ours.contains("(https://taster.example.com/apps/pxbbq/runs/r1)"), "{ours}");
    assert_eq!(comments[3]["body"], "<!-- taster:pxbbq -->\nhello", "another's comment stays");
    let asked = github.asked();
    assert_eq!(asked[0], format!("POST /repos/pxbbq/shop/statuses/{COMMIT}"));
    assert!(asked[1].starts_with(&format!("GET /repos/pxbbq/shop/commits/{COMMIT}/pulls")), "{asked:?}");
    let status = github.heard()[0].json();
    assert_eq!((status["state"].as_str(), status["context"].as_str()), (Some("success"), Some("taster/pxbbq")));
    assert_eq!(status["target_url"], "https://taster.example.com/apps/pxbbq/runs/r1");
    for heard in github.heard() {
        assert_eq!(heard.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(heard.header("accept"), "application/vnd.github+json");
        assert!(heard.header("user-agent").starts_with("taster/"));
        is_githubs(&heard);
    }

    // the next verdict changes that comment
    done(&table, 0, &["pre", "--run", "r2"]);
    assert!(kitchen.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    let command = table.command(&["post", "--run", "r2"]).env("TASTER_REVISION", COMMIT).output().expect("it runs");
    let ended = Ended::of(&command);
    assert_eq!(ended.code, 1, "{}", ended.all());
    let comments = github.comments();
    assert_eq!(comments.len(), 151, "one comment, however many verdicts");
    assert!(comments[150]["body"].as_str().is_some_and(|body| body.contains("**different**")), "{}", comments[150]);
    let set: Vec<Value> = github
        .heard()
        .iter()
        .filter(|heard| heard.path.contains("/statuses/"))
        .map(|heard| heard.json()["state"].clone())
        .collect();
    assert_eq!(set, ["success", "failure"]);
    let description = github.heard().iter().rev().find(|heard| heard.path.contains("/statuses/")).map(Heard::json);
    let description = description.expect("a status")["description"].as_str().expect("text").to_owned();
    assert!(description.starts_with("different: ") && description.chars().count() <= 140, "{description}");

    // nobody knows the commit: it is said, and that is all
    let ended = table.taster(&["post", "--run", "r2"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("no commit is known; set --revision"), "{}", ended.all());
    let wrong = table.taster(&["post", "--run", "r2", "--revision", "main"]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_telling_and_leaves_the_verdict() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let hangs = Receiver::open(&[Manner::Hang; 9]).await;
    configured(&table, &format!("  - {{webhook: '{}', timeout: 30s}}", hangs.url()));
    done(&table, 0, &["pre", "--run", "r1"]);
    let log = table.path().join("log");
    let file = fs::File::create(&log).expect("a file");
    let mut child = table.command(&["post", "--run", "r1"]).stderr(file).spawn().expect("it runs");
    wait_until("a notification", Duration::from_mins(1), async || !hangs.heard().is_empty()).await;
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let asked = Instant::now();
    let code = child.wait().expect("an end").code();
    assert_eq!(code, Some(0), "it is the verdict's: {}", fs::read_to_string(&log).unwrap_or_default());
    assert!(asked.elapsed() < Duration::from_secs(10));
    let log = fs::read_to_string(&log).expect("a log");
    assert!(log.contains("stopped by SIGTERM: notifications that were not sent"), "{log}");
}

#[test]
fn what_cannot_be_meant_is_refused_by_the_setting() {
    let table = Table::new("mongodb://127.0.0.1:1/pxbbq");
    for (entry, at, told) in [
        ("{on: [same]}", "notify[0]", "a `webhook` or a `github`"),
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
        configured(&table, &format!("  - {entry}"));
        let ended = table.taster(&["config", "check"]);
        assert_eq!(ended.code, 4, "{entry}: {}", ended.all());
        assert!(ended.err.contains(at) && ended.err.contains(told), "{entry}: {}", ended.err);
        assert!(!ended.err.contains("/hooks/"), "{entry}: {}", ended.err);
    }
}
