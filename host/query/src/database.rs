//! The capability of one probe.

use std::sync::Arc;

use bson::{Document, RawDocumentBuf, Timestamp};
use taster_model::{CollectionKind, Failure, ReadMode, Refusal};

use crate::{
    Alteration, Cursor, Grant, Inventory, QueryError, QueryUsage,
    budget::Budget,
    canonical,
    census::Censuses,
    collection::Collection,
    command::{self, CheckedAggregate, CheckedFind, Manner, Pages},
    guard::{Reads, Refused, Request, Scope},
    look::Look,
    ranges::{self, Ranges},
    reader::{Reader, broken},
    replies::Scan,
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
/// share the budgets and the censuses.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

/// What the clones of a database have in common.
struct Shared {
    reader: Arc<Reader>,
    look: Arc<Look>,
    grant: Grant,
    censuses: Censuses,
}

impl Database {
    pub(crate) fn new(session: Arc<Inner>, look: Arc<Look>, grant: Grant) -> Self {
        let budget = Budget::new(grant.limits.clone(), grant.setting.clone());
        let reader = Arc::new(Reader { session, budget });
        Self { shared: Arc::new(Shared { reader, look, grant, censuses: Censuses::default() }) }
    }

    /// The granted collections, sorted by name and role.
    pub async fn list_collections(&self) -> Result<Vec<CollectionInfo>, Failure> {
        self.budget().call();
        let mut infos = Vec::with_capacity(self.grant().collections.len());
        for granted in &self.grant().collections {
            self.grant().admit(&granted.name)?;
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
            Some(_) if options.limit == Some(0) => return Ok(Cursor::empty(Arc::clone(self.reader()))),
            Some(found) => found,
            None => return Ok(self.nothing(target.reads())),
        };
        let mut command = command::find(&target, &filter, &options, self.pages(found));
        let scan = match self.range(self.reader(), found).await? {
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
        let groups = self.reader().ask(&doing, self.session().documents(command)).await;
        let groups = groups.inspect_err(|failure| self.budget().note(failure))?;
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
        let answer = self.reader().ask(&doing, self.session().database.run_raw_command(command).into_future()).await?;
        encode(&canonical::plan(answer))
    }

    /// What was read so far.
    #[must_use]
    pub fn usage(&self) -> QueryUsage {
        self.budget().usage()
    }

    /// Why the result is not of the moment of the capture, if the server lost it while the probe read.
    #[must_use]
    pub fn lost(&self) -> Option<Failure> {
        self.budget().lost()
    }

    /// A collection that was read here and is not what it was when the look began, `now`. `None`: what was read is what is
    /// there now; of a snapshot, what was there at its moment.
    pub async fn stale(&self, now: &Inventory) -> Result<Option<(String, Alteration)>, QueryError> {
        let (look, budget) = (self.look(), self.budget());
        let then = look.inventory(self.session()).await?;
        for name in budget.usage().collections {
            let how = if look.reading == ReadMode::Snapshot && !budget.was_read_live(&name) {
                then.altered(now, &name)
            } else {
                look.restless.get(&name).copied().or_else(|| then.written(now, &name))
            };
            if let Some(how) = how {
                return Ok(Some((name, how)));
            }
        }
        // the probe may have asked which of its collections are there, and read none of those that were not
        let granted = self.grant().collections.iter().map(|granted| granted.name.as_str());
        let mut altered = granted.filter_map(|name| Some((name.to_owned(), then.altered(now, name)?)));
        Ok(altered.next())
    }

    /// Every call begins here.
    pub(crate) fn admit(&self, collection: &str) -> Result<(), Failure> {
        self.budget().call();
        self.shared.grant.admit(collection)
    }

    pub(crate) fn reader(&self) -> &Arc<Reader> {
        &self.shared.reader
    }

    pub(crate) fn session(&self) -> &Arc<Inner> {
        &self.shared.reader.session
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.reader.budget
    }

    pub(crate) fn grant(&self) -> &Grant {
        &self.shared.grant
    }

    pub(crate) fn look(&self) -> &Look {
        &self.shared.look
    }

    pub(crate) fn censuses(&self) -> &Censuses {
        &self.shared.censuses
    }

    pub(crate) async fn inventory(&self) -> Result<&Inventory, Failure> {
        self.look().inventory(self.session()).await.map_err(|error| error.failure())
    }

    /// What is read of a call's parts: by its grant and the collections that there are.
    pub(crate) async fn request(&self) -> Result<Request<'_>, Failure> {
        Ok(Request::new(Scope::new(self.grant(), &self.inventory().await?.collections)))
    }

    /// Every call that read documents ends here: of the collection itself, of those that it names, and of those that
    /// the views among them read.
    pub(crate) fn read<T>(&self, reads: &Reads, found: T) -> T {
        reads.names().for_each(|name| self.budget().read(name));
        found
    }

    /// Every call that read what the server says of one collection ends here.
    fn looked_at<T>(&self, collection: &str, found: T) -> T {
        self.budget().read(collection);
        found
    }

    /// What there is to read of a collection that is not there.
    fn nothing(&self, reads: &Reads) -> Cursor {
        self.read(reads, Cursor::empty(Arc::clone(self.reader())))
    }

    async fn scan(&self, reads: &Reads, scan: Scan, doing: String) -> Result<Cursor, Failure> {
        let cursor = Cursor::open(Arc::clone(self.reader()), scan, doing).await?;
        Ok(self.read(reads, cursor))
    }

    pub(crate) async fn collection(&self, name: &str) -> Result<Option<&Collection>, Failure> {
        Ok(self.inventory().await?.collection(name))
    }

    /// How pages of a collection are read.
    pub(crate) fn pages(&self, collection: &Collection) -> Pages {
        match collection.kind {
            CollectionKind::Collection if self.session().major <= READ_ONCE_KNOWN => Pages::ReadOnce,
            _ => Pages::Cached,
        }
    }

    /// Documents of one range, where the collection must be read in ranges.
    pub(crate) async fn range(&self, reader: &Reader, target: &Collection) -> Result<Option<u64>, Failure> {
        let step = self.look().range(self.session(), target).await.map_err(|error| error.failure())?;
        match step {
            Some(step) => Ok((!ranges::has_greatest(reader, &target.name).await?).then_some(step)),
            None => Ok(None),
        }
    }

    /// How a command that reads these collections does so; `None`: it reads no documents.
    async fn manner(&self, reads: Option<&Reads>) -> Result<Manner<'_>, Failure> {
        let read_at = match reads {
            Some(reads) => self.moment(reads).await?,
            None => None,
        };
        Ok(Manner { comment: &self.session().comment, time: self.budget().time_left()?, read_at })
    }

    /// The moment at which these collections are read; `None`: as they are.
    pub(crate) async fn moment(&self, reads: &Reads) -> Result<Option<Timestamp>, Failure> {
        let (session, look) = (self.session(), self.look());
        // One collection that knows no snapshots, and the whole command would be refused. The data of the moment are
        // read then, and the witness tells whether anything was written meanwhile.
        let inventory = self.inventory().await?;
        let there = reads.names().filter_map(|name| inventory.collection(name));
        let (in_snapshot, live): (Vec<&Collection>, Vec<&Collection>) = there
            .filter(|collection| collection.kind != CollectionKind::View)
            .partition(|collection| collection.has_snapshots(session.major));
        if let (ReadMode::Snapshot | ReadMode::Ranges, [capped, ..], [other, ..]) =
            (look.reading, &*live, &*in_snapshot)
        {
            return Err(QueryError::Mixed { capped: capped.name.clone(), other: other.name.clone() }.failure());
        }
        let read_at = match look.reading {
            ReadMode::Snapshot if live.is_empty() => look.read_at,
            ReadMode::Ranges if live.is_empty() => {
                Some(session.time_of_primary().await.map_err(|error| error.failure())?)
            }
            _ => None,
        };
        if read_at.is_none() {
            reads.names().for_each(|name| self.budget().read_live(name));
        }
        Ok(read_at)
    }
}

/// The newest major version that is known to take `readOnce`: an option that the manual does not promise.
const READ_ONCE_KNOWN: u32 = 8;

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
pub(crate) fn refused(refused: Refused) -> Failure {
    refused.failure()
}

pub(crate) fn encode(document: &Document) -> Result<Vec<u8>, Failure> {
    RawDocumentBuf::try_from(document).map(RawDocumentBuf::into_bytes).map_err(|error| {
        Failure::refused(Refusal::Unavailable, "T0212", format!("the server sent what cannot be passed on: {error}"))
    })
}
