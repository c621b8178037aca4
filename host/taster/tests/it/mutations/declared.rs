//! Upgrades that a configuration declares under `changes`: one [`Declared`] for each kind, done rightly or with a [`Twist`].

use std::cmp::Ordering;

use mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use serde_json::{Value as Json, json};

use super::{
    database::{self, Collection, Kind},
    random::{Random, position},
    renamed::NEW_NAME,
    upgrade::State,
    values::{self, decimal},
};

/// A kind of declared change of one collection.
///
/// A new kind of `changes` goes here: a variant, what is declared ([`Step::declaration`]), what it does right
/// ([`Declared::apply`]), and what the declaration leaves open ([`super::truth`]).
#[derive(Debug, Clone)]
pub(super) enum Declared {
    /// `addedField`, at the top or below `o`.
    AddedField {
        nested: bool,
        kind: &'static str,
        value: Bson,
        /// Whether the declaration says which value.
        is_stated: bool,
    },
    /// `removedField`.
    RemovedField {
        path: &'static str,
    },
    /// `renamedField: n`.
    RenamedField {
        in_place: bool,
    },
    /// `retypedField: n`; the new type is the choice with this number.
    RetypedField {
        choice: usize,
    },
    /// `addedDocuments`, from this value of `k` on.
    AddedDocuments {
        count: usize,
    },
    /// `removedDocuments`, below this value of `k`.
    RemovedDocuments {
        below: i32,
    },
    AddedIndex,
    RemovedIndex,
    AddedCollection,
    RemovedCollection,
    /// `removedCollection` of a view or of a time series.
    RemovedOther,
    /// `renamedCollection`: [`super::renamed`].
    RenamedCollection,
}

impl Declared {
    /// Every [`Self::kind`].
    pub(super) const KINDS: [&str; 12] = [
        "AddedField",
        "RemovedField",
        "RenamedField",
        "RetypedField",
        "AddedDocuments",
        "RemovedDocuments",
        "AddedIndex",
        "RemovedIndex",
        "AddedCollection",
        "RemovedCollection",
        "RemovedOther",
        "RenamedCollection",
    ];

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::AddedField { .. } => "AddedField",
            Self::RemovedField { .. } => "RemovedField",
            Self::RenamedField { .. } => "RenamedField",
            Self::RetypedField { .. } => "RetypedField",
            Self::AddedDocuments { .. } => "AddedDocuments",
            Self::RemovedDocuments { .. } => "RemovedDocuments",
            Self::AddedIndex => "AddedIndex",
            Self::RemovedIndex => "RemovedIndex",
            Self::AddedCollection => "AddedCollection",
            Self::RemovedCollection => "RemovedCollection",
            Self::RemovedOther => "RemovedOther",
            Self::RenamedCollection => "RenamedCollection",
        }
    }
}

/// How the upgrade differs from its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// It does not.
    Right,
    /// Nothing was declared.
    Undeclared,
    /// Nothing was done.
    NotDone,
    /// One document was left out.
    SkipsOne,
    /// In one document the new value is another one.
    WrongValue,
    /// In one document the new value has another type.
    WrongType,
    /// One document is lost besides.
    LosesOne,
    /// `maxDocuments` allows less.
    TooMany,
    /// The collection has its new name, and there is one with the old name as well.
    KeepsOld,
    /// A view reads the old name of a renamed collection.
    KeepsView,
}

const TWISTS: [Twist; 7] = [
    Twist::Undeclared,
    Twist::NotDone,
    Twist::SkipsOne,
    Twist::WrongValue,
    Twist::WrongType,
    Twist::LosesOne,
    Twist::TooMany,
];

/// A declared change of one collection, and what was done instead.
#[derive(Debug, Clone)]
pub(super) struct DeclaredStep {
    pub(super) collection: String,
    pub(super) change: Declared,
    pub(super) twist: Twist,
    /// The document that the twist is about, modulo their number.
    pub(super) document: usize,
}

/// From this value of `k` on, documents are new.
const NEW: i32 = 1_000_000;

impl DeclaredStep {
    pub(super) fn generate(random: &mut Random, collection: &str, twisted: bool) -> Self {
        // what excuses a loss comes most often
        let change = match random.below(15) {
            0..=2 => added_field(random),
            3 => Declared::RemovedField { path: random.pick(&["n", "s", "o", "o.x"]) },
            4 => Declared::RenamedField { in_place: random.one_in(2) },
            5..=7 => Declared::RetypedField { choice: random.below(60) },
            8 => Declared::AddedDocuments { count: 1 + random.below(3) },
            9 | 13 | 14 => Declared::RemovedDocuments { below: 1 + random.number(4) },
            10 => Declared::AddedIndex,
            11 => Declared::RemovedIndex,
            _ => random.pick(&[Declared::AddedCollection, Declared::RemovedCollection]),
        };
        let twist = match if twisted { random.pick(&TWISTS) } else { Twist::Right } {
            // there is no new value
            Twist::WrongValue | Twist::WrongType if matches!(change, Declared::RemovedDocuments { .. }) => {
                Twist::LosesOne
            }
            twist => twist,
        };
        Self { collection: collection.to_owned(), change, twist, document: random.below(1000) }
    }

    /// Removes a view or a time series, rightly.
    pub(super) fn removed_other(collection: &str) -> Self {
        Self { collection: collection.to_owned(), change: Declared::RemovedOther, twist: Twist::Right, document: 0 }
    }

    /// One of the kinds that [`Self::generate`] makes least often, done rightly: with consecutive numbers each of them.
    pub(super) fn rare(collection: &str, number: u64) -> Self {
        let change = match number % 7 {
            0 => Declared::RemovedField { path: "o" },
            1 => Declared::RenamedField { in_place: true },
            2 => Declared::AddedDocuments { count: 2 },
            3 => Declared::AddedIndex,
            4 => Declared::RemovedIndex,
            5 => Declared::AddedCollection,
            _ => Declared::RemovedCollection,
        };
        Self { collection: collection.to_owned(), change, twist: Twist::Right, document: 0 }
    }

    /// What it changes: no two declared steps of a case change the same.
    pub(super) fn subject(&self) -> String {
        let what = match &self.change {
            Declared::AddedField { nested: false, .. } => "added",
            Declared::AddedField { .. } | Declared::RemovedField { path: "o" | "o.x" } => "o",
            Declared::RemovedField { path: "s" } => "s",
            Declared::RemovedField { .. } | Declared::RenamedField { .. } | Declared::RetypedField { .. } => "n",
            Declared::AddedDocuments { .. } => "new documents",
            Declared::RemovedDocuments { .. } => "old documents",
            Declared::AddedIndex => "new index",
            Declared::RemovedIndex => "old index",
            Declared::AddedCollection => return "new collection".to_owned(),
            // there is one new name
            Declared::RenamedCollection => return "renamed collection".to_owned(),
            Declared::RemovedCollection | Declared::RemovedOther => "all",
        };
        format!("{} {what}", self.collection)
    }

    /// Whether it can be done to this collection, and does something.
    pub(super) fn fits(&self, collection: &Collection) -> bool {
        let has = |path: &str| collection.documents.iter().any(|document| document.contains_key(path));
        let is_editable = collection.is_editable();
        match &self.change {
            Declared::AddedField { .. } => is_editable && !collection.documents.is_empty(),
            Declared::RemovedField { path: "o.x" } => is_editable && has("o"),
            Declared::RemovedField { path } => is_editable && has(path) && !is_indexed(collection, path),
            Declared::RenamedField { .. } => is_editable && has("n"),
            Declared::RetypedField { choice } => is_editable && conversion(collection, *choice).is_some(),
            Declared::AddedDocuments { .. } => is_editable && collection.kind != Kind::Capped,
            Declared::RemovedDocuments { below } => {
                // something has to be left: nothing compared with nothing is unknown
                let is_removed = |document: &Document| document.get_i32("k").is_ok_and(|k| k < *below);
                is_editable
                    && collection.documents.iter().any(is_removed)
                    && collection.documents.iter().filter(|document| !is_removed(document)).count() > 1
            }
            Declared::AddedIndex | Declared::RemovedCollection | Declared::RenamedCollection => is_editable,
            Declared::RemovedIndex => {
                collection.indexes.first().is_some_and(|index| !index.contains_key("expireAfterSeconds"))
            }
            Declared::RemovedOther => !is_editable,
            Declared::AddedCollection => true,
        }
    }

    pub(super) fn run(&self, state: &mut State) {
        if !state.before.get(&self.collection).is_some_and(|collection| self.fits(collection)) {
            return;
        }
        let declaration = self.declaration(&state.before[&self.collection]);
        if matches!(self.change, Declared::RenamedCollection) {
            state.changes.push(declaration);
            return self.rename(state);
        }
        if self.twist != Twist::Undeclared {
            state.changes.push(declaration);
            self.do_right(&mut state.expected);
        }
        if self.twist == Twist::TooMany && self.limits() {
            state.exceeded.push(self.collection.clone());
        }
        if self.twist == Twist::NotDone {
            if !matches!(self.change, Declared::AddedCollection | Declared::RemovedCollection | Declared::RemovedOther)
            {
                state.not_done.push(self.collection.clone());
            }
            return;
        }
        self.do_right(&mut state.actual);
        self.spoil(state);
    }

    /// Whether documents that were to be removed are all left.
    pub(super) fn leaves_documents(&self) -> bool {
        self.twist == Twist::NotDone && matches!(self.change, Declared::RemovedDocuments { .. })
    }

    fn limits(&self) -> bool {
        matches!(self.change, Declared::AddedDocuments { .. } | Declared::RemovedDocuments { .. })
    }

    fn do_right(&self, database: &mut database::Database) {
        match self.change {
            Declared::AddedCollection => {
                let documents = vec![doc! {"_id": 1, "k": 1}];
                let new = Collection { kind: Kind::Plain, options: doc! {}, indexes: Vec::new(), documents };
                database.insert("new collection".to_owned(), new);
            }
            Declared::RemovedCollection | Declared::RemovedOther => {
                database.remove(&self.collection);
            }
            _ => {
                if let Some(collection) = database.get_mut(&self.collection) {
                    self.apply(collection);
                }
            }
        }
    }

    fn apply(&self, collection: &mut Collection) {
        match &self.change {
            Declared::AddedDocuments { count } => {
                let new = (0..*count)
                    .map(|n| doc! {"_id": format!("new {n}"), "k": NEW + position(n), "u": NEW + position(n)});
                collection.documents.extend(new);
            }
            Declared::RemovedDocuments { below } => {
                collection.documents.retain(|document| !document.get_i32("k").is_ok_and(|k| k < *below));
            }
            Declared::AddedIndex => collection.indexes.push(doc! {"key": {"added_index": 1}, "name": "added_index"}),
            Declared::RemovedIndex => {
                if !collection.indexes.is_empty() {
                    collection.indexes.remove(0);
                }
            }
            _ => {
                let conversion = self.conversion_of(collection);
                for document in &mut collection.documents {
                    self.change_fields(document, conversion);
                }
            }
        }
    }

    fn conversion_of(&self, collection: &Collection) -> Option<Conversion> {
        match self.change {
            Declared::RetypedField { choice } => conversion(collection, choice),
            _ => None,
        }
    }

    fn change_fields(&self, document: &mut Document, conversion: Option<Conversion>) {
        match &self.change {
            Declared::AddedField { nested: false, value, .. } => {
                document.insert("added", value.clone());
            }
            Declared::AddedField { value, .. } => {
                if let Ok(inner) = document.get_document_mut("o") {
                    inner.insert("added", value.clone());
                }
            }
            Declared::RemovedField { path: "o.x" } => {
                if let Ok(inner) = document.get_document_mut("o") {
                    inner.remove("x");
                }
            }
            Declared::RemovedField { path } => {
                document.remove(path);
            }
            Declared::RenamedField { in_place: true } => {
                let renamed = |(name, value)| (if name == "n" { "renamed".to_owned() } else { name }, value);
                *document = document.clone().into_iter().map(renamed).collect();
            }
            Declared::RenamedField { .. } => {
                if let Some(value) = document.remove("n") {
                    document.insert("renamed", value);
                }
            }
            Declared::RetypedField { .. } => {
                if let (Some(value), Some(conversion)) = (document.get_mut("n"), conversion) {
                    *value = conversion.convert(value);
                }
            }
            _ => {}
        }
    }

    /// What goes wrong in one document.
    fn spoil(&self, state: &mut State) {
        let before = &state.before[&self.collection];
        let Some(collection) = state.actual.get_mut(&self.collection) else { return };
        let conversion = self.conversion_of(before);
        let documents = &mut collection.documents;
        let old: Vec<&Document> = before.documents.iter().collect();
        if documents.is_empty() || old.is_empty() {
            return;
        }
        let original = old[self.document % old.len()];
        let position = documents.iter().position(|document| have_one_id(document, original));
        match (self.twist, position) {
            (Twist::SkipsOne, Some(at)) => documents[at] = original.clone(),
            // it was to be removed
            (Twist::SkipsOne, None) => documents.push(original.clone()),
            (Twist::LosesOne, _) => {
                documents.remove(self.document % documents.len());
            }
            (Twist::WrongValue, Some(at)) => self.spoil_value(&mut documents[at], original, conversion),
            (Twist::WrongType, Some(at)) => {
                let field = match self.change {
                    Declared::AddedField { nested: false, .. } => "added",
                    Declared::RenamedField { .. } => "renamed",
                    Declared::RetypedField { .. } => "n",
                    _ => return,
                };
                documents[at].insert(field, doc! {"another": "type"});
            }
            _ => {}
        }
    }

    fn spoil_value(&self, document: &mut Document, original: &Document, conversion: Option<Conversion>) {
        match (&self.change, original.get("n")) {
            (Declared::RenamedField { .. }, Some(old)) => {
                document.insert("renamed", next(old));
            }
            (Declared::RetypedField { .. }, Some(old)) => {
                if let Some(conversion) = conversion {
                    document.insert("n", conversion.convert(&next(old)));
                }
            }
            (Declared::AddedField { nested: false, value, is_stated: true, .. }, _) if next(value) != *value => {
                document.insert("added", next(value));
            }
            // the declaration says nothing of its value: another field
            _ => {
                document.insert("u", format!("another value: {}", self.subject()));
            }
        }
    }

    fn declaration(&self, before: &Collection) -> Json {
        let of = |mut declaration: Json| {
            declaration["collection"] = self.collection.clone().into();
            declaration
        };
        match &self.change {
            Declared::AddedField { nested, kind, value, is_stated } => {
                let mut added = of(json!({"addedField": if *nested { "o.added" } else { "added" }, "type": kind}));
                if *is_stated {
                    added["value"] = value.clone().into_canonical_extjson();
                }
                added
            }
            Declared::RemovedField { path } => of(json!({"removedField": path})),
            Declared::RenamedField { .. } => of(json!({"renamedField": "n", "to": "renamed"})),
            Declared::RetypedField { .. } => {
                let conversion = self.conversion_of(before).expect("it fits");
                of(json!({"retypedField": "n", "from": conversion.from, "to": conversion.to}))
            }
            Declared::AddedDocuments { count } => {
                let most = if self.twist == Twist::TooMany { count - 1 } else { *count };
                of(json!({"addedDocuments": {"k": {"$gte": NEW}}, "maxDocuments": most}))
            }
            Declared::RemovedDocuments { below } => {
                let is_removed = |document: &&Document| document.get_i32("k").is_ok_and(|k| k < *below);
                let count = before.documents.iter().filter(is_removed).count();
                let most = match self.twist {
                    Twist::TooMany => count - 1,
                    // what the filter does not match must not hide in what is left of the limit
                    _ if self.document.is_multiple_of(2) => count + 5,
                    _ => count,
                };
                of(json!({"removedDocuments": {"k": {"$lt": below}}, "maxDocuments": most}))
            }
            Declared::AddedIndex => of(json!({"addedIndex": "added_index"})),
            Declared::RemovedIndex => of(json!({"removedIndex": before.indexes[0].get_str("name").expect("a name")})),
            Declared::AddedCollection => json!({"addedCollection": "new collection"}),
            Declared::RemovedCollection | Declared::RemovedOther => json!({"removedCollection": self.collection}),
            Declared::RenamedCollection => json!({"renamedCollection": self.collection, "to": NEW_NAME}),
        }
    }
}

/// Whether an index on `_id` takes two ids for one: 5 and 5.0, NaN and NaN.
fn have_one_id(one: &Document, other: &Document) -> bool {
    let number = |document: &Document| match document.get("_id") {
        Some(Bson::Int32(id)) => Some(f64::from(*id)),
        Some(Bson::Int64(id)) => i32::try_from(*id).ok().map(f64::from),
        Some(Bson::Double(id)) => Some(*id),
        Some(Bson::Decimal128(id)) => id.to_string().parse().ok(),
        _ => None,
    };
    let is_one = |(one, other): (f64, f64)| {
        one.partial_cmp(&other).is_some_and(Ordering::is_eq) || one.is_nan() && other.is_nan()
    };
    one.get("_id") == other.get("_id") || number(one).zip(number(other)).is_some_and(is_one)
}

fn is_indexed(collection: &Collection, path: &str) -> bool {
    collection.indexes.iter().any(|index| index.get_document("key").is_ok_and(|key| key.contains_key(path)))
}

fn added_field(random: &mut Random) -> Declared {
    let (kind, value) = random.pick(&[
        ("bool", Bson::Boolean(false)),
        ("int", Bson::Int32(0)),
        ("long", Bson::Int64(0)),
        ("double", Bson::Double(-0.0)),
        ("decimal", decimal("1.50")),
        ("string", Bson::String(String::new())),
        ("null", Bson::Null),
        ("object", Bson::Document(doc! {"x": [1, {"y": null}]})),
        ("array", Bson::Array(vec![Bson::Null, Bson::Int32(1)])),
        ("date", Bson::DateTime(DateTime::from_millis(0))),
        ("objectId", Bson::ObjectId(ObjectId::from_bytes([7; 12]))),
    ]);
    Declared::AddedField { nested: random.one_in(3), kind, value, is_stated: random.one_in(2) }
}

/// A conversion of the field `n`.
#[derive(Debug, Clone, Copy)]
struct Conversion {
    from: &'static str,
    to: &'static str,
}

/// The type that `n` has in this collection, and one of those that it can become.
fn conversion(collection: &Collection, choice: usize) -> Option<Conversion> {
    let value = collection.documents.iter().find_map(|document| document.get("n"))?;
    let from = type_name(value)?;
    let to: &[&'static str] = match from {
        "int" => &["long", "double", "string", "decimal", "bool", "date"],
        "long" => &["int", "double", "string", "decimal", "date"],
        "double" => &["decimal", "string"],
        "string" => &["int", "long", "double", "decimal", "date"],
        "date" => &["long", "string", "double"],
        _ => return None,
    };
    Some(Conversion { from, to: to[choice % to.len()] })
}

impl Conversion {
    /// A value of another type than `from` stays.
    fn convert(self, value: &Bson) -> Bson {
        let text = match (self.from, value) {
            ("int", Bson::Int32(n)) => n.to_string(),
            ("long", Bson::Int64(n)) => n.to_string(),
            ("double", Bson::Double(n)) => n.to_string(),
            ("string", Bson::String(text)) => text.clone(),
            ("date", Bson::DateTime(date)) if self.to == "string" => date.try_to_rfc3339_string().expect("a year"),
            ("date", Bson::DateTime(date)) => date.timestamp_millis().to_string(),
            _ => return value.clone(),
        };
        let converted = match self.to {
            "int" => text.parse().ok().map(Bson::Int32),
            "long" => text.parse().ok().map(Bson::Int64),
            "double" => text.parse().ok().map(Bson::Double),
            "decimal" => text.parse().ok().map(Bson::Decimal128),
            "bool" => Some(Bson::Boolean(text != "0")),
            "date" => text.parse().ok().map(|milliseconds| Bson::DateTime(DateTime::from_millis(milliseconds))),
            _ => Some(Bson::String(text)),
        };
        converted.unwrap_or_else(|| value.clone())
    }
}

/// Another value of the same type, which converts to another one, too; only `bool` has fewer.
fn next(value: &Bson) -> Bson {
    match value {
        Bson::Int32(n) => Bson::Int32(i32::from(*n == 0)),
        Bson::Int64(n) => Bson::Int64(n + 1),
        Bson::Double(n) => Bson::Double(n + 0.01),
        Bson::String(text) => {
            Bson::String(text.parse::<i32>().map_or_else(|_| format!("{text}1"), |n| (n + 1).to_string()))
        }
        Bson::DateTime(date) => Bson::DateTime(DateTime::from_millis(date.timestamp_millis() + 1)),
        Bson::Boolean(yes) => Bson::Boolean(!yes),
        other => other.clone(),
    }
}

/// What a declaration of `addedField` leaves open: the value where none is stated, and the place of the field. A field of
/// another type or with another value stays.
pub(super) fn without_added_field(document: &mut Document, declaration: &Json) {
    let (Some(path), Some(kind)) = (declaration["addedField"].as_str(), declaration["type"].as_str()) else { return };
    let stated = declaration.get("value").map(|value| Bson::try_from(value.clone()).expect("Extended JSON"));
    let is_right = |value: Option<&Bson>| {
        value
            .is_some_and(|value| type_name(value) == Some(kind) && stated.as_ref().is_none_or(|stated| stated == value))
    };
    let fields = match path {
        "added" => Some(&mut *document),
        _ => document.get_document_mut("o").ok(),
    };
    if let Some(fields) = fields
        && is_right(fields.get("added"))
    {
        fields.remove("added");
        fields.insert("added as declared", Bson::Null);
    }
}

fn type_name(value: &Bson) -> Option<&'static str> {
    Some(match value {
        Bson::Boolean(_) => "bool",
        Bson::Int32(_) => "int",
        Bson::Int64(_) => "long",
        Bson::Double(_) => "double",
        Bson::Decimal128(_) => "decimal",
        Bson::String(_) => "string",
        Bson::Null => "null",
        Bson::Document(_) => "object",
        Bson::Array(_) => "array",
        Bson::DateTime(_) => "date",
        Bson::ObjectId(_) => "objectId",
        _ => return None,
    })
}

/// Whether two values of a retyped field are the same number, however it is written.
pub(super) fn is_same_number(one: &Document, other: &Document) -> bool {
    let number = |document: &Document| match document.get("n") {
        Some(Bson::Double(n)) => Some(*n),
        Some(Bson::Decimal128(n)) => n.to_string().parse().ok(),
        _ => None,
    };
    let rest = |document: &Document| {
        let mut rest = document.clone();
        rest.insert("n", Bson::Null);
        values::bytes(&rest)
    };
    number(one).is_some_and(|n| number(other) == Some(n)) && rest(one) == rest(other)
}
