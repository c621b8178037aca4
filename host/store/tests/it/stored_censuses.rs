//! Censuses to be stored: arbitrary bytes, where the content does not matter, and real ones.

use std::{fs::File, io::Write};

use sha2::{Digest, Sha256};
use taster_census::{Builder, Key, Options, Place, Recorded, Recording, Scratch};
use taster_model::{Capture, CensusFacts, ObjectRef};

/// Where a census of `collection` belongs in `capture`.
pub(crate) fn place(capture: &Capture, collection: &str) -> Place {
    Place {
        app: capture.app.clone(),
        run: capture.run.clone(),
        side: capture.side,
        attempt: capture.attempt.clone(),
        probe: "documents".to_owned(),
        id: collection.to_owned(),
        database: capture.server.database.clone(),
        collection: collection.to_owned(),
    }
}

/// As a builder would leave them, with bytes of ours.
pub(crate) fn from_bytes(place: Place, bytes: &[u8]) -> Recorded {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    from_file(place, file, bytes.len() as u64, hex::encode(Sha256::digest(bytes)))
}

pub(crate) fn from_file(place: Place, file: File, length: u64, sha256: String) -> Recorded {
    let (options, sum) = (Options::default(), "00".repeat(16));
    Recorded { place, options, file, length, sha256, documents: 1, bytes: length, sum }
}

/// A real one of so many documents `{_id: n}`.
pub(crate) fn with_documents(place: &Place, documents: i32) -> Recorded {
    let recording = Recording {
        key: Key::from_hex(&"5a".repeat(192)).unwrap(),
        options: Options::default(),
        side: place.side,
        changes: Vec::new(),
        secret: None,
        scratch: Scratch::default(),
    };
    let mut builder = Builder::new(&recording);
    let mut all = Vec::new();
    for n in 0..documents {
        // int32 `_id`
        all.extend_from_slice(&[14, 0, 0, 0, 0x10, b'_', b'i', b'd', 0]);
        all.extend_from_slice(&n.to_le_bytes());
        all.push(0);
    }
    builder.push(&all, 0).unwrap();
    builder.finish(place, 0).unwrap()
}

/// What a capture says of a census that was stored.
pub(crate) fn add_to(capture: &mut Capture, recorded: &Recorded, object: ObjectRef) -> CensusFacts {
    let facts = CensusFacts {
        probe: recorded.place.probe.clone(),
        id: recorded.place.id.clone(),
        collection: recorded.place.collection.clone(),
        object: object.key.clone(),
        documents: recorded.documents,
        bytes: recorded.bytes,
        options: serde_json::to_value(&recorded.options).unwrap(),
        sum: recorded.sum.clone(),
    };
    capture.objects.push(object);
    capture.censuses.push(facts.clone());
    facts
}
