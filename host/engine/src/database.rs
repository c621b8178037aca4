//! Implements the capability with a MongoDB server.

use bytes::Bytes;
use taster_model::CollectionKind as Kind;
use taster_query::{Cursor, Database};

use crate::capability::{
    AggregateOptions, Batches, Call, CensusDetail, CensusExtras, CensusOptions, CensusSummary, CollectionInfo,
    CollectionKind, FindOptions, Mongo, MongoUsage,
};

impl Batches for Cursor {
    fn next(&mut self) -> Call<'_, Option<Bytes>> {
        Box::pin(Cursor::next(self))
    }
}

impl Mongo for Database {
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>> {
        Box::pin(async {
            let found = Database::list_collections(self).await?;
            let convert = |info: taster_query::CollectionInfo| CollectionInfo {
                name: info.name,
                role: info.role,
                kind: match info.kind {
                    Kind::Collection => CollectionKind::Collection,
                    Kind::View => CollectionKind::View,
                    Kind::TimeSeries => CollectionKind::TimeSeries,
                    Kind::Absent => CollectionKind::Absent,
                },
            };
            Ok(found.into_iter().map(convert).collect())
        })
    }

    fn collection_options<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<u8>> {
        Box::pin(Database::collection_options(self, collection))
    }

    fn list_indexes<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<Vec<u8>>> {
        Box::pin(Database::list_indexes(self, collection))
    }

    fn find<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async move { boxed(Database::find(self, collection, filter, options.into()).await?) })
    }

    fn aggregate<'a>(
        &'a self,
        collection: &'a str,
        stages: &'a [Vec<u8>],
        options: AggregateOptions,
    ) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async move { boxed(Database::aggregate(self, collection, stages, options.into()).await?) })
    }

    fn count<'a>(&'a self, collection: &'a str, filter: &'a [u8]) -> Call<'a, u64> {
        Box::pin(Database::count(self, collection, filter))
    }

    fn distinct<'a>(&'a self, collection: &'a str, path: &'a str, filter: &'a [u8]) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async move { boxed(Database::distinct(self, collection, path, filter).await?) })
    }

    fn explain<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Vec<u8>> {
        Box::pin(Database::explain(self, collection, filter, options.into()))
    }

    fn census<'a>(
        &'a self,
        collection: &'a str,
        options: CensusOptions,
        extras: CensusExtras,
    ) -> Call<'a, CensusSummary> {
        Box::pin(async move {
            let request = census_request(options, extras);
            let taster_query::CensusSummary { id, documents, bytes } =
                Database::census(self, collection, request).await?;
            Ok(CensusSummary { id, documents, bytes })
        })
    }

    fn usage(&self) -> MongoUsage {
        let used = Database::usage(self);
        MongoUsage {
            documents: used.documents,
            bytes: used.bytes,
            server_time: used.server_time,
            collections: used.collections,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is the last expression of calls that return a result")]
fn boxed(cursor: Cursor) -> Result<Box<dyn Batches>, taster_model::Failure> {
    Ok(Box::new(cursor))
}

impl From<FindOptions> for taster_query::FindOptions {
    fn from(given: FindOptions) -> Self {
        let FindOptions { projection, sort, skip, limit, hint, collation, variables } = given;
        Self { projection, sort, skip, limit, hint, collation, variables }
    }
}

impl From<AggregateOptions> for taster_query::AggregateOptions {
    fn from(given: AggregateOptions) -> Self {
        let AggregateOptions { hint, collation, variables } = given;
        Self { hint, collation, variables }
    }
}

fn census_request(options: CensusOptions, extras: CensusExtras) -> taster_query::CensusRequest {
    let CensusOptions { filter, ignored, detail, sample } = options;
    let CensusExtras { values, any_order } = extras;
    let detail = match detail {
        CensusDetail::Documents => taster_query::DetailLevel::Documents,
        CensusDetail::Fields => taster_query::DetailLevel::Fields,
    };
    taster_query::CensusRequest { filter, ignored, detail, sample, values, any_order }
}
