//! Takes a census for a probe, within the time that all its censuses may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use taster_census::{CensusFile, CensusIdentity};
use taster_model::Failure;
use tokio::time::timeout;
use tracing::Instrument;

use super::{
    checked,
    env::CensusEnv,
    hash_thread,
    refusal::{CensusRefusal, DISK_BUDGET},
    request::{CensusRequest, CensusSummary},
    scan::CensusScan,
};
use crate::{budget::Budget, database::Database, metered_connection::MeteredConnection};

/// Censuses per run that are always allowed. Each holds a file open until the capture is written.
const MIN_CENSUS_LIMIT: usize = 256;

impl Database {
    /// Records every document of a collection, or those that match a filter.
    pub async fn census(&self, collection: &str, request: CensusRequest) -> Result<CensusSummary, Failure> {
        let (number, time) = self.census_log().next();
        let mut query = self.begin_census(collection)?;
        let Some(env) = self.census_env() else {
            return Err(CensusRefusal::NotSupported.failure().asked(collection));
        };
        let limit = MIN_CENSUS_LIMIT.max(2 * self.grant().collections.len());
        if number > limit {
            return Err(CensusRefusal::TooMany { limit }.failure());
        }
        let started = Instant::now();
        let left = env.deadline.saturating_sub(time);
        let deadline = started.checked_add(left).unwrap_or(started + Duration::from_hours(24 * 365 * 30));
        let budget = Budget::for_census(deadline, env.deadline, self.grant().setting.clone());
        let connection = Arc::new(MeteredConnection { connection: Arc::clone(self.inner()), budget });
        // dropping it closes the server's cursors and ends the threads
        let recording = self.record(env, &connection, collection, format!("c{number}"), request);
        let recorded = timeout(left, recording.instrument(query.span().clone())).await;
        let recorded = recorded.unwrap_or_else(|_| Err(connection.budget.time_exceeded()));
        self.budget().add_census(&connection.budget.usage());
        self.census_log().add_time(started.elapsed());
        let recorded = recorded.map_err(|failure| match failure.code.as_deref() {
            // the thread that writes does not know the setting
            Some(DISK_BUDGET) => failure.setting(format!("{}.censusBytes", self.grant().setting)),
            _ => failure,
        });
        let recorded = recorded.inspect_err(|failure| self.budget().record_failure(failure))?;
        let summary =
            CensusSummary { id: recorded.identity.id.clone(), documents: recorded.documents, bytes: recorded.bytes };
        query.add(summary.documents, summary.bytes);
        tracing::debug!(
            id = summary.id,
            collection,
            documents = summary.documents,
            bytes = summary.bytes,
            stored_bytes = recorded.length,
            "recorded a census"
        );
        self.census_log().add(recorded);
        Ok(summary)
    }

    /// Removes and returns the recorded censuses, in the order in which they were requested.
    #[must_use]
    pub fn take_censuses(&self) -> Vec<CensusFile> {
        self.census_log().take()
    }

    async fn record(
        &self,
        env: &CensusEnv,
        connection: &Arc<MeteredConnection>,
        collection: &str,
        id: String,
        request: CensusRequest,
    ) -> Result<CensusFile, Failure> {
        let checked = checked::check(self, env, collection, request).await?;
        // before the first document is read: all documents that expire until then are due by this clock
        let now = self.inner().server_clock().await?;
        self.record_reads(checked.target.reads());
        let place = CensusIdentity {
            app: env.app.clone(),
            run: env.run.clone(),
            side: env.side,
            attempt: env.attempt.clone(),
            probe: self.grant().probe.clone(),
            id,
            database: self.inner().facts.database.clone(),
            collection: collection.to_owned(),
        };
        let builders = CensusScan { database: self, connection, census: &checked }.run(env.cursors).await?;
        hash_thread::finish(builders, place, now).await
    }
}
