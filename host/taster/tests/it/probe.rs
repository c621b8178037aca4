//! `taster probe`: for people who write or receive probes.

use insta::assert_snapshot;

use crate::support::{ShopDatabase, Workspace, component};

#[test]
fn every_standard_probe_passes_the_check_and_tells_what_it_is() {
    let workspace = Workspace::new("");
    for (name, bytes) in taster_standard_probes::standard_probes() {
        let check = workspace.taster(&["probe", "check", name, "--format", "json"]);
        assert_eq!(check.code, 0, "{}", check.all());
        let report = check.json();
        assert_eq!(report["bytes"], bytes.len(), "{name}");
        let imports: Vec<&str> =
            report["imports"].as_array().expect("imports").iter().filter_map(|i| i.as_str()).collect();
        assert!(
            imports.iter().all(|import| import.starts_with("taster:probe/")),
            "{name} has no other door: {imports:?}"
        );
        let inspect = workspace.taster(&["probe", "inspect", name]);
        assert_eq!(inspect.code, 0, "{}", inspect.all());
        assert!(inspect.out.starts_with(name) && inspect.out.contains("Returns"), "{}", inspect.out);
        assert!(inspect.out.lines().all(|line| line.chars().count() <= 100), "{}", inspect.out);
    }
}

#[test]
fn what_is_no_probe_is_told_why() {
    let workspace = Workspace::new("");
    std::fs::write(workspace.path().join("text.wasm"), "(component)").expect("a file");
    // a core module: what compilers make before a component is made of it
    std::fs::write(workspace.path().join("core.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    // an empty component
    std::fs::write(workspace.path().join("empty.wasm"), b"\0asm\x0d\0\x01\0").expect("a file");
    let says = |name: &str| {
        let ended = workspace.taster(&["probe", "check", name]);
        assert_eq!(ended.code, 4, "{}", ended.all());
        ended.err.trim().to_owned()
    };
    assert_snapshot!(says("text.wasm"), @r#"
    error[T0303]: not a WebAssembly component: the file is WebAssembly in text form
      help: make it binary: `wasm-tools parse`
    "#);
    assert_snapshot!(says("core.wasm"), @r#"
    error[T0303]: not a WebAssembly component: the file is a core module
      help: make it a component: `wasm-tools component new`
    "#);
    assert_snapshot!(says("empty.wasm"), @r#"
    error[T0306]: the component does not export `describe`; it exports nothing
      help: build it for the world `probe` of taster:probe@1.0.0
    "#);
    assert_snapshot!(says("nothing.wasm"), @r#"
    error[T0108]: cannot read the component ./nothing.wasm: No such file or directory (os error 2)
      help: paths are relative to the configuration file
    "#);
    assert_snapshot!(says("document-cuont"), @r#"
    error[T0111]: there is no component `document-cuont`
      help: standard probes: census, document-count, duplicate-keys, group-report, index-inventory, reference-check, schema-shape
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_prints_the_metrics_and_what_was_used_and_says_the_same_twice() {
    let shop = ShopDatabase::replica_set(400).await;
    let workspace = shop.workspace();
    let uri = shop.uri();
    let run = |more: &[&str]| {
        let ended = workspace
            .taster(&[&["probe", "run", "schema-shape", "--mongodb", &uri, "--collection", "orders"], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.all());
        ended
    };
    let human = run(&[]);
    for part in ["shape{collection=orders}", "documents  400", "memory", "of 256"] {
        assert!(human.out.contains(part), "{part}: {}", human.out);
    }
    let (first, second) = (run(&["--format", "json"]).json(), run(&["--format", "json"]).json());
    assert_eq!(first["metrics"], second["metrics"]);
    assert_eq!(first["usage"]["documents"], 400);

    let path = component("evil").display().to_string();
    let loops = workspace.taster(&[
        "probe",
        "run",
        &path,
        "--mongodb",
        &uri,
        "--options",
        r#"{"attack": "loop"}"#,
        "--deadline",
        "1s",
    ]);
    assert_eq!(loops.code, 3, "{}", loops.all());
    assert!(loops.err.contains("T0321") && loops.err.contains("limits.deadline"), "{}", loops.err);
}
