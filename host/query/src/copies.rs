//! Every member of the set, and the starts that its data files know of: which copy of the data it is.

use std::{sync::Arc, time::Duration};

use bson::doc;
use futures_util::future::join_all;
use mongodb::{
    Client,
    options::{ReadPreference, SelectionCriteria},
};
use taster_model::ReplicaMember;
use tokio::time::timeout;

use crate::{server::process_id, session::Caller};

/// How long a member may take that is not the one that is read.
const OTHERS: Duration = Duration::from_secs(5);

/// The member that is read first, then the others. What cannot be learnt is left out: whoever compares two copies says
/// what is missing.
pub(crate) async fn read(client: &Client, caller: &Caller<'_>, comment: &str) -> Vec<ReplicaMember> {
    let hello = doc! { "hello": 1, "comment": comment };
    let nearest_primary = SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None });
    let admin = client.database("admin");
    let call = admin.run_command(hello).selection_criteria(nearest_primary.clone());
    let Ok(hello) = caller.run("say who it is", call).await else { return Vec::new() };
    let me = hello.get_str("me").ok().map(ToOwned::to_owned);
    let first = ReplicaMember {
        host: me.clone(),
        process_id: process_id(&hello),
        startups: startups(client, caller, comment, nearest_primary).await,
    };
    let hosts = ["hosts", "passives"].into_iter().filter_map(|name| hello.get_array(name).ok()).flatten();
    let others = hosts.filter_map(|host| host.as_str()).filter(|host| Some(*host) != me.as_deref());
    let others = others.map(|host| other(client, caller, comment, host.to_owned()));
    std::iter::once(first).chain(join_all(others).await).collect()
}

async fn other(client: &Client, caller: &Caller<'_>, comment: &str, host: String) -> ReplicaMember {
    let wanted = host.clone();
    let this: SelectionCriteria =
        SelectionCriteria::Predicate(Arc::new(move |server| server.address().to_string() == wanted));
    let unknown = ReplicaMember { host: Some(host.clone()), ..ReplicaMember::default() };
    let ask = async {
        let hello = doc! { "hello": 1, "comment": comment };
        let admin = client.database("admin");
        let call = admin.run_command(hello).selection_criteria(this.clone());
        let hello = caller.run("say who it is", call).await.ok()?;
        let startups = startups(client, caller, comment, this.clone()).await;
        Some(ReplicaMember { host: Some(host), process_id: process_id(&hello), startups })
    };
    timeout(OTHERS, ask).await.ok().flatten().unwrap_or(unknown)
}

/// Ids of `local.startup_log`, in the order in which they were written; nothing where the user may not read it.
async fn startups(client: &Client, caller: &Caller<'_>, comment: &str, whom: SelectionCriteria) -> Vec<String> {
    // ten megabytes at most, and the ids are a hundredth of it
    let find = doc! {
        "find": "startup_log",
        "projection": { "_id": 1 },
        "sort": { "$natural": 1 },
        "comment": comment,
    };
    let local = client.database("local");
    let read = async {
        let mut cursor = local.run_cursor_command(find).selection_criteria(whom).await?;
        let mut ids = Vec::new();
        while cursor.advance().await? {
            ids.extend(cursor.current().get_str("_id").ok().map(ToOwned::to_owned));
        }
        Ok(ids)
    };
    match caller.run("list its starts", read).await {
        Ok(ids) => ids,
        Err(error) => {
            tracing::debug!(%error, "the starts of the server are not known");
            Vec::new()
        }
    }
}
