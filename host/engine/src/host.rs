//! The host functions: implements the generated traits.
//!
//! Each call goes through [`State::begin_call`], which counts it and notes what the guest waits for, and
//! [`State::end_call`]. Calls that the manifest does not declare are refused.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use taster_model::{Failure, Refusal};
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::{
    bindings::taster::probe::{host, mongo, types},
    capability::{Batches, CursorHandle, DatabaseHandle, Mongo},
    codes,
    log::LogLevel,
    state::{Progress, State},
};

/// Why a host call failed.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated traits are public and name it")]
pub enum CallError {
    /// The call was refused. The guest gets the failure.
    Refused(Failure),
    /// The guest traps.
    Trap(wasmtime::Error),
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<wasmtime::component::ResourceTableError> for CallError {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message,
            refusal: failure.refusal.map(|refusal| match refusal {
                Refusal::Denied => types::Refusal::Denied,
                Refusal::Invalid => types::Refusal::Invalid,
                Refusal::Deadline => types::Refusal::Deadline,
                Refusal::Budget => types::Refusal::Budget,
                Refusal::Unavailable => types::Refusal::Unavailable,
            }),
            code: failure.code,
            asked: failure.asked,
            allowed: failure.allowed,
            setting: failure.setting,
        }
    }
}

/// Adds the interface to `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    crate::bindings::Probe::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    // the generated `next` copies each batch into a Vec; `Bytes` is written to the guest's memory without that copy
    linker.allow_shadowing(true);
    linker.instance("taster:probe/mongo@1.0.0")?.func_wrap_async(
        "[method]cursor.next",
        |mut store, (cursor,): (Resource<CursorHandle>,)| {
            Box::new(async move {
                match next(store.data_mut(), &cursor).await {
                    Ok(batch) => Ok((Ok(batch),)),
                    Err(error) => Ok((Err(types::Host::convert_failure(store.data_mut(), error)?),)),
                }
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn next(state: &mut State, cursor: &Resource<CursorHandle>) -> Result<Option<Bytes>, CallError> {
    state.begin_call("cursor.next");
    let cursor = state.table.get_mut(cursor)?;
    let batch = cursor.0.next().await;
    state.end_call();
    Ok(batch?)
}

/// The only method that needs no declaration.
const LIST_COLLECTIONS: &str = "list-collections";

impl State {
    /// Counts a call and notes what the guest waits for.
    fn begin_call(&mut self, call: &'static str) {
        self.calls += 1;
        self.current_call = Some(call);
    }

    fn end_call(&mut self) {
        self.current_call = None;
    }

    /// Begins a call of a method of `database`. It is refused if the manifest does not declare it.
    fn begin_database_call(
        &mut self,
        database: &Resource<DatabaseHandle>,
        method: &'static str,
    ) -> Result<Arc<dyn Mongo>, CallError> {
        self.begin_call(method);
        // every probe may know its own grants
        let declared = method == LIST_COLLECTIONS || self.methods.iter().any(|declared| declared.as_str() == method);
        if !declared {
            self.end_call();
            let declared = self.methods.join(", ");
            return Err(Failure::refused(
                Refusal::Denied,
                codes::UNDECLARED_METHOD,
                format!("the probe calls `{method}`, which its manifest does not declare"),
            )
            .asked(method)
            .allowed(if declared.is_empty() { "no method".to_owned() } else { declared })
            .into());
        }
        tracing::trace!(method, "host call");
        Ok(Arc::clone(&self.table.get(database)?.0))
    }

    fn open_cursor(&mut self, batches: Box<dyn Batches>) -> Result<Resource<CursorHandle>, CallError> {
        if self.cursors >= self.handles {
            return Err(Failure::refused(
                Refusal::Budget,
                codes::HANDLES,
                "the probe has too many open cursors: it must drop those it has read",
            )
            .asked(format!("{} handles", u64::from(self.cursors) + 1))
            .allowed(format!("{} handles", self.handles))
            .setting(self.setting.name_of("handles"))
            .into());
        }
        self.cursors += 1;
        Ok(self.table.push(CursorHandle(batches))?)
    }
}

impl types::Host for State {
    fn convert_failure(&mut self, refused: CallError) -> wasmtime::Result<types::Failure> {
        match refused {
            CallError::Refused(failure) => {
                self.refusals.record(&failure);
                Ok(failure.into())
            }
            CallError::Trap(error) => Err(error),
        }
    }
}

impl mongo::Host for State {}

impl mongo::HostDatabase for State {
    async fn list_collections(
        &mut self,
        database: Resource<DatabaseHandle>,
    ) -> Result<Vec<mongo::CollectionInfo>, CallError> {
        let mongo = self.begin_database_call(&database, LIST_COLLECTIONS)?;
        let result = mongo.list_collections().await;
        self.end_call();
        Ok(result?)
    }

    async fn collection_options(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
    ) -> Result<Vec<u8>, CallError> {
        let mongo = self.begin_database_call(&database, "collection-options")?;
        let result = mongo.collection_options(&collection).await;
        self.end_call();
        Ok(result?)
    }

    async fn list_indexes(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
    ) -> Result<Vec<Vec<u8>>, CallError> {
        let mongo = self.begin_database_call(&database, "list-indexes")?;
        let result = mongo.list_indexes(&collection).await;
        self.end_call();
        Ok(result?)
    }

    async fn find(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
        options: mongo::FindOptions,
    ) -> Result<Resource<CursorHandle>, CallError> {
        let mongo = self.begin_database_call(&database, "find")?;
        let result = mongo.find(&collection, &filter, options).await;
        self.end_call();
        self.open_cursor(result?)
    }

    async fn aggregate(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        stages: Vec<Vec<u8>>,
        options: mongo::AggregateOptions,
    ) -> Result<Resource<CursorHandle>, CallError> {
        let mongo = self.begin_database_call(&database, "aggregate")?;
        let result = mongo.aggregate(&collection, &stages, options).await;
        self.end_call();
        self.open_cursor(result?)
    }

    async fn count(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
    ) -> Result<u64, CallError> {
        let mongo = self.begin_database_call(&database, "count")?;
        let result = mongo.count(&collection, &filter).await;
        self.end_call();
        Ok(result?)
    }

    async fn distinct(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        path: String,
        filter: Vec<u8>,
    ) -> Result<Resource<CursorHandle>, CallError> {
        let mongo = self.begin_database_call(&database, "distinct")?;
        let result = mongo.distinct(&collection, &path, &filter).await;
        self.end_call();
        self.open_cursor(result?)
    }

    async fn explain(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
        options: mongo::FindOptions,
    ) -> Result<Vec<u8>, CallError> {
        let mongo = self.begin_database_call(&database, "explain")?;
        let result = mongo.explain(&collection, &filter, options).await;
        self.end_call();
        Ok(result?)
    }

    async fn census(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        options: mongo::CensusOptions,
    ) -> Result<mongo::CensusSummary, CallError> {
        let extras = mongo::CensusExtras { values: false, any_order: false };
        self.census_with(database, collection, options, extras).await
    }

    async fn census_with(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        options: mongo::CensusOptions,
        extras: mongo::CensusExtras,
    ) -> Result<mongo::CensusSummary, CallError> {
        let mongo = self.begin_database_call(&database, "census")?;
        let result = {
            // censuses have a deadline of their own
            let _paused = self.deadline.pause();
            mongo.census(&collection, options, extras).await
        };
        self.end_call();
        let summary = result?;
        self.censuses.insert(summary.id.clone());
        Ok(summary)
    }

    async fn drop(&mut self, database: Resource<DatabaseHandle>) -> wasmtime::Result<()> {
        self.table.delete(database)?;
        Ok(())
    }
}

impl mongo::HostCursor for State {
    async fn next(&mut self, cursor: Resource<CursorHandle>) -> Result<Option<Vec<u8>>, CallError> {
        Ok(next(self, &cursor).await?.map(Into::into))
    }

    async fn drop(&mut self, cursor: Resource<CursorHandle>) -> wasmtime::Result<()> {
        self.cursors = self.cursors.saturating_sub(1);
        self.table.delete(cursor)?;
        Ok(())
    }
}

impl host::Host for State {
    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        self.calls += 1;
        let level = match level {
            host::Level::Debug => LogLevel::Debug,
            host::Level::Info => LogLevel::Info,
            host::Level::Warn => LogLevel::Warn,
            host::Level::Error => LogLevel::Error,
        };
        self.log.push(level, &message);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        self.calls += 1;
        let Some(report) = &mut self.progress else { return Ok(()) };
        // reading the clock costs as much as the call itself, so only every 64th call reads it
        let last = total.is_some_and(|total| done >= total);
        if !last && !self.calls.is_multiple_of(64) && report.called {
            return Ok(());
        }
        let now = Instant::now();
        if report.called && now.duration_since(report.at) < Progress::MIN_INTERVAL {
            return Ok(());
        }
        (report.called, report.at) = (true, now);
        (report.callback)(Progress { done, total });
        Ok(())
    }
}
