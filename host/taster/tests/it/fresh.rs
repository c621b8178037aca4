//! How old the data may be, by the data themselves: no cluster is needed for that.

use mongodb::bson::{DateTime, Document, doc};
use taster_testkit::mongod::Flavour;

use crate::support::{SHOP, ShopDatabase, Workspace};

const PROBES: &str = "probes:\n  - {name: counts, component: document-count}\n";

fn workspace(shop: &ShopDatabase, fresh: &str) -> Workspace {
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{PROBES}freshness:\n  - {{newest: {fresh}}}\n"));
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_are_too_old_are_not_tasted_unless_that_is_a_warning() {
    for flavour in [Flavour::Standalone, Flavour::ReplicaSet] {
        let shop = ShopDatabase::open(flavour, 50).await;
        let hour = 3_600_000;
        let ago = |hours: i64| DateTime::from_millis(DateTime::now().timestamp_millis() - hours * hour);
        let beats = shop.database.collection::<Document>("beats");
        // what is no time must not count, although text and other things sort after or before it
        beats
            .insert_many([doc! {"at": ago(30)}, doc! {"at": ago(2)}, doc! {"at": "now"}, doc! {}])
            .await
            .expect("an answer");

        let old = workspace(&shop, "{collection: beats, field: at}, maxAge: 1h").taster(&["pre", "--run", "a"]);
        assert_eq!(old.code, 4, "{}", old.all());
        assert!(old.err.contains("error[T0735]") && old.err.contains("2h"), "{}", old.err);
        assert!(old.err.contains("freshness[newest beats.at].maxAge is 1h"), "{}", old.err);

        let warned = workspace(&shop, "{collection: beats, field: at}, maxAge: 1h, severity: warn");
        let pre = warned.taster(&["pre", "--run", "a"]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        assert!(
            pre.err.contains("the data are not fresh error=") && pre.err.contains("no index starts with the field"),
            "{}",
            pre.err
        );
        assert_eq!(warned.taster(&["post", "--run", "a"]).code, 0);

        let index = mongodb::IndexModel::builder().keys(doc! {"at": 1}).build();
        beats.create_index(index).await.expect("an answer");
        let young = workspace(&shop, "{collection: beats, field: at}, maxAge: 3h").taster(&["pre", "--run", "a"]);
        assert_eq!(young.code, 0, "{}", young.all());
        assert!(!young.err.contains("no index"), "{}", young.err);

        let none = workspace(&shop, "{collection: beats, field: seen}, maxAge: 3h").taster(&["pre", "--run", "b"]);
        assert_eq!(none.code, 4, "{}", none.all());
        assert!(none.err.contains("error[T0631]"), "{}", none.err);
        let absent = workspace(&shop, "{collection: nowhere, field: at}, maxAge: 3h").taster(&["pre", "--run", "b"]);
        assert!(absent.err.contains("error[T0631]"), "{}", absent.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_in_an_object_id_is_one() {
    let shop = ShopDatabase::standalone(50).await;
    shop.database.collection::<Document>("beats").insert_one(doc! {"a": 1}).await.expect("an answer");
    let young = workspace(&shop, "{collection: beats, field: _id}, maxAge: 1m").taster(&["pre", "--run", "a"]);
    assert_eq!(young.code, 0, "{}", young.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cluster_in_the_configuration_no_cluster_is_accessed() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{PROBES}"));
    let nowhere = |arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        // a client that read any of these would fail
        command.env("KUBECONFIG", "/nowhere").env("TASTER_JOB", "a-presync-1764000000");
        crate::support::CommandOutput::read(&command.output().expect("it is there"))
    };
    for command in ["pre", "post"] {
        let ended = nowhere(&[command]);
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(ended.out.contains("run 1764000000"), "{}", ended.out);
    }
    let restore = nowhere(&["restore"]);
    assert_eq!(restore.code, 4);
    assert!(restore.err.contains("error[T0628]"), "{}", restore.err);
    workspace.configure(&format!("{SHOP}{PROBES}cluster: {{data: [{{kind: StatefulSet, name: mongo}}]}}\n"));
    let pre = nowhere(&["pre"]);
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("error[T0706]"), "{}", pre.err);
}
