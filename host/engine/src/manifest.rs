//! Checks the manifest that a probe's `describe` returns, and converts it to the model's type.

use std::{collections::BTreeSet, num::NonZeroU32};

use taster_model::{Manifest, Merge, MetricDeclaration, MetricPattern, Role, Rule, ValueKind};
use taster_text::truncate_chars;

use crate::{bindings::taster::probe::types, error::EngineError, log::printable, names};

/// The methods of `database`.
pub(crate) const METHODS: [&str; 9] = [
    "aggregate",
    "census",
    "collection-options",
    "count",
    "distinct",
    "explain",
    "find",
    "list-collections",
    "list-indexes",
];

/// Limit of the roles, of the metrics and of the methods.
const MAX_ENTRIES: usize = 1000;
/// Characters of a summary.
const MAX_LINE_CHARS: usize = 300;

/// Checks a manifest.
pub(crate) fn check(given: types::Manifest) -> Result<Manifest, EngineError> {
    convert(given).map_err(EngineError::Manifest)
}

fn convert(given: types::Manifest) -> Result<Manifest, String> {
    if !names::is_dashed(&given.name) {
        return Err(format!("{} is not a name: {}", names::quoted(&given.name), names::DASHED));
    }
    if let Err(error) = semver::Version::parse(&given.version) {
        return Err(format!("{} is not a semantic version such as `1.0.0`: {error}", names::quoted(&given.version)));
    }
    if given.roles.len() > MAX_ENTRIES || given.metrics.len() > MAX_ENTRIES || given.methods.len() > MAX_ENTRIES {
        let limit = taster_text::grouped(MAX_ENTRIES as u64);
        return Err(format!("more than {limit} roles, methods or metrics"));
    }
    let mut seen = BTreeSet::new();
    let roles = given.roles.into_iter().map(|given| {
        if !names::is_dashed(&given.name) {
            return Err(format!("{} is not a role: {}", names::quoted(&given.name), names::DASHED));
        }
        if !seen.insert(given.name.clone()) {
            return Err(format!("the role `{}` is declared twice", given.name));
        }
        Ok(Role { name: given.name, summary: single_line(&given.summary), required: given.required, many: given.many })
    });
    let roles = roles.collect::<Result<_, _>>()?;
    let mut methods = given.methods;
    methods.sort();
    methods.dedup();
    if let Some(unknown) = methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(format!(
            "the method {} is not a function of `database`: {}",
            names::quoted(unknown),
            METHODS.join(", ")
        ));
    }
    let mut seen = BTreeSet::new();
    let metrics = given.metrics.into_iter().map(|given| {
        let metric = declaration(given)?;
        if seen.insert(metric.name.as_str().to_owned()) {
            Ok(metric)
        } else {
            Err(format!("the metric `{}` is declared twice", metric.name))
        }
    });
    let metrics = metrics.collect::<Result<_, _>>()?;
    let results = results_version(&given.extra)?;
    Ok(Manifest {
        name: given.name,
        version: given.version,
        summary: single_line(&given.summary),
        roles,
        methods,
        metrics,
        results,
    })
}

/// The key of `extra` for the version of a probe's results. Other keys are of later hosts.
const RESULTS: &str = "results";

fn results_version(extra: &[(String, String)]) -> Result<Option<NonZeroU32>, String> {
    let mut given = extra.iter().filter(|(key, _)| key == RESULTS).map(|(_, value)| value);
    let Some(text) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(format!("`{RESULTS}` is declared twice in `extra`"));
    }
    let version = text.parse().map_err(|_| {
        let asked = names::quoted(text);
        format!("`{RESULTS}` in `extra` is {asked}: the version of the results is a whole number of at least 1")
    });
    version.map(Some)
}

fn declaration(given: types::MetricDeclaration) -> Result<MetricDeclaration, String> {
    let name: MetricPattern = given.name.parse()?;
    names::check_unit(&given.unit).map_err(|why| format!("the metric `{name}`: {why}"))?;
    let mut labels = BTreeSet::new();
    for label in &given.labels {
        if label != "*" && !names::is_dotted(label) {
            return Err(format!(
                "the metric `{name}`: the label {} is neither `*` nor {}",
                names::quoted(label),
                names::DOTTED
            ));
        }
        if !labels.insert(label) {
            return Err(format!("the metric `{name}`: the label `{label}` is declared twice"));
        }
    }
    let expect = given.expect.map(|text| {
        text.parse::<Rule>().map_err(|error| format!("the metric `{name}` expects {}: {error}", names::quoted(&text)))
    });
    Ok(MetricDeclaration {
        summary: single_line(&given.summary),
        kind: kind(given.kind),
        unit: given.unit,
        labels: given.labels,
        expect: expect.transpose()?,
        merge: match given.merge {
            types::Merge::Never => Merge::Never,
            types::Merge::Sum => Merge::Sum,
            types::Merge::Least => Merge::Least,
            types::Merge::Greatest => Merge::Greatest,
            types::Merge::Union => Merge::Union,
        },
        name,
    })
}

fn kind(given: types::ValueKind) -> ValueKind {
    match given {
        types::ValueKind::Integer => ValueKind::Integer,
        types::ValueKind::Real => ValueKind::Real,
        types::ValueKind::Decimal => ValueKind::Decimal,
        types::ValueKind::Text => ValueKind::Text,
        types::ValueKind::Flag => ValueKind::Flag,
        types::ValueKind::Set => ValueKind::Set,
        types::ValueKind::Document => ValueKind::Document,
        types::ValueKind::Census => ValueKind::Census,
    }
}

/// A text of the probe as one short line.
fn single_line(text: &str) -> String {
    truncate_chars(&taster_text::one_line(&printable(text)), MAX_LINE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> types::MetricDeclaration {
        types::MetricDeclaration {
            name: name.to_owned(),
            summary: "a  metric\nof two lines".to_owned(),
            kind: types::ValueKind::Integer,
            unit: "1".to_owned(),
            labels: vec!["status".to_owned(), "*".to_owned()],
            expect: Some("{within: 1%}".to_owned()),
            merge: types::Merge::Sum,
        }
    }

    fn manifest() -> types::Manifest {
        types::Manifest {
            name: "orders".to_owned(),
            version: "1.2.0-rc.1".to_owned(),
            summary: "s".to_owned(),
            roles: vec![types::Role { name: "parent".to_owned(), summary: String::new(), required: true, many: false }],
            methods: vec!["find".to_owned(), "count".to_owned(), "find".to_owned()],
            metrics: vec![metric("*.count")],
            extra: vec![("later".to_owned(), "hosts".to_owned()), ("results".to_owned(), "3".to_owned())],
        }
    }

    #[test]
    fn a_valid_manifest() {
        let manifest = check(manifest()).unwrap();
        assert_eq!(manifest.methods, ["count", "find"]);
        assert_eq!(manifest.metrics[0].summary, "a metric of two lines");
        assert_eq!(manifest.results, NonZeroU32::new(3));
    }

    #[test]
    fn invalid_manifests() {
        type Spoil = fn(&mut types::Manifest);
        let cases: [Spoil; 13] = [
            |m| m.name = "Orders!".to_owned(),
            |m| m.name = "x\u{1b}[2J".repeat(50),
            |m| m.version = "1".to_owned(),
            |m| m.roles.push(m.roles[0].clone()),
            |m| m.roles[0].name = String::new(),
            |m| m.methods.push("insert".to_owned()),
            |m| m.metrics.push(metric("*.count")),
            |m| m.metrics[0].name = "*.*.*.*".to_owned(),
            |m| m.metrics[0].unit = String::new(),
            |m| m.metrics[0].labels.push("Not A Name".to_owned()),
            |m| m.metrics[0].expect = Some("sometimes".to_owned()),
            |m| m.extra[1].1 = "0".to_owned(),
            |m| m.extra.push(m.extra[1].clone()),
        ];
        let texts = cases.map(|spoil| {
            let mut manifest = manifest();
            spoil(&mut manifest);
            check(manifest).unwrap_err().to_string()
        });
        insta::assert_snapshot!(texts.join("\n"), @"
        the component's `describe` returned an invalid manifest: `Orders!` is not a name: a letter, then letters, digits and `-`, all in lower case, at most 128 bytes
        the component's `describe` returned an invalid manifest: `x�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2Jx�[2…` is not a name: a letter, then letters, digits and `-`, all in lower case, at most 128 bytes
        the component's `describe` returned an invalid manifest: `1` is not a semantic version such as `1.0.0`: unexpected end of input while parsing major version number
        the component's `describe` returned an invalid manifest: the role `parent` is declared twice
        the component's `describe` returned an invalid manifest: `` is not a role: a letter, then letters, digits and `-`, all in lower case, at most 128 bytes
        the component's `describe` returned an invalid manifest: the method `insert` is not a function of `database`: aggregate, census, collection-options, count, distinct, explain, find, list-collections, list-indexes
        the component's `describe` returned an invalid manifest: the metric `*.count` is declared twice
        the component's `describe` returned an invalid manifest: invalid metric pattern `*.*.*.*`: expected segments of a-z, 0-9 and `_`, or `*`, joined by `.`, at most 128 bytes
        the component's `describe` returned an invalid manifest: the metric `*.count`: `` is not a unit: 1 to 63 printable characters without spaces, such as `1`, `By`, `{order}`
        the component's `describe` returned an invalid manifest: the metric `*.count`: the label `Not A Name` is neither `*` nor a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes
        the component's `describe` returned an invalid manifest: the metric `*.count` expects `sometimes`: unknown rule `sometimes`: expected `equal`, `never-decreases`, `never-increases`, `superset`, `subset`, `ignore`, `within: 1%`, `within: {abs: 5}` or `between: [lo, hi]`
        the component's `describe` returned an invalid manifest: `results` in `extra` is `0`: the version of the results is a whole number of at least 1
        the component's `describe` returned an invalid manifest: `results` is declared twice in `extra`
        ");
    }
}
