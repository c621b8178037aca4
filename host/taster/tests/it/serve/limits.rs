//! Hostile requests, the limits of the server, and how it stops.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::{Reply, Served, curl};
use crate::support::Workspace;

/// What comes on a connection until the other side ends it.
fn rest_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an end");
    text
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
fn a_slow_client_loses_its_connection_and_others_keep_theirs() {
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

    // one byte a second does not complete a request: the connection is closed after ten seconds
    let begun = Instant::now();
    let mut slow = served.connect();
    slow.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    let mut over = false;
    // the request line never ends
    while !over {
        over = slow.write_all(b"G").is_err();
        let mut buffer = [0; 512];
        // an end or a reset; after a time-out the connection is still open
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
        // new connections are refused
        served.until_refused();
        assert_eq!(rest_of(idle), "", "an idle connection is closed at once");
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
