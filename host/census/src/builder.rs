//! From documents to a census.

use std::fs::File;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use taster_model::{DeclaredChange, Side};

use crate::{
    CensusError, Key, Options, Place, Scratch,
    document::{self, Found, Look, Plan},
    format::{FORMAT, Header, SCHEMA},
    hash::Hasher,
    paths::PathSums,
    raw,
    record::{self, Record},
    sample::{self, Sample},
    scratch::Partitions,
    seal,
    shape::{self, INLINE, Shapes},
};

/// Type of an id that is written down as its keyed hash. No type of BSON.
pub(crate) const REDACTED: u8 = 0xEF;
/// Bytes of such a hash.
const REDACTED_BYTES: usize = 16;

/// Takes documents in any order and writes their census. Builders of parts of one collection become one by
/// [`Builder::absorb`]; the bytes do not depend on the parts.
pub struct Builder {
    recording: Recording,
    look: Look,
    records: Partitions,
    /// Parts that were taken over, each with shapes of its own.
    parts: Vec<(Shapes, Partitions)>,
    sample: Sample,
    hmac: Option<Hmac<Sha256>>,
    documents: u64,
    bytes: u64,
    found: Found,
    buffer: Vec<u8>,
}

/// How documents are recorded.
#[derive(Clone)]
pub struct Recording {
    /// What digests are keyed with.
    pub key: Key,
    /// What the census covers; see [`Options::of_changes`].
    pub options: Options,
    /// Which side of the sync it is.
    pub side: Side,
    /// What the migration is meant to do to this collection, as far as fields and documents go. On `post`, what is needed
    /// to take these changes off again is recorded too.
    pub changes: Vec<DeclaredChange>,
    /// Key of redacted ids; the census key where there is none.
    pub secret: Option<Vec<u8>>,
    /// Room to work in.
    pub scratch: Scratch,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, options, side, changes, secret: _, scratch } = self;
        f.debug_struct("Recording")
            .field("key", key)
            .field("options", options)
            .field("side", side)
            .field("changes", changes)
            .field("scratch", scratch)
            .finish_non_exhaustive()
    }
}

/// A census that was written, in an unlinked temporary file.
#[derive(Debug)]
pub struct Recorded {
    /// Where it belongs.
    pub place: Place,
    /// Its options.
    pub options: Options,
    /// The bytes, from the beginning of the file.
    pub file: File,
    /// How many.
    pub length: u64,
    /// SHA-256 of them in hexadecimal.
    pub sha256: String,
    /// Documents.
    pub documents: u64,
    /// Bytes of the documents.
    pub bytes: u64,
    /// Sum over all documents, in hexadecimal.
    pub sum: String,
}

impl Builder {
    /// An empty one.
    #[must_use]
    pub fn new(recording: &Recording) -> Self {
        let redacts = recording.options.redaction.as_ref().is_some_and(|redaction| redaction.ids);
        let secret = recording.secret.as_deref().unwrap_or(recording.key.secret());
        let hmac = redacts.then(|| Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length"));
        Self {
            look: Look {
                hasher: Hasher::new(&recording.key),
                plan: Plan::new(&recording.options, recording.side, &recording.changes),
                shapes: Shapes::new(),
                paths: PathSums::default(),
            },
            records: Partitions::new(recording.scratch.clone()),
            parts: Vec::new(),
            sample: Sample::new(recording.options.sample),
            hmac,
            documents: 0,
            bytes: 0,
            found: Found::default(),
            buffer: Vec::new(),
            recording: recording.clone(),
        }
    }

    /// Takes documents back to back; returns how many. `mark` is the number, from 1, of the filter that all of them
    /// match: before the sync of [`Options::leaving`], after it of [`Options::arriving`]; 0 where they match none.
    pub fn push(&mut self, documents: &[u8], mark: u8) -> Result<u64, CensusError> {
        let mut rest = documents;
        let mut count = 0;
        while !rest.is_empty() {
            let (document, after) = raw::first(rest)?;
            self.document(document, mark)?;
            rest = after;
            count += 1;
        }
        Ok(count)
    }

    fn document(&mut self, document: &[u8], mark: u8) -> Result<(), CensusError> {
        let (kind, id) = document::id_of(document);
        let place = self.look.hasher.id(kind, id);
        self.look.at(document, place, &mut self.found);
        let redacted = self.hmac.as_ref().map(|hmac| redact(hmac, kind, id));
        self.keep(document, place, redacted.as_ref());
        let found = &self.found;
        let (kind, id) = redacted.as_ref().map_or((kind, id), |id| (REDACTED, id));
        let record = Record {
            kind,
            id,
            digest: found.digest,
            shape: found.inline.as_deref().unwrap_or_default(),
            mark,
            expiry: found.expiry,
            apart: &found.apart,
            undos: &found.undos,
            fields: &found.fields,
        };
        self.buffer.clear();
        let number = if found.inline.is_some() { INLINE } else { found.shape };
        record::write(&mut self.buffer, self.look.plan.columns, &record, number, Partitions::bits_of(place));
        self.records.push(Partitions::of(place), &self.buffer)?;
        self.documents += 1;
        self.bytes += document.len() as u64;
        Ok(())
    }

    /// Keeps a document whole, where it is one of the sample.
    fn keep(&mut self, document: &[u8], place: u64, id: Option<&[u8; REDACTED_BYTES]>) {
        let hash = self.look.hasher.within(place, place, 1);
        if self.sample.wants(hash, document)
            && let Some(kept) =
                sample::redacted(document, self.recording.options.redaction.as_ref(), id.map(<[u8; 16]>::as_slice))
        {
            self.sample.push(hash, kept);
        }
    }

    /// Takes over what another one, of the same recording, was fed.
    pub fn absorb(&mut self, other: Self) {
        self.look.paths.absorb(other.look.paths);
        self.sample.absorb(other.sample);
        self.parts.push((other.look.shapes, other.records));
        self.parts.extend(other.parts);
        self.documents += other.documents;
        self.bytes += other.bytes;
    }

    /// Writes the census. `now` is the server's time in milliseconds since 1970: what was due to expire before it is
    /// not missed.
    pub fn finish(self, place: &Place, now: i64) -> Result<Recorded, CensusError> {
        let Recording { key, options, changes, scratch, .. } = self.recording;
        let header = Header {
            schema: SCHEMA.to_owned(),
            format: FORMAT,
            key: key.id(),
            place: place.clone(),
            options,
            changes,
            now,
        };
        let Look { plan, shapes, paths, .. } = self.look;
        let mut parts = self.parts;
        parts.push((shapes, self.records));
        let shared = shape::shared(parts.iter().map(|(shapes, _)| shapes)).map(Into::into);
        let records = seal::Records { columns: plan.columns, parts, documents: self.documents, shared };
        let (paths, rest) = paths.finish();
        let footer = crate::format::Footer {
            documents: self.documents,
            bytes: self.bytes,
            paths,
            rest,
            samples: self.sample.finish(),
            ..crate::format::Footer::default()
        };
        seal::write(&header, records, footer, &scratch)
    }
}

fn redact(hmac: &Hmac<Sha256>, kind: u8, id: &[u8]) -> [u8; REDACTED_BYTES] {
    let mut hmac = hmac.clone();
    hmac.update(&[kind]);
    hmac.update(id);
    let hash = hmac.finalize().into_bytes();
    std::array::from_fn(|index| hash[index])
}
