//! Log lines in JSON: they are found by fields, not by their sentences.

use serde_json::Value;

use crate::support::{SHOP, ShopDatabase};

const PROBES: &str = "probes:\n  - {name: counts, component: document-count, collections: [orders]}\n";

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_name_the_run_the_probe_and_the_query() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{PROBES}"));
    let pre = workspace.taster(&["pre", "--run", "a", "-v", "--log-format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());

    let lines: Vec<Value> = pre.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let is_read =
        |line: &&Value| line["message"] == "query finished" && line["spans"][2]["operation"] != "list_collections";
    let queries: Vec<&Value> = lines.iter().filter(is_read).collect();
    assert!(!queries.is_empty(), "{}", pre.err);
    for query in queries {
        let Some([run, probe, call]) = query["spans"].as_array().map(Vec::as_slice) else { panic!("{query}") };
        assert_eq!([&run["name"], &run["app"], &run["run"], &run["side"]], ["run", "pxbbq", "a", "pre"], "{query}");
        assert_eq!([&probe["name"], &probe["probe"]], ["probe", "counts"], "{query}");
        assert_eq!(probe["component"].as_str().map(str::len), Some(64), "{query}");
        assert_eq!([&call["name"], &call["collection"]], ["query", "orders"], "{query}");
        assert!(call["documents"].is_u64() && call["milliseconds"].is_u64(), "{query}");
    }
}
