//! Three members whose majority lags behind: a loss that only the primary knows of is seen.

use std::time::Duration;

use mongodb::{
    Client,
    bson::{Document, doc},
    options::{Acknowledgment, WriteConcern},
};
use taster_demo::{DATABASE, Mongod, MongodOptions, Shop};

use crate::support::{SHOP, Table};

/// A primary and two members that apply everything this much later.
const DELAY: i32 = 4;

struct ThreeMembers {
    members: Vec<Mongod>,
    client: Client,
}

impl ThreeMembers {
    async fn start(delay: Option<i32>) -> Self {
        let mut members = Vec::new();
        for _ in 0..3 {
            let arguments = ["--replSet", "lag", "--oplogSize", "64"].map(str::to_owned).to_vec();
            members.push(
                Mongod::start_member(MongodOptions { arguments, ..MongodOptions::default() }).await.expect("a member"),
            );
        }
        let hosts: Vec<Document> = members
            .iter()
            .zip(0..)
            .map(|(member, id)| {
                let host = format!("127.0.0.1:{}", member.port());
                match delay {
                    Some(delay) if id > 0 => {
                        doc! {"_id": id, "host": host, "priority": 0, "secondaryDelaySecs": delay}
                    }
                    _ => doc! {"_id": id, "host": host},
                }
            })
            .collect();
        let direct =
            Client::with_uri_str(format!("mongodb://127.0.0.1:{}/?directConnection=true", members[0].port())).await;
        let admin = direct.expect("a client").database("admin");
        admin.run_command(doc! {"replSetInitiate": {"_id": "lag", "members": hosts}}).await.expect("a set");
        let client = Client::with_uri_str(Self::uri_of(&members, "")).await.expect("a client");
        let begun = std::time::Instant::now();
        loop {
            let hello = client.database("admin").run_command(doc! {"hello": 1}).await;
            if hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false)) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "no primary");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Shop::of(300).load(&client.clone(), |_, _| {}).await.expect("the shop loads");
        Self { members, client }
    }

    fn uri_of(members: &[Mongod], database: &str) -> String {
        let hosts: Vec<String> = members.iter().map(|member| format!("127.0.0.1:{}", member.port())).collect();
        format!("mongodb://{}/{database}?replicaSet=lag&w=1", hosts.join(","))
    }

    fn table(&self) -> Table {
        let table = Table::new(&Self::uri_of(&self.members, DATABASE));
        table.configure(SHOP);
        table
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_only_the_primary_knows_of_is_seen() {
    let set = ThreeMembers::start(Some(DELAY)).await;
    let table = set.table();
    let pre = table.taster(&["pre", "--run", "a", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let orders = set.client.database(DATABASE).collection::<Document>("orders");
    let lost = orders.delete_many(doc! {"status": "open"});
    let lost = lost.write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()).await.expect("a delete");
    assert!(lost.deleted_count > 0);
    // what a majority has is still whole
    let majority =
        orders.count_documents(doc! {"status": "open"}).read_concern(mongodb::options::ReadConcern::majority());
    assert_eq!(majority.await.expect("a count"), lost.deleted_count, "the loss is not known to the majority yet");
    let post = table.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_that_lags_too_far_behind_is_unknown() {
    let set = ThreeMembers::start(Some(DELAY)).await;
    let table = set.table();
    table.configure(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  reach: 500ms"));
    let orders = set.client.database(DATABASE).collection::<Document>("orders");
    let write = orders.insert_one(doc! {"late": true});
    write.write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build()).await.expect("a write");
    let pre = table.taster(&["pre", "--run", "a"]);
    assert_eq!(pre.code, 3, "{}", pre.all());
    assert!(pre.out.contains("T0219") && pre.out.contains("mongodb.majorityTimeout"), "{}", pre.all());
    let post = table.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 3, "{}", post.all());
    assert!(post.out.contains("snapshot-not-reached"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_makes_no_new_copy() {
    let set = ThreeMembers::start(None).await;
    let table = set.table();
    let pre = table.taster(&["pre", "--run", "a", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let server = pre.json()["server"].clone();
    let members = server["members"].as_array().expect("members").clone();
    assert_eq!(members.len(), 3, "{server}");
    assert!(members.iter().all(|member| member["startups"].as_array().is_some_and(|ids| !ids.is_empty())), "{server}");
    let first = members[0]["host"].clone();
    let admin = set.client.database("admin");
    let begun = std::time::Instant::now();
    loop {
        // refused until a secondary has caught up
        let _ = admin.run_command(doc! {"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10}).await;
        let hello = admin.run_command(doc! {"hello": 1}).await;
        if hello.is_ok_and(|hello| {
            hello.get_str("me").ok() != first.as_str() && hello.get_bool("isWritablePrimary").unwrap_or(false)
        }) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody else was elected");
    }
    let post = table.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert_ne!(post.json()["after"]["server"]["members"][0]["host"], first, "another member was read");
    // and what is lost is lost, whoever is primary
    set.client
        .database(DATABASE)
        .collection::<Document>("orders")
        .delete_many(doc! {"status": "open"})
        .await
        .expect("a delete");
    assert_eq!(table.taster(&["post", "--run", "a"]).code, 1);
}
