//! Runs a probe on the first documents of each collection: enough to see a path that no document has.

use std::time::Duration;

use taster_config::{Config, Period, Probe};
use taster_engine::{
    RunInput,
    capability::{
        AggregateOptions, Batches, Call, CensusExtras, CensusOptions, CensusSummary, CollectionInfo, FindOptions,
        Mongo, MongoUsage,
    },
};
use taster_model::{CollectionGrant, Metric, MetricDeclaration, Severity, Value};
use taster_query::{Connection, Database, Grant};

use crate::{
    limits::{engine_limits, query_limits},
    probe_check::ProbeCheck,
};

/// How many documents of each collection are read.
pub const SAMPLE: u32 = 1000;
/// How long that may take: a filter may match nothing in a large collection.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A database in which a find returns at most [`SAMPLE`] documents.
struct SampledDatabase(Database);

impl Mongo for SampledDatabase {
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>> {
        Mongo::list_collections(&self.0)
    }

    fn collection_options<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<u8>> {
        Mongo::collection_options(&self.0, collection)
    }

    fn list_indexes<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<Vec<u8>>> {
        Mongo::list_indexes(&self.0, collection)
    }

    fn find<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Box<dyn Batches>> {
        let limit = options.limit.filter(|limit| *limit > 0).map_or(SAMPLE, |limit| limit.min(SAMPLE));
        Mongo::find(&self.0, collection, filter, FindOptions { limit: Some(limit), ..options })
    }

    fn aggregate<'a>(
        &'a self,
        collection: &'a str,
        stages: &'a [Vec<u8>],
        options: AggregateOptions,
    ) -> Call<'a, Box<dyn Batches>> {
        Mongo::aggregate(&self.0, collection, stages, options)
    }

    fn count<'a>(&'a self, collection: &'a str, filter: &'a [u8]) -> Call<'a, u64> {
        Mongo::count(&self.0, collection, filter)
    }

    fn distinct<'a>(&'a self, collection: &'a str, path: &'a str, filter: &'a [u8]) -> Call<'a, Box<dyn Batches>> {
        Mongo::distinct(&self.0, collection, path, filter)
    }

    fn explain<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Vec<u8>> {
        Mongo::explain(&self.0, collection, filter, options)
    }

    fn census<'a>(
        &'a self,
        collection: &'a str,
        options: CensusOptions,
        extras: CensusExtras,
    ) -> Call<'a, CensusSummary> {
        Mongo::census(&self.0, collection, options, extras)
    }

    fn usage(&self) -> MongoUsage {
        Mongo::usage(&self.0)
    }
}

/// The counts of a probe that are 0 in the first documents of each collection although no expectation says that this is
/// correct: a sum over a field that no document has, for example. Only of probes that read with `find` alone, because nothing
/// else can be cut short.
pub async fn empty_metrics(
    connection: &Connection,
    config: &Config,
    (probe, check): (&Probe, &ProbeCheck),
) -> Vec<Metric> {
    let reads_with_find = check.manifest.methods.iter().map(String::as_str).eq(["find"]);
    let decides = probe.severity == Severity::Fail && !probe.muted;
    let Some(granted) = check.collections.as_ref().filter(|_| reads_with_find && decides) else { return Vec::new() };
    let Some(metrics) = run(&check.loaded, connection, probe, granted).await else { return Vec::new() };
    let is_unexpected = |metric: &Metric| {
        let declared = check.manifest.metrics.iter().filter(|declared| declared.name.matches(&metric.name));
        // as in the comparison: the name with the most literal segments applies
        let declared: Option<&MetricDeclaration> =
            declared.max_by_key(|declared| (declared.name.is_exact(), declared.name.literal_segments()));
        declared.is_none_or(|declared| declared.expect.is_none())
            && !config.expect.iter().any(|expectation| {
                expectation.probe.as_ref().is_none_or(|name| *name == probe.name)
                    && expectation.metric.matches(&metric.name)
                    && expectation.labels.iter().all(|(key, value)| metric.labels.get(key) == Some(value))
            })
    };
    metrics.into_iter().filter(|metric| metric.value == Value::Integer(0) && is_unexpected(metric)).collect()
}

async fn run(
    loaded: &taster_engine::Probe,
    connection: &Connection,
    probe: &Probe,
    granted: &[CollectionGrant],
) -> Option<Vec<Metric>> {
    let limit: Period = Period::from_secs(TIME_LIMIT.as_secs());
    let limits = taster_config::Limits { deadline: Some(limit), server_time: Some(limit), ..probe.limits.clone() };
    let database = connection.initial_snapshot().database(Grant {
        probe: probe.name.clone(),
        collections: granted.to_vec(),
        limits: query_limits(&limits),
        setting: probe.limits_setting(),
    });
    let input = RunInput {
        probe: probe.name.clone(),
        database: SampledDatabase(database),
        config: probe.config.as_ref().map_or_else(|| "null".to_owned(), serde_json::Value::to_string),
        limits: engine_limits(&limits),
        setting: probe.limits_setting(),
        clock: jiff::Timestamp::UNIX_EPOCH,
        seed: [0; 32],
        progress: None,
    };
    // a failure here may come from the time limit alone
    loaded.run(input).await.outcome.ok()
}
