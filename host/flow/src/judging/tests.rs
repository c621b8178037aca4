//! What a report names as the next step, for every reason that can decide a verdict.

use std::{num::NonZeroU32, path::Path, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use taster_model::{
    Acceptance, CollectionFacts, Failure, Labels, Metric, ReplicaMember, ResultsVersion, ServerFacts, Side, Value,
};
use taster_report::{
    html::{self, ReportContext},
    human, markdown,
};
use taster_store::Censuses;
use taster_testkit::captures;

use super::*;

/// Every text of `remedy_for`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    NewCopy,
    Witness,
    SameServer,
    Configuration,
    Component,
    BaselineAge,
    Undo,
    Reloaded,
    Mend,
}

impl Next {
    const ALL: [Self; 9] = [
        Self::NewCopy,
        Self::Witness,
        Self::SameServer,
        Self::Configuration,
        Self::Component,
        Self::BaselineAge,
        Self::Undo,
        Self::Reloaded,
        Self::Mend,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::NewCopy => "run the sync again: the next `taster pre` takes its baseline from the new copy",
            Self::Witness => {
                "grant the user `find` on `local.startup_log` and run the sync again; or, if you know that the data are right, \
                 `taster accept r1 --reason \"…\"`"
            }
            Self::SameServer => {
                "read the server that was read before the sync and run `taster post --run r1` again; or, if you know that the \
                 data are right, `taster accept r1 --reason \"…\"`"
            }
            Self::Configuration => {
                "restore what was changed in the configuration since the baseline and run `taster post --run r1` again; or, \
                 if you know that the data are right, `taster accept r1 --reason \"…\"`; or `taster baseline drop --reason \
                 \"…\"`: the next `taster pre` takes a new baseline"
            }
            Self::Component => {
                "run `taster post --run r1` with the release of Taster that recorded the baseline, or put the earlier component \
                 back and run it again; or, if you know that the data are right, `taster accept r1 --reason \"…\"`; or `taster \
                 baseline drop --reason \"…\"`: the next `taster pre` takes a new baseline"
            }
            Self::BaselineAge => {
                "if you know that the data are right, `taster accept r1 --reason \"…\"`: the next `taster pre` takes a new \
                 baseline; or raise `maxBaselineAge` and run `taster post --run r1` again"
            }
            Self::Undo => {
                "restore what is missing and run `taster post --run r1` again; or, if the change is right, \
                 `taster accept r1 --reason \"…\"`"
            }
            Self::Reloaded => {
                "restore what is missing and run `taster post --run r1` again; or, if the change is right, \
                 `taster accept r1 --reason \"…\"`; or, if the database was loaded anew by hand, `taster baseline drop --reason \
                 \"…\"`"
            }
            Self::Mend => {
                "correct what made it unknown and run `taster post --run r1` again; or, if you know that the data are right, \
                 `taster accept r1 --reason \"…\"`; or, if the baseline is of no use, `taster baseline drop --reason \"…\"`"
            }
        }
    }

    /// Changes two captures that are the same into two whose verdict leads to this text.
    fn arrange(self, before: &mut Capture, after: &mut Capture) {
        match self {
            Self::NewCopy => after.server = server("p2", &["another-copy"]),
            Self::Witness => after.server = server("p2", &[]),
            Self::SameServer => {
                (before.data, after.data) = (DataKind::Live, DataKind::Live);
                before.server.hosts = Some("db:27017".to_owned());
                after.server = ServerFacts { hosts: Some("other:27017".to_owned()), ..server("p2", &["other-1"]) };
            }
            Self::Configuration => after.probes[0].options_sha256.push('x'),
            Self::Component => {
                let results = |version| Some(ResultsVersion { probe: "group-report".to_owned(), version });
                before.probes[0].results = results(NonZeroU32::MIN);
                after.probes[0].results = results(NonZeroU32::MIN.saturating_add(1));
                after.probes[0].sha256 = "ef".repeat(32);
            }
            Self::BaselineAge => before.started -= SignedDuration::from_hours(8 * 24),
            Self::Undo => after.probes = vec![counts(4)],
            Self::Reloaded => {
                (before.collections, after.collections) = (orders("o1"), orders("o2"));
                after.probes = vec![counts(4)];
            }
            Self::Mend => after.probes[0].outcome = ProbeOutcome::Failed(Failure::from_probe("no")),
        }
    }
}

fn server(process: &str, startups: &[&str]) -> ServerFacts {
    let startups = startups.iter().map(|&start| start.to_owned()).collect();
    let member = ReplicaMember { host: None, process_id: Some(process.to_owned()), startups };
    ServerFacts { process_id: Some(process.to_owned()), members: vec![member], ..captures::server() }
}

/// The collection `orders` with this UUID.
fn orders(uuid: &str) -> Vec<CollectionFacts> {
    vec![CollectionFacts { name: "orders".to_owned(), uuid: Some(uuid.to_owned()), ..CollectionFacts::default() }]
}

fn counts(orders: i64) -> ProbeRecord {
    let value = Value::Integer(orders);
    let orders = Metric { name: "orders".to_owned(), labels: Labels::new(), value, unit: "1".to_owned() };
    captures::probe("counts", ProbeOutcome::Metrics(vec![orders]))
}

fn capture(side: Side) -> Capture {
    Capture { server: server("p1", &["stage-1"]), probes: vec![counts(5)], ..captures::empty("r1", side) }
}

async fn judged(before: &Capture, after: &Capture) -> VerdictDocument {
    let rules = Rules { max_baseline_age: Some(Duration::from_hours(7 * 24)), ..Rules::default() };
    // no capture here has a census
    let censuses = [before, after].map(|capture| Censuses::beside_capture(Path::new("capture.json"), capture.side));
    let [before, after] =
        [(before, &censuses[0]), (after, &censuses[1])].map(|(capture, censuses)| StoredCapture { capture, censuses });
    verdict_document(Some(before), after, rules).await
}

/// In which formats the verdict names a next step.
fn next_steps(document: &VerdictDocument, accepted: Option<&Acceptance>) -> [bool; 3] {
    let page = html::report(document, &ReportContext { accepted, ..ReportContext::default() });
    [
        human::verdict_accepted(document, accepted).contains("\nNext: "),
        markdown::verdict_accepted(document, accepted).contains("**Next:** "),
        page.contains("<span class=\"label\">Next</span>"),
    ]
}

#[tokio::test]
async fn each_text_follows_from_its_findings_and_goes_once_the_run_is_accepted() {
    for next in Next::ALL {
        let (mut before, mut after) = (capture(Side::Pre), capture(Side::Post));
        next.arrange(&mut before, &mut after);
        let document = judged(&before, &after).await;
        assert_eq!(document.remedy.as_deref(), Some(next.text()), "{next:?}: {:?}", document.findings);
        assert_eq!(next_steps(&document, None), [true; 3], "{next:?}");
        let accepted = Acceptance {
            schema: schema::ACCEPTED.to_owned(),
            app: document.app.clone(),
            run: document.run.clone(),
            verdict: document.verdict,
            attempt: document.attempt.clone(),
            who: "ann".to_owned(),
            reason: "looked at by hand".to_owned(),
            at: after.finished,
        };
        assert_eq!(next_steps(&document, Some(&accepted)), [false; 3], "{next:?}");
        let of_another = Acceptance { attempt: before.attempt.clone(), ..accepted };
        assert_eq!(next_steps(&document, Some(&of_another)), [true; 3], "{next:?}: another attempt was accepted");
    }
    let same = judged(&capture(Side::Pre), &capture(Side::Post)).await;
    assert_eq!((same.verdict, &same.remedy), (Verdict::Same, &None), "{:?}", same.findings);
    assert_eq!(next_steps(&same, None), [false; 3]);
}

/// What an `unknown` of this reason leads to. Without a default, so that a new reason gets a row.
fn next_of(code: ReasonCode) -> Next {
    match code {
        ReasonCode::CopyReplaced => Next::NewCopy,
        ReasonCode::CopyUnwitnessed => Next::Witness,
        ReasonCode::ServerChanged => Next::SameServer,
        ReasonCode::OptionsChanged | ReasonCode::ProbeOnOneSide => Next::Configuration,
        ReasonCode::ComponentChanged => Next::Component,
        ReasonCode::BaselineTooOld => Next::BaselineAge,
        // `post` replaces the text of `NoBaseline`: see `missing_baseline`
        ReasonCode::NoBaseline
        | ReasonCode::Unchanged
        | ReasonCode::Allowed
        | ReasonCode::Changed
        | ReasonCode::ZeroAgainstZero
        | ReasonCode::OnlyBefore
        | ReasonCode::OnlyAfter
        | ReasonCode::RuleMisfit
        | ReasonCode::KindChanged
        | ReasonCode::NotComparable
        | ReasonCode::FailedBefore
        | ReasonCode::FailedAfter
        | ReasonCode::ExpectationUnmatched
        | ReasonCode::NothingGating
        | ReasonCode::EvidenceMissing
        | ReasonCode::CollectionGone
        | ReasonCode::CollectionRecreated
        | ReasonCode::UncoveredChanged
        | ReasonCode::DefinitionChanged
        | ReasonCode::IndexBuilding
        | ReasonCode::SnapshotLost
        | ReasonCode::SnapshotNotReached
        | ReasonCode::Unstable
        | ReasonCode::NotDeterministic
        | ReasonCode::DeclaredChange
        | ReasonCode::ChangeMissing
        | ReasonCode::ChangeUnproven
        | ReasonCode::CensusUnreadable => Next::Mend,
    }
}

/// A finding about a value that decreased.
fn finding(outcome: FindingOutcome, code: ReasonCode) -> Finding {
    let finding = json!({"outcome": outcome, "severity": "fail", "code": code, "reason": "r", "before": 5, "after": 4});
    serde_json::from_value(finding).unwrap()
}

fn remedy(verdict: Verdict, findings: Vec<Finding>, data: DataKind) -> Option<String> {
    let judgement = Judgement { verdict, findings, uncovered: Vec::new(), evidence: Vec::new() };
    remedy_for(&judgement, reason_of_baseline(&judgement), &Capture { data, ..capture(Side::Post) })
}

#[test]
fn every_reason_leads_to_its_text() {
    for code in ReasonCode::ALL {
        let next = next_of(code);
        let unknown = vec![finding(FindingOutcome::Unknown, code)];
        assert_eq!(remedy(Verdict::Unknown, unknown.clone(), DataKind::Copy).as_deref(), Some(next.text()), "{code:?}");
        // a difference beside it decides; only where the data may be other data, that comes first
        let mut different = unknown;
        different.push(finding(FindingOutcome::Different, ReasonCode::Changed));
        let next = match next {
            _ if code == ReasonCode::CollectionRecreated => Next::Reloaded,
            Next::Configuration | Next::Component | Next::Mend => Next::Undo,
            next => next,
        };
        let shown = remedy(Verdict::Different, different, DataKind::Copy);
        assert_eq!(shown.as_deref(), Some(next.text()), "{code:?}");
    }
    // what does not decide leads nowhere
    let muted = Finding { muted: true, ..finding(FindingOutcome::Unknown, ReasonCode::CopyReplaced) };
    let deciding = finding(FindingOutcome::Unknown, ReasonCode::FailedAfter);
    let shown = remedy(Verdict::Unknown, vec![muted, deciding], DataKind::Copy);
    assert_eq!(shown.as_deref(), Some(Next::Mend.text()));
}

#[test]
fn what_differs_says_what_to_restore_or_to_remove() {
    for (data, [missing, changed, extra], is_fewer, expected) in [
        (DataKind::Copy, [0, 0, 3], true, "stop whatever writes to the copy, remove the extra documents"),
        (DataKind::Live, [0, 0, 3], true, "remove the extra documents"),
        (DataKind::Copy, [2, 0, 0], false, "restore what is missing"),
        (DataKind::Copy, [2, 0, 3], false, "restore what is missing"),
        (DataKind::Copy, [0, 2, 0], true, "restore what changed"),
        (DataKind::Copy, [0, 2, 3], true, "restore what changed"),
        (DataKind::Copy, [2, 2, 0], false, "restore what is missing and what changed"),
        (DataKind::Copy, [0, 0, 0], true, "restore what is missing"),
        (DataKind::Copy, [0, 0, 0], false, "undo what changed"),
    ] {
        let documents: DifferingDocuments = serde_json::from_value(json!({
            "missing": {"count": missing, "ids": []},
            "changed": {"count": changed, "ids": []},
            "extra": {"count": extra, "ids": []},
        }))
        .unwrap();
        let mut different =
            Finding { documents: Some(documents), ..finding(FindingOutcome::Different, ReasonCode::Changed) };
        if !is_fewer {
            std::mem::swap(&mut different.before, &mut different.after);
        }
        // muted: its documents are not restored
        let mut muted = Finding { muted: true, ..different.clone() };
        muted.documents.as_mut().unwrap().missing.count = 9;
        muted.documents.as_mut().unwrap().changed.count = 9;
        let shown = remedy(Verdict::Different, vec![different, muted], data).unwrap();
        assert!(shown.starts_with(&format!("{expected} and run `taster post --run r1` again")), "{expected}: {shown}");
    }
}
