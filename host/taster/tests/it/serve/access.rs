//! Who may read: tokens, and servers without tokens.

use std::fs;

use insta::assert_snapshot;

use super::{Served, curl};
use crate::support::Workspace;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

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
    // with two headers it is not clear which one counts
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
fn a_server_that_anyone_could_read_does_not_start() {
    let workspace = Workspace::new("");
    fs::write(workspace.path().join("short"), "0123456789\n").expect("a file");
    fs::create_dir(workspace.path().join("results")).expect("a folder");
    let says = |code: i32, arguments: &[&str]| {
        let ended = workspace.taster(&[&["serve", "--store", "file://./results"], arguments].concat());
        assert_eq!(ended.code, code, "{}", ended.all());
        ended.err.trim().to_owned()
    };
    assert_snapshot!(says(2, &["--listen", "0.0.0.0:0"]), @r"
    error[T0640]: --listen 0.0.0.0:0 can be reached from other machines, and no token would be required
      help: give a token file with --token-file, or allow anyone with --allow-anonymous
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
fn a_store_that_does_not_exist_is_not_served() {
    let workspace = Workspace::new("");
    fs::write(workspace.path().join("file"), "").expect("a file");
    for store in ["file://./resluts", "./no/such/folder", "file"] {
        let ended = workspace.taster(&["serve", "--listen", "127.0.0.1:0", "--store", store]);
        assert_eq!(ended.code, 4, "{store}: {}", ended.all());
        assert!(ended.err.contains("error[T0657]: the store ") && !ended.out.contains("listening"), "{}", ended.all());
    }
    fs::create_dir(workspace.path().join("empty")).expect("a folder");
    let served = Served::start(&workspace, &["--store", "file://./empty"]);
    assert_eq!(served.get("/readyz").status, 200, "an empty folder is a store without runs");
}
