//! A hostile probe ends as `unknown` for itself, with the limit and its setting named; the others still run.

use mongodb::bson::doc;

use crate::support::{SHOP, ShopDatabase, component};

/// The failure that a run of `{"attack": …}` ends with.
async fn attack(shop: &ShopDatabase, attack: &str) -> serde_json::Value {
    let workspace = shop.workspace();
    std::fs::copy(component("evil"), workspace.path().join("evil.wasm"))
        .expect("the build leaves target/probes/evil.wasm");
    let configure = |severity: &str| {
        workspace.configure(&format!(
            "{SHOP}probes:
  - name: guest
    component: ./evil.wasm
    severity: {severity}
    collections: [orders]
    config: {{attack: {attack}}}
    limits: {{deadline: 3s, memory: 64MiB}}
  - {{name: counts, component: document-count}}
"
        ));
    };
    configure("fail");
    let mut pre = workspace.taster(&["pre", "--format", "json"]);
    // one that fails before it reads anything fails whatever the data are
    let is_hopeless = pre.code == 4 && pre.err.contains("error[T0637]") && pre.err.contains("probe guest");
    assert!(pre.code == 3 || is_hopeless, "a gating probe that fails is reported before the sync: {}", pre.all());
    if is_hopeless {
        configure("warn");
        pre = workspace.taster(&["pre", "--format", "json"]);
        assert_eq!(pre.code, 0, "{}", pre.all());
    }
    let capture = pre.json();
    let probes = capture["probes"].as_array().expect("probes");
    assert!(probes[1]["outcome"]["metrics"].is_array(), "the other probe still runs: {}", probes[1]);
    let failure = probes[0]["outcome"]["failed"].clone();

    let post = workspace.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, if is_hopeless { 0 } else { 3 }, "{}", post.all());
    let verdict = post.json();
    let findings = verdict["findings"].as_array().expect("findings");
    let of = |probe: &str| findings.iter().filter(|f| f["probe"] == probe).collect::<Vec<_>>();
    assert!(of("guest").iter().all(|f| f["outcome"] == "unknown") && !of("guest").is_empty(), "{verdict}");
    assert!(of("counts").iter().all(|f| f["outcome"] == "same") && !of("counts").is_empty(), "{verdict}");
    let names = shop.database.list_collection_names().await.expect("names");
    assert!(!names.contains(&"stolen".to_owned()), "{names:?}");
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_ends_as_unknown_with_the_limit_named() {
    let shop = ShopDatabase::replica_set(300).await;
    let cases = [
        ("loop", "T0321", "deadline", "probes[guest].limits.deadline", "3s"),
        ("memory", "T0322", "budget", "probes[guest].limits.memory", "64 MiB"),
        ("metrics", "", "budget", "probes[guest].limits.", ""),
        ("out", "T0228", "denied", "", ""),
        ("merge", "T0228", "denied", "", ""),
        ("other-collection", "T0226", "denied", "probes[guest].collections", "orders"),
        ("lookup", "T0226", "denied", "probes[guest].collections", "orders"),
        ("panic", "T0320", "invalid", "", ""),
    ];
    for (name, code, refusal, setting, allowed) in cases {
        let failure = attack(&shop, name).await;
        let part = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        let all = failure.to_string();
        assert!(part("code").starts_with(code) && part("code").starts_with('T'), "{name}: {all}");
        assert_eq!(part("refusal"), refusal, "{name}: {all}");
        assert!(part("setting").starts_with(setting), "{name}: {all}");
        assert!(part("allowed").contains(allowed), "{name}: {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_probe_of_severity_warn_does_not_gate() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    std::fs::copy(component("evil"), workspace.path().join("evil.wasm"))
        .expect("the build leaves target/probes/evil.wasm");
    workspace.configure(&format!(
        "{SHOP}probes:
  - {{name: guest, component: ./evil.wasm, collections: [orders], severity: warn, config: {{attack: panic}}}}
  - {{name: counts, component: document-count}}
"
    ));
    assert_eq!(workspace.taster(&["pre"]).code, 0);
    let post = workspace.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert!(
        post.out.contains("the probe's own last words") || post.err.contains("the probe's own last words"),
        "{}",
        post.all()
    );

    assert_eq!(workspace.taster(&["pre"]).code, 0);
    shop.lose(doc! {"status": "open"}).await;
    assert_eq!(workspace.taster(&["post"]).code, 1, "the loss is still found beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_a_probe_makes_up_does_not_have_everything_read_again() {
    let shop = ShopDatabase::replica_set(300).await;
    let workspace = shop.workspace();
    std::fs::copy(component("evil"), workspace.path().join("evil.wasm"))
        .expect("the build leaves target/probes/evil.wasm");
    for decides in ["muted: true", "severity: warn"] {
        workspace.configure(&format!(
            "{SHOP}probes:
  - {{name: guest, component: ./evil.wasm, collections: [orders], {decides}, config: {{attack: forged-code}}}}
  - {{name: counts, component: document-count}}
"
        ));
        let pre = workspace.taster(&["pre", "--format", "json"]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        let capture = pre.json();
        assert_eq!(capture["consistency"]["reading"], "snapshot", "{}", pre.all());
        let failure = &capture["probes"][0]["outcome"]["failed"];
        assert_eq!((&failure["message"], failure.get("code")), (&"the snapshot is gone".into(), None), "{failure}");
        assert_eq!(workspace.taster(&["post"]).code, 0);
    }
}
