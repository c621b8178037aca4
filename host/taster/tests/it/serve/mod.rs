//! `taster serve`: the built binary, asked with `curl`, over stores that real runs filled. Here are the server, its replies and the
//! runs that the tests of the submodules share.

mod access;
mod api;
mod gate;
mod limits;
mod metrics;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mongodb::bson::doc;
use serde_json::Value;
use taster_testkit::{WAIT_TIMEOUT, block_until};
use tokio::sync::OnceCell;

use crate::support::{SHOP, ShopDatabase, Workspace};

/// A server on a port of its own.
pub(crate) struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    pub(crate) fn start(workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "-v"];
        all.extend(arguments);
        // the server does not start without it; in some tests something else is there
        let _ = fs::create_dir_all(workspace.path().join("results"));
        let mut command = workspace.command(&all);
        let log = fs::File::create(workspace.path().join("serve.log")).expect("a file");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address
            .unwrap_or_else(|| {
                let log = fs::read_to_string(workspace.path().join("serve.log")).unwrap_or_default();
                panic!("`{line}`: {log}")
            })
            .parse()
            .expect("an address");
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

    /// Whether `curl -f` succeeds, which is how a pipeline uses the gate.
    #[expect(clippy::unused_self, reason = "the server must be running")]
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
