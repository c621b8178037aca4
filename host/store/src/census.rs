//! Stored censuses: objects too large for memory, each checked against the capture that lists it.
//!
//! The key is `<run>/pre/<attempt>/<database>.<collection>.census`; a second census of the same collection ends in
//! `.2.census`. Bytes of names other than `A-Z a-z 0-9 _ -` are percent-encoded, so that a dot always separates. File
//! systems allow names of 255 bytes: if both names together are longer than 160, they are cut there and end in `~` and the
//! first 32 hexadecimal digits of the SHA-256 of `database.collection`.

use std::{collections::HashMap, fmt::Write, io, path::Path, sync::Arc};

use sha2::{Digest as _, Sha256};
use taster_census::{Census, CensusError, CensusFile, CensusIdentity, ReadAt};
use taster_model::{Capture, CensusFacts, ObjectRef, Side};

use crate::{
    backend::{CreateOutcome, Digest, ObjectBackend, OpenOutcome, StreamedObject},
    error::StoreError,
    file::Files,
    location::check_location,
};

/// Bytes of both names together. Longer ones are cut.
const MAX_NAME_BYTES: usize = 160;
/// Hexadecimal digits of the hash that tells cut names apart.
const HASH_DIGITS: usize = 32;

/// The censuses of a run's captures.
#[derive(Clone)]
pub struct Censuses {
    objects: Arc<dyn ObjectBackend>,
    /// The prefix that the keys in a capture are relative to.
    run: String,
}

/// The censuses of one capture. Its objects are indexed once: a capture of ten thousand collections lists as many.
pub struct CaptureCensuses<'a> {
    censuses: &'a Censuses,
    capture: &'a Capture,
    /// By key.
    objects: HashMap<&'a str, &'a ObjectRef>,
}

/// The bytes of a stored census, read in parts. Reading blocks.
pub struct CensusBytes(Box<dyn ReadAt>);

impl ReadAt for CensusBytes {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.0.read_at(offset, length)
    }
}

impl Censuses {
    pub(crate) fn new(objects: Arc<dyn ObjectBackend>, run: String) -> Self {
        Self { objects, run }
    }

    /// The censuses beside a capture file outside of a store, in the store's layout: `pre/capture.json` beside
    /// `pre/<attempt>/…`, `post/<attempt>/capture.json` beside the other objects of its attempt.
    #[must_use]
    pub fn beside_capture(file: &Path, side: Side) -> Self {
        // the censuses are beside the file, not beside a link to it; and a relative `capture.json` has no parent
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let levels = match side {
            Side::Pre => 2,
            Side::Post => 3,
        };
        let run = file.ancestors().nth(levels).unwrap_or(Path::new("/")).join("");
        Self::new(Arc::new(Files::new("/".into())), run.to_string_lossy().into_owned())
    }

    /// The censuses of `capture`.
    #[must_use]
    pub fn of<'a>(&'a self, capture: &'a Capture) -> CaptureCensuses<'a> {
        let mut objects = HashMap::with_capacity(capture.objects.len());
        for object in &capture.objects {
            objects.entry(object.key.as_str()).or_insert(object);
        }
        CaptureCensuses { censuses: self, capture, objects }
    }

    /// Stores a census under the next free name of its collection. An object with the same bytes was written by an earlier
    /// attempt whose answer was lost: no two censuses of an attempt have the same probe and id.
    pub(crate) async fn put(&self, recorded: &CensusFile) -> Result<ObjectRef, StoreError> {
        let CensusFile { identity: place, file, length, sha256, .. } = recorded;
        let object = StreamedObject { file, digest: Digest { length: *length, sha256 } };
        let mut number = 1;
        loop {
            let name = object_name(&place.database, &place.collection, number);
            let key = format!("{}/{}/{name}", place.side, place.attempt);
            if self.try_put(&format!("{}{key}", self.run), object).await? {
                return Ok(ObjectRef { key, length: *length, sha256: sha256.clone() });
            }
            number += 1;
        }
    }

    /// Creates the object and returns true, or false if another object has that key.
    async fn try_put(&self, key: &str, object: StreamedObject<'_>) -> Result<bool, StoreError> {
        // checked first, so that a large file is not copied only to find its key taken
        match self.objects.open(key, object.digest).await? {
            OpenOutcome::Confirmed(_) => return Ok(true),
            OpenOutcome::Mismatch(_) => return Ok(false),
            OpenOutcome::NotFound => {}
        }
        match self.objects.create_from(key, object).await? {
            CreateOutcome::Created => Ok(true),
            // another process created it first
            CreateOutcome::AlreadyExists => {
                Ok(matches!(self.objects.open(key, object.digest).await?, OpenOutcome::Confirmed(_)))
            }
        }
    }
}

impl<'a> CaptureCensuses<'a> {
    /// Opens a census and checks that it is the one that the capture lists: by its length and digest, by the place that it
    /// records for itself, and by the facts that the capture records of it.
    pub async fn open(&self, facts: &CensusFacts) -> Result<Census<CensusBytes>, StoreError> {
        let object = self.listed_object(facts)?;
        let key = format!("{}{}", self.censuses.run, object.key);
        let digest = Digest { length: object.length, sha256: &object.sha256 };
        let bytes = match self.censuses.objects.open(&key, digest).await? {
            OpenOutcome::Confirmed(bytes) => CensusBytes(bytes),
            OpenOutcome::NotFound => return Err(StoreError::Missing { key }),
            OpenOutcome::Mismatch(what) => return Err(StoreError::Damaged { key, what }),
        };
        let census = match tokio::task::spawn_blocking(move || Census::open(bytes)).await {
            Ok(Ok(census)) => census,
            Ok(Err(source)) => return Err(StoreError::Census { key, source }),
            Err(error) => {
                let source = CensusError::Io(io::Error::other(error));
                return Err(StoreError::Census { key, source });
            }
        };
        check_place(&key, census.identity(), self.capture, facts)?;
        check_facts(&key, &census, facts)?;
        Ok(census)
    }

    /// The object of a census, if the capture lists it and its key is below that attempt: a forged key in a capture must not
    /// lead anywhere else.
    fn listed_object(&self, facts: &CensusFacts) -> Result<&'a ObjectRef, StoreError> {
        let unlisted = || StoreError::Unlisted { probe: facts.probe.clone(), id: facts.id.clone() };
        let object = *self.objects.get(facts.object.as_str()).ok_or_else(unlisted)?;
        let folder = format!("{}/{}/", self.capture.side, self.capture.attempt);
        let name = object.key.strip_prefix(&folder).unwrap_or_default();
        if name.ends_with(".census") && !name.contains('/') && !name.starts_with('.') {
            return Ok(object);
        }
        Err(StoreError::Misplaced {
            key: object.key.clone(),
            field: "key",
            found: object.key.clone(),
            expected: format!("{folder}….census"),
        })
    }
}

fn check_place(key: &str, place: &CensusIdentity, capture: &Capture, facts: &CensusFacts) -> Result<(), StoreError> {
    check_location(key, "app", &place.app, &capture.app)?;
    check_location(key, "run", &place.run, &capture.run)?;
    check_location(key, "side", &place.side, &capture.side)?;
    check_location(key, "attempt", &place.attempt, &capture.attempt)?;
    check_location(key, "probe", &place.probe, &facts.probe)?;
    check_location(key, "id", &place.id, &facts.id)?;
    check_location(key, "database", &place.database, &capture.server.database)?;
    check_location(key, "collection", &place.collection, &facts.collection)
}

/// Checks that a census has the facts that the capture records: reports show those, and comparisons read the census.
fn check_facts(key: &str, census: &Census<CensusBytes>, facts: &CensusFacts) -> Result<(), StoreError> {
    let options = serde_json::to_value(census.options()).map_err(|error| StoreError::damaged(key, error))?;
    let differs = [
        (census.documents() != facts.documents, "number of documents"),
        (census.sum() != facts.sum, "sum"),
        (options != facts.options, "options"),
    ];
    match differs.into_iter().find(|(differs, _)| *differs) {
        Some((_, what)) => Err(StoreError::damaged(key, format!("its {what} is not the one in its capture"))),
        None => Ok(()),
    }
}

/// The name of the `number`th census of a collection.
fn object_name(database: &str, collection: &str, number: u32) -> String {
    let mut name = format!("{}.{}", percent_encoded(database), percent_encoded(collection));
    if name.len() > MAX_NAME_BYTES {
        // never within an escape sequence
        let mut end = MAX_NAME_BYTES;
        while name.as_bytes()[end - 2..end].contains(&b'%') {
            end -= 1;
        }
        name.truncate(end);
        let digest = hex::encode(Sha256::digest(format!("{database}.{collection}")));
        name = format!("{name}~{}", &digest[..HASH_DIGITS]);
    }
    match number {
        0 | 1 => format!("{name}.census"),
        _ => format!("{name}.{number}.census"),
    }
}

fn percent_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // writing to a string cannot fail
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn object_names_have_no_separators_and_fit_every_file_system() {
        let cases = [
            ("pxbbq", "orders", 1, "pxbbq.orders.census"),
            ("pxbbq", "orders", 2, "pxbbq.orders.2.census"),
            ("pxbbq", "orders.2", 1, "pxbbq.orders%2E2.census"),
            ("my-db", "a/../b c", 1, "my-db.a%2F%2E%2E%2Fb%20c.census"),
            ("db", "größe%", 1, "db.gr%C3%B6%C3%9Fe%25.census"),
            ("db", "~x", 1, "db.%7Ex.census"),
        ];
        for (database, collection, number, name) in cases {
            assert_eq!(object_name(database, collection, number), name);
        }
        let long = object_name(&"d".repeat(63), &"é".repeat(120), u32::MAX);
        assert!(long.len() <= 255, "{long}");
        let (shown, rest) = long.split_once('~').unwrap();
        assert!(shown.ends_with("%C3") || shown.ends_with("%A9"), "{shown}");
        assert_eq!(rest.find('.'), Some(HASH_DIGITS));
    }

    proptest! {
        #[test]
        fn no_two_collections_share_a_name(a in ".{0,250}", b in ".{0,250}", n in 1_u32..12, m in 1_u32..12) {
            prop_assume!((&a, n) != (&b, m));
            prop_assert_ne!(object_name("db", &a, n), object_name("db", &b, m));
            prop_assert!(object_name("db", &a, n).len() <= 255);
        }
    }
}
