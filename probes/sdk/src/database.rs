//! Reads the granted collections.

use crate::{
    CollectionInfo, Document, Failure, RawDocument,
    bindings::{
        self,
        taster::probe::mongo::{
            self, AggregateOptions, CensusDetail, CensusExtras, CensusOptions, CensusSummary, FindOptions,
        },
    },
};

/// The granted collections of one database.
pub struct Database<'a>(&'a bindings::Database);

impl<'a> Database<'a> {
    /// The database behind the host's handle; [`crate::export!`] calls it.
    #[must_use]
    pub fn new(handle: &'a bindings::Database) -> Self {
        Self(handle)
    }

    /// The host's handle, for functions that this type does not wrap.
    #[must_use]
    pub fn handle(&self) -> &'a bindings::Database {
        self.0
    }

    /// The granted collections, sorted by name.
    pub fn collections(&self) -> Result<Vec<CollectionInfo>, Failure> {
        self.0.list_collections()
    }

    /// The options of a collection, in canonical form.
    pub fn options(&self, collection: &str) -> Result<Document, Failure> {
        Ok(Document::from_bytes(self.0.collection_options(collection)?)?)
    }

    /// The index specifications of a collection, sorted by name, in canonical form.
    pub fn indexes(&self, collection: &str) -> Result<Vec<Document>, Failure> {
        let indexes = self.0.list_indexes(collection)?;
        indexes.into_iter().map(|bytes| Ok(Document::from_bytes(bytes)?)).collect()
    }

    /// The exact number of documents that match `filter`.
    pub fn count(&self, collection: &str, filter: &Document) -> Result<u64, Failure> {
        self.0.count(collection, filter.as_bytes())
    }

    /// Finds documents: all of them, unless the builder has options.
    pub fn find<'b>(&'b self, collection: &'b str) -> Find<'b> {
        let options = FindOptions {
            projection: None,
            sort: None,
            skip: None,
            limit: None,
            hint: None,
            collation: None,
            variables: None,
        };
        Find { database: self.0, collection, filter: Document::new(), options }
    }

    /// Runs a pipeline. Each stage is a document.
    pub fn aggregate(&self, collection: &str, stages: &[Document]) -> Result<Cursor, Failure> {
        let stages: Vec<Vec<u8>> = stages.iter().map(|stage| stage.as_bytes().to_vec()).collect();
        let options = AggregateOptions { hint: None, collation: None, variables: None };
        Ok(Cursor::new(self.0.aggregate(collection, &stages, &options)?))
    }

    /// The distinct values at `path`, as documents `{v: VALUE}`.
    pub fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Cursor, Failure> {
        Ok(Cursor::new(self.0.distinct(collection, path, filter.as_bytes())?))
    }

    /// Records a census, the host's own record of every document: of all documents with one digest each, unless the builder has
    /// options.
    pub fn census<'b>(&'b self, collection: &'b str) -> Census<'b> {
        let options = CensusOptions { filter: None, ignored: Vec::new(), detail: CensusDetail::Documents, sample: 0 };
        let extras = CensusExtras { values: false, any_order: false };
        Census { database: self.0, collection, options, extras }
    }
}

/// Builder of a `find`.
#[must_use = "nothing is read before `run`"]
pub struct Find<'a> {
    database: &'a bindings::Database,
    collection: &'a str,
    filter: Document,
    options: FindOptions,
}

impl Find<'_> {
    /// Only documents that match the filter.
    pub fn filter(mut self, filter: Document) -> Self {
        self.filter = filter;
        self
    }

    /// Only these fields. It saves transferring the others.
    pub fn projection(mut self, projection: Document) -> Self {
        self.options.projection = Some(projection.into_bytes());
        self
    }

    /// In this order.
    pub fn sort(mut self, sort: Document) -> Self {
        self.options.sort = Some(sort.into_bytes());
        self
    }

    /// With the index of this name. A sparse or partial index returns only the documents in it.
    pub fn hint(mut self, index: &str) -> Self {
        self.options.hint = Some(index.to_owned());
        self
    }

    /// This many documents at most.
    pub fn limit(mut self, limit: u32) -> Self {
        self.options.limit = Some(limit);
        self
    }

    /// Opens the cursor.
    pub fn run(self) -> Result<Cursor, Failure> {
        let cursor = self.database.find(self.collection, self.filter.as_bytes(), &self.options)?;
        Ok(Cursor::new(cursor))
    }
}

/// Builder of a census. The probe never gets the documents: the host reads and digests them and returns an id, and a metric with
/// that id ([`crate::Metric::census`]) makes the census part of the result.
#[must_use = "nothing is recorded before `record`"]
pub struct Census<'a> {
    database: &'a bindings::Database,
    collection: &'a str,
    options: CensusOptions,
    extras: CensusExtras,
}

impl Census<'_> {
    /// Only documents that match the filter.
    pub fn filter(mut self, filter: Document) -> Self {
        self.options.filter = Some(filter.into_bytes());
        self
    }

    /// Without these top-level fields: their changes do not change the digests.
    pub fn ignore<'f>(mut self, fields: impl IntoIterator<Item = &'f str>) -> Self {
        self.options.ignored.extend(fields.into_iter().map(str::to_owned));
        self
    }

    /// With this detail: [`CensusDetail::Fields`] allows naming the changed fields of each document, and takes eight more bytes a
    /// field.
    pub fn detail(mut self, detail: CensusDetail) -> Self {
        self.options.detail = detail;
        self
    }

    /// Keeps this many whole documents, always those with the same ids.
    pub fn sample(mut self, documents: u32) -> Self {
        self.options.sample = documents;
        self
    }

    /// Keeps small values, so that a changed field is shown with both. Only with [`CensusDetail::Fields`].
    pub fn keep_values(mut self) -> Self {
        self.extras.values = true;
        self
    }

    /// Takes documents for the same whose fields have another order, at any depth.
    pub fn ignore_order(mut self) -> Self {
        self.extras.any_order = true;
        self
    }

    /// Records the census. An absent collection has an empty one.
    pub fn record(self) -> Result<CensusSummary, Failure> {
        self.database.census_with(self.collection, &self.options, self.extras)
    }
}

/// An open cursor. Dropping it closes the server's cursor.
pub struct Cursor {
    handle: mongo::Cursor,
    batch: Batch,
    at: usize,
}

impl Cursor {
    fn new(handle: mongo::Cursor) -> Self {
        Self { handle, batch: Batch(Vec::new()), at: 0 }
    }

    /// The next batch. This is the fastest way to read, because the documents are not copied.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Failure> {
        // the old batch is freed before the host allocates the next one
        self.batch = Batch(Vec::new());
        self.at = 0;
        Ok(self.handle.next()?.map(Batch))
    }

    /// The next document, borrowed from its batch until the next call.
    pub fn next_document(&mut self) -> Result<Option<RawDocument<'_>>, Failure> {
        if self.at == self.batch.0.len() {
            match self.next_batch()? {
                Some(batch) => self.batch = batch,
                None => return Ok(None),
            }
        }
        let document = RawDocument::first_of(&self.batch.0[self.at..])?;
        self.at += document.as_bytes().len();
        Ok(Some(document))
    }
}

/// Documents back to back, as the host returns them.
pub struct Batch(Vec<u8>);

impl Batch {
    /// The documents, borrowed.
    #[must_use]
    pub fn documents(&self) -> Documents<'_> {
        Documents(&self.0)
    }

    /// All bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The documents of a [`Batch`].
pub struct Documents<'a>(&'a [u8]);

impl<'a> Iterator for Documents<'a> {
    type Item = Result<RawDocument<'a>, crate::Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let document = RawDocument::first_of(self.0);
        self.0 = match document {
            Ok(document) => &self.0[document.as_bytes().len()..],
            Err(_) => &[],
        };
        Some(document)
    }
}
