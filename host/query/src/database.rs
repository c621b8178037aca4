//! The capability of one probe.

use std::{sync::Arc, time::Instant};

use bson::{Document, RawBson, RawDocumentBuf};
use mongodb::error::Error;
use taster_model::{CollectionKind, Failure, Reading, Refusal};
use tokio::time::timeout;

use crate::{
    Alteration, Cursor, Grant, Inventory, QueryError, QueryUsage,
    budget::Budget,
    canonical,
    collection::Collection,
    command::{self, CheckedAggregate, CheckedFind, Manner, Pages},
    cursor::{GRACE, Scan},
    guard::{Reads, Refused, Request, Scope},
    look::Look,
    ranges::Ranges,
    session::Inner,
};

/// One granted collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// The role it plays.
    pub role: String,
    /// What it is on the server.
    pub kind: CollectionKind,
}

/// How to find, as the probe sent it: BSON that nobody has looked at yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindOptions {
    /// Which fields.
    pub projection: Option<Vec<u8>>,
    /// In which order; the server's own without.
    pub sort: Option<Vec<u8>>,
    /// How many documents to leave out first.
    pub skip: Option<u32>,
    /// How many documents at most; 0 finds none.
    pub limit: Option<u32>,
    /// Name of an index.
    pub hint: Option<String>,
    /// How text is compared.
    pub collation: Option<Vec<u8>>,
    /// Values for `$$name` in expressions.
    pub variables: Option<Vec<u8>>,
}

/// How to aggregate; see [`FindOptions`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregateOptions {
    /// Name of an index.
    pub hint: Option<String>,
    /// How text is compared.
    pub collation: Option<Vec<u8>>,
    /// Values for `$$name` in expressions.
    pub variables: Option<Vec<u8>>,
}

/// What one probe gets of the database: the granted collections, read-only, within its budgets. Cheap to clone; clones
/// share the budgets.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

/// What a database and its cursors have in common.
pub(crate) struct Shared {
    pub(crate) session: Arc<Inner>,
    pub(crate) look: Arc<Look>,
    pub(crate) grant: Grant,
    pub(crate) budget: Budget,
}

impl Database {
    pub(crate) fn new(session: Arc<Inner>, look: Arc<Look>, grant: Grant) -> Self {
        let budget = Budget::new(grant.limits.clone(), grant.setting.clone());
        Self { shared: Arc::new(Shared { session, look, grant, budget }) }
    }

    /// The granted collections, sorted by name and role.
    pub async fn list_collections(&self) -> Result<Vec<CollectionInfo>, Failure> {
        self.shared.budget.call();
        let mut infos = Vec::with_capacity(self.shared.grant.collections.len());
        for granted in &self.shared.grant.collections {
            self.shared.grant.admit(&granted.name)?;
            let kind =
                self.collection(&granted.name).await?.map_or(CollectionKind::Absent, |collection| collection.kind);
            infos.push(CollectionInfo { name: granted.name.clone(), role: granted.role.clone(), kind });
        }
        infos.sort_by(|a, b| (&a.name, &a.role).cmp(&(&b.name, &b.role)));
        Ok(infos)
    }

    /// Options of one collection in canonical form, with its `kind`.
    pub async fn collection_options(&self, collection: &str) -> Result<Vec<u8>, Failure> {
        self.admit(collection)?;
        let options = encode(&canonical::options(self.collection(collection).await?))?;
        Ok(self.looked_at(collection, options))
    }

    /// Index specifications in canonical form, sorted by name. None for what is absent and for views.
    pub async fn list_indexes(&self, collection: &str) -> Result<Vec<Vec<u8>>, Failure> {
        self.admit(collection)?;
        let indexes = match self.collection(collection).await? {
            Some(found) => found.indexes.iter().map(encode).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(self.looked_at(collection, indexes))
    }

    /// Documents that fit a filter.
    pub async fn find(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Cursor, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        let options = checked_find(&mut request, &options).map_err(refused)?;
        let found = match self.collection(collection).await? {
            // a limit of 0 means "no limit" to the server; and it reads nothing
            Some(_) if options.limit == Some(0) => return Ok(Cursor::empty(Arc::clone(&self.shared))),
            Some(found) => found,
            None => return Ok(self.nothing(target.reads())),
        };
        let pages = match found.kind {
            CollectionKind::Collection if self.shared.session.major <= READ_ONCE_KNOWN => Pages::ReadOnce,
            _ => Pages::Cached,
        };
        let mut command = command::find(&target, &filter, &options, pages);
        let scan = match self.range(found).await? {
            Some(step) if options.is_plain() => Scan::Ranges(Ranges::new(collection, command, step)),
            _ => {
                self.manner(Some(target.reads())).await?.add_to(&mut command);
                Scan::Whole(command)
            }
        };
        self.scan(target.reads(), scan, format!("find in `{collection}`")).await
    }

    /// What comes out of a pipeline, one stage a document.
    pub async fn aggregate(
        &self,
        collection: &str,
        stages: &[Vec<u8>],
        options: AggregateOptions,
    ) -> Result<Cursor, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let stages = request.pipeline(stages).map_err(refused)?;
        let options = checked_aggregate(&mut request, &options).map_err(refused)?;
        let reads = target.reads().clone().and(stages.reads());
        // where nothing goes in, nothing comes out of most pipelines; but `$unionWith` has another source
        if self.collection(collection).await?.is_none() && !stages.makes_documents() {
            return Ok(self.nothing(&reads));
        }
        let manner = self.manner(Some(&reads)).await?;
        let command = command::aggregate(&target, stages, &options, manner);
        self.scan(&reads, Scan::Whole(command), format!("aggregate `{collection}`")).await
    }

    /// How many documents fit a filter: counted, never estimated.
    pub async fn count(&self, collection: &str, filter: &[u8]) -> Result<u64, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        if self.collection(collection).await?.is_none() {
            return Ok(self.read(target.reads(), 0));
        }
        let command = command::count(&target, &filter, self.manner(Some(target.reads())).await?);
        let doing = format!("count in `{collection}`");
        let groups = self.shared.ask(&doing, self.shared.session.documents(command)).await;
        let groups = groups.inspect_err(|failure| self.shared.budget.note(failure))?;
        let Some(group) = groups.first() else { return Ok(self.read(target.reads(), 0)) };
        let count = group.get_i64("n").ok().and_then(|count| u64::try_from(count).ok());
        let count = count.ok_or_else(|| broken(&doing, "the answer is no count"))?;
        Ok(self.read(target.reads(), count))
    }

    /// Documents `{v: VALUE}`: every value at a dotted path once, in BSON order. Arrays are stepped into.
    pub async fn distinct(&self, collection: &str, path: &str, filter: &[u8]) -> Result<Cursor, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let path = request.path(path).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        if self.collection(collection).await?.is_none() {
            return Ok(self.nothing(target.reads()));
        }
        let manner = self.manner(Some(target.reads())).await?;
        let command = command::distinct(&target, &path, &filter, manner);
        self.scan(target.reads(), Scan::Whole(command), format!("find the values of `{collection}`")).await
    }

    /// The plan that [`Database::find`] would take. Nothing is run.
    pub async fn explain(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Vec<u8>, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        let options = checked_find(&mut request, &options).map_err(refused)?;
        let command = command::explain(&target, &filter, &options, self.manner(None).await?);
        let doing = format!("explain a find in `{collection}`");
        let answer =
            self.shared.ask(&doing, self.shared.session.database.run_raw_command(command).into_future()).await?;
        encode(&canonical::plan(answer))
    }

    /// What was read so far.
    #[must_use]
    pub fn usage(&self) -> QueryUsage {
        self.shared.budget.usage()
    }

    /// Why the result is not of the moment of the capture, if the server lost it while the probe read.
    #[must_use]
    pub fn lost(&self) -> Option<Failure> {
        self.shared.budget.lost()
    }

    /// A collection that was read here and is not what it was when the look began, `now`. `None`: what was read is what is
    /// there now; of a snapshot, what was there at its moment.
    pub async fn stale(&self, now: &Inventory) -> Result<Option<(String, Alteration)>, QueryError> {
        let Shared { session, look, budget, .. } = &*self.shared;
        let then = look.inventory(session).await?;
        for name in budget.usage().collections {
            let how = if look.reading == Reading::Snapshot && !budget.was_read_live(&name) {
                then.altered(now, &name)
            } else {
                look.restless.get(&name).copied().or_else(|| then.written(now, &name))
            };
            if let Some(how) = how {
                return Ok(Some((name, how)));
            }
        }
        // the probe may have asked which of its collections are there, and read none of those that were not
        let granted = self.shared.grant.collections.iter().map(|granted| granted.name.as_str());
        let mut altered = granted.filter_map(|name| Some((name.to_owned(), then.altered(now, name)?)));
        Ok(altered.next())
    }

    /// Every call begins here.
    fn admit(&self, collection: &str) -> Result<(), Failure> {
        self.shared.budget.call();
        self.shared.grant.admit(collection)
    }

    /// What is read of a call's parts: by its grant and the collections that there are.
    async fn request(&self) -> Result<Request<'_>, Failure> {
        let inventory = self.shared.look.inventory(&self.shared.session).await.map_err(|error| error.failure())?;
        Ok(Request::new(Scope::new(&self.shared.grant, &inventory.collections)))
    }

    /// Every call that read documents ends here: of the collection itself, of those that it names, and of those that
    /// the views among them read.
    fn read<T>(&self, reads: &Reads, found: T) -> T {
        reads.names().for_each(|name| self.shared.budget.read(name));
        found
    }

    /// Every call that read what the server says of one collection ends here.
    fn looked_at<T>(&self, collection: &str, found: T) -> T {
        self.shared.budget.read(collection);
        found
    }

    /// What there is to read of a collection that is not there.
    fn nothing(&self, reads: &Reads) -> Cursor {
        self.read(reads, Cursor::empty(Arc::clone(&self.shared)))
    }

    async fn scan(&self, reads: &Reads, scan: Scan, doing: String) -> Result<Cursor, Failure> {
        let cursor = Cursor::open(Arc::clone(&self.shared), scan, doing).await?;
        Ok(self.read(reads, cursor))
    }

    async fn collection(&self, name: &str) -> Result<Option<&Collection>, Failure> {
        let inventory = self.shared.look.inventory(&self.shared.session).await;
        Ok(inventory.map_err(|error| error.failure())?.collection(name))
    }

    /// Documents of one range, where the collection must be read in ranges.
    async fn range(&self, target: &Collection) -> Result<Option<u64>, Failure> {
        let session = &self.shared.session;
        let step = self.shared.look.range(session, target).await.map_err(|error| error.failure())?;
        let Some(step) = step else { return Ok(None) };
        // A range without an end does not reach the greatest value there is. Nobody has a document of that id; where
        // somebody has, one cursor must do.
        let manner = Manner { comment: &session.comment, time: self.shared.budget.time_left()?, read_at: None };
        let greatest = command::with_id(&target.name, RawBson::MaxKey, manner);
        let doing = format!("look for the greatest id of `{}`", target.name);
        let found = self.shared.ask(&doing, session.raw_documents(greatest)).await?;
        Ok(found.is_empty().then_some(step))
    }

    /// How a command that reads these collections does so; `None`: it reads no documents.
    async fn manner(&self, reads: Option<&Reads>) -> Result<Manner<'_>, Failure> {
        let Shared { session, look, budget, .. } = &*self.shared;
        let mut read_at = None;
        if let Some(reads) = reads {
            // One collection that knows no snapshots, and the whole command would be refused. The data of the moment are
            // read then, and the witness tells whether anything was written meanwhile.
            let inventory = look.inventory(session).await.map_err(|error| error.failure())?;
            let there = reads.names().filter_map(|name| inventory.collection(name));
            let (in_snapshot, live): (Vec<&Collection>, Vec<&Collection>) = there
                .filter(|collection| collection.kind != CollectionKind::View)
                .partition(|collection| collection.has_snapshots(session.major));
            if let (Reading::Snapshot | Reading::Ranges, [capped, ..], [other, ..]) =
                (look.reading, &*live, &*in_snapshot)
            {
                return Err(QueryError::Mixed { capped: capped.name.clone(), other: other.name.clone() }.failure());
            }
            read_at = match look.reading {
                Reading::Snapshot if live.is_empty() => look.read_at,
                Reading::Ranges if live.is_empty() => {
                    Some(session.time_of_primary().await.map_err(|error| error.failure())?)
                }
                _ => None,
            };
            if read_at.is_none() {
                reads.names().for_each(|name| budget.read_live(name));
            }
        }
        Ok(Manner { comment: &session.comment, time: budget.time_left()?, read_at })
    }
}

/// The newest major version that is known to take `readOnce`: an option that the manual does not promise.
const READ_ONCE_KNOWN: u32 = 8;

impl Shared {
    /// Waits for the server, within the probe's server time, until the session is closed.
    pub(crate) async fn ask<T>(&self, doing: &str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        self.ask_until(self.session.closed.cancelled(), doing, call).await
    }

    /// Waits for the server, within the probe's server time, until somebody says stop.
    pub(crate) async fn ask_until<T>(
        &self,
        stop: impl Future<Output = ()>,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let left = self.budget.time_left()?;
        let started = Instant::now();
        let answer = tokio::select! {
            biased;
            () = stop => return Err(QueryError::Closed.failure()),
            // the server itself stops at `maxTimeMS`, and its word is better than silence
            answer = timeout(left + GRACE, call) => answer,
        };
        self.budget.spend_time(started.elapsed());
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failure(&error, doing)),
            Err(_) => Err(self.budget.out_of_time()),
        }
    }

    pub(crate) fn failure(&self, error: &Error, doing: &str) -> Failure {
        match self.session.error(error, doing) {
            QueryError::Slow { .. } => self.budget.out_of_time(),
            error => error.failure(),
        }
    }
}

fn checked_find(request: &mut Request<'_>, options: &FindOptions) -> Result<CheckedFind, Refused> {
    Ok(CheckedFind {
        projection: options.projection.as_deref().map(|bytes| request.projection(bytes)).transpose()?,
        sort: options.sort.as_deref().map(|bytes| request.sort(bytes)).transpose()?,
        skip: options.skip,
        limit: options.limit,
        hint: options.hint.as_deref().map(|name| request.hint(name)).transpose()?,
        collation: options.collation.as_deref().map(|bytes| request.collation(bytes)).transpose()?,
        variables: options.variables.as_deref().map(|bytes| request.variables(bytes)).transpose()?,
    })
}

fn checked_aggregate(request: &mut Request<'_>, options: &AggregateOptions) -> Result<CheckedAggregate, Refused> {
    Ok(CheckedAggregate {
        hint: options.hint.as_deref().map(|name| request.hint(name)).transpose()?,
        collation: options.collation.as_deref().map(|bytes| request.collation(bytes)).transpose()?,
        variables: options.variables.as_deref().map(|bytes| request.variables(bytes)).transpose()?,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(refused: Refused) -> Failure {
    refused.failure()
}

pub(crate) fn broken(doing: &str, detail: &str) -> Failure {
    QueryError::Broken { doing: doing.to_owned(), detail: detail.to_owned() }.failure()
}

fn encode(document: &Document) -> Result<Vec<u8>, Failure> {
    RawDocumentBuf::try_from(document).map(RawDocumentBuf::into_bytes).map_err(|error| {
        Failure::refused(Refusal::Unavailable, "T0212", format!("the server sent what cannot be passed on: {error}"))
    })
}
