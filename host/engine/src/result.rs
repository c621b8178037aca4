//! Checks the metrics that a run returned against the limits, the rules and the manifest, and converts them to the model's
//! types.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::size_of,
    str::FromStr,
};

use bigdecimal::BigDecimal;
use taster_model::{
    Failure, Labels, MAX_DECIMAL_BYTES, MAX_DECIMAL_EXPONENT, Manifest, Metric, MetricDeclaration, Real, Refusal, Value,
};
use taster_text::{exact_size, grouped};

use crate::{
    bindings::taster::probe::types,
    codes, document,
    limits::{LimitSettings, Limits},
    names,
};

/// Bytes that a text counts beside its length, so that empty texts count, too.
const TEXT_OVERHEAD: u64 = 8;

/// The most bytes that a result within the limits takes on the host while it is converted.
///
/// Three times the text, because an entry of a set takes 24 bytes of the host and counts at least 8; labels are two texts.
pub(crate) fn handover_bytes(limits: &Limits) -> u64 {
    (u64::from(limits.metrics)).saturating_mul(size_of::<types::Metric>() as u64)
        + limits.result_bytes.saturating_mul(3)
}

/// The failure of a result that needs more than [`handover_bytes`]. It was not converted, so the limit it exceeds is unknown.
pub(crate) fn too_large(limits: &Limits, setting: &LimitSettings) -> Failure {
    Failure::refused(Refusal::Budget, codes::METRICS, "the result is too large")
        .asked(format!(
            "more than {} metrics or {} of text and documents",
            grouped(limits.metrics.into()),
            exact_size(limits.result_bytes)
        ))
        .allowed(format!("{} metrics, {}", grouped(limits.metrics.into()), exact_size(limits.result_bytes)))
        .setting(format!("{} and {}", setting.name_of("metrics"), setting.name_of("resultBytes")))
}

/// Checks the metrics of a run and sorts them by name and labels. `censuses` are the ids of those recorded in the run.
pub(crate) fn check(
    given: Vec<types::Metric>,
    manifest: &Manifest,
    limits: &Limits,
    setting: &LimitSettings,
    censuses: &BTreeSet<String>,
) -> Result<Vec<Metric>, Failure> {
    if given.len() > limits.metrics as usize {
        return Err(Failure::refused(Refusal::Budget, codes::METRICS, "the result has too many metrics")
            .asked(format!("{} metrics", grouped(given.len() as u64)))
            .allowed(format!("{} metrics", grouped(limits.metrics.into())))
            .setting(setting.name_of("metrics")));
    }
    let bytes: u64 = given.iter().map(counted_bytes).sum();
    if bytes > limits.result_bytes {
        return Err(Failure::refused(Refusal::Budget, codes::RESULT_BYTES, "the result is too large")
            .asked(exact_size(bytes))
            .allowed(exact_size(limits.result_bytes))
            .setting(setting.name_of("resultBytes")));
    }
    let mut metrics =
        given.into_iter().map(|given| metric(given, manifest, censuses)).collect::<Result<Vec<_>, _>>()?;
    metrics.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
    match metrics.windows(2).find(|pair| pair[0].name == pair[1].name && pair[0].labels == pair[1].labels) {
        Some(pair) => {
            Err(invalid_metric(format!("the metric {} is given twice", display_metric(&pair[0].name, &pair[0].labels))))
        }
        None => censuses_once(&metrics).map(|()| metrics),
    }
}

/// Checks that no two metrics have the same census: each missing document would be two findings.
fn censuses_once(metrics: &[Metric]) -> Result<(), Failure> {
    let mut seen: BTreeMap<&str, &Metric> = BTreeMap::new();
    for metric in metrics {
        let Value::Census(id) = &metric.value else { continue };
        if let Some(other) = seen.insert(id, metric) {
            let (one, two) = (display_metric(&other.name, &other.labels), display_metric(&metric.name, &metric.labels));
            return Err(invalid_metric(format!("the metrics {one} and {two} name the same census `{id}`")));
        }
    }
    Ok(())
}

/// The bytes that a metric counts against `limits.resultBytes`.
fn counted_bytes(metric: &types::Metric) -> u64 {
    let text = |text: &String| text.len() as u64 + TEXT_OVERHEAD;
    let value = match &metric.value {
        types::Value::Decimal(given) | types::Value::Text(given) | types::Value::Census(given) => text(given),
        types::Value::Set(items) => items.iter().map(text).sum(),
        types::Value::Document(bytes) => bytes.len() as u64 + TEXT_OVERHEAD,
        types::Value::Integer(_) | types::Value::Real(_) | types::Value::Flag(_) => 0,
    };
    text(&metric.name)
        + text(&metric.unit)
        + value
        + metric.labels.iter().map(|(key, value)| text(key) + text(value)).sum::<u64>()
}

fn invalid_metric(message: String) -> Failure {
    Failure::refused(Refusal::Invalid, codes::BAD_METRIC, message)
}

fn metric(given: types::Metric, manifest: &Manifest, censuses: &BTreeSet<String>) -> Result<Metric, Failure> {
    if !names::is_dotted(&given.name) {
        return Err(invalid_metric(format!("{} is not a metric: {}", names::quoted(&given.name), names::DOTTED)));
    }
    let name = given.name;
    let mut labels = Labels::new();
    for (key, value) in given.labels {
        if !names::is_dotted(&key) {
            return Err(invalid_metric(format!(
                "the metric `{name}`: {} is not a label: {}",
                names::quoted(&key),
                names::DOTTED
            )));
        }
        if labels.insert(key.clone(), value).is_some() {
            return Err(invalid_metric(format!("the metric `{name}`: the label `{key}` is given twice")));
        }
    }
    names::check_unit(&given.unit)
        .map_err(|why| invalid_metric(format!("the metric {}: {why}", display_metric(&name, &labels))))?;
    let value = value(given.value, censuses)
        .map_err(|why| invalid_metric(format!("the metric {}: {why}", display_metric(&name, &labels))))?;
    let metric = Metric { name, labels, value, unit: given.unit };
    check_declared(&metric, manifest)?;
    Ok(metric)
}

fn value(given: types::Value, censuses: &BTreeSet<String>) -> Result<Value, String> {
    Ok(match given {
        types::Value::Integer(number) => Value::Integer(number),
        types::Value::Real(number) => Value::Real(Real(number)),
        types::Value::Decimal(text) => Value::Decimal(decimal(text)?),
        types::Value::Text(text) => Value::Text(text),
        types::Value::Flag(flag) => Value::Flag(flag),
        types::Value::Set(items) => Value::Set(items.into_iter().collect::<BTreeSet<_>>()),
        types::Value::Document(bytes) => Value::Document(
            document::extended_json(&bytes).map_err(|why| format!("its document is not one BSON document: {why}"))?,
        ),
        types::Value::Census(id) if censuses.contains(&id) => Value::Census(id),
        types::Value::Census(id) => {
            return Err(format!("it names the census {}, which was not recorded in this run", names::quoted(&id)));
        }
    })
}

/// Checks a decimal: exact arithmetic with it must end.
fn decimal(text: String) -> Result<String, String> {
    if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") {
        return Ok(text);
    }
    let exponent = text.split_once(['e', 'E']).map_or(Ok(0), |(_, exponent)| exponent.parse::<i64>());
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let in_range = text.len() <= MAX_DECIMAL_BYTES
        && exponent.is_ok_and(|exponent| exponent.saturating_abs() <= MAX_DECIMAL_EXPONENT);
    if only_digits && in_range && BigDecimal::from_str(&text).is_ok() {
        return Ok(text);
    }
    Err(format!(
        "{} is not a decimal: digits such as `-12.50` or `1E+3` with an exponent up to {MAX_DECIMAL_EXPONENT}, `NaN`, `Infinity` or \
         `-Infinity`",
        names::quoted(&text)
    ))
}

/// Checks that the manifest declares a metric: the declaration says how it may change.
fn check_declared(metric: &Metric, manifest: &Manifest) -> Result<(), Failure> {
    let matching = || manifest.metrics.iter().filter(|declaration| declaration.name.matches(&metric.name));
    if matching().any(|declaration| mismatch(metric, declaration).is_none()) {
        return Ok(());
    }
    let shown = display_metric(&metric.name, &metric.labels);
    let Some(closest) = matching().max_by_key(|declaration| declaration.name.literal_segments()) else {
        let mut names: Vec<_> = manifest.metrics.iter().map(|declaration| declaration.name.as_str()).collect();
        names.truncate(20);
        let names = if names.is_empty() { "no metric".to_owned() } else { names.join(", ") };
        return Err(Failure::refused(
            Refusal::Invalid,
            codes::UNDECLARED_METRIC,
            format!("the probe returns the metric {shown}, which its manifest does not declare"),
        )
        .asked(&metric.name)
        .allowed(names));
    };
    let (asked, allowed) = mismatch(metric, closest).unwrap_or_default();
    Err(Failure::refused(
        Refusal::Invalid,
        codes::UNDECLARED_METRIC,
        format!("the metric {shown} does not match its declaration `{}`", closest.name),
    )
    .asked(asked)
    .allowed(allowed))
}

/// Where a metric differs from a declaration: what it has, and what the declaration allows.
fn mismatch(metric: &Metric, declaration: &MetricDeclaration) -> Option<(String, String)> {
    let kind = metric.value.kind();
    if kind != declaration.kind {
        return Some((format!("kind {kind}"), format!("kind {}", declaration.kind)));
    }
    if declaration.labels.iter().any(|label| label == "*") {
        return None;
    }
    let other = metric.labels.keys().find(|key| !declaration.labels.contains(key))?;
    let allowed = if declaration.labels.is_empty() {
        "no label".to_owned()
    } else {
        format!("labels {}", declaration.labels.join(", "))
    };
    Some((format!("label {other}"), allowed))
}

/// `orders.count{status=open}`
fn display_metric(name: &str, labels: &Labels) -> String {
    let labels: Vec<_> =
        labels.iter().map(|(key, value)| format!("{key}={}", names::quoted(value).trim_matches('`'))).collect();
    if labels.is_empty() { format!("`{name}`") } else { format!("`{name}{{{}}}`", labels.join(", ")) }
}

#[cfg(test)]
mod tests {
    use taster_model::{Merge, ValueKind};

    use super::*;

    fn manifest() -> Manifest {
        let declare = |name: &str, kind, labels: &[&str]| MetricDeclaration {
            name: name.parse().unwrap(),
            summary: String::new(),
            kind,
            unit: "1".to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            expect: None,
            merge: Merge::Never,
        };
        Manifest {
            name: "orders".to_owned(),
            version: "1.0.0".to_owned(),
            summary: String::new(),
            roles: Vec::new(),
            methods: Vec::new(),
            metrics: vec![
                declare("*.count", ValueKind::Integer, &["status"]),
                declare("special.count", ValueKind::Integer, &[]),
                declare("total", ValueKind::Decimal, &["*"]),
                declare("spec", ValueKind::Document, &[]),
                declare("seen", ValueKind::Census, &[]),
                declare("seen.again", ValueKind::Census, &[]),
                declare("names", ValueKind::Set, &[]),
            ],
            results: None,
        }
    }

    fn given(name: &str, labels: &[(&str, &str)], value: types::Value) -> types::Metric {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        types::Metric { name: name.to_owned(), labels, value, unit: "1".to_owned() }
    }

    fn run(given: Vec<types::Metric>) -> Result<Vec<Metric>, Failure> {
        let censuses = ["c1", "c2"].map(str::to_owned).into();
        check(given, &manifest(), &Limits::default(), &LimitSettings::new("probes[orders].limits"), &censuses)
    }

    #[test]
    fn valid_metrics_are_sorted() {
        let metrics = run(vec![
            given("total", &[("anything", "x")], types::Value::Decimal("1E+3".to_owned())),
            given("orders.count", &[("status", "open")], types::Value::Integer(2)),
            given("orders.count", &[("status", "done")], types::Value::Integer(1)),
            given("special.count", &[("status", "x")], types::Value::Integer(1)),
            given("seen.again", &[], types::Value::Census("c1".to_owned())),
            given("seen", &[], types::Value::Census("c2".to_owned())),
            given("names", &[], types::Value::Set(vec!["b".to_owned(), "a".to_owned(), "b".to_owned()])),
        ])
        .unwrap();
        let names: Vec<_> = metrics.iter().map(|metric| display_metric(&metric.name, &metric.labels)).collect();
        insta::assert_snapshot!(names.join(" "), @"`names` `orders.count{status=done}` `orders.count{status=open}` `seen` `seen.again` `special.count{status=x}` `total{anything=x}`");
    }

    #[test]
    fn a_decimal_has_an_exponent_up_to_the_limit() {
        for (text, is_valid) in [
            ("1E+8192", true),
            ("1E+8193", false),
            ("-1E-8192", true),
            ("-1E-8193", false),
            ("1E-9223372036854775808", false),
        ] {
            let checked = run(vec![given("total", &[], types::Value::Decimal(text.to_owned()))]);
            assert_eq!(checked.is_ok(), is_valid, "{text}: {checked:?}");
        }
    }

    #[test]
    fn invalid_metrics_are_errors_that_name_them() {
        let integer = || types::Value::Integer(1);
        let mut unitless = given("a.count", &[], integer());
        unitless.unit.clear();
        let cases = [
            vec![given("Orders Count", &[], integer())],
            vec![given(&"a".repeat(129), &[], integer())],
            vec![given("a.count", &[("Status", "x")], integer())],
            vec![given("a.count", &[("status", "x"), ("status", "y")], integer())],
            vec![unitless],
            vec![given("a.count", &[("status", "x")], integer()), given("a.count", &[("status", "x")], integer())],
            vec![given("other", &[], integer())],
            vec![given("a.count", &[], types::Value::Text("1".to_owned()))],
            vec![given("a.count", &[("region", "x")], integer())],
            vec![given("total", &[], types::Value::Decimal("1_000".to_owned()))],
            vec![given("total", &[], types::Value::Decimal("1e999999999".to_owned()))],
            vec![given("total", &[], types::Value::Decimal("nan".to_owned()))],
            vec![given("spec", &[], types::Value::Document(vec![5, 0, 0, 0]))],
            vec![given("seen", &[], types::Value::Census("c3".to_owned()))],
            vec![
                given("seen", &[], types::Value::Census("c1".to_owned())),
                given("seen.again", &[], types::Value::Census("c1".to_owned())),
            ],
            vec![given("names", &[], types::Value::Set(vec!["x".repeat(2 << 20)]))],
            vec![given("names", &[], types::Value::Set(vec![String::new(); 200_000]))],
            (0..10_001).map(|_| given("a.count", &[], integer())).collect(),
        ];
        let texts = cases.map(|metrics| run(metrics).unwrap_err().to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        T0328: `Orders Count` is not a metric: a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes
        T0328: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is not a metric: a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes
        T0328: the metric `a.count`: `Status` is not a label: a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes
        T0328: the metric `a.count`: the label `status` is given twice
        T0328: the metric `a.count`: `` is not a unit: 1 to 63 printable characters without spaces, such as `1`, `By`, `{order}`
        T0328: the metric `a.count{status=x}` is given twice
        T0329: the probe returns the metric `other`, which its manifest does not declare (asked: other; allowed: *.count, special.count, total, spec, seen, seen.again, names)
        T0329: the metric `a.count` does not match its declaration `*.count` (asked: kind text; allowed: kind integer)
        T0329: the metric `a.count{region=x}` does not match its declaration `*.count` (asked: label region; allowed: labels status)
        T0328: the metric `total`: `1_000` is not a decimal: digits such as `-12.50` or `1E+3` with an exponent up to 8192, `NaN`, `Infinity` or `-Infinity`
        T0328: the metric `total`: `1e999999999` is not a decimal: digits such as `-12.50` or `1E+3` with an exponent up to 8192, `NaN`, `Infinity` or `-Infinity`
        T0328: the metric `total`: `nan` is not a decimal: digits such as `-12.50` or `1E+3` with an exponent up to 8192, `NaN`, `Infinity` or `-Infinity`
        T0328: the metric `spec`: its document is not one BSON document: BSON error. Kind: Malformed BSON bytes. Message: document too short.
        T0328: the metric `seen`: it names the census `c3`, which was not recorded in this run
        T0328: the metrics `seen` and `seen.again` name the same census `c1`
        T0327: the result is too large (asked: 2 097 182 bytes; allowed: 1 MiB; setting: probes[orders].limits.resultBytes)
        T0327: the result is too large (asked: 1 600 022 bytes; allowed: 1 MiB; setting: probes[orders].limits.resultBytes)
        T0326: the result has too many metrics (asked: 10 001 metrics; allowed: 10 000 metrics; setting: probes[orders].limits.metrics)
        ");
    }

    #[test]
    fn a_result_within_the_limits_can_be_converted() {
        let limits = Limits { metrics: 1, result_bytes: 8 * 1000, ..Limits::default() };
        let metric = given("names", &[], types::Value::Set(vec![String::new(); 900]));
        let host = size_of::<types::Metric>() as u64 + 900 * size_of::<String>() as u64;
        assert!(counted_bytes(&metric) <= limits.result_bytes && host <= handover_bytes(&limits));
    }
}
