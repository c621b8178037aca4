//! What a census says of changed documents: both values of a field, and an order alone.

use mongodb::bson::doc;

use crate::{
    false_alarms::{command, empty, insert},
    support::{FLAVOURS, SHOP, Workspace},
};

#[tokio::test(flavor = "multi_thread")]
async fn changed_values_are_shown_and_an_order_alone_is_named_or_ignored() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        insert(
            &shop,
            "orders",
            (1..=40).map(|n| doc! {"_id": n, "total": 12.345, "state": "open", "by": {"a": 1, "b": 2}}),
        )
        .await;
        let census =
            |options: &str| format!("{SHOP}probes: [{{name: census, component: census, config: {{{options}}}}}]\n");
        let pre = |run_id: &str, options: &str| {
            let workspace = shop.workspace();
            workspace.configure(&census(options));
            assert_eq!(workspace.taster(&["pre", "--run", run_id]).code, 0);
            workspace
        };
        let post = |workspace: &Workspace, run_id: &str, code: i32| {
            let post = workspace.taster(&["post", "--run", run_id]);
            assert_eq!(post.code, code, "{}", post.all());
            post.out
        };
        let (named, any, plain) = (pre("named", "detail: fields"), pre("any", "ignoreOrder: true"), pre("plain", ""));
        let turned =
            doc! {"$replaceWith": {"_id": "$_id", "by": {"b": 2, "a": 1}, "state": "$state", "total": "$total"}};
        command(&shop, doc! {"update": "orders", "updates": [{"q": {}, "u": [turned], "multi": true}]}).await;
        assert!(post(&any, "any", 0).contains("every document unchanged"));
        assert!(post(&named, "named", 1).contains("40 changed: by (order of fields) in 40"));
        let plain_text = post(&plain, "plain", 1);
        assert!(plain_text.contains("by (order of fields)"), "{plain_text}");
        let (top, values) = (pre("top", ""), pre("values", "detail: fields, values: true"));
        let turned = doc! {"$replaceWith": {"_id": "$_id", "state": "$state", "total": "$total", "by": "$by"}};
        command(&shop, doc! {"update": "orders", "updates": [{"q": {}, "u": [turned], "multi": true}]}).await;
        assert!(post(&top, "top", 1).contains("40 changed: (order of fields) in 40"));
        let rounded = doc! {"$set": {"total": 12.35, "state": "closed"}};
        command(
            &shop,
            doc! {"update": "orders", "updates": [{"q": {"_id": {"$lte": 2}}, "u": rounded, "multi": true}]},
        )
        .await;
        let shown = post(&values, "values", 1);
        assert!(shown.contains("state \"open\" → \"closed\", total 12.345 → 12.35"), "{shown}");
        let page = values.taster(&["show", "--run", "values", "--format", "html"]).out;
        assert!(page.contains("total 12.345 → 12.35"), "{page}");
    }
}
