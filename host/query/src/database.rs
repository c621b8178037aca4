//! The capability of one probe.

use std::{sync::Arc, time::Instant};

use bson::{Document, RawDocumentBuf};
use mongodb::error::Error;
use taster_model::{CollectionKind, Failure, Refusal};
use tokio::time::timeout;

use crate::{
    Cursor, Grant, QueryError, QueryUsage,
    budget::Budget,
    canonical,
    collection::Collection,
    command::{self, CheckedAggregate, CheckedFind, Manner, Pages},
    cursor::GRACE,
    guard::{Reads, Refused, Request, Scope},
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
    pub(crate) grant: Grant,
    pub(crate) budget: Budget,
}

impl Database {
    pub(crate) fn new(session: Arc<Inner>, grant: Grant) -> Self {
        let budget = Budget::new(grant.limits.clone(), grant.setting.clone());
        Self { shared: Arc::new(Shared { session, grant, budget }) }
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
        match self.collection(collection).await?.map(|collection| collection.kind) {
            None | Some(CollectionKind::Absent | CollectionKind::View) => {
                return Ok(self.looked_at(collection, Vec::new()));
            }
            Some(CollectionKind::Collection | CollectionKind::TimeSeries) => {}
        }
        let command = command::list_indexes(collection, self.manner(None)?);
        let doing = format!("list the indexes of `{collection}`");
        let specifications = self.shared.ask(&doing, self.shared.session.documents(command)).await?;
        let indexes = canonical::indexes(specifications).iter().map(encode).collect::<Result<_, _>>()?;
        Ok(self.looked_at(collection, indexes))
    }

    /// Documents that fit a filter.
    pub async fn find(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Cursor, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        let options = checked_find(&mut request, &options).map_err(refused)?;
        let kind = match self.collection(collection).await? {
            // a limit of 0 means "no limit" to the server; and it reads nothing
            Some(_) if options.limit == Some(0) => return Ok(Cursor::empty(Arc::clone(&self.shared))),
            Some(found) => found.kind,
            None => return Ok(self.nothing(target.reads())),
        };
        let pages = match kind {
            CollectionKind::Collection if self.shared.session.major <= READ_ONCE_KNOWN => Pages::ReadOnce,
            _ => Pages::Cached,
        };
        let manner = self.manner(self.deciding(target.reads()).await?)?;
        let command = command::find(&target, &filter, &options, pages, manner);
        self.scan(target.reads(), command, format!("find in `{collection}`")).await
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
        let manner = self.manner(self.deciding(&reads).await?)?;
        let command = command::aggregate(&target, stages, &options, manner);
        self.scan(&reads, command, format!("aggregate `{collection}`")).await
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
        let command = command::count(&target, &filter, self.manner(self.deciding(target.reads()).await?)?);
        let doing = format!("count in `{collection}`");
        let groups = self.shared.ask(&doing, self.shared.session.documents(command)).await?;
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
        let manner = self.manner(self.deciding(target.reads()).await?)?;
        let command = command::distinct(&target, &path, &filter, manner);
        self.scan(target.reads(), command, format!("find the values of `{collection}`")).await
    }

    /// The plan that [`Database::find`] would take. Nothing is run.
    pub async fn explain(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Vec<u8>, Failure> {
        self.admit(collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection).map_err(refused)?;
        let filter = request.filter(filter).map_err(refused)?;
        let options = checked_find(&mut request, &options).map_err(refused)?;
        let command = command::explain(&target, &filter, &options, self.manner(None)?);
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

    /// Every call begins here.
    fn admit(&self, collection: &str) -> Result<(), Failure> {
        self.shared.budget.call();
        self.shared.grant.admit(collection)
    }

    /// What is read of a call's parts: by its grant and the collections that there are.
    async fn request(&self) -> Result<Request<'_>, Failure> {
        let collections = self.shared.session.collections().await.map_err(|error| error.failure())?;
        Ok(Request::new(Scope::new(&self.shared.grant, collections)))
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

    async fn scan(&self, reads: &Reads, command: RawDocumentBuf, doing: String) -> Result<Cursor, Failure> {
        let cursor = Cursor::open(Arc::clone(&self.shared), command, doing).await?;
        Ok(self.read(reads, cursor))
    }

    /// The collection that decides how all of these are read: the first that is capped, else the first that is there.
    async fn deciding(&self, reads: &Reads) -> Result<Option<&Collection>, Failure> {
        let mut deciding = None;
        for name in reads.names() {
            let Some(found) = self.collection(name).await? else { continue };
            if found.is_capped() {
                return Ok(Some(found));
            }
            deciding.get_or_insert(found);
        }
        Ok(deciding)
    }

    async fn collection(&self, name: &str) -> Result<Option<&Collection>, Failure> {
        self.shared.session.collection(name).await.map_err(|error| error.failure())
    }

    /// How a command on a collection reads; `None`: it reads no documents.
    fn manner(&self, target: Option<&Collection>) -> Result<Manner<'_>, Failure> {
        let session = &self.shared.session;
        // Capped collections know no snapshots before 8.0 and would refuse. Their data of the moment are read; that
        // nothing was written meanwhile is for the stability witness of the consistency checks to say.
        let refuses = |target: &Collection| target.is_capped() && session.major < 8;
        let read_at = session.read_at.filter(|_| target.is_some_and(|target| !refuses(target)));
        Ok(Manner { comment: &session.comment, time: self.shared.budget.time_left()?, read_at })
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
