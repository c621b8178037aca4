//! Censuses for tests: arbitrary bytes, where the store does not read them, and real ones.

use std::{fs::File, io::Write};

use sha2::{Digest, Sha256};
use taster_census::{CensusBuilder, CensusFile, CensusIdentity, CensusKey, CensusOptions, CensusSpec, ScratchSpace};
use taster_model::{Capture, CensusFacts, ObjectRef};

/// The place of a census of `collection` in `capture`.
pub(crate) fn place(capture: &Capture, collection: &str) -> CensusIdentity {
    CensusIdentity {
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

/// A recorded census with these bytes.
pub(crate) fn from_bytes(place: CensusIdentity, bytes: &[u8]) -> CensusFile {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    from_file(place, file, bytes.len() as u64, hex::encode(Sha256::digest(bytes)))
}

pub(crate) fn from_file(place: CensusIdentity, file: File, length: u64, sha256: String) -> CensusFile {
    let (options, sum) = (CensusOptions::default(), "00".repeat(16));
    CensusFile { identity: place, options, file, length, sha256, documents: 1, bytes: length, sum }
}

/// A real census of documents `{_id: n}`.
pub(crate) fn with_documents(place: &CensusIdentity, documents: i32) -> CensusFile {
    let recording = CensusSpec {
        key: CensusKey::from_hex(&"5a".repeat(192)).unwrap(),
        options: CensusOptions::default(),
        side: place.side,
        changes: Vec::new(),
        secret: None,
        scratch: ScratchSpace::default(),
    };
    let mut builder = CensusBuilder::new(&recording);
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

/// Lists a stored census in its capture.
pub(crate) fn add_to(capture: &mut Capture, recorded: &CensusFile, object: ObjectRef) -> CensusFacts {
    let facts = CensusFacts {
        probe: recorded.identity.probe.clone(),
        id: recorded.identity.id.clone(),
        collection: recorded.identity.collection.clone(),
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
