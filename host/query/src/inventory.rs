//! What is there at one moment: every collection that is not the server's, with what must not change under a scan.

use std::collections::BTreeSet;

use bson::Document;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::error::{Error, ErrorKind};
use taster_model::{CollectionFacts, CollectionKind};

use crate::{
    QueryError, canonical,
    collection::{Collection, Storage},
    command::{self, Manner},
    session::{ASK, Inner},
    writes::{self, Writes},
};

/// Collections whose indexes and counters are asked for at a time.
const AT_ONCE: usize = 4;

/// Every collection of the database at one moment.
#[derive(Debug)]
pub struct Inventory {
    /// The process that answered. `None` behind mongos, of which there may be several.
    pub(crate) process_id: Option<String>,
    /// By name.
    pub(crate) collections: Vec<Collection>,
}

/// How a collection is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Made, dropped, made again, or with other options or indexes.
    Altered,
    /// Written to.
    Written,
    /// The server process is another one, and its counters have started anew.
    Restarted,
    /// Nobody can tell: the user may not read the counters, or the storage engine has none.
    Untold,
}

impl Inventory {
    /// Asks the server.
    pub(crate) async fn read(inner: &Inner) -> Result<Self, QueryError> {
        let process_id = inner.process_id().await?;
        let manner = Manner { comment: &inner.comment, time: ASK, read_at: None };
        let doing = format!("list the collections of `{}`", inner.facts.database);
        let entries = inner.caller().run(&doing, inner.raw_documents(command::list_collections(manner))).await?;
        let listed = entries.iter().filter_map(|entry| Collection::from_entry(entry).transpose());
        let listed: Vec<Collection> = listed
            .collect::<Result<_, _>>()
            .map_err(|error| QueryError::Broken { doing, detail: error.to_string() })?;
        let mut collections: Vec<Collection> =
            stream::iter(listed).map(|collection| described(inner, collection)).buffered(AT_ONCE).try_collect().await?;
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { process_id, collections })
    }

    /// As a capture records it.
    #[must_use]
    pub fn facts(&self) -> Vec<CollectionFacts> {
        self.collections.iter().map(Collection::facts).collect()
    }

    pub(crate) fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    /// How a collection that was read live is not what it was at this moment, at a later one. `None`: nothing happened
    /// to it, so it may be read in between as if it were one moment.
    #[must_use]
    pub fn written(&self, later: &Self, name: &str) -> Option<Alteration> {
        if let Some(alteration) = self.altered(later, name) {
            return Some(alteration);
        }
        let (before, after) = (self.collection(name)?, later.collection(name)?);
        if before.kind == CollectionKind::View {
            // what it reads is told of the collections that it reads
            return None;
        }
        if self.process_id != later.process_id {
            return Some(Alteration::Restarted);
        }
        match (before.storage.writes, after.storage.writes) {
            (Some(was), Some(is)) if was == is => None,
            (Some(_), Some(_)) => Some(Alteration::Written),
            _ => Some(Alteration::Untold),
        }
    }

    /// How a collection is another one, or described otherwise, at a later moment.
    #[must_use]
    pub fn altered(&self, later: &Self, name: &str) -> Option<Alteration> {
        let identity = |inventory: &Self| {
            inventory.collection(name).map(|c| (c.kind, c.uuid.clone(), canonical::options(Some(c)), c.indexes.clone()))
        };
        (identity(self) != identity(later)).then_some(Alteration::Altered)
    }

    /// Collections of either moment, by name.
    pub fn names<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = &'a str> {
        let both = self.collections.iter().chain(&later.collections);
        both.map(|collection| collection.name.as_str()).collect::<BTreeSet<_>>().into_iter()
    }
}

/// Adds indexes and counters. A collection that was dropped in between keeps what was known of it.
async fn described(inner: &Inner, mut collection: Collection) -> Result<Collection, QueryError> {
    if collection.kind == CollectionKind::View {
        return Ok(collection);
    }
    let manner = Manner { comment: &inner.comment, time: ASK, read_at: None };
    let name = collection.name.clone();
    let doing = format!("list the indexes of `{name}`");
    let indexes = async {
        match inner.documents(command::list_indexes(&name, manner)).await {
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    collection.indexes = canonical::indexes(inner.caller().run(&doing, indexes).await?);
    let doing = format!("read the counters of `{name}`");
    let stats = async {
        match inner.documents(command::storage_stats(&name, manner)).await {
            // without the privilege nobody can tell whether it was written to, and that is said where it matters
            Err(error) if is_gone(&error) || is_refused(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    collection.storage = storage(&inner.caller().run(&doing, stats).await?);
    Ok(collection)
}

/// One answer a shard.
fn storage(answers: &[Document]) -> Storage {
    let mut sum: Option<Storage> = None;
    for answer in answers {
        let Ok(stats) = answer.get_document("storageStats") else { return Storage::default() };
        let number = |name: &str| writes::whole(stats.get(name)).and_then(|number| u64::try_from(number).ok());
        let one = Storage {
            documents: number("count"),
            bytes: number("size").unwrap_or_default(),
            writes: Writes::of(stats),
        };
        sum = Some(match sum {
            None => one,
            Some(sum) => Storage {
                documents: sum.documents.zip(one.documents).map(|(a, b)| a + b),
                bytes: sum.bytes + one.bytes,
                writes: sum.writes.zip(one.writes).map(|(a, b)| a.and(b)),
            },
        });
    }
    sum.unwrap_or_default()
}

/// `NamespaceNotFound`, `CommandNotSupportedOnView`: dropped, or dropped and made again as a view.
fn is_gone(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if [26, 166].contains(&command.code))
}

fn is_refused(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == 13)
}
