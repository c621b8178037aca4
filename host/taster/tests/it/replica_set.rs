//! Three members whose majority lags behind: a loss that only the primary knows of is seen.

use std::time::Duration;

use mongodb::{
    Client,
    bson::{Document, doc},
    options::{Acknowledgment, WriteConcern},
};
use taster_demo::{DATABASE, Shop};
use taster_testkit::{replica_set::ReplicaSet, wait_until};

use crate::support::{SHOP, Workspace};

/// How many seconds the secondaries apply every write later than the primary.
const DELAY: i32 = 4;

struct ThreeMembers {
    set: ReplicaSet,
    client: Client,
}

impl ThreeMembers {
    /// Two of them apply every write `DELAY` seconds later.
    async fn delayed() -> Self {
        let late = doc! {"priority": 0, "secondaryDelaySecs": DELAY};
        Self::start(&[doc! {}, late.clone(), late]).await
    }

    async fn ordinary() -> Self {
        Self::start(&[doc! {}, doc! {}, doc! {}]).await
    }

    async fn start(members: &[Document]) -> Self {
        // no election but the one of the test, even on a busy machine
        let patient = doc! {"electionTimeoutMillis": 10_000, "heartbeatIntervalMillis": 2000};
        let set = ReplicaSet::start(members, patient).await;
        let client = Client::with_uri_str(Self::uri(&set, "")).await.expect("a client");
        Shop::with_orders(300).load(&client.clone(), |_, _| {}).await.expect("the shop loads");
        Self { set, client }
    }

    fn uri(set: &ReplicaSet, database: &str) -> String {
        format!("{}&w=1", set.uri(database))
    }

    fn workspace(&self) -> Workspace {
        let workspace = Workspace::new(&Self::uri(&self.set, DATABASE));
        workspace.configure(SHOP);
        workspace
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_only_the_primary_knows_of_is_seen() {
    let set = ThreeMembers::delayed().await;
    let workspace = set.workspace();
    let pre = workspace.taster(&["pre", "--run", "a", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let orders = set.client.database(DATABASE).collection::<Document>("orders");
    let lost = orders.delete_many(doc! {"status": "open"});
    let lost = lost.write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()).await.expect("a delete");
    assert!(lost.deleted_count > 0);
    // what a majority has is still whole
    let majority =
        orders.count_documents(doc! {"status": "open"}).read_concern(mongodb::options::ReadConcern::majority());
    assert_eq!(majority.await.expect("a count"), lost.deleted_count, "the loss is not known to the majority yet");
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_that_lags_too_far_behind_is_unknown() {
    let set = ThreeMembers::delayed().await;
    let workspace = set.workspace();
    workspace.configure(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  majorityTimeout: 500ms"));
    let orders = set.client.database(DATABASE).collection::<Document>("orders");
    let write = orders.insert_one(doc! {"late": true});
    write.write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()).await.expect("a write");
    let pre = workspace.taster(&["pre", "--run", "a"]);
    assert_eq!(pre.code, 3, "{}", pre.all());
    assert!(pre.out.contains("T0219") && pre.out.contains("mongodb.majorityTimeout"), "{}", pre.all());
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 3, "{}", post.all());
    assert!(post.out.contains("snapshot-not-reached"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_makes_no_new_copy() {
    let set = ThreeMembers::ordinary().await;
    let workspace = set.workspace();
    let pre = workspace.taster(&["pre", "--run", "a", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let server = pre.json()["server"].clone();
    let members = server["members"].as_array().expect("members").clone();
    assert_eq!(members.len(), 3, "{server}");
    assert!(members.iter().all(|member| member["startups"].as_array().is_some_and(|ids| !ids.is_empty())), "{server}");
    let first = members[0]["host"].clone();
    let admin = set.client.database("admin");
    wait_until("another primary", Duration::from_mins(1), async || {
        // refused until a secondary has caught up
        let _ = admin.run_command(doc! {"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10}).await;
        let hello = admin.run_command(doc! {"hello": 1}).await;
        hello.is_ok_and(|hello| {
            hello.get_str("me").ok() != first.as_str() && hello.get_bool("isWritablePrimary").unwrap_or(false)
        })
    })
    .await;
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert_ne!(post.json()["after"]["server"]["members"][0]["host"], first, "another member was read");
    // a loss is found under every primary
    set.client
        .database(DATABASE)
        .collection::<Document>("orders")
        .delete_many(doc! {"status": "open"})
        .await
        .expect("a delete");
    assert_eq!(workspace.taster(&["post", "--run", "a"]).code, 1);
}
