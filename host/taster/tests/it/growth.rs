//! What judging and rendering cost grows with what changed, and not with its square: with ten thousand collections that is the
//! difference between seconds and hours.

use std::{hint::black_box, path::Path, time::Duration};

use taster_flow::{Rules, StoredCapture};
use taster_judge::JudgementInput;
use taster_model::{Side, VerdictDocument, schema};
use taster_report::{html, junit, markdown};
use taster_store::Censuses;
use taster_testkit::changed_captures::{self, ChangedCaptures};

/// How much larger the larger captures are.
const FACTOR: usize = 8;
/// How much more time they may take: a square would be 64 times.
const MAX_FACTOR: u32 = 20;
/// How often each is measured. The least counts: what else the machine does makes nothing faster.
const TRIES: usize = 3;

/// The kernel may account for a thread's time only once in so long.
const TICK: Duration = Duration::from_millis(5);

/// The time that this thread was running: what other threads and processes do does not count.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the scheduler's statistics");
    let nanoseconds = stat.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_else(|| panic!("no time: {stat}")))
}

fn measure<T>(work: impl Fn() -> T) -> Duration {
    let once = || {
        let started = thread_time();
        black_box(work());
        thread_time().saturating_sub(started)
    };
    (0..TRIES).map(|_| once()).min().unwrap_or_default()
}

/// Measures `work` on small and on large input.
fn assert_growth<I, T>(what: &str, [small, large]: &[I; 2], work: impl Fn(&I) -> T) {
    let [little, much] = [small, large].map(|input| measure(|| work(input)));
    assert!(much <= little.max(TICK) * MAX_FACTOR, "{what}: {little:?}, and {much:?} for {FACTOR} times as many");
}

/// Makes captures of which so many things changed.
type Generate = fn(usize) -> ChangedCaptures;
/// Renders a verdict.
type Write = fn(&VerdictDocument) -> String;

fn pairs(size: usize, generate: Generate) -> [ChangedCaptures; 2] {
    [size, size * FACTOR].map(generate)
}

fn judge(pair: &ChangedCaptures) -> VerdictDocument {
    let ChangedCaptures { before, after, differences, expectations, changes, required } = pair;
    let judgement = taster_judge::judge(&JudgementInput {
        expectations,
        changes,
        differences,
        required_censuses: required,
        ..JudgementInput::new(Some(before), after)
    });
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: after.app.clone(),
        run: after.run.clone(),
        attempt: after.attempt.clone(),
        verdict: judgement.verdict,
        taster: taster_model::VERSION.to_owned(),
        before: Some(taster_flow::side_summary(before)),
        after: taster_flow::side_summary(after),
        findings: judgement.findings,
        uncovered: judgement.uncovered,
        evidence: judgement.evidence,
        added: Vec::new(),
        remedy: None,
    }
}

#[test]
fn judging_grows_with_what_changed() {
    let cases: [(&str, usize, Generate); 4] = [
        ("collections", 200, changed_captures::of_collections),
        ("metrics", 500, changed_captures::of_metrics),
        ("documents", 500, changed_captures::of_documents),
        ("fields", 100, changed_captures::of_fields),
    ];
    for (what, size, generate) in cases {
        assert_growth(&format!("judging {what}"), &pairs(size, generate), judge);
    }
}

#[test]
fn rendering_grows_with_what_changed() {
    let cases: [(&str, usize, Generate); 2] =
        [("collections", 100, changed_captures::of_collections), ("documents", 500, changed_captures::of_documents)];
    for (what, size, generate) in cases {
        let documents = pairs(size, generate).map(|pair| judge(&pair));
        let written: [(&str, Write); 4] = [
            ("as Markdown", markdown::verdict),
            ("as HTML", |document| html::report(document, &html::ReportContext::default())),
            ("as JUnit", |document| junit::verdict(document).expect("XML")),
            ("as JSON", |document| serde_json::to_string_pretty(document).expect("JSON")),
        ];
        for (format, write) in written {
            assert_growth(&format!("{what} {format}"), &documents, write);
        }
    }
}

/// Nothing is stored here, so that what is left is to find each census and its object.
#[test]
fn finding_censuses_grows_with_their_number() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let censuses = Censuses::beside_capture(Path::new("/nowhere/pre/capture.json"), Side::Pre);
    let mut pairs = pairs(500, changed_captures::of_collections);
    for pair in &mut pairs {
        // they are listed, last, and under keys that lead nowhere
        for capture in [&mut pair.before, &mut pair.after] {
            capture.objects.iter_mut().for_each(|object| object.key.push('!'));
            capture.censuses.iter_mut().for_each(|census| census.object.push('!'));
        }
    }
    assert_growth("finding censuses", &pairs, |pair| {
        let [before, after] = [&pair.before, &pair.after].map(|capture| StoredCapture { capture, censuses: &censuses });
        let rules = Rules { changes: &pair.changes, ..Rules::default() };
        runtime.block_on(taster_flow::verdict_document(Some(before), after, rules))
    });
}
