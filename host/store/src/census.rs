//! Censuses: objects too large for memory, and the proof that one is the one that its capture lists.
//!
//! `<run>/pre/<attempt>/<database>.<collection>.census`, a second one of the same collection `….2.census`. Bytes of
//! names other than `A-Z a-z 0-9 _ -` are percent-encoded, so that a dot always separates. File systems want names of at
//! most 255 bytes: where both names together are longer than 160, they are cut there and end in `~` and the first 32
//! hexadecimal digits of the SHA-256 of `database.collection`.

use std::{fmt::Write, io, path::Path, sync::Arc};

use sha2::{Digest, Sha256};
use taster_census::{Census, CensusError, CensusFile, CensusIdentity, ReadAt};
use taster_model::{Capture, CensusFacts, ObjectRef, Side};

use crate::{
    StoreError,
    app::check,
    file::Files,
    objects::{Created, Large, Objects, Opened, Print},
};

/// Bytes of both names together, before they are cut.
const LONGEST: usize = 160;
/// Hexadecimal digits that tell apart what was cut.
const DIGITS: usize = 32;

/// Where the censuses of a run's captures lie.
#[derive(Clone)]
pub struct Censuses {
    objects: Arc<dyn Objects>,
    /// What the keys of a capture are relative to.
    run: String,
}

/// The bytes of a stored census, read in parts. ReadMode blocks.
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
    pub(crate) fn new(objects: Arc<dyn Objects>, run: String) -> Self {
        Self { objects, run }
    }

    /// Those of a capture file somewhere, as the store lays them out: `pre/capture.json` beside `pre/<attempt>/…`,
    /// `post/<attempt>/capture.json` beside the others of its attempt.
    #[must_use]
    pub fn beside(file: &Path, side: Side) -> Self {
        // a link to a capture is not beside its censuses, and `capture.json` alone has no folder
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let up = match side {
            Side::Pre => 2,
            Side::Post => 3,
        };
        let run = file.ancestors().nth(up).unwrap_or(Path::new("/")).join("");
        Self::new(Arc::new(Files::new("/".into())), run.to_string_lossy().into_owned())
    }

    /// Opens a census of `capture`, once it is shown to be the one that the capture lists: by its length and its
    /// checksum, by what it says of its own place, and by what the capture says of its documents.
    pub async fn open(&self, capture: &Capture, facts: &CensusFacts) -> Result<Census<CensusBytes>, StoreError> {
        let object = listed(capture, facts)?;
        let key = format!("{}{}", self.run, object.key);
        let print = Print { length: object.length, sha256: &object.sha256 };
        let bytes = match self.objects.open(&key, print).await? {
            Opened::Confirmed(bytes) => CensusBytes(bytes),
            Opened::Absent => return Err(StoreError::Gone { key }),
            Opened::Other(what) => return Err(StoreError::Damaged { key, what }),
        };
        let census = match tokio::task::spawn_blocking(move || Census::open(bytes)).await {
            Ok(Ok(census)) => census,
            Ok(Err(source)) => return Err(StoreError::Census { key, source }),
            Err(error) => {
                let source = CensusError::Io(io::Error::other(error));
                return Err(StoreError::Census { key, source });
            }
        };
        of_place(&key, census.identity(), capture, facts)?;
        as_told(&key, &census, facts)?;
        Ok(census)
    }

    /// Stores a census under the next free name of its collection. One with the same bytes is one's own, from before a
    /// lost answer: no two censuses of an attempt are of the same probe and id.
    pub(crate) async fn put(&self, recorded: &CensusFile) -> Result<ObjectRef, StoreError> {
        let CensusFile { identity: place, file, length, sha256, .. } = recorded;
        let large = Large { file, print: Print { length: *length, sha256 } };
        let mut number = 1;
        loop {
            let name = object_name(&place.database, &place.collection, number);
            let key = format!("{}/{}/{name}", place.side, place.attempt);
            if self.is_put(&format!("{}{key}", self.run), large).await? {
                return Ok(ObjectRef { key, length: *length, sha256: sha256.clone() });
            }
            number += 1;
        }
    }

    /// Whether the object of that name is this one now; it is not where another one lies there.
    async fn is_put(&self, key: &str, large: Large<'_>) -> Result<bool, StoreError> {
        // asked first: a file is not copied only to find its name taken
        match self.objects.open(key, large.print).await? {
            Opened::Confirmed(_) => return Ok(true),
            Opened::Other(_) => return Ok(false),
            Opened::Absent => {}
        }
        match self.objects.create_from(key, large).await? {
            Created::New => Ok(true),
            // somebody was faster
            Created::Exists => Ok(matches!(self.objects.open(key, large.print).await?, Opened::Confirmed(_))),
        }
    }
}

/// The object of a census, if the capture lists it and it lies where objects of that attempt lie: a key that somebody
/// wrote into a capture must not lead anywhere else.
fn listed<'a>(capture: &'a Capture, facts: &CensusFacts) -> Result<&'a ObjectRef, StoreError> {
    let unlisted = || StoreError::Unlisted { probe: facts.probe.clone(), id: facts.id.clone() };
    let object = capture.objects.iter().find(|object| object.key == facts.object).ok_or_else(unlisted)?;
    let folder = format!("{}/{}/", capture.side, capture.attempt);
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

fn of_place(key: &str, place: &CensusIdentity, capture: &Capture, facts: &CensusFacts) -> Result<(), StoreError> {
    check(key, "app", &place.app, &capture.app)?;
    check(key, "run", &place.run, &capture.run)?;
    check(key, "side", &place.side, &capture.side)?;
    check(key, "attempt", &place.attempt, &capture.attempt)?;
    check(key, "probe", &place.probe, &facts.probe)?;
    check(key, "id", &place.id, &facts.id)?;
    check(key, "database", &place.database, &capture.server.database)?;
    check(key, "collection", &place.collection, &facts.collection)
}

/// What the capture says of a census in short must be what the census says itself: the one is shown, the other compared.
fn as_told(key: &str, census: &Census<CensusBytes>, facts: &CensusFacts) -> Result<(), StoreError> {
    let options = serde_json::to_value(census.options()).map_err(|error| StoreError::damaged(key, error))?;
    let differs = [
        (census.documents() != facts.documents, "number of documents"),
        (census.sum() != facts.sum, "sum"),
        (options != facts.options, "options"),
    ];
    match differs.into_iter().find(|(differs, _)| *differs) {
        Some((_, what)) => Err(StoreError::damaged(key, format!("its {what} is not what its capture says"))),
        None => Ok(()),
    }
}

/// The name of the `number`th census of a collection.
fn object_name(database: &str, collection: &str, number: u32) -> String {
    let mut name = format!("{}.{}", encoded(database), encoded(collection));
    if name.len() > LONGEST {
        // never within an escape, which would read as another character
        let mut end = LONGEST;
        while name.as_bytes()[end - 2..end].contains(&b'%') {
            end -= 1;
        }
        name.truncate(end);
        let digest = hex::encode(Sha256::digest(format!("{database}.{collection}")));
        name = format!("{name}~{}", &digest[..DIGITS]);
    }
    match number {
        0 | 1 => format!("{name}.census"),
        _ => format!("{name}.{number}.census"),
    }
}

fn encoded(name: &str) -> String {
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
    fn names_are_paths_that_cannot_climb_and_fit_every_file_system() {
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
        assert_eq!(rest.find('.'), Some(DIGITS));
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
