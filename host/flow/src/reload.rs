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
pub(crate) enum Reload {
    /// Nothing shows that a collection was made anew.
    No,
    /// Some collections were made anew and others not: a load that ended half-way, one of a dump without the others, or the work of
    /// an upgrade.
    Part(PartialReload),
    /// Every collection was made anew, and no capture has seen the new ones: the database is another copy than that of this
    /// baseline.
    Whole(Box<Baseline>),
    /// Every collection was made anew, and this run has seen the new ones: what it compared may be what the upgrade has left.
    Seen(RunId),
}

/// The collections of a baseline, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialReload {
    /// Those that exist again under their name, as other ones.
    pub anew: Vec<String>,
    /// Those of which nothing shows that: still the same, missing, without a UUID on either side, or under another name now.
    pub kept: Vec<String>,
}

impl PartialReload {
    fn is_none(&self) -> bool {
        self.anew.is_empty()
    }

    fn is_whole(&self) -> bool {
        !self.anew.is_empty() && self.kept.is_empty()
    }
}

/// Compares the collections with those of the open baseline.
pub(crate) async fn since_baseline(context: &FlowContext, now: &[CollectionFacts]) -> Result<Reload, CliError> {
    if context.config.mongodb.data == DataKind::Live {
        return Ok(Reload::No);
    }
    let Some(current) = context.store.current().await? else { return Ok(Reload::No) };
    let Some(baseline) = current.baseline else { return Ok(Reload::No) };
    let Some(capture) = context.store.run(&baseline.run).pre().await? else { return Ok(Reload::No) };
    let found = made_anew(&capture.get().collections, now);
    if found.is_none() {
        return Ok(Reload::No);
    }
    if !found.is_whole() {
        return Ok(Reload::Part(found));
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
    Ok(Reload::Whole(Box::new(baseline)))
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

/// Which collections of the baseline exist again under their name, as other ones.
fn made_anew(earlier: &[CollectionFacts], now: &[CollectionFacts]) -> PartialReload {
    let by_name: BTreeMap<&str, &CollectionFacts> = with_data(now).map(|facts| (facts.name.as_str(), facts)).collect();
    let present = uuids(now);
    let is_anew = |old: &CollectionFacts| {
        let is_gone = old.uuid.as_deref().is_some_and(|uuid| !present.contains(uuid));
        is_gone && by_name.get(old.name.as_str()).is_some_and(|new| new.kind == old.kind && new.uuid.is_some())
    };
    let (anew, kept): (Vec<_>, Vec<_>) = with_data(earlier).partition(|old| is_anew(old));
    let names = |facts: Vec<&CollectionFacts>| facts.into_iter().map(|facts| facts.name.clone()).collect();
    PartialReload { anew: names(anew), kept: names(kept) }
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
            assert_eq!(made_anew(&facts(&earlier), &now).is_whole(), expected, "{why}");
        }
        let unknown = facts(&[("menu", Collection, None), ("orders", Collection, Some("o1"))]);
        assert!(!made_anew(&unknown, &facts(&anew)).is_whole(), "of one nothing was known");
        assert!(
            !made_anew(&facts(&[("open", View, None)]), &facts(&anew)).is_whole(),
            "there was nothing to load anew"
        );
    }

    #[test]
    fn a_part_that_was_made_anew_is_named() {
        use CollectionKind::{Collection, View};
        let earlier = facts(&[
            ("menu", Collection, Some("m1")),
            ("open", View, None),
            ("orders", Collection, Some("o1")),
            ("sessions", Collection, Some("s1")),
        ]);
        let (menu, orders) = (("menu", Collection, Some("m2")), ("orders", Collection, Some("o2")));
        for (now, anew, kept) in [
            (vec![menu, orders, ("sessions", Collection, Some("s1"))], vec!["menu", "orders"], vec!["sessions"]),
            (vec![menu, orders], vec!["menu", "orders"], vec!["sessions"]),
            (vec![menu, ("old_orders", Collection, Some("o1")), orders], vec!["menu"], vec!["orders", "sessions"]),
            (Vec::new(), Vec::new(), vec!["menu", "orders", "sessions"]),
        ] {
            let found = made_anew(&earlier, &facts(&now));
            assert_eq!((found.anew, found.kept), (names(&anew), names(&kept)), "{now:?}");
        }
        assert!(made_anew(&earlier, &earlier).is_none());
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }
}
