//! What a verdict must not pass: it is read off the data, not off the steps that changed them.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value as Json;

use super::{
    config::{CensusOptions, Config, Probe},
    database::{Collection, Kind},
    declared::{is_same_number, without_added_field},
    expiry,
    upgrade::State,
    values,
};

/// Why the verdict must not be `same`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Damage {
    /// `None`: of no collection alone.
    pub(super) collection: Option<String>,
    pub(super) what: String,
}

/// How many documents of a collection a census must name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) changed: u64,
}

pub(super) struct Truth<'a> {
    state: &'a State,
    config: &'a Config,
}

impl<'a> Truth<'a> {
    pub(super) fn new(state: &'a State, config: &'a Config) -> Self {
        Self { state, config }
    }

    /// Everything that must not pass.
    pub(super) fn damages(&self) -> BTreeSet<Damage> {
        let mut damages = BTreeSet::new();
        for (old, _) in self.state.missing_renames() {
            damages.insert(Damage { collection: Some(old.clone()), what: "it was to be renamed".to_owned() });
        }
        // nothing was compared across a renaming that did not happen
        for (name, expected) in self.state.expected.iter().filter(|(name, _)| !self.is_missing_rename(name)) {
            let mut add = |what: &str| {
                damages.insert(Damage { collection: Some(name.clone()), what: what.to_owned() });
            };
            let Some(actual) = self.state.actual.get(name) else {
                // one that was to be created is missed by its declaration alone
                add("the collection is gone");
                continue;
            };
            if expected.kind != actual.kind {
                add("the collection is of another kind");
                continue;
            }
            // compared by a probe, or by the host where none does
            if definition(expected) != definition(actual) {
                add("its definition changed");
            }
            if indexes(expected) != indexes(actual) {
                add("its indexes changed");
            }
            if self.has_damaged_documents(name, expected, actual) {
                add("its documents changed");
            }
            if self.is_recorded_whole(name)
                && (self.state.not_done.contains(name) || self.state.exceeded.contains(name))
            {
                add("not as declared");
            }
        }
        // a declared removal that did not happen
        let declared_gone = self.state.before.keys().filter(|name| !self.state.expected.contains_key(*name));
        for name in declared_gone.filter(|name| self.state.actual.contains_key(*name)) {
            damages.insert(Damage { collection: Some(name.clone()), what: "it was to be removed".to_owned() });
        }
        damages.extend(self.missing_evidence());
        damages
    }

    fn is_missing_rename(&self, name: &str) -> bool {
        self.state.missing_renames().any(|(_, new)| new == name)
    }

    /// Whether a probe reads the collection under the name that it has or had.
    fn covers(&self, probe: &Probe, name: &str) -> bool {
        probe.covers(name) || probe.covers(self.state.old_name(name))
    }

    fn missing_evidence(&self) -> Vec<Damage> {
        let mut missing: Vec<Damage> = Vec::new();
        for name in self.config.require.iter().filter(|name| !self.is_recorded_whole(name)) {
            missing.push(Damage { collection: Some(name.clone()), what: "the required census is missing".to_owned() });
        }
        if !self.config.probes().iter().any(Probe::decides) {
            missing.push(Damage { collection: None, what: "no probe decides".to_owned() });
        }
        missing
    }

    /// The options of the census that decides about the collection, and no expectation speaks of it.
    fn census(&self, name: &str) -> Option<CensusOptions> {
        let probes = self.config.probes();
        let is_census = |probe: &&Probe| probe.component == "census" && probe.decides() && self.covers(probe, name);
        let census = probes.iter().find(is_census);
        census.map(|_| self.config.census_options(name))
    }

    fn is_recorded_whole(&self, name: &str) -> bool {
        self.census(name).is_some_and(|options| options.is_whole()) && self.config.rule(name) != Some("ignore")
    }

    fn declarations<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'a Json> + use<'a, 'n> {
        let names = [name, self.state.old_name(name)];
        self.state.changes.iter().filter(move |change| {
            let of = change["collection"].as_str();
            names.into_iter().any(|name| of == Some(name))
        })
    }

    fn has_damaged_documents(&self, name: &str, expected: &Collection, actual: &Collection) -> bool {
        if expected.kind == Kind::View || self.config.rule(name) == Some("ignore") {
            return false;
        }
        let counted = self
            .config
            .probes()
            .iter()
            .any(|probe| probe.component == "document-count" && probe.decides() && self.covers(probe, name));
        // without a census that explains it, every other number of documents is a difference
        let undeclared = self.declarations(name).next().is_none() && !expected.expires();
        let (before, after) = (expected.documents.len(), actual.documents.len());
        if counted && undeclared && (after < before || after > before && !self.config.live) {
            return true;
        }
        let Some(options) = self.census(name) else { return false };
        // what a partial census proves of a declaration is another question
        if !options.is_whole() && !undeclared {
            return false;
        }
        let Counts { missing, extra, changed } = self.counts(name, &options, expected, actual);
        let rule = self.config.rule(name);
        missing > 0 && rule != Some("never-increases")
            || extra > 0 && rule != Some("never-decreases") && !(self.config.live && rule.is_none())
            || changed > 0
    }

    /// How many documents differ from what is expected, as this census sees them.
    pub(super) fn counts(
        &self,
        name: &str,
        options: &CensusOptions,
        expected: &Collection,
        actual: &Collection,
    ) -> Counts {
        let seen = |collection: &Collection| -> BTreeMap<Vec<u8>, Document> {
            let seen = collection.documents.iter().filter_map(|document| options.seen(document));
            seen.map(|document| (id_bytes(&document), document)).collect()
        };
        let (old, new) = (seen(expected), seen(actual));
        let original = self.state.before.get(self.state.old_name(name)).unwrap_or(expected);
        let before = seen(original);
        // whole, and as the TTL indexes found them: the upgrade may have changed what their filters ask for
        let whole: BTreeMap<Vec<u8>, &Document> = original.documents.iter().map(|one| (id_bytes(one), one)).collect();
        let keeps_indexes = expected.ttl_indexes() == actual.ttl_indexes();
        let expires =
            |id: &Vec<u8>| keeps_indexes && whole.get(id).is_some_and(|document| expiry::is_due(original, document));
        let mut counts = Counts::default();
        for (id, document) in &old {
            match new.get(id) {
                None if !before.contains_key(id) => {}
                None if expires(id) => {}
                None => counts.missing += 1,
                Some(other) => counts.changed += u64::from(!self.is_same(name, document, other)),
            }
        }
        let extra = new.iter().filter(|(id, _)| !old.contains_key(*id));
        // one that was to be removed is there: so it was changed, or the change did not happen
        counts.extra = extra.filter(|(_, document)| !self.is_declared_new(name, document)).count() as u64;
        counts
    }

    fn is_declared_new(&self, name: &str, document: &Document) -> bool {
        self.declarations(name)
            .filter_map(|change| change["addedDocuments"]["k"]["$gte"].as_i64())
            .any(|least| matches!(document.get("k"), Some(Bson::Int32(k)) if i64::from(*k) >= least))
    }

    /// Whether two documents are the same, as far as the declarations say what they must be.
    fn is_same(&self, name: &str, one: &Document, other: &Document) -> bool {
        let (mut one, mut other) = (one.clone(), other.clone());
        let mut is_retyped = false;
        let is_new = self.is_declared_new(name, &one) && self.is_declared_new(name, &other);
        for declaration in self.declarations(name) {
            without_added_field(&mut one, declaration);
            without_added_field(&mut other, declaration);
            is_retyped |= declaration["retypedField"].is_string();
            with_field_last(&mut one, declaration);
            with_field_last(&mut other, declaration);
        }
        is_new || values::bytes(&one) == values::bytes(&other) || is_retyped && is_same_number(&one, &other)
    }

    /// The collections after the upgrade.
    pub(super) fn collections(&self) -> impl Iterator<Item = &str> {
        self.state.actual.keys().map(String::as_str)
    }

    /// Whether documents may be added without a declaration.
    pub(super) fn may_grow(&self) -> bool {
        self.config.live
    }

    /// What a census of the whole collection must count, if nothing is declared about its documents.
    pub(super) fn exact_counts(&self, name: &str) -> Option<Counts> {
        let (expected, actual) = (self.state.expected.get(name)?, self.state.actual.get(name)?);
        let options = self.census(name)?;
        // without its TTL indexes it is unknown what has expired
        let keeps_indexes = expected.ttl_indexes() == actual.ttl_indexes();
        let is_plain = self.declarations(name).next().is_none() && keeps_indexes && !self.is_missing_rename(name);
        let is_recorded =
            expected.kind != Kind::View && expected.kind == actual.kind && self.config.rule(name).is_none();
        (is_plain && is_recorded).then(|| self.counts(name, &options, expected, actual))
    }
}

/// A declaration says nothing about the place of the field that it is about: `$unset` and `$set` move it to the end.
fn with_field_last(document: &mut Document, declaration: &Json) {
    let moved = declaration["retypedField"].as_str().or_else(|| declaration["to"].as_str());
    if let Some((name, value)) = moved.and_then(|name| Some((name, document.remove(name)?))) {
        document.insert(name, value);
    }
}

fn id_bytes(document: &Document) -> Vec<u8> {
    values::bytes(&doc! {"_id": document.get("_id").cloned().unwrap_or_default()})
}

fn definition(collection: &Collection) -> Vec<u8> {
    values::bytes(&collection.options)
}

fn indexes(collection: &Collection) -> BTreeSet<Vec<u8>> {
    collection.indexes.iter().map(values::bytes).collect()
}
