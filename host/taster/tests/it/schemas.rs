//! What is stored, against the schemas that are published.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mongodb::bson::doc;
use serde_json::Value;
use taster_model::DocumentKind;

use crate::support::{SHOP, ShopDatabase};

fn published(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/schemas").join(file);
    serde_json::from_slice(&fs::read(&path).expect("a published schema")).expect("JSON")
}

/// Every JSON document below a folder.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_runs_store_fits_the_published_schemas() {
    let shop = ShopDatabase::standalone(500).await;
    let workspace = shop.workspace();
    workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: census, component: census, config: {{detail: fields, sample: 5}}}}\n"
    ));
    for (run, code) in [("one", 0), ("two", 1)] {
        assert_eq!(workspace.taster(&["pre", "--run", run]).code, 0);
        if code == 1 {
            shop.lose(doc! {"number": {"$mod": [50, 0]}}).await;
        }
        let post = workspace.taster(&["post", "--run", run]);
        assert_eq!(post.code, code, "{}", post.all());
    }
    assert_eq!(workspace.taster(&["accept", "two", "--reason", "they were test data"]).code, 0);
    assert_eq!(workspace.taster(&["pre", "--run", "three"]).code, 0);
    assert_eq!(workspace.taster(&["baseline", "drop", "--reason", "it was the last one"]).code, 0);
    // `current.json` differs with and without an open baseline
    assert_eq!(workspace.taster(&["pre", "--run", "four"]).code, 0);

    let validators: Vec<(DocumentKind, jsonschema::Validator)> = DocumentKind::ALL
        .map(|kind| (kind, jsonschema::draft202012::new(&published(&kind.file())).expect("a schema")))
        .into_iter()
        .collect();
    let mut files = Vec::new();
    documents(&workspace.path().join("results"), &mut files);
    let mut seen = Vec::new();
    for file in &files {
        let document: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
        let (kind, validator) =
            validators.iter().find(|(kind, _)| document["schema"] == kind.schema()).expect("a known kind");
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        seen.push(*kind);
        // a schema that everything fits says nothing
        for key in document.as_object().expect("an object").keys().filter(|key| *key != "checksum") {
            let mut broken = document.clone();
            broken[key] = Value::from(-1.5);
            assert!(!validator.is_valid(&broken), "{}: {key} may be anything", file.display());
        }
    }
    for kind in [
        DocumentKind::Capture,
        DocumentKind::Verdict,
        DocumentKind::Current,
        DocumentKind::Accepted,
        DocumentKind::Dropped,
    ] {
        assert!(seen.contains(&kind), "no {kind:?} was stored: {files:?}");
    }
}

#[test]
fn the_schema_of_the_configuration_is_published() {
    // `taster config schema > host/model/schemas/config.json` writes it anew
    assert!(
        published("config.json") == taster_config::Config::json_schema(),
        "write it anew: taster config schema > host/model/schemas/config.json"
    );
}
