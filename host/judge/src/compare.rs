//! Compares one metric value before and after the sync under one rule.

use std::{cmp::Ordering, collections::BTreeSet};

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};
use taster_model::{Bound, FindingOutcome, Metric, ReasonCode, Rule, Tolerance, Value, ValueKind};
use taster_text::group_number;

use crate::{
    json_diff,
    number::{self, Number},
    show,
};

/// The outcome of one comparison, and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) outcome: FindingOutcome,
    pub(crate) code: ReasonCode,
    pub(crate) reason: String,
}

impl Comparison {
    pub(crate) fn new(outcome: FindingOutcome, code: ReasonCode, reason: impl Into<String>) -> Self {
        Self { outcome, code, reason: reason.into() }
    }

    pub(crate) fn unknown(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self::new(FindingOutcome::Unknown, code, reason)
    }

    pub(crate) fn allowed(reason: impl Into<String>) -> Self {
        Self::new(FindingOutcome::Expected, ReasonCode::Allowed, reason)
    }

    pub(crate) fn unchanged(reason: impl Into<String>) -> Self {
        Self::new(FindingOutcome::Same, ReasonCode::Unchanged, reason)
    }

    fn different(reason: impl Into<String>) -> Self {
        Self::new(FindingOutcome::Different, ReasonCode::Changed, reason)
    }

    /// A change that a rule allows or forbids.
    fn changed(permission: Permission, reason: String) -> Self {
        match permission {
            Permission::Allowed => Self::allowed(reason),
            Permission::Forbidden => Self::different(reason),
        }
    }
}

/// Where the rule of a comparison comes from. Values that are zero or empty on both sides need an explicit rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleOrigin {
    /// An expectation of the operator or of the probe.
    Explicit,
    /// There is no expectation; the rule is `equal`.
    Default,
}

/// Whether a rule allows a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    Allowed,
    Forbidden,
}

impl Permission {
    fn allowed_if(condition: bool) -> Self {
        if condition { Self::Allowed } else { Self::Forbidden }
    }
}

/// Compares one metric of both captures.
pub(crate) fn compare(before: &Metric, after: &Metric, rule: &Rule, origin: RuleOrigin) -> Comparison {
    let (old_kind, new_kind) = (before.value.kind(), after.value.kind());
    let kind_change = if old_kind != new_kind {
        Some(format!("{old_kind} → {new_kind}"))
    } else if before.unit != after.unit {
        Some(format!("unit {} → {}", show::name(&before.unit), show::name(&after.unit)))
    } else {
        None
    };
    if let Some(reason) = kind_change {
        return match rule {
            Rule::Ignore => Comparison::allowed(reason),
            _ => Comparison::unknown(ReasonCode::KindChanged, reason),
        };
    }
    if old_kind == ValueKind::Census {
        // ids of censuses say nothing; censuses are compared by their documents before this
        return Comparison::unknown(ReasonCode::CensusUnreadable, "the censuses were not compared");
    }
    if let Some(misfit) = rule_misfit(rule, old_kind) {
        return misfit;
    }
    match (Number::from_value(&before.value), Number::from_value(&after.value)) {
        (Some(Ok(old)), Some(Ok(new))) => compare_numbers(before, after, (&old, &new), rule, origin),
        (Some(Err(why)), _) | (_, Some(Err(why))) => Comparison::unknown(ReasonCode::NotComparable, why),
        _ => compare_other_values(&before.value, &after.value, rule, origin),
    }
}

/// Why `rule` cannot be applied to values of `kind`. `None`: it can.
pub(crate) fn rule_misfit(rule: &Rule, kind: ValueKind) -> Option<Comparison> {
    rule_misfit_reason(rule, kind).map(|reason| Comparison::unknown(ReasonCode::RuleMisfit, reason))
}

/// Why `rule` cannot be applied to values of `kind`, and which rules can: `` `superset` does not apply to an integer: use equal…``.
/// `None`: it can.
#[must_use]
pub fn rule_misfit_reason(rule: &Rule, kind: ValueKind) -> Option<String> {
    (!rule_applies(rule, kind)).then(|| {
        let article = if kind == ValueKind::Integer { "an" } else { "a" };
        format!("`{rule}` does not apply to {article} {kind}: use {}", rules_for(kind))
    })
}

fn rule_applies(rule: &Rule, kind: ValueKind) -> bool {
    let is_number = matches!(kind, ValueKind::Integer | ValueKind::Real | ValueKind::Decimal);
    match rule {
        Rule::Equal | Rule::Ignore | Rule::Absent => true,
        Rule::Within(_) | Rule::Between(..) => is_number,
        // of a census: documents may be added, or removed, and not changed
        Rule::NeverDecreases | Rule::NeverIncreases => is_number || kind == ValueKind::Census,
        Rule::Superset | Rule::Subset => matches!(kind, ValueKind::Set | ValueKind::Document | ValueKind::Census),
    }
}

fn rules_for(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Integer | ValueKind::Real | ValueKind::Decimal => {
            "equal, within, never-decreases, never-increases, between or ignore"
        }
        ValueKind::Set | ValueKind::Document => "equal, superset, subset or ignore",
        ValueKind::Census => "equal, never-decreases, never-increases, superset, subset or ignore",
        ValueKind::Text | ValueKind::Flag => "equal or ignore",
    }
}

/// A value that is zero or empty on both sides: unchanged if a rule was declared, else unknown.
pub(crate) fn both_empty(what: &str, origin: RuleOrigin, unchanged: impl Into<String>) -> Comparison {
    match origin {
        RuleOrigin::Explicit => Comparison::unchanged(unchanged),
        RuleOrigin::Default => Comparison::unknown(
            ReasonCode::ZeroAgainstZero,
            format!("{what} before and after the sync, and no expectation says that this is correct"),
        ),
    }
}

const UNCHANGED: &str = "unchanged";

fn compare_numbers(
    before: &Metric,
    after: &Metric,
    (old, new): (&Number, &Number),
    rule: &Rule,
    origin: RuleOrigin,
) -> Comparison {
    let order = new.order(old);
    // a bound must hold even if the value did not change
    if let Rule::Between(low, high) = rule
        && !is_between(new, low, high)
    {
        let [low, high] = [low, high].map(|bound| group_number(&bound.to_string()));
        return Comparison::different(format!("{} is not between {low} and {high}", format_value(&after.value)));
    }
    if order == Some(Ordering::Equal) {
        return if new.is_zero() { both_empty("0", origin, UNCHANGED) } else { Comparison::unchanged(UNCHANGED) };
    }
    let is_allowed = match rule {
        Rule::Ignore | Rule::Between(..) => true,
        Rule::NeverDecreases => order == Some(Ordering::Greater),
        Rule::NeverIncreases => order == Some(Ordering::Less),
        Rule::Within(tolerance) => match (old.finite(), new.finite()) {
            (Some(old), Some(new)) => match tolerance {
                Tolerance::Absolute(bound) => number::within_absolute(old, new, bound.value()),
                Tolerance::Relative(bound) => number::within_relative(old, new, bound.value()),
            },
            _ => false,
        },
        Rule::Equal | Rule::Superset | Rule::Subset | Rule::Absent => false,
    };
    let mut reason = format_difference(before, after);
    if let (Rule::Within(_), Some(old), Some(new)) = (rule, old.finite(), new.finite())
        && let Some(percent) = format_percentage(old, new)
    {
        reason = format!("{reason} ({percent})");
    }
    Comparison::changed(Permission::allowed_if(is_allowed), reason)
}

fn is_between(number: &Number, low: &Bound, high: &Bound) -> bool {
    let bound = |bound: &Bound| Number::Finite(bound.value().clone());
    number.order(&bound(low)).is_some_and(Ordering::is_ge) && number.order(&bound(high)).is_some_and(Ordering::is_le)
}

/// `34 fewer`, `revenue 12.50 less`, `120 ms more`; both values if they have no difference.
fn format_difference(before: &Metric, after: &Metric) -> String {
    let exact = |value: &Value| match value {
        // the shortest text of a double, so that 0.3 - 0.1 is 0.2
        Value::Real(real) => real.to_string().parse::<BigDecimal>().ok(),
        other => Number::from_value(other).and_then(Result::ok).and_then(|n| n.finite().cloned()),
    };
    let (Some(old), Some(new)) = (exact(&before.value), exact(&after.value)) else {
        return format!("{} → {}", format_value(&before.value), format_value(&after.value));
    };
    let difference = &new - &old;
    let amount = format_decimal(&difference.abs());
    let is_count = before.unit == "1" || before.unit.starts_with('{');
    let amount = if is_count { amount } else { format!("{amount} {}", show::short(&before.unit)) };
    if is_count && matches!(before.value, Value::Integer(_)) {
        return format!("{amount} {}", if difference.is_negative() { "fewer" } else { "more" });
    }
    let what = match before.value {
        Value::Integer(_) => String::new(),
        _ => format!("{} ", before.name.rsplit('.').next().unwrap_or_default()),
    };
    format!("{what}{amount} {}", if difference.is_negative() { "less" } else { "more" })
}

/// A number in plain, grouped digits, or in scientific notation if it has many.
fn format_decimal(number: &BigDecimal) -> String {
    const MAX_DIGITS: i64 = 40;
    let (_, scale) = number.as_bigint_and_exponent();
    let is_short = -MAX_DIGITS < scale && scale < MAX_DIGITS && number.digits() < MAX_DIGITS.unsigned_abs();
    if is_short {
        group_number(&number.to_plain_string())
    } else {
        number.with_prec(16).normalized().to_scientific_notation()
    }
}

/// `3.3 %` of the value before. `None` if that was 0.
fn format_percentage(before: &BigDecimal, after: &BigDecimal) -> Option<String> {
    if before.is_zero() {
        return None;
    }
    let percent = ((after - before).abs() * BigDecimal::from(100)) / before.abs();
    let tenths = percent.with_scale_round(1, RoundingMode::HalfUp);
    if !tenths.is_zero() && tenths.to_f64().is_some_and(|p| p < 1e6) {
        return Some(format!("{} %", group_number(&tenths.to_plain_string())));
    }
    if tenths.is_zero() {
        return Some("less than 0.1 %".to_owned());
    }
    let times = (percent / BigDecimal::from(100)).with_scale_round(0, RoundingMode::Down);
    Some(format!("{} times", format_decimal(&times)))
}

/// A value as findings show it.
pub(crate) fn format_value(value: &Value) -> String {
    match value {
        Value::Integer(n) => group_number(&n.to_string()),
        Value::Real(real) => group_number(&real.to_string()),
        Value::Decimal(text) => show::short(&group_number(text)),
        Value::Text(text) => show::name(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Set(items) if items.is_empty() => "an empty set".to_owned(),
        Value::Set(items) => show::names(items.iter().map(String::as_str)),
        Value::Document(document) => show::json(document),
        Value::Census(id) => show::name(id),
    }
}

fn compare_other_values(before: &Value, after: &Value, rule: &Rule, origin: RuleOrigin) -> Comparison {
    match (before, after) {
        (Value::Set(old), Value::Set(new)) => compare_sets(old, new, rule, origin),
        (Value::Document(old), Value::Document(new)) => compare_documents(old, new, rule, origin),
        (old, new) if old == new => Comparison::unchanged(UNCHANGED),
        (old, new) => {
            let (old_text, new_text) = (format_value(old), format_value(new));
            let reason = if old_text == new_text {
                "the text changed beyond the part that is shown".to_owned()
            } else {
                format!("{old_text} → {new_text}")
            };
            Comparison::changed(Permission::allowed_if(*rule == Rule::Ignore), reason)
        }
    }
}

fn compare_documents(old: &serde_json::Value, new: &serde_json::Value, rule: &Rule, origin: RuleOrigin) -> Comparison {
    if taster_text::json_equal(old, new) {
        let is_empty =
            old.as_object().is_some_and(serde_json::Map::is_empty) || old.as_array().is_some_and(Vec::is_empty);
        return if is_empty {
            both_empty("an empty document", origin, UNCHANGED)
        } else {
            Comparison::unchanged(UNCHANGED)
        };
    }
    let is_allowed = match rule {
        Rule::Ignore => true,
        Rule::Superset => json_diff::entries_within(old, new),
        Rule::Subset => json_diff::entries_within(new, old),
        _ => false,
    };
    Comparison::changed(Permission::allowed_if(is_allowed), json_diff::describe(old, new))
}

fn compare_sets(old: &BTreeSet<String>, new: &BTreeSet<String>, rule: &Rule, origin: RuleOrigin) -> Comparison {
    if old == new {
        return if old.is_empty() {
            both_empty("an empty set", origin, UNCHANGED)
        } else {
            Comparison::unchanged(UNCHANGED)
        };
    }
    let removed: Vec<&str> = old.difference(new).map(String::as_str).collect();
    let added: Vec<&str> = new.difference(old).map(String::as_str).collect();
    let is_allowed = match rule {
        Rule::Ignore => true,
        Rule::Superset => removed.is_empty(),
        Rule::Subset => added.is_empty(),
        _ => false,
    };
    let parts: Vec<String> = [("removed", &removed), ("added", &added)]
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(verb, items)| format!("{verb} {}", show::names(items.iter().copied())))
        .collect();
    Comparison::changed(Permission::allowed_if(is_allowed), parts.join("; "))
}
