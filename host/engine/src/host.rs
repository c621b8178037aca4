//! The functions that a guest may call, behind the generated traits.
//!
//! Each passes through [`State::enter`], which counts it, refuses what the manifest does not declare and remembers what
//! the guest waits for, and [`State::leave`].

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

/// Why a call of the guest did not end well: a refusal that the guest sees, or a trap.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated traits are public and name it")]
pub enum Refused {
    /// Handed to the guest.
    Failure(Failure),
    /// The guest is over.
    Trap(wasmtime::Error),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<wasmtime::component::ResourceTableError> for Refused {
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
    // the generated `next` hands over a Vec, a copy of each batch; `Bytes` goes into the guest's memory as it is
    linker.allow_shadowing(true);
    linker.instance("taster:probe/mongo@1.0.0")?.func_wrap_async(
        "[method]cursor.next",
        |mut store, (cursor,): (Resource<CursorHandle>,)| {
            Box::new(async move {
                match next(store.data_mut(), &cursor).await {
                    Ok(batch) => Ok((Ok(batch),)),
                    Err(Refused::Failure(failure)) => Ok((Err(types::Failure::from(failure)),)),
                    Err(Refused::Trap(error)) => Err(error),
                }
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn next(state: &mut State, cursor: &Resource<CursorHandle>) -> Result<Option<Bytes>, Refused> {
    state.enter("cursor.next");
    let cursor = state.table.get_mut(cursor)?;
    let batch = cursor.0.next().await;
    state.leave();
    Ok(batch?)
}

/// The one method that needs no declaration.
const LIST_COLLECTIONS: &str = "list-collections";

impl State {
    /// Counts a call and notes what the guest waits for.
    fn enter(&mut self, call: &'static str) {
        self.calls += 1;
        self.waiting = Some(call);
    }

    fn leave(&mut self) {
        self.waiting = None;
    }

    /// A call of a function of `database`: refused where the manifest does not declare it.
    fn enter_database(
        &mut self,
        database: &Resource<DatabaseHandle>,
        method: &'static str,
    ) -> Result<Arc<dyn Mongo>, Refused> {
        self.enter(method);
        // what was granted is no secret from the probe it was granted to, and every probe needs to know
        let declared = method == LIST_COLLECTIONS || self.methods.iter().any(|declared| declared.as_str() == method);
        if !declared {
            self.leave();
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

    fn hand_out(&mut self, batches: Box<dyn Batches>) -> Result<Resource<CursorHandle>, Refused> {
        if self.cursors >= self.handles {
            return Err(Failure::refused(
                Refusal::Budget,
                codes::HANDLES,
                "the probe holds too many cursors: it must let go of those it has read",
            )
            .asked(format!("{} handles", u64::from(self.cursors) + 1))
            .allowed(format!("{} handles", self.handles))
            .setting(self.setting.of("handles"))
            .into());
        }
        self.cursors += 1;
        Ok(self.table.push(CursorHandle(batches))?)
    }
}

impl types::Host for State {
    fn convert_failure(&mut self, refused: Refused) -> wasmtime::Result<types::Failure> {
        match refused {
            Refused::Failure(failure) => Ok(failure.into()),
            Refused::Trap(error) => Err(error),
        }
    }
}

impl mongo::Host for State {}

impl mongo::HostDatabase for State {
    async fn list_collections(
        &mut self,
        database: Resource<DatabaseHandle>,
    ) -> Result<Vec<mongo::CollectionInfo>, Refused> {
        let mongo = self.enter_database(&database, LIST_COLLECTIONS)?;
        let found = mongo.list_collections().await;
        self.leave();
        Ok(found?)
    }

    async fn collection_options(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
    ) -> Result<Vec<u8>, Refused> {
        let mongo = self.enter_database(&database, "collection-options")?;
        let found = mongo.collection_options(&collection).await;
        self.leave();
        Ok(found?)
    }

    async fn list_indexes(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
    ) -> Result<Vec<Vec<u8>>, Refused> {
        let mongo = self.enter_database(&database, "list-indexes")?;
        let found = mongo.list_indexes(&collection).await;
        self.leave();
        Ok(found?)
    }

    async fn find(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
        options: mongo::FindOptions,
    ) -> Result<Resource<CursorHandle>, Refused> {
        let mongo = self.enter_database(&database, "find")?;
        let found = mongo.find(&collection, &filter, options).await;
        self.leave();
        self.hand_out(found?)
    }

    async fn aggregate(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        stages: Vec<Vec<u8>>,
        options: mongo::AggregateOptions,
    ) -> Result<Resource<CursorHandle>, Refused> {
        let mongo = self.enter_database(&database, "aggregate")?;
        let found = mongo.aggregate(&collection, &stages, options).await;
        self.leave();
        self.hand_out(found?)
    }

    async fn count(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
    ) -> Result<u64, Refused> {
        let mongo = self.enter_database(&database, "count")?;
        let found = mongo.count(&collection, &filter).await;
        self.leave();
        Ok(found?)
    }

    async fn distinct(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        path: String,
        filter: Vec<u8>,
    ) -> Result<Resource<CursorHandle>, Refused> {
        let mongo = self.enter_database(&database, "distinct")?;
        let found = mongo.distinct(&collection, &path, &filter).await;
        self.leave();
        self.hand_out(found?)
    }

    async fn explain(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        filter: Vec<u8>,
        options: mongo::FindOptions,
    ) -> Result<Vec<u8>, Refused> {
        let mongo = self.enter_database(&database, "explain")?;
        let found = mongo.explain(&collection, &filter, options).await;
        self.leave();
        Ok(found?)
    }

    async fn census(
        &mut self,
        database: Resource<DatabaseHandle>,
        collection: String,
        options: mongo::CensusOptions,
    ) -> Result<mongo::CensusSummary, Refused> {
        let mongo = self.enter_database(&database, "census")?;
        let found = {
            // the guest waits for the host here, which has a deadline of its own for it
            let _standing = self.deadline.stand_still();
            mongo.census(&collection, options).await
        };
        self.leave();
        let summary = found?;
        self.censuses.insert(summary.id.clone());
        Ok(summary)
    }

    async fn drop(&mut self, database: Resource<DatabaseHandle>) -> wasmtime::Result<()> {
        self.table.delete(database)?;
        Ok(())
    }
}

impl mongo::HostCursor for State {
    async fn next(&mut self, cursor: Resource<CursorHandle>) -> Result<Option<Vec<u8>>, Refused> {
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
        // looking at the clock costs as much as the call itself: every 64th call looks
        let last = total.is_some_and(|total| done >= total);
        if !last && !self.calls.is_multiple_of(64) && report.called {
            return Ok(());
        }
        let now = Instant::now();
        if report.called && now.duration_since(report.at) < Progress::APART {
            return Ok(());
        }
        (report.called, report.at) = (true, now);
        (report.tell)(Progress { done, total });
        Ok(())
    }
}
