//! Wasm guests that call undeclared or unknown methods.

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::Guest,
    fixtures::{describe_error, failure, load, run},
    reading::FIND,
};

#[tokio::test]
async fn a_method_that_the_manifest_does_not_declare() {
    let guest = Guest {
        methods: vec!["count", "list-indexes"],
        items: FIND,
        run: "(call $find_in (local.get $db) (i32.const 2)) (call $drop_database (local.get $db)) (return (i32.const 512))"
            .to_owned(),
        ..Guest::default()
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0330: the probe calls `find`, which its manifest does not declare (asked: find; allowed: count, list-indexes)");
}

#[tokio::test]
async fn a_method_that_does_not_exist() {
    let guest = Guest { methods: vec!["insert"], ..Guest::default() };
    assert_snapshot!(describe_error(&load(&guest.build()).await.unwrap_err()), @r"
    T0310: the component's `describe` returned an invalid manifest: the method `insert` is not a function of `database`: aggregate, census, collection-options, count, distinct, explain, find, list-collections, list-indexes
    help: fix the manifest that the probe's `describe` returns
    ");
}
