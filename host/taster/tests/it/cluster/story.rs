//! Up, ready, probes, down: what a sync sees.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{Patch, PatchParams};
use mongodb::bson::doc;
use serde_json::json;

use super::{Calm, PROBES, Shop, stored};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn pre_leaves_up_what_the_sync_needs_and_post_restores_what_pre_found() {
    let shop = Shop::open().await;
    // not ready before it was waited for
    shop.kubelet.hold("mongo");
    let pre = shop.spawn_logged(&["pre", "--run", "a"]);
    pre.logs("waiting for a workload missing=StatefulSet mongo").await;
    assert_eq!(shop.counts().await.0, 1);
    shop.kubelet.release();
    let pre = pre.ended().await;
    assert_eq!((pre.code, shop.counts().await), (0, (1, 1, 2)), "{}", pre.all());
    assert!(pre.out.contains("Scaled up: StatefulSet mongo 0→1, Deployment pxbbq-web 0→1"), "{}", pre.out);
    assert_eq!(shop.holder().await, None);
    assert_eq!(shop.last_word(), "tasted before the sync, run a");
    let scaled = stored(shop.workspace.path(), "scaled.json");
    assert_eq!(scaled["workloads"].as_array().expect("it is there").len(), 2, "{scaled}");
    // the sync sets what Git says, and a new version
    shop.scale(0).await;
    shop.release("pxbbq-web:v4.3").await;

    let post = shop.fine(&["post", "--run", "a"]).await;
    shop.expect_back(0, &post.all()).await;
    assert!(post.out.contains("Deployment pxbbq-web v4.2 → v4.3; StatefulSet mongo 6.0.5"), "{}", post.out);
    assert!(post.out.contains("Restored: Deployment pxbbq-web 1→0, StatefulSet mongo 1→0"), "{}", post.out);
    assert!(shop.last_word().starts_with("same: "), "{}", shop.last_word());
    let capture = stored(shop.workspace.path(), "a/pre/capture.json");
    assert_eq!(capture["workloads"][1]["images"][0]["image"], "pxbbq-web:v4.2");
    // once more, and restoring twice does nothing
    shop.fine(&["pre", "--run", "b"]).await;
    let first = shop.fine(&["restore", "--run", "b"]).await;
    assert!(first.out.contains("restored Deployment pxbbq-web 1→0\nrestored StatefulSet mongo 1→0"), "{}", first.out);
    let again = shop.fine(&["restore", "--run", "b"]).await;
    assert_eq!(again.out, "nothing to restore\n");
    shop.expect_back(0, "twice").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_loss_is_named_where_the_kubelet_shows_it_and_everything_goes_back() {
    let shop = Shop::open().await;
    shop.configure("", "probes: [{name: census, component: census}]\nreport: {url: \"https://t/{app}/{run}\"}\n");
    shop.fine(&["pre", "--run", "a"]).await;
    assert!(shop.database.lose(doc! {"status": "open"}).await > 3);
    let post = shop.taster(&["post", "--run", "a"]).await;
    assert_eq!(post.code, 1, "{}", post.all());
    shop.expect_back(0, &post.all()).await;
    let word = shop.last_word();
    assert!(word.starts_with("different: orders: ") && word.contains(" missing ({\"$oid\":"), "{word}");
    assert!(word.ends_with(" report=https://t/pxbbq/a") && word.len() <= 4096, "{word}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_version_that_has_not_passed_is_not_started_before_the_sync() {
    let shop = Shop::open().await;
    shop.configure("", "probes: [{name: census, component: census}]\n");
    shop.fine(&["pre", "--run", "a"]).await;
    shop.release("pxbbq-web:v4.3-lossy").await;
    shop.database.lose(doc! {"status": "open"}).await;
    assert_eq!(shop.taster(&["post", "--run", "a"]).await.code, 1);
    shop.expect_back(0, "it was judged").await;

    let pre = shop.fine(&["pre", "--run", "b"]).await;
    assert_eq!(shop.counts().await, (1, 0, 1), "{}", pre.all());
    let fields = "workload=Deployment pxbbq-web images=pxbbq-web:v4.3-lossy";
    let line = pre.err.lines().find(|line| line.contains("the application stays as it is until after the sync"));
    assert!(line.is_some_and(|line| line.contains(fields)), "{}", pre.err);
    // the sync repairs it, and afterwards whatever is there is tasted
    shop.release("pxbbq-web:v4.3").await;
    let post = shop.taster(&["post", "--run", "b"]).await;
    assert_eq!(post.code, 1, "the orders are still missing: {}", post.all());
    assert!(post.out.contains("Restored: Deployment pxbbq-web 1→0"), "{}", post.out);
    shop.expect_back(0, &post.all()).await;

    // whom a person takes responsibility for is known from then on
    shop.fine(&["accept", "b", "--reason", "they were test orders"]).await;
    let pre = shop.fine(&["pre", "--run", "c"]).await;
    assert_eq!(shop.counts().await, (1, 1, 2), "{}", pre.all());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn more_replicas_than_tasting_needs_are_left_alone() {
    let shop = Shop::with(Calm::shared().await, 3).await;
    let pre = shop.fine(&["pre", "--run", "a"]).await;
    assert_eq!(shop.counts().await, (3, 3, 2), "{}", pre.all());
    assert!(!pre.out.contains("Scaled up"), "{}", pre.out);
    // the sync sets less: nothing was changed here, so nothing is put back over that
    shop.scale(1).await;
    let post = shop.fine(&["post", "--run", "a"]).await;
    shop.expect_back(1, &post.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_sync_that_takes_the_annotations_off_hides_nothing_from_its_own_run() {
    let shop = Shop::open().await;
    shop.fine(&["pre", "--run", "a"]).await;
    assert_eq!(shop.counts().await, (1, 1, 2));
    let remove_annotation = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": null}}}));
    shop.api::<StatefulSet>()
        .patch("mongo", &PatchParams::default(), &remove_annotation)
        .await
        .expect("the annotation is removed");
    shop.api::<Deployment>()
        .patch("pxbbq-web", &PatchParams::default(), &remove_annotation)
        .await
        .expect("the annotation is removed");
    let post = shop.fine(&["post", "--run", "a"]).await;
    shop.expect_back(0, &post.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_probe_that_fails_before_the_sync_leaves_nothing_up() {
    let shop = Shop::open().await;
    shop.configure("", "probes:\n  - {name: shape, component: schema-shape, limits: {documents: 1}}\n");
    let pre = shop.taster(&["pre", "--run", "a"]).await;
    assert_eq!(pre.code, 3, "{}", pre.all());
    shop.expect_back(0, &pre.all()).await;
    assert!(shop.last_word().starts_with("unknown: shape: "), "{}", shop.last_word());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_database_that_does_not_answer_is_waited_for_as_long_as_its_workload() {
    let mut shop = Shop::open().await;
    shop.configure("", PROBES);
    shop.workspace.point_at("mongodb://127.0.0.1:1/pxbbq");
    let yaml = std::fs::read_to_string(shop.workspace.path().join("taster.yaml")).expect("it is there");
    shop.workspace.configure(&yaml.replacen("readyTimeout: 1m", "readyTimeout: 3s", 1));
    let pre = shop.taster(&["pre", "--run", "a"]).await;
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("waiting for MongoDB error=no MongoDB server answers"), "{}", pre.err);
    assert!(pre.err.contains("waiting for MongoDB, at most"), "{}", pre.err);
    assert!(pre.err.contains("error[T0630]") && pre.err.contains("cluster.data[mongo]"), "{}", pre.err);
    shop.expect_back(0, &pre.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_first_sync_has_nothing_to_taste_and_half_of_one_is_an_error() {
    let shop = Shop::empty(Calm::shared().await).await;
    let pre = shop.fine(&["pre", "--run", "a"]).await;
    assert_eq!(pre.out, "pxbbq run a: nothing to taste yet\n");
    // a retry of the sync, under another number
    shop.fine(&["pre", "--run", "b"]).await;
    // the sync made nothing of these names: they are wrong, and would pass for ever
    let misnamed = shop.taster(&["post", "--run", "b"]).await;
    assert_eq!(misnamed.code, 4, "{}", misnamed.all());
    assert!(misnamed.err.contains("error[T0626]"), "{}", misnamed.err);
    shop.create(0).await;
    let post = shop.fine(&["post", "--run", "b"]).await;
    assert_eq!(
        (post.out.as_str(), shop.last_word().as_str()),
        ("pxbbq run b: nothing to taste yet\n", "nothing to taste yet")
    );
    shop.expect_back(0, "scaled nothing").await;
    assert_eq!(stored(shop.workspace.path(), "current.json").get("nothing_yet"), None);
    // without a capture before the sync, the verdict cannot be `same`
    assert_eq!(shop.taster(&["post", "--run", "b"]).await.code, 3);
    shop.fine(&["pre", "--run", "c"]).await;
    shop.fine(&["post", "--run", "c"]).await;
    shop.expect_back(0, "the second sync").await;

    shop.api::<Deployment>().delete("pxbbq-web", &kube::api::DeleteParams::default()).await.expect("an answer");
    let partly = shop.taster(&["pre", "--run", "d"]).await;
    assert_eq!(partly.code, 4, "{}", partly.all());
    assert!(
        partly.err.contains("error[T0627]: configured workloads not found: Deployment pxbbq-web"),
        "{}",
        partly.err
    );
    shop.api::<StatefulSet>().delete("mongo", &kube::api::DeleteParams::default()).await.expect("an answer");
    let gone = shop.taster(&["pre", "--run", "d"]).await;
    assert_eq!(gone.code, 4, "{}", gone.all());
    assert!(gone.err.contains("error[T0626]"), "{}", gone.err);
}
