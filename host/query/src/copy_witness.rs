//! Which copy of the data this is: every member of the set, and the startups that its data files have recorded.

use std::{sync::Arc, time::Duration};

use bson::doc;
use futures_util::future::join_all;
use mongodb::{
    Client,
    options::{ReadPreference, SelectionCriteria},
};
use taster_model::ReplicaMember;
use tokio::time::timeout;

use crate::{
    caller::Caller,
    hello::{self, IDENTIFY, process_id},
};

/// How long a member that is not read from may take.
const OTHER_MEMBER_TIMEOUT: Duration = Duration::from_secs(5);

/// The member that is read from, then the others. What cannot be learnt is left out; the comparison of two copies reports
/// what is missing.
pub(crate) async fn read_members(client: &Client, caller: &Caller<'_>) -> Vec<ReplicaMember> {
    let primary_preferred = SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None });
    let admin = client.database("admin");
    let call = admin.run_command(hello::command(caller)).selection_criteria(primary_preferred.clone());
    let Ok(hello) = caller.run(IDENTIFY, call).await else { return Vec::new() };
    let me = hello.get_str("me").ok().map(ToOwned::to_owned);
    let first = ReplicaMember {
        host: me.clone(),
        process_id: process_id(&hello),
        startups: read_startups(client, caller, primary_preferred).await,
    };
    let hosts = ["hosts", "passives"].into_iter().filter_map(|name| hello.get_array(name).ok()).flatten();
    let others = hosts.filter_map(|host| host.as_str()).filter(|host| Some(*host) != me.as_deref());
    let others = others.map(|host| read_member(client, caller, host.to_owned()));
    std::iter::once(first).chain(join_all(others).await).collect()
}

async fn read_member(client: &Client, caller: &Caller<'_>, host: String) -> ReplicaMember {
    let wanted = host.clone();
    let this_member: SelectionCriteria =
        SelectionCriteria::Predicate(Arc::new(move |server| server.address().to_string() == wanted));
    let unknown = ReplicaMember { host: Some(host.clone()), ..ReplicaMember::default() };
    let ask = async {
        let admin = client.database("admin");
        let call = admin.run_command(hello::command(caller)).selection_criteria(this_member.clone());
        let hello = caller.run(IDENTIFY, call).await.ok()?;
        let startups = read_startups(client, caller, this_member.clone()).await;
        Some(ReplicaMember { host: Some(host), process_id: process_id(&hello), startups })
    };
    timeout(OTHER_MEMBER_TIMEOUT, ask).await.ok().flatten().unwrap_or(unknown)
}

/// Ids of `local.startup_log`, in the order in which they were written; none where the user cannot read it.
async fn read_startups(client: &Client, caller: &Caller<'_>, member: SelectionCriteria) -> Vec<String> {
    // the collection has at most ten megabytes, and the ids are a hundredth of it
    let find = doc! {
        "find": "startup_log",
        "projection": { "_id": 1 },
        "sort": { "$natural": 1 },
        "comment": caller.comment,
    };
    let local = client.database("local");
    let read = async {
        let mut cursor = local.run_cursor_command(find).selection_criteria(member).await?;
        let mut ids = Vec::new();
        while cursor.advance().await? {
            ids.extend(cursor.current().get_str("_id").ok().map(ToOwned::to_owned));
        }
        Ok(ids)
    };
    match caller.run("list its startups", read).await {
        Ok(ids) => ids,
        Err(error) => {
            tracing::debug!(%error, "the server's startups are unknown");
            Vec::new()
        }
    }
}
