//! `JUnit` XML for CI systems: one suite per probe, one case per finding.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use taster_model::{Diagnostic, Finding, FindingOutcome, Verdict, VerdictDocument};

use crate::{
    documents,
    finding_text::{change, reason, subject},
    images,
};

/// How many documents of each kind of difference a failure lists.
const MAX_DOCUMENTS: usize = 20;

/// A report that cannot be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the result as JUnit: {0}")]
pub struct JunitError(String);

impl Diagnostic for JunitError {
    fn code(&self) -> &'static str {
        "T0603"
    }
}

/// The verdict of a run.
///
/// A gating finding that is `different` is a failure, one that is `unknown` an error. A finding that does not gate is skipped,
/// with its reason as the message.
pub fn verdict(document: &VerdictDocument) -> Result<String, JunitError> {
    let mut report = Report::new(format!("taster {} {}", document.app, document.run));
    report.add_test_suite(overall(document));
    let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &document.findings {
        suites.entry(finding.probe.as_deref().unwrap_or("expectations")).or_default().push(finding);
    }
    for (name, findings) in suites {
        let mut suite = TestSuite::new(name);
        suite.add_test_cases(findings.into_iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| JunitError(error.to_string()))
}

/// A test case for the verdict. Without it, a run without findings would be an empty report, which CI systems count as
/// passed.
fn overall(document: &VerdictDocument) -> TestSuite {
    let status = match document.verdict {
        Verdict::Same => TestCaseStatus::success(),
        Verdict::Different => failed(NonSuccessKind::Failure, "different", document.remedy.as_deref()),
        Verdict::Unknown => failed(NonSuccessKind::Error, "unknown", document.remedy.as_deref()),
    };
    let mut suite = TestSuite::new("verdict");
    if let Some(images) = images::tasted(document) {
        suite.set_system_out(images);
    }
    suite.add_test_case(TestCase::new(format!("run {}", document.run), status));
    suite
}

fn failed(kind: NonSuccessKind, message: &str, text: Option<&str>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    if let Some(text) = text {
        status.set_description(text);
    }
    status
}

fn case(finding: &Finding) -> TestCase {
    let text = reason(finding);
    let status = match (finding.outcome, finding.gates()) {
        (FindingOutcome::Same | FindingOutcome::Expected, _) => TestCaseStatus::success(),
        (FindingOutcome::Different, true) => failed(NonSuccessKind::Failure, &text, Some(&details(finding))),
        (FindingOutcome::Unknown, true) => failed(NonSuccessKind::Error, &text, Some(&details(finding))),
        (FindingOutcome::Different | FindingOutcome::Unknown, false) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(text);
            status
        }
    };
    let name = subject(finding);
    let mut case = TestCase::new(if name.is_empty() { finding.code.as_str().to_owned() } else { name }, status);
    case.set_classname(finding.probe.as_deref().unwrap_or("expectations"));
    case
}

/// Both values, and the first documents of each kind of difference, one on each line.
fn details(finding: &Finding) -> String {
    let mut lines = vec![change(finding)];
    for part in documents::groups(finding) {
        lines.push(part.heading(MAX_DOCUMENTS));
        let named = part.lines(MAX_DOCUMENTS);
        let rest = part.rest(named.len());
        lines.extend(named.into_iter().map(|line| match line.fields.as_slice() {
            [] => format!("  {}", line.id),
            fields => format!("  {}: {}", line.id, documents::first_of(fields, MAX_DOCUMENTS)),
        }));
        lines.extend(rest.map(|rest| format!("  {rest}")));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
