//! Documents that expire: which ones the TTL indexes of a collection remove, and a collection in which that is hard to tell.

use mongodb::bson::{Bson, DateTime, Document, doc};

use super::{
    database::{self, Collection, FUTURE, Kind, PAST},
    random::Random,
};

/// The name of the collection of [`sessions`].
pub(super) const SESSIONS: &str = "sessions";

/// The keys of TTL indexes: a date, dates in an array, the first of them, and dates in the documents of an array.
const KEYS: [&str; 4] = ["t", "at", "at.0", "log.at"];

/// A collection with one or two TTL indexes, most of them partial or on a path through an array.
pub(super) fn sessions(random: &mut Random) -> Collection {
    let mut sessions = database::collection(random, Kind::Plain);
    for document in &mut sessions.documents {
        add_dates(random, document);
    }
    sessions.indexes.retain(|index| !index.contains_key("expireAfterSeconds"));
    let first = random.below(KEYS.len());
    sessions.indexes.push(ttl_index(random, KEYS[first]));
    if random.one_in(3) {
        let second = first + 1 + random.below(KEYS.len() - 1);
        sessions.indexes.push(ttl_index(random, KEYS[second % KEYS.len()]));
    }
    sessions
}

fn ttl_index(random: &mut Random, key: &str) -> Document {
    let mut index = doc! {"key": {key: 1}, "name": format!("ttl {key}"), "expireAfterSeconds": 60};
    // a complete index on a plain date is in other collections
    if key == "t" || random.one_in(2) {
        let filter = match random.below(4) {
            0 => doc! {"s": "a"},
            1 => doc! {"closed": true},
            2 => doc! {"n": {"$exists": true}},
            _ => doc! {"k": {"$gte": random.number(9)}},
        };
        index.insert("partialFilterExpression", filter);
    }
    index
}

fn add_dates(random: &mut Random, document: &mut Document) {
    if !random.one_in(3) {
        document.insert("closed", random.one_in(2));
    }
    let mut date = || Bson::DateTime(DateTime::from_millis(random.pick(&[PAST, FUTURE])));
    let dates = [date(), date(), date()];
    let [first, second, third] = dates.clone();
    match random.below(7) {
        0 => {}
        1 => drop(document.insert("at", first)),
        2 => drop(document.insert("at", Vec::<Bson>::new())),
        // no date is where `at.0` looks
        3 => drop(document.insert("at", vec![Bson::Int32(5), second])),
        4 => drop(document.insert("at", vec![first])),
        _ => drop(document.insert("at", dates.to_vec())),
    }
    match random.below(4) {
        0 => {}
        1 => drop(document.insert("log", vec![doc! {"x": 1}, doc! {"at": third}])),
        _ => drop(document.insert("log", vec![doc! {"at": third}, doc! {"at": random.pick(&dates)}])),
    }
}

/// Whether a TTL index of `collection` removes this document, by now.
pub(super) fn is_due(collection: &Collection, document: &Document) -> bool {
    collection.ttl_indexes().into_iter().any(|index| {
        let key = index.get_document("key").ok().and_then(|key| key.keys().next());
        let filter = index.get_document("partialFilterExpression").ok();
        let covers = filter.is_none_or(|filter| is_indexed(collection, filter, document));
        covers && key.is_some_and(|key| passed(document, key))
    })
}

/// Whether one of its dates has passed, wherever it is, so that another index would remove it.
pub(super) fn has_passed(document: &Document) -> bool {
    KEYS.iter().any(|key| passed(document, key))
}

fn passed(document: &Document, key: &str) -> bool {
    let path: Vec<&str> = key.split('.').collect();
    dates_in(document, &path).into_iter().any(|date| date.timestamp_millis() <= PAST)
}

/// The dates at a path, as an index has them.
fn dates_in(document: &Document, path: &[&str]) -> Vec<DateTime> {
    let Some((name, rest)) = path.split_first() else { return Vec::new() };
    match (document.get(name), rest) {
        (Some(Bson::DateTime(date)), []) => vec![*date],
        (Some(Bson::Array(items)), []) => items.iter().filter_map(Bson::as_datetime).copied().collect(),
        (Some(Bson::Document(inner)), [_, ..]) => dates_in(inner, rest),
        (Some(Bson::Array(items)), [next, ..]) => match next.parse::<usize>() {
            // no path goes on behind a position
            Ok(position) => items.get(position).and_then(Bson::as_datetime).copied().into_iter().collect(),
            Err(_) => items.iter().filter_map(Bson::as_document).flat_map(|item| dates_in(item, rest)).collect(),
        },
        _ => Vec::new(),
    }
}

/// Whether a document is in a partial index with this filter, one of those of [`ttl_index`].
fn is_indexed(collection: &Collection, filter: &Document, document: &Document) -> bool {
    // the collation of a collection that has one takes small letters and capitals for the same
    let folded =
        |text: &str| if collection.options.contains_key("collation") { text.to_lowercase() } else { text.to_owned() };
    filter.iter().all(|(name, wanted)| match (wanted, document.get(name)) {
        (Bson::String(wanted), Some(Bson::String(text))) => folded(text) == folded(wanted),
        (Bson::Boolean(wanted), Some(Bson::Boolean(is))) => is == wanted,
        (Bson::Document(operator), value) if operator.contains_key("$exists") => value.is_some(),
        (Bson::Document(operator), Some(Bson::Int32(number))) => {
            operator.get_i32("$gte").is_ok_and(|least| *number >= least)
        }
        _ => false,
    })
}
