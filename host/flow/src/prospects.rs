//! What keeps the verdict from being `same` if the upgrade changes nothing: known before the sync, from the capture alone.

use std::collections::BTreeSet;

use taster_config::Config;
use taster_judge::JudgementInput;
use taster_model::{
    Capture, ChangeKind, CollectionFacts, CollectionKind, DataKind, Expectation, Finding, Labels, Metric, ProbeRecord,
    ReasonCode, Rule, other_names,
};

use crate::preflight::{absent_changes, absent_collections, absent_expectations};

/// What is known of the verdict of `post` before the sync.
pub(crate) struct Prospects {
    /// Why it could not be `same`, as sentences.
    pub(crate) obstacles: Vec<String>,
    /// What is mistyped or comes with the upgrade, as sentences.
    pub(crate) doubts: Vec<String>,
}

/// The prospects of `post`. The capture is compared with itself, so that the comparison after the sync and this one follow the
/// same rules. `seen` are the collections of the open baseline and of the last run: an upgrade may have removed them since.
pub(crate) fn prospects(config: &Config, capture: &Capture, seen: &[CollectionFacts]) -> Prospects {
    let there = existing(&capture.collections);
    let absent = absent_collections(config, &capture.collections);
    let missing = absent.iter().map(|(at, name)| absent_sentence(at, name, &there));
    let input = JudgementInput { expectations: &config.expect, ..JudgementInput::new(Some(capture), capture) };
    let judgement = taster_judge::judge(&input);
    let is_absent = |name: &String| absent.iter().any(|(_, absent)| absent == name);
    let findings = judgement.findings.iter().filter(|finding| {
        // live data grow until after the sync
        let is_empty = finding.code == ReasonCode::ZeroAgainstZero
            && config.mongodb.data == DataKind::Copy
            && !finding.labels.get("collection").is_some_and(is_absent)
            && !may_be_filled(config, capture, finding);
        finding.gates() && (is_empty || finding.code == ReasonCode::RuleMisfit)
    });
    let obstacles = missing.chain(findings.filter_map(sentence)).collect();
    let mut prospects = Prospects { obstacles, doubts: Vec::new() };
    let names = Names { config, capture, there, seen: existing(seen) };
    names.judge_changes(&mut prospects);
    let unmatched = judgement.findings.iter().filter(|finding| finding.code == ReasonCode::ExpectationUnmatched);
    for finding in unmatched {
        names.judge_unmatched(finding, &mut prospects);
    }
    prospects
}

fn existing(collections: &[CollectionFacts]) -> Vec<&str> {
    let ordinary = collections
        .iter()
        .filter(|facts| facts.kind != CollectionKind::Absent && !facts.name.starts_with("system."))
        .map(|facts| facts.name.as_str());
    ordinary.collect()
}

/// What changes and expectations may name.
struct Names<'a> {
    config: &'a Config,
    capture: &'a Capture,
    /// The collections of the capture.
    there: Vec<&'a str>,
    /// The collections of earlier captures.
    seen: Vec<&'a str>,
}

impl Names<'_> {
    fn judge_changes(&self, prospects: &mut Prospects) {
        for change in absent_changes(self.config, &self.capture.collections) {
            let name = change.collection.as_str();
            // what is not there cannot be removed, but the upgrade may create it and add something to it
            let needs_it = matches!(change.kind, ChangeKind::RemovedCollection | ChangeKind::RenamedCollection(_));
            let is_mistake = !self.is_past(name) && (needs_it || self.near(name).is_some());
            let text = absent_sentence(&format!("changes[{change}]"), name, &self.there);
            prospects.add(is_mistake, text);
        }
    }

    /// `finding` is about an expectation that matches nothing.
    fn judge_unmatched(&self, finding: &Finding, prospects: &mut Prospects) {
        let states = |expectation: &&Expectation| {
            expectation.probe == finding.probe
                && finding.metric.as_deref() == Some(expectation.metric.as_str())
                && expectation.labels == finding.labels
        };
        let Some(expectation) = self.config.expect.iter().find(states) else { return };
        let mut absent = absent_expectations(self.config, &self.capture.collections);
        if let Some((_, name)) = absent.find(|(absent, _)| *absent == expectation) {
            // metrics of a new collection are accepted only where the rule ignores them
            let decides = finding.gates() && expectation.rule != Rule::Ignore;
            let is_mistake = decides && !self.is_past(name) && self.near(name).is_some();
            let text = absent_sentence(&format!("expect[{}]", expectation.metric), name, &self.there);
            return prospects.add(is_mistake, text);
        }
        let named = expectation.labels.get("collection");
        // its metrics come with a collection that a declared change adds
        if named.is_none_or(|name| self.there.contains(&name.as_str())) {
            prospects.add(false, unmatched_sentence(expectation, self.capture));
        }
    }

    fn near(&self, name: &str) -> Option<&str> {
        taster_config::closest_match(name, &self.there)
    }

    /// Whether an earlier sync may have removed or renamed the collection: the configuration still lists the change.
    fn is_past(&self, name: &str) -> bool {
        self.seen.contains(&name) || other_names(&self.config.changes, name).any(|other| self.there.contains(&other))
    }
}

impl Prospects {
    fn add(&mut self, is_mistake: bool, text: String) {
        let list = if is_mistake { &mut self.obstacles } else { &mut self.doubts };
        list.push(text);
    }
}

fn absent_sentence(at: &str, name: &str, there: &[&str]) -> String {
    let near = taster_config::closest_match(name, there).map(|near| format!("; did you mean `{near}`?"));
    format!(
        "{at} names the collection `{name}`, which does not exist and which no declared change adds{} There are: {}",
        near.unwrap_or_else(|| ".".to_owned()),
        taster_text::listed(there)
    )
}

/// What to say of an expectation that matches nothing: of its labels, the first one whose value no metric has.
fn unmatched_sentence(expectation: &Expectation, capture: &Capture) -> String {
    let named = format!("expect[{}]{}", expectation.metric, in_braces(&expectation.labels));
    let about = |record: &&ProbeRecord| expectation.probe.as_ref().is_none_or(|name| *name == record.name);
    let metrics = capture.probes.iter().filter(about).flat_map(ProbeRecord::metrics);
    let metrics: Vec<&Metric> = metrics.filter(|metric| expectation.metric.matches(&metric.name)).collect();
    for (key, value) in &expectation.labels {
        let values: BTreeSet<&str> =
            metrics.iter().filter_map(|metric| metric.labels.get(key)).map(String::as_str).collect();
        if values.is_empty() || values.contains(value.as_str()) {
            continue;
        }
        let values: Vec<&str> = values.into_iter().collect();
        let near = taster_config::closest_match(value, &values).map(|near| format!("; did you mean `{near}`?"));
        return taster_text::escape_hidden(&format!(
            "{named} matches no metric yet{} Values of `{key}`: {}",
            near.unwrap_or_else(|| ".".to_owned()),
            taster_text::listed(&values)
        ));
    }
    taster_text::escape_hidden(&format!("{named} matches no metric yet"))
}

/// `{status: open}`; nothing without labels.
fn in_braces(labels: &Labels) -> String {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(", ")) }
}

/// Whether a declared change may give the metric another value.
fn may_be_filled(config: &Config, capture: &Capture, finding: &Finding) -> bool {
    let changes = |name: &str| config.changes.iter().any(|change| change.collection == name);
    match finding.labels.get("collection") {
        Some(collection) => changes(collection),
        None => {
            let record = capture.probes.iter().find(|record| Some(&record.name) == finding.probe.as_ref());
            record.is_some_and(|record| record.collections.iter().any(|grant| changes(&grant.name)))
        }
    }
}

fn sentence(finding: &Finding) -> Option<String> {
    let (probe, metric) = (finding.probe.as_deref()?, finding.metric.as_deref()?);
    let labels = in_braces(&finding.labels);
    Some(match finding.code {
        ReasonCode::RuleMisfit => format!("{probe}: {metric}{labels}: {}", finding.reason),
        _ => format!("{probe}: {metric}{labels} is 0 or empty, and no expectation says that this is correct"),
    })
}
