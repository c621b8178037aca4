//! Upgrades: steps that change a database, declared or not. They change plain data; [`super::server`] makes a server follow.

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value as Json;

use super::{
    database::{self, Collection, Database, Kind},
    declared::DeclaredStep,
    expiry::{self, SESSIONS},
    random::Random,
    values,
};

/// One step of an upgrade. Documents are given by number, modulo how many there are, so that a smaller database can be
/// upgraded, too.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Lose {
        collection: String,
        first: usize,
        count: usize,
    },
    /// One of the smallest alterations of each of `count` documents, with this seed. A census that misses one kind of
    /// alteration counts too few documents.
    Alter {
        collection: String,
        first: usize,
        count: usize,
        seed: u64,
    },
    /// `5` becomes `5.0`: the same to an index and another one to every client.
    RetypeId {
        collection: String,
        document: usize,
    },
    /// Two documents change places, except for their ids.
    Swap {
        collection: String,
        documents: [usize; 2],
    },
    Add {
        collection: String,
        seed: u64,
    },
    Move {
        from: String,
        to: String,
        document: usize,
    },
    DropIndex {
        collection: String,
        index: usize,
    },
    /// Another option of an index, or of the collection.
    Redefine {
        collection: String,
        seed: u64,
    },
    DropCollection {
        collection: String,
    },
    /// By `renameCollection`, and nobody declares it; a declared one is in [`super::renamed`].
    Rename {
        collection: String,
    },
    /// Every document is gone, the collection stays.
    Empty {
        collection: String,
    },
    /// The documents that the TTL indexes remove, exactly those, as the server would.
    Expire {
        collection: String,
    },
    /// A document whose date has passed, and which no TTL index removes.
    LoseKept {
        collection: String,
        document: usize,
    },
    Declared(DeclaredStep),
}

/// The database on its way from before the upgrade to after it.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) before: Database,
    /// What the declarations say.
    pub(super) expected: Database,
    /// What is there.
    pub(super) actual: Database,
    /// `changes` of the configuration.
    pub(super) changes: Vec<Json>,
    /// Old and new names of what the server renames.
    pub(super) renamed: Vec<(String, String)>,
    /// Old and new names that declarations give, whatever was done.
    pub(super) declared_names: Vec<(String, String)>,
    /// Collections of which a declared change was not done, or was larger than declared.
    pub(super) not_done: Vec<String>,
    pub(super) exceeded: Vec<String>,
}

impl State {
    /// After these steps.
    pub(super) fn after(before: &Database, steps: &[Step]) -> Self {
        let mut state = Self {
            before: before.clone(),
            expected: before.clone(),
            actual: before.clone(),
            changes: Vec::new(),
            renamed: Vec::new(),
            declared_names: Vec::new(),
            not_done: Vec::new(),
            exceeded: Vec::new(),
        };
        for step in steps {
            step.run(&mut state);
        }
        state
    }

    /// The name before the upgrade of the collection that has this name after it, by the declarations.
    pub(super) fn old_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.declared_names.iter().find(|(_, new)| new == name).map_or(name, |(old, _)| old.as_str())
    }

    /// Old and new names of declared renamings that did not happen: the old name is still there, or the new one is not.
    pub(super) fn missing_renames(&self) -> impl Iterator<Item = &(String, String)> {
        self.declared_names.iter().filter(|(old, new)| self.actual.contains_key(old) || !self.actual.contains_key(new))
    }
}

/// A few steps on one database.
pub(super) fn generate(random: &mut Random, database: &Database) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..=random.below(3) {
        let mut name = random.pick(&database.keys().collect::<Vec<_>>()).clone();
        // where documents expire, it is hardest to tell what was lost
        let expiring = database.iter().find(|(_, collection)| collection.expires());
        if let Some((expiring, _)) = expiring.filter(|_| random.one_in(4)) {
            name.clone_from(expiring);
        }
        if random.one_in(2) {
            let twisted = !random.one_in(3);
            declare(&mut steps, database, DeclaredStep::generate(random, &name, twisted));
        } else {
            let other = random.pick(&database.keys().collect::<Vec<_>>()).clone();
            steps.push(undeclared(random, name, other));
        }
    }
    // nothing is harder to see than a small change of a value, and each type has its own
    if random.one_in(2) {
        let collection = random.pick(&database.keys().collect::<Vec<_>>()).clone();
        steps.push(alter(random, collection));
    }
    steps
}

/// Adds steps on the collection of [`expiry::sessions`].
pub(super) fn in_sessions(random: &mut Random, steps: &mut Vec<Step>, database: &Database) {
    let collection = || SESSIONS.to_owned();
    if random.one_in(2) {
        steps.push(Step::Expire { collection: collection() });
    }
    if !random.one_in(3) {
        steps.push(Step::LoseKept { collection: collection(), document: random.below(1000) });
    }
    if random.one_in(4) {
        steps.push(undeclared(random, collection(), collection()));
    }
    if random.one_in(3) {
        let twisted = !random.one_in(3);
        let step = DeclaredStep::generate(random, SESSIONS, twisted);
        // documents that were to be removed, were not, and have expired: then it was done
        if !step.leaves_documents() {
            declare(steps, database, step);
        }
    }
}

/// Renames one of the collections that are free, as declared or nearly so. The other steps know the old name: it is the last.
pub(super) fn rename(
    random: &mut Random,
    steps: &mut Vec<Step>,
    database: &Database,
    twisted: bool,
    is_free: impl Fn(&str) -> bool,
) {
    let names: Vec<&String> =
        database.iter().filter(|(name, of)| of.is_editable() && is_free(name)).map(|(name, _)| name).collect();
    if !names.is_empty() {
        let name = random.pick(&names);
        declare(steps, database, DeclaredStep::renamed(random, name, twisted));
    }
}

/// Adds a declared step if it can be done, and if no other one changes the same.
pub(super) fn declare(steps: &mut Vec<Step>, database: &Database, step: DeclaredStep) {
    let fits = database.get(&step.collection).is_some_and(|collection| step.fits(collection));
    let is_taken = steps.iter().any(|other| match other {
        Step::Declared(other) => {
            other.subject() == step.subject()
                || other.collection == step.collection
                    && [&other.subject(), &step.subject()].iter().any(|s| s.ends_with(" all"))
        }
        _ => false,
    });
    if fits && !is_taken {
        steps.push(Step::Declared(step));
    }
}

fn undeclared(random: &mut Random, collection: String, other: String) -> Step {
    let document = random.below(1000);
    match random.below(20) {
        0..=3 => Step::Lose { collection, first: document, count: 1 + random.below(3) },
        4..=9 => alter(random, collection),
        10 => Step::RetypeId { collection, document },
        11 => Step::Swap { collection, documents: [document, document + 1 + random.below(5)] },
        12 => Step::Add { collection, seed: random.bits() },
        13 => Step::Move { from: collection, to: other, document },
        14 => Step::DropIndex { collection, index: document },
        15 | 16 => Step::Redefine { collection, seed: random.bits() },
        17 => Step::DropCollection { collection },
        18 => Step::Rename { collection },
        _ => Step::Empty { collection },
    }
}

fn alter(random: &mut Random, collection: String) -> Step {
    Step::Alter { collection, first: random.below(1000), count: random.pick(&[1, 12, 40]), seed: random.bits() }
}

impl Step {
    fn run(&self, state: &mut State) {
        match self {
            Self::Declared(step) => step.run(state),
            Self::DropCollection { collection } => {
                state.actual.remove(collection);
            }
            Self::Rename { collection } => {
                let is_possible = state.actual.get(collection).is_some_and(Collection::is_editable);
                if is_possible && let Some(moved) = state.actual.remove(collection) {
                    state.actual.insert("renamed".to_owned(), moved);
                    state.renamed.push((collection.clone(), "renamed".to_owned()));
                }
            }
            Self::LoseKept { collection, document } => lose_kept(state, collection, *document),
            Self::Expire { collection } => {
                if let (Some(before), Some(collection)) =
                    (state.before.get(collection), state.actual.get_mut(collection))
                {
                    collection.documents.retain(|document| !expiry::is_due(before, document));
                }
            }
            Self::Move { from, to, document } => relocate(&mut state.actual, from, to, *document),
            Self::Redefine { collection, seed } => {
                if let Some(collection) = state.actual.get_mut(collection) {
                    redefine(collection, &mut Random::new(*seed));
                }
            }
            Self::DropIndex { collection, index } => {
                if let Some(indexes) = state.actual.get_mut(collection).map(|collection| &mut collection.indexes)
                    && !indexes.is_empty()
                {
                    indexes.remove(index % indexes.len());
                }
            }
            _ => self.change_documents(state),
        }
    }

    fn change_documents(&self, state: &mut State) {
        let (Self::Lose { collection, .. }
        | Self::Alter { collection, .. }
        | Self::RetypeId { collection, .. }
        | Self::Swap { collection, .. }
        | Self::Add { collection, .. }
        | Self::Empty { collection }) = self
        else {
            return;
        };
        let Some(collection) = state.actual.get_mut(collection) else { return };
        let is_editable = collection.is_editable();
        // the server refuses to index a symbol with a collation
        let is_collated = collection.indexes.iter().chain([&collection.options]).any(|of| of.contains_key("collation"));
        let documents = &mut collection.documents;
        if documents.is_empty() {
            return;
        }
        match self {
            Self::Empty { .. } => documents.clear(),
            Self::Lose { first, count, .. } => {
                for _ in 0..*count {
                    if documents.len() > 1 {
                        documents.remove(first % documents.len());
                    }
                }
            }
            Self::Alter { first, count, seed, .. } if is_editable => {
                let random = &mut Random::new(*seed);
                // each at most once: two alterations of a document would hide each other
                for number in 0..(*count).min(documents.len()) {
                    let at = (first + number) % documents.len();
                    let altered = values::altered_fields(random, &documents[at]);
                    if !is_collated || !matches!(altered.get("s"), Some(Bson::Symbol(_))) {
                        documents[at] = altered;
                    }
                }
            }
            Self::RetypeId { document, .. } if is_editable => {
                let at = document % documents.len();
                retype_id(&mut documents[at]);
            }
            Self::Swap { documents: [one, other], .. } if is_editable => {
                let (one, other) = (one % documents.len(), other % documents.len());
                let ids = [one, other].map(|at| documents[at].get("_id").cloned().unwrap_or_default());
                documents.swap(one, other);
                for (at, id) in [one, other].into_iter().zip(ids) {
                    documents[at].insert("_id", id);
                }
            }
            Self::Add { seed, .. } if is_editable => {
                let mut random = Random::new(*seed);
                let id = Bson::String(format!("added {seed}"));
                let mut added = database::document(&mut random, 5000, id, 0);
                added.remove("u");
                documents.push(added);
            }
            _ => {}
        }
    }
}

fn lose_kept(state: &mut State, collection: &str, document: usize) {
    let (Some(before), Some(collection)) = (state.before.get(collection), state.actual.get_mut(collection)) else {
        return;
    };
    let documents = &mut collection.documents;
    let is_kept = |at: &usize| expiry::has_passed(&documents[*at]) && !expiry::is_due(before, &documents[*at]);
    let kept: Vec<usize> = (0..documents.len()).filter(is_kept).collect();
    if !kept.is_empty() && documents.len() > 1 {
        documents.remove(kept[document % kept.len()]);
    }
}

fn retype_id(document: &mut Document) {
    let id = match document.get("_id") {
        Some(Bson::Int32(id)) => Bson::Double(f64::from(*id)),
        Some(Bson::Double(id)) if id.fract() == 0.0 => Bson::Int64(*id as i64),
        Some(Bson::String(id)) => Bson::String(format!("{id} ")),
        Some(Bson::Decimal128(id)) => values::decimal(&format!("{id}0")),
        Some(Bson::Document(id)) => {
            let mut fields: Vec<_> = id.clone().into_iter().collect();
            fields.reverse();
            Bson::Document(fields.into_iter().collect())
        }
        _ => return,
    };
    document.insert("_id", id);
}

fn relocate(database: &mut Database, from: &str, to: &str, document: usize) {
    let takes = |name: &str| {
        database.get(name).is_some_and(|collection| collection.is_editable() && collection.documents.len() > 1)
    };
    if from == to || !takes(from) || !takes(to) {
        return;
    }
    let documents = &mut database.get_mut(from).expect("it was there").documents;
    let mut moved = documents.remove(document % documents.len());
    moved.insert("_id", format!("moved {from} {document}"));
    moved.remove("u");
    database.get_mut(to).expect("it was there").documents.push(moved);
}

/// Something beside the documents becomes another.
fn redefine(collection: &mut Collection, random: &mut Random) {
    match collection.kind {
        Kind::View => {
            collection.options.insert("pipeline", vec![doc! {"$match": {"k": {"$gte": 1000}}}]);
        }
        Kind::Plain if collection.indexes.is_empty() || random.one_in(2) => {
            // the last one and nothing else fits documents that are there already
            let validator = random.pick(&[doc! {"k": {"$gte": 1}}, doc! {"k": {"$gte": 0.5}}, doc! {"j": 0}]);
            collection.options.insert("validator", validator);
            collection.options.insert("validationAction", "warn");
        }
        Kind::Plain | Kind::Clustered | Kind::Capped if !collection.indexes.is_empty() => {
            let at = random.below(collection.indexes.len());
            let index = &mut collection.indexes[at];
            if index.contains_key("expireAfterSeconds") {
                if index.contains_key("partialFilterExpression") && random.one_in(2) {
                    index.insert("partialFilterExpression", doc! {"k": {"$gte": 100_000}});
                } else {
                    index.insert("expireAfterSeconds", 61);
                }
            } else if index.contains_key("unique") {
                index.remove("unique");
            } else if index.get_str("name").is_ok_and(|name| name != "hashed") {
                index.insert("partialFilterExpression", doc! {"k": {"$gt": 0}});
                index.remove("sparse");
            }
        }
        Kind::Capped => {
            collection.options.insert("max", 5001);
        }
        Kind::TimeSeries => {
            collection.options.insert("timeseries", doc! {"timeField": "t", "metaField": "m", "granularity": "hours"});
        }
        Kind::Plain | Kind::Clustered => {}
    }
}
