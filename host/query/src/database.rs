//! The capability of one probe: reads of the granted collections, within the probe's limits.

use std::sync::Arc;

use bson::Timestamp;
use taster_census::{DiskBudget, ScratchSpace};
use taster_model::{CollectionKind, Failure, ReadMode};

use crate::{
    bson_util::encode,
    budget::{Budget, QueryUsage},
    canonical,
    census::{env::CensusEnv, log::CensusLog},
    collection::Collection,
    command::{self, CheckedAggregate, CheckedFind, PageCaching},
    command_options::CommandOptions,
    connection::Inner,
    cursor::Cursor,
    error::QueryError,
    grant::Grant,
    guard::{checked::ReadSet, context::Scope, error::GuardError, request::Request},
    inventory::{CollectionChange, Inventory},
    metered_connection::{MeteredConnection, bad_reply},
    prefetch::Scan,
    query_span::QuerySpan,
    range_scan::{self, RangeScan},
    snapshot::Snapshot,
};

/// One granted collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// The role it has for the probe.
    pub role: String,
    /// What it is on the server.
    pub kind: CollectionKind,
}

/// Options of a find, as the probe sent them: unchecked BSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindOptions {
    /// Which fields.
    pub projection: Option<Vec<u8>>,
    /// In which order. `None`: the server's own.
    pub sort: Option<Vec<u8>>,
    /// How many documents to skip first.
    pub skip: Option<u32>,
    /// How many documents at most; 0 finds none.
    pub limit: Option<u32>,
    /// Name of an index.
    pub hint: Option<String>,
    /// How strings are compared.
    pub collation: Option<Vec<u8>>,
    /// Values for `$$name` in expressions.
    pub variables: Option<Vec<u8>>,
}

/// Options of an aggregation; see [`FindOptions`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregateOptions {
    /// Name of an index.
    pub hint: Option<String>,
    /// How strings are compared.
    pub collation: Option<Vec<u8>>,
    /// Values for `$$name` in expressions.
    pub variables: Option<Vec<u8>>,
}

/// What one probe can do with the database: read the granted collections, within its limits. Cheap to clone; clones share
/// the limits and the censuses.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

/// What the clones of a database share.
struct Shared {
    connection: Arc<MeteredConnection>,
    snapshot: Snapshot,
    grant: Grant,
    /// `None`: censuses are refused.
    census_env: Option<CensusEnv>,
    census_log: CensusLog,
}

impl Snapshot {
    /// The capability of one probe. It refuses censuses.
    #[must_use]
    pub fn database(&self, grant: Grant) -> Database {
        Database::new(self.clone(), grant, None)
    }

    /// The capability of one probe that can record censuses.
    #[must_use]
    pub fn database_with_census(&self, grant: Grant, census: CensusEnv) -> Database {
        Database::new(self.clone(), grant, Some(census))
    }
}

impl Database {
    fn new(snapshot: Snapshot, grant: Grant, census_env: Option<CensusEnv>) -> Self {
        let budget = Budget::new(grant.limits.clone(), grant.setting.clone());
        let connection = Arc::new(MeteredConnection { connection: Arc::clone(&snapshot.connection), budget });
        let census_log = CensusLog::default();
        let census_env = census_env.map(|env| {
            let scratch = ScratchSpace { budget: Some(DiskBudget::new(env.disk_bytes)), ..env.scratch.clone() };
            CensusEnv { scratch, ..env }
        });
        Self { shared: Arc::new(Shared { connection, snapshot, grant, census_env, census_log }) }
    }

    /// The granted collections, sorted by name and role.
    pub async fn list_collections(&self) -> Result<Vec<CollectionInfo>, Failure> {
        let request = self.budget().count_call();
        let _query = QuerySpan::begin(self.connection(), request, "list_collections", "");
        let mut infos = Vec::with_capacity(self.grant().collections.len());
        for granted in &self.grant().collections {
            self.grant().check(&granted.name)?;
            let kind =
                self.collection(&granted.name).await?.map_or(CollectionKind::Absent, |collection| collection.kind);
            infos.push(CollectionInfo { name: granted.name.clone(), role: granted.role.clone(), kind });
        }
        infos.sort_by(|a, b| (&a.name, &a.role).cmp(&(&b.name, &b.role)));
        Ok(infos)
    }

    /// Options of one collection in canonical form, with its `kind`.
    pub async fn collection_options(&self, collection: &str) -> Result<Vec<u8>, Failure> {
        let _query = self.begin("collection_options", collection)?;
        let options = match self.collection(collection).await? {
            Some(found) => found.canonical_options(),
            None => canonical::options(CollectionKind::Absent, &bson::Document::new()),
        };
        let options = encode(&options)?;
        self.budget().record_read(collection);
        Ok(options)
    }

    /// Index specifications in canonical form, sorted by name. None for absent collections and for views.
    pub async fn list_indexes(&self, collection: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let _query = self.begin("list_indexes", collection)?;
        let indexes = match self.collection(collection).await? {
            Some(found) => found.indexes.iter().map(encode).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        self.budget().record_read(collection);
        Ok(indexes)
    }

    /// Documents that match a filter.
    pub async fn find(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Cursor, Failure> {
        let query = self.begin("find", collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection)?;
        let filter = request.filter(filter)?;
        let options = checked_find(&mut request, &options)?;
        let found = match self.collection(collection).await? {
            // to the server a limit of 0 means no limit; and it reads nothing
            Some(_) if options.limit == Some(0) => return Ok(Cursor::empty(Arc::clone(self.connection()), query)),
            Some(found) => found,
            None => return Ok(self.empty_cursor(target.reads(), query)),
        };
        let mut command = command::find(&target, &filter, &options, self.page_caching(found));
        let scan = match self.documents_per_range(self.connection(), found).await? {
            Some(documents) if options.is_full_scan() => Scan::Ranges(RangeScan::new(collection, command, documents)),
            _ => {
                self.options_for(target.reads()).await?.append_to(&mut command);
                Scan::Command(command)
            }
        };
        self.open_cursor(target.reads(), scan, format!("find in `{collection}`"), query).await
    }

    /// The results of a pipeline, one stage per document.
    pub async fn aggregate(
        &self,
        collection: &str,
        stages: &[Vec<u8>],
        options: AggregateOptions,
    ) -> Result<Cursor, Failure> {
        let query = self.begin("aggregate", collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection)?;
        let stages = request.pipeline(stages)?;
        let options = checked_aggregate(&mut request, &options)?;
        let reads = target.reads().clone().union(stages.reads());
        // most pipelines return nothing for an absent collection; but `$unionWith` has another source
        if self.collection(collection).await?.is_none() && !stages.makes_documents() {
            return Ok(self.empty_cursor(&reads, query));
        }
        let command = command::aggregate(&target, stages, &options, self.options_for(&reads).await?);
        self.open_cursor(&reads, Scan::Command(command), format!("aggregate `{collection}`"), query).await
    }

    /// The exact number of documents that match a filter.
    pub async fn count(&self, collection: &str, filter: &[u8]) -> Result<u64, Failure> {
        let _query = self.begin("count", collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection)?;
        let filter = request.filter(filter)?;
        let mut count = 0;
        if self.collection(collection).await?.is_some() {
            let command = command::count(&target, &filter, self.options_for(target.reads()).await?);
            let operation = format!("count in `{collection}`");
            let groups = self.connection().run(&operation, self.inner().documents(command)).await;
            let groups = groups.inspect_err(|failure| self.budget().record_failure(failure))?;
            if let Some(group) = groups.first() {
                let number = group.get_i64("n").ok().and_then(|count| u64::try_from(count).ok());
                count = number.ok_or_else(|| bad_reply(&operation, "the reply has no count"))?;
            }
        }
        self.record_reads(target.reads());
        Ok(count)
    }

    /// Documents `{v: VALUE}`: the distinct values at a dotted path, in BSON order. Steps into arrays.
    pub async fn distinct(&self, collection: &str, path: &str, filter: &[u8]) -> Result<Cursor, Failure> {
        let query = self.begin("distinct", collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection)?;
        let path = request.path(path)?;
        let filter = request.filter(filter)?;
        if self.collection(collection).await?.is_none() {
            return Ok(self.empty_cursor(target.reads(), query));
        }
        let options = self.options_for(target.reads()).await?;
        let command = command::distinct(&target, &path, &filter, options);
        let operation = format!("find the distinct values of `{collection}`");
        self.open_cursor(target.reads(), Scan::Command(command), operation, query).await
    }

    /// The query plan of [`Database::find`]. The query is not run.
    pub async fn explain(&self, collection: &str, filter: &[u8], options: FindOptions) -> Result<Vec<u8>, Failure> {
        let _query = self.begin("explain", collection)?;
        let mut request = self.request().await?;
        let target = request.target(collection)?;
        let filter = request.filter(filter)?;
        let options = checked_find(&mut request, &options)?;
        let command = command::explain(&target, &filter, &options, self.connection().command_options()?);
        let operation = format!("explain a find in `{collection}`");
        let call = self.inner().database.run_raw_command(command).into_future();
        encode(&canonical::plan(self.connection().run(&operation, call).await?))
    }

    /// What was read so far.
    #[must_use]
    pub fn usage(&self) -> QueryUsage {
        self.budget().usage()
    }

    /// The failure that says that the server discarded the snapshot's point in time while the probe was reading. Its result
    /// is then not of that point in time.
    #[must_use]
    pub fn lost_snapshot(&self) -> Option<Failure> {
        self.budget().lost_snapshot()
    }

    /// A collection that changed since the snapshot was taken, among those that were read here. `None`: what was read is
    /// what exists at `now`; in a snapshot, what existed at its point in time.
    pub async fn changed_collection(&self, now: &Inventory) -> Result<Option<(String, CollectionChange)>, QueryError> {
        let (state, budget) = (&self.snapshot().state, self.budget());
        let before = self.snapshot().inventory().await?;
        for name in budget.usage().collections {
            let change = if state.reading == ReadMode::Snapshot && !budget.was_read_live(&name) {
                before.redefinition(now, &name)
            } else {
                state.written_before.get(&name).copied().or_else(|| before.change(now, &name))
            };
            if let Some(change) = change {
                return Ok(Some((name, change)));
            }
        }
        // the probe may have asked which of its collections exist, without reading those that do not
        let granted = self.grant().collections.iter().map(|granted| granted.name.as_str());
        let mut redefined = granted.filter_map(|name| Some((name.to_owned(), before.redefinition(now, name)?)));
        Ok(redefined.next())
    }

    /// Every call on a collection begins here.
    fn begin(&self, operation: &'static str, collection: &str) -> Result<QuerySpan, Failure> {
        let request = self.budget().count_call();
        self.shared.grant.check(collection)?;
        Ok(QuerySpan::begin(self.connection(), request, operation, collection))
    }

    /// See [`Database::begin`].
    pub(crate) fn begin_census(&self, collection: &str) -> Result<QuerySpan, Failure> {
        self.begin("census", collection)
    }

    pub(crate) fn connection(&self) -> &Arc<MeteredConnection> {
        &self.shared.connection
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.shared.connection.connection
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.connection.budget
    }

    pub(crate) fn grant(&self) -> &Grant {
        &self.shared.grant
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.shared.snapshot
    }

    pub(crate) fn census_env(&self) -> Option<&CensusEnv> {
        self.shared.census_env.as_ref()
    }

    pub(crate) fn census_log(&self) -> &CensusLog {
        &self.shared.census_log
    }

    /// Checks the parts of one call, against the grant and the existing collections.
    pub(crate) async fn request(&self) -> Result<Request<'_>, Failure> {
        Ok(Request::new(Scope::new(self.grant(), &self.snapshot().inventory().await?.collections)))
    }

    /// Records the collections that a call reads: its own, those that it names, and those beneath the views among them.
    pub(crate) fn record_reads(&self, reads: &ReadSet) {
        reads.names().for_each(|name| self.budget().record_read(name));
    }

    /// The result of reading an absent collection.
    fn empty_cursor(&self, reads: &ReadSet, query: QuerySpan) -> Cursor {
        self.record_reads(reads);
        Cursor::empty(Arc::clone(self.connection()), query)
    }

    async fn open_cursor(
        &self,
        reads: &ReadSet,
        scan: Scan,
        operation: String,
        query: QuerySpan,
    ) -> Result<Cursor, Failure> {
        let cursor = Cursor::open(Arc::clone(self.connection()), scan, operation, query).await?;
        self.record_reads(reads);
        Ok(cursor)
    }

    pub(crate) async fn collection(&self, name: &str) -> Result<Option<&Collection>, Failure> {
        Ok(self.snapshot().inventory().await?.collection(name))
    }

    /// What the server does with the pages of a collection that is read.
    pub(crate) fn page_caching(&self, collection: &Collection) -> PageCaching {
        match collection.kind {
            CollectionKind::Collection if self.inner().major <= READ_ONCE_MAX_MAJOR => PageCaching::ReadOnce,
            _ => PageCaching::Default,
        }
    }

    /// Documents per range; `None`: the collection is not read in ranges.
    pub(crate) async fn documents_per_range(
        &self,
        connection: &MeteredConnection,
        target: &Collection,
    ) -> Result<Option<u64>, Failure> {
        match self.snapshot().documents_per_range(target).await? {
            Some(documents) => Ok((!range_scan::has_max_key_id(connection, &target.name).await?).then_some(documents)),
            None => Ok(None),
        }
    }

    /// Options of a command that reads these collections.
    async fn options_for(&self, reads: &ReadSet) -> Result<CommandOptions<'_>, Failure> {
        let read_at = self.read_time(reads).await?;
        Ok(CommandOptions { read_at, ..self.connection().command_options()? })
    }

    /// The point in time at which these collections are read; `None`: they are read live.
    pub(crate) async fn read_time(&self, reads: &ReadSet) -> Result<Option<Timestamp>, Failure> {
        let (inner, state) = (self.inner(), &self.snapshot().state);
        // The server refuses a snapshot read as soon as one collection does not support it. Then everything is read live,
        // and the write counters show whether anything was written meanwhile.
        let inventory = self.snapshot().inventory().await?;
        let existing = reads.names().filter_map(|name| inventory.collection(name));
        let (in_snapshot, live): (Vec<&Collection>, Vec<&Collection>) = existing
            .filter(|collection| collection.kind != CollectionKind::View)
            .partition(|collection| collection.supports_snapshots(inner.major));
        if let (ReadMode::Snapshot | ReadMode::Ranges, [capped, ..], [other, ..]) =
            (state.reading, &*live, &*in_snapshot)
        {
            let (capped, other) = (capped.name.clone(), other.name.clone());
            return Err(QueryError::CappedWithSnapshot { capped, other }.into());
        }
        let read_at = match state.reading {
            ReadMode::Snapshot if live.is_empty() => state.read_at,
            ReadMode::Ranges if live.is_empty() => Some(inner.primary_time().await?),
            _ => None,
        };
        if read_at.is_none() {
            reads.names().for_each(|name| self.budget().record_live_read(name));
        }
        Ok(read_at)
    }
}

/// The newest major version that is known to accept `readOnce`, which is not documented.
const READ_ONCE_MAX_MAJOR: u32 = 8;

fn checked_find(request: &mut Request<'_>, options: &FindOptions) -> Result<CheckedFind, GuardError> {
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

fn checked_aggregate(request: &mut Request<'_>, options: &AggregateOptions) -> Result<CheckedAggregate, GuardError> {
    Ok(CheckedAggregate {
        hint: options.hint.as_deref().map(|name| request.hint(name)).transpose()?,
        collation: options.collation.as_deref().map(|bytes| request.collation(bytes)).transpose()?,
        variables: options.variables.as_deref().map(|bytes| request.variables(bytes)).transpose()?,
    })
}
