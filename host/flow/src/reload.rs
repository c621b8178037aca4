//! Whether a database was loaded anew in place since the baseline: every collection was dropped and created again, as
//! `mongorestore --drop` does. The server and its files stay the same, so that only the UUIDs of the collections show it.
//!
//! Only `pre` asks. An upgrade that drops and loads everything looks alike: at `post` its result is judged by content, and the
//! UUIDs that a capture after the baseline has seen are never those of another copy.

use std::collections::{BTreeMap, BTreeSet};

use taster_diagnostics::CliError;
use taster_model::{Baseline, Capture, CollectionFacts, CollectionKind, DataKind, RunId};

use crate::context::FlowContext;

/// What the UUIDs of the collections say about the time since the baseline.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
pub(crate) enum Reload {
    /// Some collection is still the one that the baseline has seen, or nothing shows that it is not.
    No,
    /// Every collection was made anew, and no capture has seen the new ones: the database is another copy than that of this
    /// baseline.
    Whole(Baseline),
    /// Every collection was made anew, and this run has seen the new ones: what it compared may be what the upgrade has left.
    Seen(RunId),
}

/// Compares the collections with those of the open baseline.
pub(crate) async fn since_baseline(context: &FlowContext, now: &[CollectionFacts]) -> Result<Reload, CliError> {
    if context.config.mongodb.data == DataKind::Live {
        return Ok(Reload::No);
    }
    let Some(current) = context.store.current().await? else { return Ok(Reload::No) };
    let Some(baseline) = current.baseline else { return Ok(Reload::No) };
    let Some(capture) = context.store.run(&baseline.run).pre().await? else { return Ok(Reload::No) };
    if !are_made_anew(&capture.get().collections, now) {
        return Ok(Reload::No);
    }
    let last = current.last.map(|last| last.run).filter(|last| *last != baseline.run);
    for run in [Some(baseline.run.clone()), last].into_iter().flatten() {
        let store = context.store.run(&run);
        let before = if run == baseline.run { None } else { store.pre().await? };
        let captures = [before, store.latest_post().await?];
        if captures.iter().flatten().any(|capture| shares_collection(capture.get(), now)) {
            return Ok(Reload::Seen(run));
        }
    }
    Ok(Reload::Whole(baseline))
}

/// Collections with data of their own: views have none, and stored functions have no UUID.
fn with_data(collections: &[CollectionFacts]) -> impl Iterator<Item = &CollectionFacts> {
    collections.iter().filter(|facts| {
        matches!(facts.kind, CollectionKind::Collection | CollectionKind::TimeSeries)
            && !facts.name.starts_with("system.")
    })
}

fn uuids(collections: &[CollectionFacts]) -> BTreeSet<&str> {
    with_data(collections).filter_map(|facts| facts.uuid.as_deref()).collect()
}

/// Whether each collection of the baseline exists again under its name, as another one. One that is missing, that is still the
/// same or has no UUID on either side, or that lives on under another name, means no: the load may have ended half-way.
fn are_made_anew(earlier: &[CollectionFacts], now: &[CollectionFacts]) -> bool {
    let by_name: BTreeMap<&str, &CollectionFacts> = with_data(now).map(|facts| (facts.name.as_str(), facts)).collect();
    let present = uuids(now);
    let is_anew = |old: &CollectionFacts| {
        let is_gone = old.uuid.as_deref().is_some_and(|uuid| !present.contains(uuid));
        is_gone && by_name.get(old.name.as_str()).is_some_and(|new| new.kind == old.kind && new.uuid.is_some())
    };
    with_data(earlier).next().is_some() && with_data(earlier).all(is_anew)
}

fn shares_collection(capture: &Capture, now: &[CollectionFacts]) -> bool {
    uuids(&capture.collections).intersection(&uuids(now)).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(collections: &[(&str, CollectionKind, Option<&str>)]) -> Vec<CollectionFacts> {
        let facts = |&(name, kind, uuid): &(&str, CollectionKind, Option<&str>)| CollectionFacts {
            name: name.to_owned(),
            kind,
            uuid: uuid.map(ToOwned::to_owned),
            ..CollectionFacts::default()
        };
        collections.iter().map(facts).collect()
    }

    #[test]
    fn a_database_was_loaded_anew_if_every_collection_was_made_anew() {
        use CollectionKind::{Collection, TimeSeries, View};
        let earlier = [
            ("menu", Collection, Some("m1")),
            ("open", View, None),
            ("orders", Collection, Some("o1")),
            ("system.js", Collection, None),
            ("temperatures", TimeSeries, Some("t1")),
        ];
        let anew = [
            ("menu", Collection, Some("m2")),
            ("orders", Collection, Some("o2")),
            ("temperatures", TimeSeries, Some("t2")),
        ];
        let with = |name: &str, kind, uuid| {
            let mut changed = anew;
            let place = changed.iter_mut().find(|(other, ..)| *other == name).unwrap();
            (place.1, place.2) = (kind, uuid);
            facts(&changed)
        };
        let more = [&anew[..], &[("added", Collection, Some("a1"))]].concat();
        let moved = [&anew[..], &[("old_orders", Collection, Some("o1"))]].concat();
        for (now, expected, why) in [
            (facts(&anew), true, "a view and functions hold no data"),
            (facts(&more), true, "the new copy has one more"),
            (facts(&earlier), false, "nothing was done"),
            (facts(&anew[1..]), false, "one is not there yet"),
            (facts(&[]), false, "an empty database is not a copy"),
            (with("orders", Collection, Some("o1")), false, "one is still the old one"),
            (facts(&moved), false, "one was renamed: the server keeps its UUID"),
            (with("orders", View, None), false, "one became a view"),
            (with("temperatures", TimeSeries, None), false, "of one nothing is known"),
        ] {
            assert_eq!(are_made_anew(&facts(&earlier), &now), expected, "{why}");
        }
        let unknown = facts(&[("menu", Collection, None), ("orders", Collection, Some("o1"))]);
        assert!(!are_made_anew(&unknown, &facts(&anew)), "of one nothing was known");
        assert!(!are_made_anew(&facts(&[("open", View, None)]), &facts(&anew)), "there was nothing to load anew");
    }
}
