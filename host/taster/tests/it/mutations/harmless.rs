//! Rounds without a loss: everything is `same`, except for what [`INTENDED`] names.

use std::{collections::BTreeSet, ops::Range, process::Stdio};

use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value as Json;
use taster_testkit::wait_until;

use super::{
    config::{CensusOptions, Config, Probe},
    database::{self, Collection, Database, Kind},
    declared::{Declared, DeclaredStep},
    definitions::{self, DEFINED, Definitions},
    expiry::{self, SESSIONS},
    odd::{self, ODD},
    random::{Random, position},
    renamed::NEW_NAME,
    rounds::{self, Parts, Round},
    server::{self, Server},
    upgrade::{self, State, Step},
    values,
};
use crate::support::{CommandOutput, Workspace};

/// A finding that is right although nothing was lost.
struct Intended {
    code: &'static str,
    /// Whether it is right about this collection of the round.
    applies: fn(&Harmless, &str) -> bool,
    reason: &'static str,
}

/// Every finding that decides, is not `same` and is right all the same.
const INTENDED: [Intended; 5] = [
    Intended {
        code: "changed",
        applies: |round, name| round.does(name, |act| matches!(act, Act::Evict(_))),
        reason: "a capped collection at work lost its oldest documents and got others: nothing shows which of them the cap removed",
    },
    Intended {
        code: "zero-against-zero",
        applies: |round, name| round.does(name, |act| matches!(act, Act::Expire(_))),
        reason: "every document has expired: the other probes see nothing",
    },
    Intended {
        code: "changed",
        applies: |round, name| round.is_view_of_changed(name),
        reason: "a view has no documents of its own: no declared change and no rule of its source explains its numbers",
    },
    Intended {
        code: "change-missing",
        applies: |round, name| round.may_expire(name),
        reason: "every document that a declared change is about has expired: nothing is left that shows it",
    },
    Intended {
        code: "nothing-gating",
        applies: |round, _| {
            round.database.len() == 1 && !round.declared.is_empty()
                || round.database.keys().all(|name| round.is_removed(name))
        },
        reason: "every collection was removed as declared: there is nothing that could be the same",
    },
];

/// Something that loses nothing.
#[derive(Debug, Clone)]
enum Act {
    /// Every document is deleted and inserted again.
    Rewrite(String),
    /// Every document is altered, and altered back.
    AlterAndUndo(String),
    /// The collection is dropped, created again and filled.
    DumpAndRestore(String),
    RebuildIndexes(String),
    Compact(String),
    CollModToTheSame(String),
    /// The TTL monitor removes what is due.
    Expire(String),
    /// A capped collection gets more documents than it holds.
    Evict(String),
    /// Writes to another database, and a new empty one.
    OtherDatabase,
    Restart,
    StepDown,
    /// A field that the census ignores has another place and another value.
    IgnoredField(String),
    /// The fields of every document have another order at every depth, and the census ignores it.
    Reorder(String),
    /// The validator and a partial index are written in other words.
    RewriteDefinitions {
        collection: String,
        to: Definitions,
    },
}

/// Every [`Act::kind`].
const ACTS: [&str; 14] = [
    "Rewrite",
    "AlterAndUndo",
    "DumpAndRestore",
    "RebuildIndexes",
    "Compact",
    "CollModToTheSame",
    "Expire",
    "Evict",
    "OtherDatabase",
    "Restart",
    "StepDown",
    "IgnoredField",
    "Reorder",
    "RewriteDefinitions",
];

impl Act {
    fn kind(&self) -> &'static str {
        match self {
            Self::Rewrite(_) => "Rewrite",
            Self::AlterAndUndo(_) => "AlterAndUndo",
            Self::DumpAndRestore(_) => "DumpAndRestore",
            Self::RebuildIndexes(_) => "RebuildIndexes",
            Self::Compact(_) => "Compact",
            Self::CollModToTheSame(_) => "CollModToTheSame",
            Self::Expire(_) => "Expire",
            Self::Evict(_) => "Evict",
            Self::OtherDatabase => "OtherDatabase",
            Self::Restart => "Restart",
            Self::StepDown => "StepDown",
            Self::IgnoredField(_) => "IgnoredField",
            Self::Reorder(_) => "Reorder",
            Self::RewriteDefinitions { .. } => "RewriteDefinitions",
        }
    }

    fn collection(&self) -> Option<&str> {
        match self {
            Self::Rewrite(name)
            | Self::AlterAndUndo(name)
            | Self::DumpAndRestore(name)
            | Self::RebuildIndexes(name)
            | Self::Compact(name)
            | Self::CollModToTheSame(name)
            | Self::Expire(name)
            | Self::Evict(name)
            | Self::IgnoredField(name)
            | Self::Reorder(name)
            | Self::RewriteDefinitions { collection: name, .. } => Some(name),
            Self::OtherDatabase | Self::Restart | Self::StepDown => None,
        }
    }
}

/// When another member of a replica set becomes the primary.
#[derive(Debug, Clone, Copy)]
enum Failover {
    /// During the upgrade: an [`Act::StepDown`] among the others.
    BeforePost,
    /// After the upgrade, when `post` has sent this command.
    DuringPost { command: &'static str },
}

/// A database, an upgrade that loses nothing, and a configuration that compares everything.
#[derive(Debug, Clone)]
pub(super) struct Harmless {
    database: Database,
    /// Declared changes, done right.
    declared: Vec<Step>,
    acts: Vec<Act>,
    config: Config,
    /// On a set of several members.
    failover: Option<Failover>,
}

/// One in so many seeds fails over, half of them on each occasion. It takes seconds.
const FAILOVERS: u64 = 20;

/// How many documents the capped collection of [`Act::Evict`] holds.
const CAP: usize = 20;

impl Harmless {
    fn does(&self, name: &str, what: impl Fn(&Act) -> bool) -> bool {
        self.acts.iter().any(|act| act.collection() == Some(name) && what(act))
    }

    fn is_removed(&self, name: &str) -> bool {
        self.declared.iter().any(|step| {
            matches!(step, Step::Declared(DeclaredStep { collection, change, .. })
                if collection == name && matches!(change, Declared::RemovedCollection | Declared::RemovedOther))
        })
    }

    /// Whether the TTL monitor runs, which takes what is due from every collection, and something in this one may be due.
    fn may_expire(&self, name: &str) -> bool {
        self.database.get(name).is_some_and(Collection::expires)
            && self.acts.iter().any(|act| matches!(act, Act::Expire(_)))
    }

    /// Whether it is a view, and something is meant to become of the documents that it reads.
    fn is_view_of_changed(&self, name: &str) -> bool {
        let view = self.database.get(name).filter(|collection| collection.kind == Kind::View);
        view.and_then(|view| view.options.get_str("viewOn").ok()).is_some_and(|source| {
            // under a new name the documents are the same
            let is_declared = |step: &Step| {
                matches!(step, Step::Declared(DeclaredStep { collection, change, .. })
                    if collection == source && !matches!(change, Declared::RenamedCollection))
            };
            self.database.get(source).is_some_and(Collection::expires)
                || self.declared.iter().any(is_declared)
                || self.does(source, |act| matches!(act, Act::Expire(_) | Act::Evict(_) | Act::IgnoredField(_)))
        })
    }
}

impl Round for Harmless {
    fn generate(seed: u64) -> Self {
        let random = &mut Random::new(!seed);
        let mut database = database::generate(random);
        let mut config = Config::whole(random);
        let mut acts = Vec::new();
        for _ in 0..=random.below(3) {
            let name = random.pick(&database.keys().collect::<Vec<_>>()).clone();
            let act = act(random, seed, &name, &mut database, &mut config);
            // what is new has the same ids each time
            acts.extend(
                act.filter(|act| !matches!(act, Act::Evict(_)) || !acts.iter().any(|a| matches!(a, Act::Evict(_)))),
            );
        }
        let mut declared = Vec::new();
        for _ in 0..random.below(4) {
            let name = random.pick(&database.keys().collect::<Vec<_>>()).clone();
            // a collection in which one thing happens: a finding has one cause
            let is_free = |act: &Act| act.collection() != Some(&name);
            if acts.iter().all(is_free) {
                upgrade::declare(&mut declared, &database, right(random, &name));
            }
        }
        let mut round = Self { database, declared, acts, config, failover: None };
        round.extend(&mut Random::beside(!seed), seed);
        round
    }

    fn fails_over(&self) -> bool {
        self.failover.is_some()
    }

    async fn play(&self, server: &mut Server) -> Result<(), String> {
        let state = State::after(&self.database, &self.declared);
        let yaml = |database: &str| self.config.yaml(&state.changes, database);
        let upgrade = async |server: &mut Server, name: &str| {
            let mongo = server.client.database(name);
            server::follow(&mongo, &state.before, &state.actual, &state.renamed).await;
            for act in &self.acts {
                act.run(server, name, &state.actual).await;
            }
        };
        let post = async |server: &Server, workspace: &Workspace| match self.failover {
            Some(Failover::DuringPost { command }) => post_during_failover(server, workspace, command).await,
            Some(Failover::BeforePost) | None => rounds::post(workspace),
        };
        let played = rounds::before_and_with(server, yaml, &state, upgrade, post).await;
        if played.pre.code != 0 {
            return Err(format!("`pre` is not well: {}", played.pre.all()));
        }
        let findings = rounds::deciding(&played.post);
        let unintended: Vec<&Json> = findings.iter().filter(|finding| !self.intends(finding)).collect();
        let is_right = match played.post.code {
            0 => findings.is_empty(),
            1 | 3 => unintended.is_empty() && !findings.is_empty(),
            _ => false,
        };
        if is_right { Ok(()) } else { Err(format!("a false alarm: {unintended:#?}\n{}", played.post.err)) }
    }

    fn smaller(&self) -> Vec<Self> {
        let mut smaller: Vec<Self> = rounds::smaller(&self.database, &self.declared, &self.config)
            .into_iter()
            .map(|(database, declared, _)| {
                // the configuration belongs to the acts
                let config = self.config.restricted_to(&database);
                let exists = |act: &&Act| act.collection().is_none_or(|name| database.contains_key(name));
                let acts = self.acts.iter().filter(exists).cloned().collect();
                Self { database, declared, acts, config, failover: self.failover }
            })
            .collect();
        if self.failover.is_some() {
            smaller.push(Self { failover: None, ..self.clone() });
        }
        for at in 0..self.acts.len() {
            let mut fewer = self.clone();
            fewer.acts.remove(at);
            smaller.push(fewer);
        }
        smaller
    }

    fn parts(&self) -> Parts<'_> {
        let declared = self.declared.iter().map(|step| format!("{step:?}"));
        let acts = self.acts.iter().map(|act| format!("{act:?}"));
        let failover = self.failover.iter().map(|failover| format!("{failover:?}"));
        Parts {
            database: &self.database,
            steps: declared.chain(acts).chain(failover).collect(),
            config: &self.config,
            changes: State::after(&self.database, &self.declared).changes,
        }
    }
}

impl Harmless {
    /// Adds what came to the harness later.
    fn extend(&mut self, random: &mut Random, seed: u64) {
        // waiting for the TTL monitor takes a second, and one pass is for all collections
        let is_waited_for = self.acts.iter().any(|act| matches!(act, Act::Expire(_)));
        if random.one_in(if is_waited_for { 2 } else { 8 }) {
            self.database.insert(SESSIONS.to_owned(), expiry::sessions(random));
            self.acts.push(Act::Expire(SESSIONS.to_owned()));
        }
        if random.one_in(4) {
            let is_free = |name: &str| self.acts.iter().all(|act| act.collection() != Some(name));
            upgrade::rename(random, &mut self.declared, &self.database, false, is_free);
        }
        if seed % FAILOVERS == 1 {
            self.failover = Some(if (seed / FAILOVERS).is_multiple_of(2) {
                self.acts.insert(random.below(self.acts.len() + 1), Act::StepDown);
                Failover::BeforePost
            } else {
                Failover::DuringPost { command: random.pick(&["listCollections", "listIndexes", "find"]) }
            });
        }
        self.extend_further(random, seed);
    }

    /// Adds collections in which one thing happens each.
    fn extend_further(&mut self, random: &mut Random, seed: u64) {
        if random.one_in(3) {
            self.database.insert(ODD.to_owned(), odd::odd(random));
            if random.one_in(2) {
                upgrade::declare(&mut self.declared, &self.database, right(random, ODD));
            } else {
                self.acts.push(act_on_odd(random));
            }
        }
        if random.one_in(5) {
            let (collection, to) = definitions::defined(random);
            self.database.insert(DEFINED.to_owned(), collection);
            self.acts.push(Act::RewriteDefinitions { collection: DEFINED.to_owned(), to });
        }
        if random.one_in(4) {
            let (name, removed) = removed_other(random, &self.database);
            self.database.insert(name.to_owned(), removed);
            upgrade::declare(&mut self.declared, &self.database, DeclaredStep::removed_other(name));
        }
        if seed.is_multiple_of(3) {
            let mut collection = database::collection(random, Kind::Plain);
            collection.indexes.retain(|index| !index.contains_key("expireAfterSeconds"));
            collection.indexes.insert(0, doc! {"key": {"k": -1}, "name": "first"});
            self.database.insert("declared".to_owned(), collection);
            upgrade::declare(&mut self.declared, &self.database, DeclaredStep::rare("declared", seed / 3));
        }
    }

    /// The name before the upgrade.
    fn old_name<'a>(&'a self, name: &'a str) -> &'a str {
        let renamed = self.declared.iter().find_map(|step| match step {
            Step::Declared(DeclaredStep { collection, change: Declared::RenamedCollection, .. }) => Some(collection),
            _ => None,
        });
        renamed.filter(|_| name == NEW_NAME).map_or(name, String::as_str)
    }

    fn intends(&self, finding: &Json) -> bool {
        let name = self.old_name(finding["labels"]["collection"].as_str().unwrap_or_default());
        let mut intended =
            INTENDED.iter().filter(|intended| finding["code"] == intended.code && (intended.applies)(self, name));
        intended.next().inspect(|intended| assert!(!intended.reason.is_empty())).is_some()
    }
}

/// Panics with what no round of these seeds plays.
pub(super) fn assert_all_are_played(seeds: Range<u64>) {
    let rounds: Vec<Harmless> = seeds.map(Harmless::generate).collect();
    let acts = rounds.iter().flat_map(|round| &round.acts).map(Act::kind);
    let declared = rounds.iter().flat_map(|round| &round.declared).filter_map(|step| match step {
        Step::Declared(step) => Some(step.change.kind()),
        _ => None,
    });
    let played: BTreeSet<&str> = acts.chain(declared).collect();
    let all: BTreeSet<&str> = ACTS.into_iter().chain(Declared::KINDS).collect();
    let never: Vec<&&str> = all.difference(&played).collect();
    assert!(never.is_empty(), "no round plays {never:?}");
    assert_eq!(played, all, "`ACTS` or `Declared::KINDS` lacks one");
}

fn act_on_odd(random: &mut Random) -> Act {
    let name = ODD.to_owned();
    match random.below(6) {
        0 => Act::Rewrite(name),
        1 => Act::AlterAndUndo(name),
        2 => Act::DumpAndRestore(name),
        3 => Act::RebuildIndexes(name),
        4 => Act::Compact(name),
        _ => Act::CollModToTheSame(name),
    }
}

/// A view or a time series that is to be removed, with its name.
fn removed_other(random: &mut Random, database: &Database) -> (&'static str, Collection) {
    let read: Vec<&String> = database.iter().filter(|(_, of)| of.is_editable()).map(|(name, _)| name).collect();
    if read.is_empty() || random.one_in(2) {
        return ("removed series", database::collection(random, Kind::TimeSeries));
    }
    let pipeline = vec![doc! {"$match": {"k": {"$gte": 0}}}];
    let options = doc! {"viewOn": random.pick(&read).as_str(), "pipeline": pipeline};
    ("removed view", Collection { kind: Kind::View, options, indexes: Vec::new(), documents: Vec::new() })
}

fn right(random: &mut Random, name: &str) -> DeclaredStep {
    DeclaredStep::generate(random, name, false)
}

/// An act on this collection. What it needs is added to the database and the configuration.
fn act(random: &mut Random, seed: u64, name: &str, database: &mut Database, config: &mut Config) -> Option<Act> {
    let name = name.to_owned();
    let collection = &database[&name];
    let (kind, is_editable) = (collection.kind, collection.is_editable());
    match random.below(14) {
        0 if is_editable => Some(Act::Rewrite(name)),
        1 if is_editable => Some(Act::AlterAndUndo(name)),
        2 | 3 if kind != Kind::View => Some(Act::DumpAndRestore(name)),
        4 if is_editable => Some(Act::RebuildIndexes(name)),
        5 if is_editable => Some(Act::Compact(name)),
        6 if kind == Kind::View || kind == Kind::Plain => Some(Act::CollModToTheSame(name)),
        7 | 8 => Some(expire(random, database)),
        9 => Some(evict(random, database)),
        10 => Some(Act::OtherDatabase),
        // it takes seconds
        11 if random.one_in(2) => Some(if seed % 2 == 1 && random.one_in(2) { Act::StepDown } else { Act::Restart }),
        12 if kind == Kind::Plain => {
            // the other probes compare shapes
            config.probes = vec![Probe::new("census"), Probe::new("document-count"), Probe::new("index-inventory")];
            config.census.push((name.clone(), CensusOptions { ignore: Some("s"), ..CensusOptions::default() }));
            Some(Act::IgnoredField(name))
        }
        13 if kind == Kind::Plain && is_editable => {
            config.census.push((name.clone(), CensusOptions { any_order: true, ..CensusOptions::default() }));
            if config.probes.is_empty() {
                config.probes = config.probes();
            }
            Some(Act::Reorder(name))
        }
        _ => None,
    }
}

fn expire(random: &mut Random, database: &mut Database) -> Act {
    let mut collection = database::collection(random, Kind::Plain);
    collection.indexes.retain(|index| !index.contains_key("expireAfterSeconds"));
    collection.indexes.push(doc! {"key": {"t": 1}, "name": "ttl", "expireAfterSeconds": 60});
    database.insert("expiring".to_owned(), collection);
    Act::Expire("expiring".to_owned())
}

fn evict(random: &mut Random, database: &mut Database) -> Act {
    let documents = (0..CAP).map(|at| database::document(random, at, position(at).into(), 0)).collect();
    let options = doc! {"capped": true, "size": 1_048_576, "max": position(CAP)};
    let collection = Collection { kind: Kind::Capped, options, indexes: Vec::new(), documents };
    database.insert("log".to_owned(), collection);
    Act::Evict("log".to_owned())
}

impl Act {
    async fn run(&self, server: &mut Server, name: &str, database: &Database) {
        let mongo = server.client.database(name);
        let of = |name: &str| database.get(name).expect("no other act removes it");
        match self {
            Self::Rewrite(name) => {
                server::delete(&mongo, name, &of(name).documents.iter().collect::<Vec<_>>()).await;
                server::insert(&mongo, name, &of(name).documents).await;
            }
            Self::AlterAndUndo(name) => alter_and_undo(&mongo, name, of(name)).await,
            Self::DumpAndRestore(name) => {
                server::run(&mongo, doc! {"drop": name}).await;
                server::create(&mongo, name, of(name)).await;
            }
            Self::RebuildIndexes(name) => {
                server::run(&mongo, doc! {"dropIndexes": name, "index": "*"}).await;
                server::create_indexes(&mongo, name, &of(name).indexes).await;
            }
            Self::Compact(name) => {
                let force = if server.replica_set {
                    doc! {"compact": name, "force": true}
                } else {
                    doc! {"compact": name}
                };
                server::run(&mongo, force).await;
            }
            Self::CollModToTheSame(name) => {
                let mut command = doc! {"collMod": name};
                command.extend(of(name).options.clone());
                command.remove("collation");
                server::run(&mongo, command).await;
            }
            Self::Expire(name) => expired(server, &mongo, name, of(name)).await,
            Self::Evict(name) => {
                let new: Vec<Document> = (0..3).map(|at| doc! {"_id": format!("new {at}"), "k": at}).collect();
                server::insert(&mongo, name, &new).await;
            }
            Self::OtherDatabase => {
                let other = server.client.database("other");
                server::insert(&other, "orders", &[doc! {"x": 1}]).await;
                other.drop().await.expect("it is dropped");
            }
            Self::Reorder(name) => reorder(&mongo, name, &of(name).documents).await,
            Self::RewriteDefinitions { collection, to } => definitions::rewrite(&mongo, collection, to).await,
            Self::Restart => server.restart().await,
            Self::StepDown => server.step_down().await,
            Self::IgnoredField(name) => {
                server::run(
                    &mongo,
                    doc! {"update": name, "updates": [{"q": {}, "u": {"$unset": {"s": 1}}, "multi": true}]},
                )
                .await;
                server::run(
                    &mongo,
                    doc! {"update": name, "updates": [{"q": {}, "u": {"$set": {"s": 7}}, "multi": true}]},
                )
                .await;
            }
        }
    }
}

async fn reorder(mongo: &mongodb::Database, name: &str, documents: &[Document]) {
    server::delete(mongo, name, &documents.iter().collect::<Vec<_>>()).await;
    server::insert(mongo, name, &documents.iter().map(reordered).collect::<Vec<_>>()).await;
}

/// The same fields the other way round, except for `_id`.
fn reordered(document: &Document) -> Document {
    let mut fields: Vec<(String, Bson)> = document.clone().into_iter().collect();
    fields.reverse();
    fields.sort_by_key(|(name, _)| name != "_id");
    let turned = fields.into_iter().map(|(name, value)| {
        let value = if name == "_id" { value } else { turned(value) };
        (name, value)
    });
    turned.collect()
}

fn turned(value: Bson) -> Bson {
    match value {
        Bson::Document(fields) => {
            let mut fields: Vec<(String, Bson)> =
                fields.into_iter().map(|(name, value)| (name, turned(value))).collect();
            fields.reverse();
            Bson::Document(fields.into_iter().collect())
        }
        Bson::Array(items) => Bson::Array(items.into_iter().map(turned).collect()),
        other => other,
    }
}

/// Every document is altered, and altered back.
async fn alter_and_undo(mongo: &mongodb::Database, name: &str, collection: &Collection) {
    let update = |document: &Document| {
        let k = document.get("k").cloned().unwrap_or_default();
        let there = doc! {"q": {"_id": {"$eq": document.get("_id").cloned()}}, "u": {"$set": {"k": "another"}}};
        [there.clone(), doc! {"q": there.get("q").cloned(), "u": {"$set": {"k": k}}}]
    };
    let updates: Vec<Document> = collection.documents.iter().flat_map(update).collect();
    server::run(mongo, doc! {"update": name, "updates": updates}).await;
}

/// The monitor runs until nothing is left that is due, and everything else is.
async fn expired(server: &Server, mongo: &mongodb::Database, name: &str, collection: &Collection) {
    let id = |document: &Document| values::bytes(&doc! {"_id": document.get("_id").cloned().unwrap_or_default()});
    let kept = collection.documents.iter().filter(|document| !expiry::is_due(collection, document));
    let kept: BTreeSet<Vec<u8>> = kept.map(id).collect();
    server.admin(doc! {"setParameter": 1, "ttlMonitorEnabled": true}).await;
    let is_done = async || {
        let found = mongo.collection::<Document>(name).find(doc! {}).projection(doc! {"_id": 1}).await;
        let found: Vec<Document> = found.expect("a cursor").try_collect().await.expect("documents");
        found.iter().map(id).collect::<BTreeSet<_>>() == kept
    };
    wait_until("everything that is due is gone, and nothing else", taster_testkit::WAIT_TIMEOUT, is_done).await;
    server.admin(doc! {"setParameter": 1, "ttlMonitorEnabled": false}).await;
}

/// `post`, and another primary when it has sent this command. It may find out that it cannot compare, as it says itself, and
/// then it can once more.
async fn post_during_failover(server: &Server, workspace: &Workspace, command: &str) -> CommandOutput {
    let before = server.asked_for(command).await;
    let mut child = workspace
        .command(&rounds::POST)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    while child.try_wait().expect("a status").is_none() && server.asked_for(command).await == before {}
    server.step_down().await;
    let disturbed = tokio::task::block_in_place(|| child.wait_with_output()).expect("it ends");
    let disturbed = CommandOutput::read(&disturbed);
    if [0, 1].contains(&disturbed.code) { disturbed } else { rounds::post(workspace) }
}
