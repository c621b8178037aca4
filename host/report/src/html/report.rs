//! The page of a run: verdict, both captures, findings, and the resource usage of each probe.

use std::collections::HashMap;

use askama::Template;
use taster_model::{
    Acceptance, AppName, DocumentDetail, DroppedBaseline, Finding, FindingOutcome, ProbeSummary, RunId, Severity,
    SideSummary, VerdictDocument,
};
use taster_text::{counted, duration, grouped, size};

use super::{
    amount::{Amount, Delta},
    badge::Badge,
    diff::Diff,
    links::{File, Links},
    shell::Shell,
    text::{Href, Prose, Text, When},
    usage::{self, UsageTable},
};
use crate::{
    accepted, documents,
    documents::DifferenceGroup,
    evidence,
    finding_text::{change, server, subject, tally, value},
    images,
};

/// Name of the group of findings that belong to no probe, as in `JUnit`.
const NO_PROBE: &str = "expectations";
/// How many ids a list shows before the first fold (a closed `<details>` element).
const OPEN_IDS: usize = 20;
/// How many ids one fold holds.
const IDS_PER_FOLD: usize = 200;
/// How many ids the page lists for each kind of difference; `verdict.json` has all known ids.
const MAX_IDS: usize = 5000;
/// Longer ids and field names are cut to this many characters.
const MAX_ID_CHARS: usize = 256;
/// How many changed fields of one document are listed.
const MAX_FIELDS: usize = 40;
/// A difference with at most this many fields is shown open.
const OPEN_ROWS: usize = 8;

/// What a report shows besides the verdict document.
#[derive(Debug, Default)]
pub struct ReportContext<'a> {
    /// Who accepted the verdict, when and why.
    pub accepted: Option<&'a Acceptance>,
    /// Who dropped the baseline that the run's `pre` had recorded, when and why.
    pub dropped: Option<&'a DroppedBaseline>,
    /// The stored objects of the run that are damaged. If there are any, the verdict cannot be trusted.
    pub damage: Option<String>,
    /// The links of the page.
    pub links: Links,
}

#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    badge: Badge,
    damage: Option<Damage>,
    tally: String,
    remedy: Option<Prose>,
    accepted: Option<Accepted>,
    dropped: Option<Dropped>,
    sides: Vec<Side>,
    images: Vec<ImageRow>,
    groups: Vec<Group>,
    evidence: Vec<Evidence>,
    uncovered: Vec<Text>,
    usage: UsageTable,
    files: Vec<File>,
}

/// Collections that were compared in the same way.
struct Evidence {
    label: &'static str,
    collections: Vec<Text>,
    rest: String,
}

/// Why the verdict cannot be trusted, and the verdict.
struct Damage {
    what: Text,
    stored: Badge,
}

struct Accepted {
    who: Text,
    at: When,
    reason: Text,
    /// Whether the accepted verdict is that of another attempt.
    other: bool,
}

/// Who dropped the baseline of the run.
pub(super) struct Dropped {
    pub(super) who: Text,
    pub(super) at: When,
    pub(super) reason: Text,
}

impl Dropped {
    pub(super) fn new(dropped: &DroppedBaseline) -> Self {
        Self { who: Text::of(&dropped.who), at: When(dropped.at), reason: Text::of(&dropped.reason) }
    }
}

pub(super) struct Side {
    pub(super) name: &'static str,
    /// `None` if there is no capture.
    pub(super) facts: Option<SideFacts>,
}

pub(super) struct SideFacts {
    pub(super) started: When,
    pub(super) took: String,
    pub(super) server: Text,
    pub(super) read_at: Option<Text>,
    pub(super) volumes: Vec<Text>,
    pub(super) read: String,
    /// The run that made the capture, if it is not the run of the page.
    pub(super) other_run: Option<(Text, Option<Href>)>,
}

struct ImageRow {
    name: Text,
    before: Option<Text>,
    after: Option<Text>,
    changed: bool,
}

/// The findings of one probe.
struct Group {
    anchor: String,
    name: Text,
    component: Option<Text>,
    /// The badge of its most serious finding.
    badge: Badge,
    counts: Vec<(Badge, String)>,
    /// Findings that are not `same`.
    notable: Vec<Row>,
    same: Vec<Row>,
}

/// One finding.
struct Row {
    badge: Badge,
    /// Why it does not decide the verdict.
    note: Option<&'static str>,
    subject: Text,
    unit: Option<Text>,
    change: Option<Change>,
    reason: Prose,
    declared: Option<Text>,
    rule: Option<Text>,
    code: &'static str,
    /// The difference, if the values are documents or sets.
    diff: Option<Diff>,
    documents: Vec<Documents>,
}

/// Both values, and their difference if they are numbers.
struct Change {
    before: Text,
    after: Text,
    delta: Option<Delta>,
}

/// The missing, the extra or the changed documents of a finding.
struct Documents {
    count: String,
    what: &'static str,
    fields: Vec<(Text, String)>,
    paths: Vec<Text>,
    /// Whether changed fields or contents are known, and not only ids.
    detailed: bool,
    first: Vec<Document>,
    folds: Vec<Fold>,
    rest: Option<String>,
}

struct Fold {
    label: String,
    documents: Vec<Document>,
}

struct Document {
    id: Text,
    fields: Vec<Text>,
    more_fields: usize,
    diff: Option<Diff>,
}

impl Diff {
    /// Whether it is short enough to be shown open.
    pub(super) fn short(&self) -> bool {
        self.rows.len() <= OPEN_ROWS && self.more == 0
    }
}

impl Page {
    pub(super) fn new(document: &VerdictDocument, context: &ReportContext<'_>) -> Self {
        let stored = Badge::verdict(document.verdict);
        let damage = context.damage.as_deref().map(|what| Damage { what: Text::of(what), stored });
        let badge = if damage.is_some() { Badge::DAMAGED } else { stored };
        let (app, run) = (&document.app, &document.run);
        let links = &context.links;
        Self {
            shell: Shell::new(&format!("{app} {run}: {}", badge.word), links.crumbs(app, run), &document.taster),
            badge,
            damage,
            tally: tally(document),
            remedy: document
                .remedy
                .as_deref()
                .filter(|_| !accepted::settles(document, context.accepted))
                .map(Prose::of),
            accepted: context.accepted.map(|accepted| Accepted {
                who: Text::of(&accepted.who),
                at: When(accepted.at),
                reason: Text::of(&accepted.reason),
                other: accepted.attempt != document.attempt,
            }),
            dropped: context.dropped.map(Dropped::new),
            sides: vec![
                Side { name: "Before", facts: document.before.as_ref().map(|side| facts(side, (app, run), links)) },
                Side { name: "After", facts: Some(facts(&document.after, (app, run), links)) },
            ],
            images: images::compared(document)
                .into_iter()
                .map(|image| ImageRow {
                    changed: image.before != image.after,
                    name: Text::of(&image.name),
                    before: image.before.as_deref().map(Text::of),
                    after: image.after.as_deref().map(Text::of),
                })
                .collect(),
            groups: groups(document),
            evidence: evidence::lines(document)
                .into_iter()
                .map(|line| Evidence {
                    label: line.label,
                    rest: line.rest().map_or_else(String::new, |rest| format!("and {rest}")),
                    collections: line.collections.iter().map(|text| Text::of(text)).collect(),
                })
                .collect(),
            uncovered: document.uncovered.iter().map(|name| Text::of(name)).collect(),
            usage: usage::usage_table(document),
            files: links.files(),
        }
    }
}

/// The facts of a capture. If another run made it, the facts name that run.
pub(super) fn facts(side: &SideSummary, (app, run): (&AppName, &RunId), links: &Links) -> SideFacts {
    let took = side.finished.duration_since(side.started).unsigned_abs();
    SideFacts {
        started: When(side.started),
        took: duration(took),
        server: Text::of(&server(side)),
        read_at: side.server.read_at.as_deref().map(Text::of),
        volumes: side.server.volumes.iter().map(|volume| Text::of(volume)).collect(),
        read: format!("{} ({} read)", counted(side.documents, "document"), size(side.bytes)),
        other_run: (side.run != *run).then(|| (Text::of(side.run.as_str()), links.run(app, &side.run))),
    }
}

/// Findings by probe. The verdict lists the most serious findings first, so the probe with the most serious finding is
/// the first group.
fn groups(document: &VerdictDocument) -> Vec<Group> {
    let mut places: HashMap<Option<&str>, usize> = HashMap::new();
    let mut by_probe: Vec<(Option<&str>, Vec<&Finding>)> = Vec::new();
    for finding in &document.findings {
        let probe = finding.probe.as_deref();
        let place = *places.entry(probe).or_insert_with(|| {
            by_probe.push((probe, Vec::new()));
            by_probe.len() - 1
        });
        by_probe[place].1.push(finding);
    }
    let mut summaries: HashMap<&str, &ProbeSummary> = HashMap::new();
    for summary in &document.after.probes {
        summaries.entry(&summary.name).or_insert(summary);
    }
    let group = |(index, (probe, findings)): (usize, (Option<&str>, Vec<&Finding>))| {
        let summary = probe.and_then(|probe| summaries.get(probe));
        let counts =
            [FindingOutcome::Different, FindingOutcome::Unknown, FindingOutcome::Expected, FindingOutcome::Same]
                .into_iter()
                .map(|outcome| (outcome, findings.iter().filter(|finding| finding.outcome == outcome).count() as u64))
                .filter(|(_, n)| *n > 0)
                .map(|(outcome, n)| (Badge::outcome(outcome), grouped(n)))
                .collect();
        let badge = findings.first().map_or(Badge::outcome(FindingOutcome::Same), |first| Badge::finding(first));
        let (same, notable): (Vec<&Finding>, Vec<&Finding>) =
            findings.into_iter().partition(|finding| finding.outcome == FindingOutcome::Same);
        Group {
            anchor: format!("probe-{}", index + 1),
            name: Text::cut(probe.unwrap_or(NO_PROBE), 80),
            component: summary.map(|summary| Text::cut(&format!("{} {}", summary.component, summary.version), 120)),
            badge,
            counts,
            notable: notable.into_iter().map(row).collect(),
            same: same.into_iter().map(row).collect(),
        }
    };
    by_probe.into_iter().enumerate().map(group).collect()
}

fn row(finding: &Finding) -> Row {
    let name = subject(finding);
    let both = (finding.before.as_ref(), finding.after.as_ref());
    let structured = |value: &&serde_json::Value| value.is_object() || value.is_array();
    let notable = finding.outcome != FindingOutcome::Same;
    let diff = (notable && (both.0.is_some_and(|v| structured(&v)) || both.1.is_some_and(|v| structured(&v))))
        .then(|| Diff::between(both.0, both.1))
        .filter(|diff| !diff.rows.is_empty());
    Row {
        badge: Badge::finding(finding),
        note: match (finding.muted, finding.severity) {
            (true, _) => Some("muted: does not decide the verdict"),
            (false, Severity::Warn) => Some("warning: does not decide the verdict"),
            (false, Severity::Fail) => None,
        },
        // a finding about a whole probe has no subject
        subject: Text::cut(if name.is_empty() { "the probe" } else { &name }, 400),
        unit: finding
            .unit
            .as_deref()
            .filter(|unit| *unit != "1")
            .map(|unit| Text::cut(unit.trim_matches(['{', '}']), 40)),
        change: (!change(finding).is_empty()).then(|| Change {
            before: Text::of(&value(both.0)),
            after: Text::of(&value(both.1)),
            delta: match (both.0.and_then(Amount::of), both.1.and_then(Amount::of)) {
                (Some(before), Some(after)) => Delta::between(&before, &after),
                _ => None,
            },
        }),
        reason: Prose::of(&finding.reason),
        declared: finding.declared.as_deref().map(Text::of),
        rule: finding.rule.as_deref().map(|rule| Text::cut(rule, 400)),
        code: finding.code.as_str(),
        diff,
        documents: if notable { documents::groups(finding).iter().map(document_list).collect() } else { Vec::new() },
    }
}

fn document_list(part: &DifferenceGroup<'_>) -> Documents {
    let details: HashMap<String, &DocumentDetail> =
        part.set.details.iter().map(|detail| (detail.id.to_string(), detail)).collect();
    let mut named: Vec<Document> = part
        .set
        .ids
        .iter()
        .take(MAX_IDS)
        .map(|id| {
            let id = id.to_string();
            let detail = details.get(&id);
            let fields = detail.map(|detail| documents::changed_fields(detail)).unwrap_or_default();
            Document {
                id: Text::cut(&id, MAX_ID_CHARS),
                fields: fields.iter().take(MAX_FIELDS).map(|field| Text::cut(field, MAX_ID_CHARS)).collect(),
                more_fields: fields.len().saturating_sub(MAX_FIELDS),
                diff: detail
                    .filter(|detail| detail.before.is_some() || detail.after.is_some())
                    .map(|detail| Diff::between(detail.before.as_ref(), detail.after.as_ref())),
            }
        })
        .collect();
    let detailed = named.iter().any(|document| document.diff.is_some() || !document.fields.is_empty());
    let rest = part.rest_in(named.len(), "verdict.json");
    let mut folds = Vec::new();
    // a fold is not worth a click for a few ids
    while named.len() > OPEN_IDS * 2 {
        let from = OPEN_IDS.max((named.len() - 1) / IDS_PER_FOLD * IDS_PER_FOLD);
        let documents = named.split_off(from);
        folds.push(Fold {
            label: format!("{} to {}", grouped(from as u64 + 1), grouped((from + documents.len()) as u64)),
            documents,
        });
    }
    folds.reverse();
    let field_count = |(field, n): (&str, u64)| (Text::cut(field, MAX_ID_CHARS), grouped(n));
    Documents {
        count: grouped(part.set.count),
        what: part.what,
        fields: documents::most_frequent(&part.set.fields).take(MAX_FIELDS).map(field_count).collect(),
        paths: if part.has_paths() {
            part.set.paths.iter().take(MAX_FIELDS).map(|path| Text::cut(path, MAX_ID_CHARS)).collect()
        } else {
            Vec::new()
        },
        detailed,
        first: named,
        folds,
        rest,
    }
}
