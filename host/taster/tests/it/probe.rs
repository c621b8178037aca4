//! `taster probe`: for people who write or receive probes.

use std::fs;

use insta::assert_snapshot;
use sha2::{Digest, Sha256};

use crate::support::{SHOP, ShopDatabase, Workspace, component};

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
fn what_is_no_probe_is_refused_with_the_reason() {
    let workspace = Workspace::new("");
    fs::write(workspace.path().join("text.wasm"), "(component)").expect("a file");
    // a core module that says nothing of its interface
    fs::write(workspace.path().join("core.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    // an empty component
    fs::write(workspace.path().join("empty.wasm"), b"\0asm\x0d\0\x01\0").expect("a file");
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
    error[T0303]: not a WebAssembly component: the file is a core module without the section `component-type`
      help: build it with bindings for the world `probe` of taster:probe@1.0.0, such as the Rust SDK, and do not strip its custom sections; or make a component of it: `wasm-tools component embed` and `wasm-tools component new`
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

#[test]
fn what_the_compiler_makes_of_every_standard_probe_is_a_probe() {
    let workspace = Workspace::new("");
    for name in taster_standard_probes::names() {
        let (module, whole) = (component(&format!("{name}.core")), component(name));
        let [checked, expected] = [&module, &whole].map(|file| {
            let ended = workspace.taster(&["probe", "check", &file.display().to_string(), "--format", "json"]);
            assert_eq!(ended.code, 0, "{}", ended.all());
            ended.json()
        });
        // its identity is that of the file, and everything else is the same
        let bytes = fs::read(&module).expect("the build leaves the core module");
        assert_eq!(checked["sha256"], hex::encode(Sha256::digest(&bytes)), "{name}");
        assert_eq!(checked["bytes"], bytes.len(), "{name}");
        for key in ["imports", "exports", "manifest"] {
            assert_eq!(checked[key], expected[key], "{name}: {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_module_runs_and_is_pinned_as_the_file_that_it_is() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = shop.workspace();
    let module = component("document-count.core").display().to_string();
    let run = |probe: &str| {
        let ended = workspace.taster(&["probe", "run", probe, "--collection", "orders", "--format", "json"]);
        assert_eq!(ended.code, 0, "{}", ended.all());
        ended.json()["metrics"].clone()
    };
    assert_eq!(run(&module), run("document-count"));

    let sha256 = hex::encode(Sha256::digest(fs::read(&module).expect("a core module")));
    let pre = |pin: &str, run: &str| {
        let probe = format!("{{name: counts, component: {module}, collections: [orders], sha256: \"{pin}\"}}");
        workspace.configure(&format!("{SHOP}probes: [{probe}]\n"));
        workspace.taster(&["pre", "--run", run, "--format", "json"])
    };
    let pinned = pre(&sha256, "pinned");
    assert_eq!(pinned.code, 0, "{}", pinned.all());
    assert_eq!(pinned.json()["probes"][0]["sha256"], sha256);
    let other = pre(&"0".repeat(64), "other");
    assert!(other.code == 4 && other.err.contains("T0110"), "{}", other.all());
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
        "--config",
        r#"{"attack": "loop"}"#,
        "--deadline",
        "1s",
    ]);
    assert_eq!(loops.code, 3, "{}", loops.all());
    assert!(loops.err.contains("T0321") && loops.err.contains("setting: --deadline"), "{}", loops.err);
}
