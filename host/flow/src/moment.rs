//! Everything in a capture is of one moment: probes taste again until nothing was written while they did.
//!
//! In a snapshot that moment is a cluster time, and only what knows no snapshots needs a witness. Everywhere else it is
//! the moment of the last reading of the witness: what a probe read is what was there then, because nothing was written
//! in between.

use std::collections::BTreeSet;

use taster_census::Recorded;
use taster_config::{Collections, Config, OneOrMany, Probe};
use taster_diagnostics::CliError;
use taster_model::{
    ChangeKind, CollectionFacts, Consistency, Failure, Outcome, ProbeRecord, Reading, Refusal, ServerFacts, failure,
};
use taster_query::{Alteration, Inventory, Looking, QueryError, Session};

use super::{
    capture::{Guests, Tasted, coded_failure, unserved},
    pace::For,
};

/// What was there at one moment.
pub(super) struct Moment {
    pub(super) server: ServerFacts,
    pub(super) collections: Vec<CollectionFacts>,
    pub(super) probes: Vec<ProbeRecord>,
    /// Those that metrics name.
    pub(super) censuses: Vec<Recorded>,
    pub(super) consistency: Consistency,
}

/// Why a result does not count.
struct Stale {
    collection: String,
    how: Alteration,
}

/// Runs every probe, and those again that did not read of one moment.
pub(super) async fn record(guests: &Guests<'_>, session: &Session) -> Result<Moment, CliError> {
    let (config, pace) = (&guests.kitchen.config, &guests.kitchen.pace);
    let there = pace.of(For::MongoDb, session.collections()).await?;
    let mut reading = pace.of(For::MongoDb, session.plan(&scans(config, &there))).await?;
    let mut tasted: Vec<Option<Tasted>> = config.probes.iter().map(|_| None).collect();
    let mut rescans = 0;
    loop {
        let look = match pace.of(For::MongoDb, session.look(looking(config, reading))).await {
            Ok(look) => look,
            Err(error @ QueryError::NotReached { .. }) => return not_reached(guests, session, &error).await,
            Err(error) => return Err(error.into()),
        };
        for (probe, place) in config.probes.iter().zip(&mut tasted) {
            if place.is_none() {
                *place = Some(guests.serve(probe, &look).await);
            }
        }
        let now = pace.of(For::MongoDb, session.inventory_now()).await?;
        if reading == Reading::Snapshot && tasted.iter().flatten().any(lost) {
            tracing::warn!("the server forgot the moment of this capture; reading again in ranges");
            reading = Reading::Ranges;
            tasted.fill_with(|| None);
            rescans += 1;
            continue;
        }
        let stale = pace.of(For::MongoDb, stale(&tasted, &now)).await?;
        let unstable = pace.of(For::MongoDb, unstable(&look, reading, &now)).await?;
        let whole = stale.iter().all(Option::is_none) && unstable.is_empty();
        if !whole && rescans < config.mongodb.rescans {
            rescans += 1;
            let again: Vec<&str> = stale.iter().flatten().map(|stale| stale.collection.as_str()).collect();
            tracing::warn!(rescan = rescans, written = ?again, altered = ?unstable, "written to while it was read; reading again");
            for (place, stale) in tasted.iter_mut().zip(&stale) {
                // what was found in a snapshot is of its moment, and another snapshot is of another
                if stale.is_some() || reading == Reading::Snapshot {
                    *place = None;
                }
            }
            continue;
        }
        let tries = rescans + 1;
        let (mut probes, mut censuses) = (Vec::new(), Vec::new());
        for (tasted, stale) in tasted.into_iter().flatten().zip(stale) {
            if stale.is_none() {
                censuses.extend(tasted.censuses);
            }
            probes.push(judged(tasted.record, stale, tries));
        }
        let collections = match reading {
            Reading::Snapshot => pace.of(For::MongoDb, look.collections()).await?,
            Reading::Ranges | Reading::Live => now.facts(),
        };
        return Ok(Moment {
            server: look.facts().clone(),
            collections,
            probes,
            censuses,
            consistency: Consistency { reading, rescans, unstable },
        });
    }
}

fn looking(config: &Config, reading: Reading) -> Looking {
    Looking { reading, quiet: config.mongodb.quiet.get(), reach: config.mongodb.reach.get(), range: None }
}

/// Every collection, as often as a probe may scan it.
fn scans(config: &Config, there: &[CollectionFacts]) -> Vec<String> {
    let all = || there.iter().map(|facts| facts.name.clone()).collect();
    let granted = |probe: &Probe| match &probe.collections {
        None => all(),
        Some(Collections::List(names)) => names.clone(),
        Some(Collections::Roles(roles)) => roles.values().flat_map(OneOrMany::names).cloned().collect(),
    };
    // documents that are declared to come or go are read on their own, each time with a look at all others
    let parts = |name: &String| {
        let documents =
            |kind: &ChangeKind| matches!(kind, ChangeKind::AddedDocuments(_) | ChangeKind::RemovedDocuments(_));
        1 + config.changes.iter().filter(|change| change.collection == *name && documents(&change.kind)).count()
    };
    let granted = config.probes.iter().flat_map(granted);
    granted.flat_map(|name| std::iter::repeat_n(name.clone(), parts(&name))).collect()
}

fn lost(tasted: &Tasted) -> bool {
    matches!(&tasted.record.outcome, Outcome::Failed(failure) if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST))
}

/// For each probe, what it read that is not what it was.
async fn stale(tasted: &[Option<Tasted>], now: &Inventory) -> Result<Vec<Option<Stale>>, CliError> {
    let mut found = Vec::with_capacity(tasted.len());
    for tasted in tasted.iter().flatten() {
        let mut stale = None;
        for database in &tasted.databases {
            if let Some((collection, how)) = database.stale(now).await? {
                stale = Some(Stale { collection, how });
                break;
            }
        }
        found.push(stale);
    }
    Ok(found)
}

/// Collections that were made, dropped or altered since the look at a snapshot: its moment lies somewhere in between.
/// Elsewhere the moment is now.
async fn unstable(look: &Session, reading: Reading, now: &Inventory) -> Result<Vec<String>, CliError> {
    if reading != Reading::Snapshot {
        return Ok(Vec::new());
    }
    let then = look.inventory().await?;
    let altered: BTreeSet<&str> = then.names(now).filter(|name| then.altered(now, name).is_some()).collect();
    Ok(altered.into_iter().map(ToOwned::to_owned).collect())
}

/// What counts of a probe's result in the end.
fn judged(mut record: ProbeRecord, stale: Option<Stale>, tries: u32) -> ProbeRecord {
    let Some(Stale { collection, how }) = stale else { return record };
    let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times in a row") };
    let (code, message, help) = match how {
        Alteration::Written => (
            failure::UNSTABLE,
            format!("`{collection}` was written to while it was read, {times}"),
            "stop what writes: scale the application down, pause jobs; or use a replica set, which is read at one moment",
        ),
        Alteration::Altered => (
            failure::UNSTABLE,
            format!("`{collection}` was made, dropped or altered while it was read, {times}"),
            "stop what alters collections and indexes while Taster reads",
        ),
        Alteration::Restarted => (
            failure::UNSTABLE,
            format!("the server was started again while `{collection}` was read, {times}"),
            "see in the server's log why it stopped",
        ),
        Alteration::Untold => (
            failure::UNWITNESSED,
            format!("nobody can tell whether `{collection}` was written to while it was read"),
            "grant the user `collStats` on the database",
        ),
    };
    let failure = Failure::refused(Refusal::Unavailable, code, message).allowed(help);
    tracing::warn!("{}: {failure}", record.name);
    record.outcome = Outcome::Failed(failure);
    record
}

/// A capture of a moment that the server did not get to: nobody can tell what was there.
async fn not_reached(guests: &Guests<'_>, session: &Session, error: &QueryError) -> Result<Moment, CliError> {
    tracing::warn!("{error}");
    let probes = &guests.kitchen.config.probes;
    Ok(Moment {
        server: session.facts().clone(),
        collections: session.collections().await?,
        probes: probes.iter().map(|probe| unserved(probe, coded_failure(error))).collect(),
        censuses: Vec::new(),
        consistency: Consistency { reading: Reading::Snapshot, rescans: 0, unstable: Vec::new() },
    })
}
