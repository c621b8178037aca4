//! The census: what it stores, how much memory that takes, and what a comparison reads, of ten times as many documents as
//! are scanned.

use std::time::{Duration, Instant};

use taster_census::{
    Census, CensusBuilder, CensusFile, CensusIdentity, CensusKey, CensusOptions, CensusSpec, DiffOptions, ScratchSpace,
    diff,
};
use taster_model::{AttemptId, RunId, Side};
use taster_query::CensusEnv;

use crate::{
    Outcome, bucket, data, memory,
    scans::Stage,
    table::{Goal, Table},
};

/// Documents that differ: half of them are gone, half are changed.
const DIFFERENCES: u64 = 1000;
/// Documents that are made at a time.
const BATCH: u64 = 4096;

/// What the host needs to record censuses.
pub(crate) fn env(key: CensusKey) -> CensusEnv {
    CensusEnv {
        key,
        app: "bench".parse().expect("`bench` is a name"),
        run: RunId::generate(),
        side: Side::Pre,
        attempt: AttemptId::generate(),
        changes: Vec::new(),
        baseline: Vec::new(),
        redaction: None,
        secret: None,
        scratch: ScratchSpace::default(),
        disk_bytes: u64::MAX,
        cursors: 1,
        deadline: Duration::from_hours(1),
    }
}

/// Takes two censuses of very many documents and compares them.
pub(crate) async fn measure(stage: &Stage, table: &mut Table) -> Outcome<()> {
    let documents = stage.size.documents * 10;
    let many = taster_text::grouped(documents);
    let key = CensusKey::random()?;
    memory::forget_peak()?;
    let before = record(&key, Side::Pre, documents)?;
    let after = record(&key, Side::Post, documents)?;
    table.line(&format!("peak memory, census of {many} documents"), memory::peak_mib()?, "MiB", Goal::AtMost(128.0));
    let stored = before.length;
    table.line("stored census, a document", ratio(stored, documents), "B", Goal::AtMost(11.0));

    bucket::measure(&before, &many, table).await?;

    let (before, after) = (Census::open(before.file)?, Census::open(after.file)?);
    let comparing = DiffOptions { changes: &[], max_ids: 1000, renamed_from: None };
    let begun = Instant::now();
    let difference = diff(&before, &after, &comparing)?;
    let took = begun.elapsed();
    let found = difference.documents.missing.count + difference.documents.changed.count;
    if found != DIFFERENCES || !difference.documents.extra.ids.is_empty() {
        return Err(format!("the comparison found {found} of {DIFFERENCES} differences").into());
    }
    let what = format!("compare two of {many}, {DIFFERENCES} differences");
    table.line(&what, took.as_secs_f64(), "s", Goal::AtMost(1.0));
    table.line("the same: read of what is stored", ratio(before.bytes_read(), stored) * 100.0, "%", Goal::AtMost(2.0));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a census has fewer than 2^53 bytes")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn record(key: &CensusKey, side: Side, documents: u64) -> Outcome<CensusFile> {
    let recording = CensusSpec {
        key: key.clone(),
        options: CensusOptions::default(),
        side,
        changes: Vec::new(),
        secret: None,
        scratch: ScratchSpace::default(),
    };
    let mut builder = CensusBuilder::new(&recording);
    // spread over the whole collection, as a bad migration's are
    let every = documents / (DIFFERENCES / 2);
    let mut next = 0;
    while next < documents {
        let end = documents.min(next + BATCH);
        let mut batch = Vec::with_capacity(data::DOCUMENT_BYTES * BATCH as usize);
        for index in next..end {
            let change = if side == Side::Post { index % every } else { 0 };
            if change == 1 {
                continue;
            }
            let mut document = data::document(index).into_bytes();
            if change == 2 {
                // the last letter of the note
                let last = document.len() - 3;
                document[last] = b'm';
            }
            batch.extend_from_slice(&document);
        }
        builder.push(&batch, 0)?;
        next = end;
    }
    let place = CensusIdentity {
        app: "bench".parse()?,
        run: RunId::generate(),
        side,
        attempt: AttemptId::generate(),
        probe: "bench".to_owned(),
        id: "c1".to_owned(),
        database: data::DATABASE.to_owned(),
        collection: data::LARGE.to_owned(),
    };
    Ok(builder.finish(&place, 0)?)
}
