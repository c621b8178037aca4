//! Takes documents and writes their census.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use taster_model::{DeclaredChange, Side};

use crate::{
    CensusError, CensusFile, CensusIdentity, CensusKey, CensusOptions, DocumentMarks, ScratchSpace,
    document::{self, DocumentDigest, DocumentDigester, RecordPlan},
    format::{FORMAT, Header, SCHEMA},
    hash::Hasher,
    paths::{OrderFreeSums, PathSums},
    raw::{self, FieldOrder},
    record::{self, REDACTED, Record},
    sample::{self, Sample},
    scratch::Partitions,
    shape::{self, INLINE, Shapes},
    write,
};

/// Bytes of the hash of a redacted id.
const REDACTED_BYTES: usize = 16;

/// Takes documents in any order and writes their census. Builders of parts of a collection are combined by
/// [`CensusBuilder::absorb`]; the census does not depend on the parts.
pub struct CensusBuilder {
    spec: CensusSpec,
    digester: DocumentDigester,
    records: Partitions,
    /// Parts of absorbed builders, each with its own shapes.
    parts: Vec<(Shapes, Partitions)>,
    sample: Sample,
    hmac: Option<Hmac<Sha256>>,
    documents: u64,
    bytes: u64,
    digest: DocumentDigest,
    buffer: Vec<u8>,
}

/// How documents are recorded.
#[derive(Clone)]
pub struct CensusSpec {
    /// Key of the digests.
    pub key: CensusKey,
    /// What the census covers; see [`CensusOptions::prepare_for_changes`].
    pub options: CensusOptions,
    /// Whether `pre` or `post` takes the census.
    pub side: Side,
    /// Declared changes of fields and documents of this collection. `post` also records what is needed to reverse them.
    pub changes: Vec<DeclaredChange>,
    /// Key of the hashes of redacted ids. `None`: the census key.
    pub secret: Option<Vec<u8>>,
    /// Memory and folder for temporary records.
    pub scratch: ScratchSpace,
}

impl std::fmt::Debug for CensusSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, options, side, changes, secret: _, scratch } = self;
        f.debug_struct("CensusSpec")
            .field("key", key)
            .field("options", options)
            .field("side", side)
            .field("changes", changes)
            .field("scratch", scratch)
            .finish_non_exhaustive()
    }
}

impl CensusBuilder {
    /// An empty census.
    #[must_use]
    pub fn new(spec: &CensusSpec) -> Self {
        let redacts = spec.options.redaction.as_ref().is_some_and(|redaction| redaction.ids);
        let secret = spec.secret.as_deref().unwrap_or(spec.key.secret());
        let hmac = redacts.then(|| Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length"));
        let order_free = if spec.options.order_free_digests { OrderFreeSums::Included } else { OrderFreeSums::Omitted };
        Self {
            digester: DocumentDigester {
                hasher: Hasher::new(&spec.key),
                plan: RecordPlan::new(&spec.options, spec.side, &spec.changes),
                shapes: Shapes::new(),
                paths: PathSums::new(order_free),
            },
            records: Partitions::new(spec.scratch.clone()),
            parts: Vec::new(),
            sample: Sample::new(spec.options.sample),
            hmac,
            documents: 0,
            bytes: 0,
            digest: DocumentDigest::default(),
            buffer: Vec::new(),
            spec: spec.clone(),
        }
    }

    /// Takes documents that are stored back to back; returns how many. `mark` is [`DocumentMarks::filter`]; none of them is
    /// in a partial TTL index.
    pub fn push(&mut self, documents: &[u8], mark: u8) -> Result<u64, CensusError> {
        self.push_marked(documents, DocumentMarks { filter: mark, expiries: 0 })
    }

    /// Takes documents that are stored back to back; returns how many.
    pub fn push_marked(&mut self, documents: &[u8], marks: DocumentMarks) -> Result<u64, CensusError> {
        let mut rest = documents;
        let mut count = 0;
        while !rest.is_empty() {
            let (document, after) = raw::split_first_document(rest)?;
            let CensusOptions { unordered, any_order, .. } = self.spec.options;
            if any_order {
                self.document(&raw::with_sorted_fields(document, FieldOrder::AnyDepth), marks)?;
            } else if unordered {
                self.document(&raw::with_sorted_fields(document, FieldOrder::TopLevel), marks)?;
            } else {
                self.document(document, marks)?;
            }
            rest = after;
            count += 1;
        }
        Ok(count)
    }

    fn document(&mut self, document: &[u8], marks: DocumentMarks) -> Result<(), CensusError> {
        let (kind, id) = document::id_of(document);
        let id_hash = self.digester.hasher.id_hash(kind, id);
        self.digester.digest(document, id_hash, &mut self.digest);
        self.digest.expiry = self.digester.plan.expiry(document, marks.expiries);
        let redacted = self.hmac.as_ref().map(|hmac| redact(hmac, kind, id));
        self.keep_sample(document, id_hash, redacted.as_ref());
        let digest = &self.digest;
        let (kind, id) = redacted.as_ref().map_or((kind, id), |id| (REDACTED, id));
        let record = Record {
            kind,
            id,
            digest: digest.digest,
            shape: digest.inline.as_deref().unwrap_or_default(),
            mark: marks.filter,
            expiry: digest.expiry,
            separate: &digest.separate,
            converted: &digest.converted,
            undos: &digest.undos,
            fields: &digest.fields,
        };
        self.buffer.clear();
        let number = if digest.inline.is_some() { INLINE } else { digest.shape };
        record::write(&mut self.buffer, self.digester.plan.columns, &record, number, Partitions::bucket_bits(id_hash));
        self.records.push(Partitions::index_of(id_hash), &self.buffer)?;
        self.documents += 1;
        self.bytes += document.len() as u64;
        Ok(())
    }

    /// Keeps the whole document if it belongs to the sample.
    fn keep_sample(&mut self, document: &[u8], id_hash: u64, id: Option<&[u8; REDACTED_BYTES]>) {
        let hash = self.digester.hasher.mix(id_hash, id_hash, 1);
        if self.sample.wants(hash, document)
            && let Some(kept) =
                sample::redact_document(document, self.spec.options.redaction.as_ref(), id.map(<[u8; 16]>::as_slice))
        {
            self.sample.push(hash, kept);
        }
    }

    /// Takes over the documents of another builder of the same spec.
    pub fn absorb(&mut self, other: Self) {
        self.digester.paths.absorb(other.digester.paths);
        self.sample.absorb(other.sample);
        self.parts.push((other.digester.shapes, other.records));
        self.parts.extend(other.parts);
        self.documents += other.documents;
        self.bytes += other.bytes;
    }

    /// Writes the census. `now` is the server's time in milliseconds since 1970: documents that were due to expire before
    /// it are not reported as missing.
    pub fn finish(self, identity: &CensusIdentity, now: i64) -> Result<CensusFile, CensusError> {
        let CensusSpec { key, options, changes, scratch, .. } = self.spec;
        let header = Header {
            schema: SCHEMA.to_owned(),
            format: FORMAT,
            key: key.id(),
            identity: identity.clone(),
            options,
            changes,
            now,
        };
        let DocumentDigester { plan, shapes, paths, .. } = self.digester;
        let mut parts = self.parts;
        parts.push((shapes, self.records));
        let shared = shape::shared(parts.iter().map(|(shapes, _)| shapes)).map(Into::into);
        let records = write::Records { columns: plan.columns, parts, documents: self.documents, shared };
        let (paths, rest) = paths.finish();
        let footer = crate::format::Footer {
            documents: self.documents,
            bytes: self.bytes,
            paths,
            rest,
            samples: self.sample.finish(),
            ..crate::format::Footer::default()
        };
        write::write(&header, records, footer, &scratch)
    }
}

fn redact(hmac: &Hmac<Sha256>, kind: u8, id: &[u8]) -> [u8; REDACTED_BYTES] {
    let mut hmac = hmac.clone();
    hmac.update(&[kind]);
    hmac.update(id);
    let hash = hmac.finalize().into_bytes();
    std::array::from_fn(|index| hash[index])
}
