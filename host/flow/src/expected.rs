//! Expectations that can match no metric of the configured probes, or whose rule does not fit what they match.

use std::collections::BTreeSet;

use taster_config::Probe;
use taster_model::{Expectation, MetricDeclaration, Severity};

use crate::probe_check::ProbeCheck;

/// The limit of names in a help text.
const MAX_NAMES: usize = 20;

/// What is wrong with an expectation.
#[derive(Debug, PartialEq, Eq)]
pub struct ExpectationMistake {
    /// The setting: `expect[orders.revenue]`.
    pub at: String,
    /// What is wrong.
    pub message: String,
    /// The names or rules that would be right.
    pub help: String,
    /// Whether it decides the verdict: it is not muted and does not only warn.
    pub decides: bool,
}

/// What is wrong with `expectation`, if that is certain: the metrics of each probe that it may be about are known.
pub(crate) fn mistake(
    expectation: &Expectation,
    probes: &[Probe],
    checks: &[Option<ProbeCheck>],
) -> Option<ExpectationMistake> {
    let about = |probe: &Probe| expectation.probe.as_ref().is_none_or(|name| *name == probe.name);
    let mut known = Vec::new();
    for (probe, check) in probes.iter().zip(checks).filter(|(probe, _)| about(probe)) {
        match check {
            Some(check) if check.mistakes.is_empty() => known.push((probe, check)),
            _ => return None,
        }
    }
    let (message, help) = wrong_name(expectation, &known)
        .or_else(|| wrong_label(expectation, &known))
        .or_else(|| wrong_rule(expectation, &known))?;
    let decides = match expectation.severity {
        _ if expectation.muted => false,
        Some(severity) => severity == Severity::Fail,
        None => known.iter().any(|(probe, _)| probe.severity == Severity::Fail && !probe.muted),
    };
    Some(ExpectationMistake { at: format!("expect[{}]", expectation.metric), message, help, decides })
}

/// The declarations of metrics that `expectation` may match.
fn declarations<'a>(expectation: &Expectation, check: &'a ProbeCheck) -> Vec<&'a MetricDeclaration> {
    let returned = || check.metrics.iter().any(|metric| expectation.metric.matches(&metric.name));
    let may_match = |declaration: &&MetricDeclaration| {
        if declaration.name.is_exact() {
            return expectation.metric.matches(declaration.name.as_str());
        }
        // such a name depends on the options alone, so the probe returned it for empty collections as well
        check.metrics.is_empty() || returned()
    };
    check.manifest.metrics.iter().filter(may_match).collect()
}

fn wrong_name(expectation: &Expectation, known: &[(&Probe, &ProbeCheck)]) -> Option<(String, String)> {
    if known.is_empty() || known.iter().any(|(_, check)| !declarations(expectation, check).is_empty()) {
        return None;
    }
    let names: BTreeSet<&str> = known.iter().flat_map(|(_, check)| metric_names(check)).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    let near = taster_config::closest_match(expectation.metric.as_str(), &names);
    names.truncate(MAX_NAMES);
    let help = match near {
        Some(near) => format!("did you mean `{near}`? There are: {}", names.join(", ")),
        None => format!("there are: {}", names.join(", ")),
    };
    Some((format!("no probe returns a metric `{}`", expectation.metric), help))
}

fn metric_names(check: &ProbeCheck) -> BTreeSet<&str> {
    let declared = check.manifest.metrics.iter().filter(|declaration| declaration.name.is_exact());
    let returned = check.metrics.iter().map(|metric| metric.name.as_str());
    declared.map(|declaration| declaration.name.as_str()).chain(returned).collect()
}

fn wrong_label(expectation: &Expectation, known: &[(&Probe, &ProbeCheck)]) -> Option<(String, String)> {
    let metric = &expectation.metric;
    let keys: BTreeSet<&str> = known
        .iter()
        .flat_map(|(_, check)| declarations(expectation, check))
        .flat_map(|declaration| declaration.labels.iter().map(String::as_str))
        .collect();
    if !keys.contains("*")
        && let Some(key) = expectation.labels.keys().find(|key| !keys.contains(key.as_str()))
    {
        let help = if keys.is_empty() {
            "it has no labels".to_owned()
        } else {
            format!("its labels: {}", keys.into_iter().collect::<Vec<_>>().join(", "))
        };
        return Some((format!("no metric `{metric}` has a label `{key}`"), help));
    }
    // each standard probe puts the name of the collection into this label
    let collection = expectation.labels.get("collection").filter(|_| keys.contains("collection"))?;
    let mut readable = BTreeSet::new();
    for (probe, check) in known.iter().filter(|(_, check)| !declarations(expectation, check).is_empty()) {
        if !taster_standard_probes::names().contains(&probe.component.as_str()) || probe.collections.is_none() {
            return None;
        }
        readable.extend(check.collections.iter().flatten().map(|grant| grant.name.as_str()));
    }
    if readable.contains(collection.as_str()) {
        return None;
    }
    let readable = readable.into_iter().take(MAX_NAMES).collect::<Vec<_>>().join(", ");
    Some((
        format!("no probe with a metric `{metric}` reads the collection `{collection}`"),
        format!("they read: {readable}"),
    ))
}

fn wrong_rule(expectation: &Expectation, known: &[(&Probe, &ProbeCheck)]) -> Option<(String, String)> {
    let mut reason = None;
    for (_, check) in known {
        let exact = |declaration: &&MetricDeclaration| declaration.name.is_exact();
        let declared = declarations(expectation, check);
        let kinds = declared.iter().copied().filter(exact).map(|declaration| declaration.kind);
        let returned = check.metrics.iter().filter(|metric| expectation.metric.matches(&metric.name));
        let kinds: Vec<_> = kinds.chain(returned.map(|metric| metric.value.kind())).collect();
        if kinds.is_empty() && !declared.is_empty() {
            return None;
        }
        for kind in kinds {
            // one metric that fits is enough
            reason = Some(taster_judge::rule_misfit_reason(&expectation.rule, kind)?);
        }
    }
    let reason = reason?;
    let (what, help) = reason.split_once(": ").unwrap_or((&reason, ""));
    Some((format!("the rule {what}"), help.to_owned()))
}
