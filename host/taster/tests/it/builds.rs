//! Another build of a probe, and captures of earlier releases.

use std::{collections::BTreeMap, fs};

use mongodb::bson::doc;
use taster_testkit::mongod::Flavour;

use crate::support::{SHOP, ShopDatabase, Workspace, component};

/// A custom section of this name: other bytes, and the same component.
fn section(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    [&[0, length + 1, length], name.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_build_is_compared_if_its_results_are_the_same() {
    for flavour in [Flavour::Standalone, Flavour::ReplicaSet] {
        let shop = ShopDatabase::open(flavour, 30).await;
        // one declares the version of its results, the other one does not
        let cases = [("document-count", "", "same"), ("shop-menu", ", collections: [orders]", "unknown")];
        for (name, collections, expected) in cases {
            let workspace = shop.workspace();
            workspace.configure(&format!("{SHOP}probes: [{{name: own, component: ./own.wasm{collections}}}]\n"));
            let bytes = fs::read(component(name)).expect("a component");
            let install = |release: &str| {
                fs::write(workspace.path().join("own.wasm"), [bytes.clone(), section(release)].concat())
                    .expect("a file");
            };
            install("one");
            let pre = workspace.taster(&["pre", "--run", "a"]);
            assert_eq!(pre.code, 0, "{}", pre.all());
            install("two");
            let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
            assert_eq!(post.json()["verdict"], expected, "{}", post.all());
            if expected == "unknown" {
                assert!(post.out.contains("component-changed"), "{}", post.out);
            }
        }
        let workspace = shop.workspace();
        workspace.configure(&format!("{SHOP}probes: [{{name: own, component: ./own.wasm}}]\n"));
        let bytes = fs::read(component("document-count")).expect("a component");
        fs::write(workspace.path().join("own.wasm"), &bytes).expect("a file");
        assert_eq!(workspace.taster(&["pre", "--run", "b"]).code, 0);
        fs::write(workspace.path().join("own.wasm"), [bytes, section("two")].concat()).expect("a file");
        assert!(shop.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await > 0);
        let post = workspace.taster(&["post", "--run", "b"]);
        assert_eq!(post.code, 1, "{}", post.all());
    }
}

/// The versions of the results of the standard probes, as the newest section of the changelog lists them.
#[test]
fn the_changelog_lists_the_results_of_every_standard_probe() {
    let (_, list) =
        include_str!("../../../../CHANGELOG.md").split_once("### Results of the standard probes\n").expect("the list");
    let list = list.split("###").next().unwrap_or_default();
    let listed: BTreeMap<&str, u64> = list
        .split(',')
        .filter_map(|entry| {
            let (name, version) = entry.trim().rsplit_once(' ')?;
            Some((name.trim_matches('`'), version.parse().ok()?))
        })
        .collect();
    let workspace = Workspace::new("");
    let standard = taster_standard_probes::names().iter().map(|name| {
        let inspected = workspace.taster(&["probe", "inspect", name, "--format", "json"]);
        (*name, inspected.json()["results"].as_u64().expect("a version of results"))
    });
    let standard: BTreeMap<&str, u64> = standard.collect();
    assert_eq!(listed, standard);
}
