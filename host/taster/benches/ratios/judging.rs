//! Judging stored captures and rendering the verdict: what one change costs must not depend on how many there are.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, Instant},
};

use bson::doc;
use taster_census::{CensusBuilder, CensusIdentity, CensusKey, CensusOptions, CensusSpec, ScratchSpace};
use taster_flow::{Rules, StoredCapture};
use taster_model::{Capture, Side, VerdictDocument};
use taster_report::{html, human, junit, markdown};
use taster_store::Censuses;
use taster_testkit::changed_captures::{self, ChangedCaptures};

use crate::{
    Outcome, median,
    table::{Goal, Table},
};

/// How much longer one change may take where there are more of them: the caches of the processor hold fewer of them.
const GROWTH: Goal = Goal::AtMost(2.0);

/// Captures of two sizes in which everything changed.
struct Case {
    what: &'static str,
    sizes: [usize; 2],
    generate: fn(usize) -> ChangedCaptures,
    /// Seconds for the larger.
    goal: f64,
}

const CASES: [Case; 3] = [
    Case { what: "changed collections", sizes: [1500, 10_000], generate: changed_captures::of_collections, goal: 10.0 },
    Case { what: "changed metrics", sizes: [1000, 10_000], generate: changed_captures::of_metrics, goal: 1.0 },
    Case { what: "changed documents", sizes: [2000, 20_000], generate: changed_captures::of_documents, goal: 1.0 },
];

/// Judges captures of every case and size, and renders the verdicts.
pub(crate) async fn measure(rounds: usize, table: &mut Table) -> Outcome<()> {
    for Case { what, sizes, generate, goal } in CASES {
        let mut judged = Vec::new();
        let mut rendered = Vec::new();
        for size in sizes {
            let mut pair = generate(size);
            let changed = if what == "changed documents" { size } else { 1 };
            let stored = StoredPair::store(&mut pair, changed)?;
            let mut times = Vec::new();
            for _ in 0..rounds {
                let begun = Instant::now();
                std::hint::black_box(stored.judge(&pair, size).await);
                times.push(begun.elapsed());
            }
            judged.push(median(&mut times));
            rendered.push(render(&stored.judge(&pair, size).await, rounds)?);
        }
        let many = taster_text::grouped(sizes[1] as u64);
        let growth = |times: [Duration; 2]| {
            let [few, more] = times.map(|time| time.as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let [small, large] = sizes.map(|size| size as f64);
            (more / large) / (few / small)
        };
        let few = taster_text::grouped(sizes[0] as u64);
        table.line(&format!("judging {many} {what}"), judged[1].as_secs_f64(), "s", Goal::AtMost(goal));
        table.ratio(&format!("each of them / each of {few}"), growth([judged[0], judged[1]]), GROWTH);
        for ((format, few_time), (_, time)) in rendered[0].iter().zip(&rendered[1]) {
            table.line(&format!("{many} {what} {format}"), time.as_secs_f64(), "s", Goal::AtMost(goal));
            // what takes no time does not grow
            if *time > Duration::from_millis(10) {
                table.ratio(&format!("each of them / each of {few}"), growth([*few_time, *time]), GROWTH);
            }
        }
    }
    Ok(())
}

/// How long each format takes.
fn render(verdict: &VerdictDocument, rounds: usize) -> Outcome<Vec<(&'static str, Duration)>> {
    type Writer = fn(&VerdictDocument) -> Outcome<String>;
    let formats: [(&'static str, Writer); 5] = [
        ("for a terminal", |verdict| Ok(human::verdict(verdict))),
        ("as Markdown", |verdict| Ok(markdown::verdict(verdict))),
        ("as HTML", |verdict| Ok(html::report(verdict, &html::ReportContext::default()))),
        ("as JUnit", |verdict| Ok(junit::verdict(verdict)?)),
        ("as JSON", |verdict| Ok(serde_json::to_string_pretty(verdict)?)),
    ];
    let mut medians = Vec::new();
    for (format, write) in formats {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let begun = Instant::now();
            std::hint::black_box(write(verdict)?);
            times.push(begun.elapsed());
        }
        medians.push((format, median(&mut times)));
    }
    Ok(medians)
}

/// The censuses of two captures in the layout of a store.
struct StoredPair {
    censuses: Censuses,
    _folder: tempfile::TempDir,
}

impl StoredPair {
    /// Writes a census for each that the captures list: in each, so many documents changed and one is missing.
    fn store(pair: &mut ChangedCaptures, changed: usize) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let key = CensusKey::random()?;
        for capture in [&mut pair.before, &mut pair.after] {
            std::fs::create_dir_all(folder.path().join(format!("{}/{}", capture.side, capture.attempt)))?;
            store_censuses(folder.path(), capture, &key, changed)?;
        }
        let censuses = Censuses::beside_capture(&folder.path().join("pre/capture.json"), Side::Pre);
        Ok(Self { censuses, _folder: folder })
    }

    async fn judge(&self, pair: &ChangedCaptures, max_ids: usize) -> VerdictDocument {
        let rules = Rules {
            expectations: &pair.expectations,
            changes: &pair.changes,
            required_censuses: &pair.required,
            max_ids,
            ..Rules::default()
        };
        let side = |capture| StoredCapture { capture, censuses: &self.censuses };
        taster_flow::verdict_document(Some(side(&pair.before)), side(&pair.after), rules).await
    }
}

fn store_censuses(folder: &Path, capture: &mut Capture, key: &CensusKey, changed: usize) -> Outcome<()> {
    let spec = CensusSpec {
        key: key.clone(),
        options: CensusOptions::default(),
        side: capture.side,
        changes: Vec::new(),
        secret: None,
        scratch: ScratchSpace::default(),
    };
    let after = capture.side == Side::Post;
    let mut documents = Vec::new();
    for id in 0..i64::try_from(changed)? + if after { 1 } else { 2 } {
        let is_changed = after && id < i64::try_from(changed)?;
        documents
            .extend(bson::serialize_to_vec(&doc! {"_id": id, "status": if is_changed { "eaten" } else { "open" }})?);
    }
    for (facts, object) in capture.censuses.iter_mut().zip(&mut capture.objects) {
        let place = CensusIdentity {
            app: capture.app.clone(),
            run: capture.run.clone(),
            side: capture.side,
            attempt: capture.attempt.clone(),
            probe: facts.probe.clone(),
            id: facts.id.clone(),
            database: capture.server.database.clone(),
            collection: facts.collection.clone(),
        };
        let mut builder = CensusBuilder::new(&spec);
        builder.push(&documents, 0)?;
        let mut census = builder.finish(&place, 0)?;
        io::copy(&mut census.file, &mut File::create(folder.join(&object.key))?)?;
        (object.length, object.sha256) = (census.length, census.sha256);
        (facts.documents, facts.bytes, facts.sum) = (census.documents, census.bytes, census.sum);
        facts.options = serde_json::to_value(&census.options)?;
    }
    Ok(())
}
