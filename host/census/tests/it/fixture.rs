//! Fixture: takes censuses of documents in memory and compares them.

use std::io::{Read as _, Seek as _};

use bson::RawDocumentBuf;
use taster_census::{
    Census, CensusBuilder, CensusError, CensusIdentity, CensusKey, CensusOptions, CensusSpec, DetailLevel, DiffOptions,
    ScratchSpace, diff,
};
use taster_model::{AttemptId, CensusDifference, DeclaredChange, DocumentSet, RunId, Side};

/// Key, options and declared changes of two censuses.
pub(crate) struct CensusFixture {
    pub(crate) key: CensusKey,
    pub(crate) options: CensusOptions,
    pub(crate) changes: Vec<DeclaredChange>,
    /// Changes that were declared when the baseline was taken, if they differ.
    pub(crate) changes_before: Option<Vec<DeclaredChange>>,
    pub(crate) memory: usize,
    pub(crate) now: i64,
}

/// Documents as bytes, each with its mark.
pub(crate) type Marked = Vec<(Vec<u8>, u8)>;

impl CensusFixture {
    pub(crate) fn new() -> Self {
        Self {
            key: CensusKey::random().unwrap(),
            options: CensusOptions { order_free_digests: true, ..CensusOptions::default() },
            changes: Vec::new(),
            changes_before: None,
            memory: 1 << 20,
            now: 0,
        }
    }

    pub(crate) fn detailed(mut self) -> Self {
        self.options.detail = DetailLevel::Fields;
        self
    }

    pub(crate) fn declares(mut self, changes: serde_json::Value) -> Self {
        self.changes = serde_json::from_value(changes).unwrap();
        self
    }

    pub(crate) fn spec(&self, side: Side) -> CensusSpec {
        let known = self.changes_before.as_ref().unwrap_or(&self.changes);
        let mut options = self.options.clone();
        options.prepare_for_changes(known);
        CensusSpec {
            key: self.key.clone(),
            options,
            side,
            changes: if side == Side::Pre { known.clone() } else { self.changes.clone() },
            secret: None,
            scratch: ScratchSpace { memory: self.memory, ..ScratchSpace::default() },
        }
    }

    /// The bytes of a census of documents that were recorded in several parts.
    pub(crate) fn parts(&self, side: Side, parts: &[Marked]) -> Result<Vec<u8>, CensusError> {
        let spec = self.spec(side);
        let mut builders = parts.iter().map(|part| {
            let mut builder = CensusBuilder::new(&spec);
            for (document, mark) in part {
                builder.push(document, *mark)?;
            }
            Ok::<_, CensusError>(builder)
        });
        let mut whole = builders.next().unwrap()?;
        for part in builders {
            whole.absorb(part?);
        }
        self.written(whole, side)
    }

    /// The bytes of the census of what a builder took.
    pub(crate) fn written(&self, builder: CensusBuilder, side: Side) -> Result<Vec<u8>, CensusError> {
        let mut recorded = builder.finish(&identity(side), self.now)?;
        let mut bytes = Vec::new();
        recorded.file.rewind()?;
        recorded.file.read_to_end(&mut bytes)?;
        assert_eq!(bytes.len() as u64, recorded.length);
        Ok(bytes)
    }

    pub(crate) fn census(&self, side: Side, documents: &[Vec<u8>]) -> Vec<u8> {
        let marked = documents.iter().map(|document| (document.clone(), 0)).collect();
        self.parts(side, &[marked]).unwrap()
    }

    pub(crate) fn compare(&self, before: Vec<u8>, after: Vec<u8>) -> Result<CensusDifference, CensusError> {
        let (before, after) = (Census::open(before)?, Census::open(after)?);
        diff(&before, &after, &DiffOptions { changes: &self.changes, max_ids: 1000, renamed_from: None })
    }

    pub(crate) fn diff(&self, before: &[Vec<u8>], after: &[Vec<u8>]) -> CensusDifference {
        self.compare(self.census(Side::Pre, before), self.census(Side::Post, after)).unwrap()
    }
}

pub(crate) fn identity(side: Side) -> CensusIdentity {
    CensusIdentity {
        app: "pxbbq".parse().unwrap(),
        run: "1764000000".parse::<RunId>().unwrap(),
        side,
        attempt: AttemptId::try_from("01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned()).unwrap(),
        probe: "documents".to_owned(),
        id: "c1".to_owned(),
        database: "pxbbq".to_owned(),
        collection: "orders".to_owned(),
    }
}

pub(crate) fn bytes(documents: impl IntoIterator<Item = RawDocumentBuf>) -> Vec<Vec<u8>> {
    documents.into_iter().map(RawDocumentBuf::into_bytes).collect()
}

/// A document with these fields in BSON.
pub(crate) fn wrapped(fields: &[u8]) -> Vec<u8> {
    let mut document = u32::try_from(fields.len() + 5).unwrap().to_le_bytes().to_vec();
    document.extend_from_slice(fields);
    document.push(0);
    document
}

/// `missing 1: [..] extra 0: [] changed 2: [..] {field: 1}`, for snapshots.
pub(crate) fn summarize(difference: &CensusDifference) -> String {
    let set = |set: &DocumentSet| {
        let ids: Vec<String> = set.ids.iter().map(ToString::to_string).collect();
        let fields: Vec<String> = set.fields.iter().map(|(field, count)| format!("{field}: {count}")).collect();
        format!("{} [{}] {{{}}}", set.count, ids.join(" "), fields.join(", "))
    };
    let documents = &difference.documents;
    let mut lines = vec![format!("{} → {}", difference.before, difference.after)];
    for (name, one) in [
        ("missing", &documents.missing),
        ("extra", &documents.extra),
        ("changed", &documents.changed),
        ("expired", &difference.expired),
    ] {
        if one.count > 0 {
            lines.push(format!("{name} {}", set(one)));
        }
    }
    if !difference.paths.is_empty() {
        lines.push(format!("paths {}", difference.paths.join(" ")));
    }
    for outcome in &difference.changes {
        let unproven = outcome.unproven_reason.as_deref().map(|why| format!(", unproven: {why}")).unwrap_or_default();
        lines.push(format!(
            "{}: happened {}, not {}, already {}{unproven}",
            outcome.change,
            outcome.happened,
            set(&outcome.not_happened),
            outcome.already_before,
        ));
    }
    lines.join("\n")
}
