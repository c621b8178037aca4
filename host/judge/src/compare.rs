//! One value against another under one rule.

use std::{cmp::Ordering, collections::BTreeSet};

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};
use taster_model::{FindingOutcome, Metric, ReasonCode, Rule, Tolerance, Value, ValueKind};

use crate::{
    diff,
    number::{self, Number},
    show,
};

/// The outcome of one comparison, and why.
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
}

/// Whether somebody said how the metric may change: zero against zero needs that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// An expectation of the operator, or the probe's own.
    Yes,
    /// Nobody; the rule is `equal`.
    No,
}

/// Compares one metric of both sides.
pub(crate) fn compare(before: &Metric, after: &Metric, rule: &Rule, declared: Declared) -> Comparison {
    let (kind, now) = (before.value.kind(), after.value.kind());
    let changed = if kind != now {
        Some(format!("{kind} → {now}"))
    } else if before.unit != after.unit {
        Some(format!("unit {} → {}", show::name(&before.unit), show::name(&after.unit)))
    } else {
        None
    };
    if let Some(changed) = changed {
        // `ignore` says: in any way
        return match rule {
            Rule::Ignore => Comparison::allowed(changed),
            _ => Comparison::unknown(ReasonCode::KindChanged, changed),
        };
    }
    if kind == ValueKind::Census {
        // the ids say nothing: what counts is what a comparison of the documents said, and there was none
        return Comparison::unknown(ReasonCode::CensusUnreadable, "nobody compared the censuses");
    }
    if let Some(misfit) = misfit(rule, kind) {
        return misfit;
    }
    match (Number::of(&before.value), Number::of(&after.value)) {
        (Some(Ok(old)), Some(Ok(new))) => numbers(before, after, (&old, &new), rule, declared),
        (Some(Err(why)), _) | (_, Some(Err(why))) => Comparison::unknown(ReasonCode::NotComparable, why),
        _ => others(&before.value, &after.value, rule, declared),
    }
}

/// Why `rule` cannot be applied to values of `kind`, if so.
pub(crate) fn misfit(rule: &Rule, kind: ValueKind) -> Option<Comparison> {
    (!fits(rule, kind)).then(|| {
        let article = if kind == ValueKind::Integer { "an" } else { "a" };
        let reason = format!("`{rule}` does not fit {article} {kind}: use {}", rules_for(kind));
        Comparison::unknown(ReasonCode::RuleMisfit, reason)
    })
}

/// Whether `rule` can be applied to values of `kind`.
fn fits(rule: &Rule, kind: ValueKind) -> bool {
    let is_number = matches!(kind, ValueKind::Integer | ValueKind::Real | ValueKind::Decimal);
    match rule {
        Rule::Equal | Rule::Ignore => true,
        Rule::Within(_) | Rule::Between(..) => is_number,
        // of a census: that documents may come, or go, and nothing else
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

/// What did not change. Nothing on both sides needs somebody's word that it is right.
pub(crate) fn unchanged(zero: bool, what: &str, declared: Declared) -> Comparison {
    if zero && declared == Declared::No {
        let reason = format!("{what} before and after; nobody declared that this is right");
        return Comparison::unknown(ReasonCode::ZeroAgainstZero, reason);
    }
    Comparison::new(FindingOutcome::Same, ReasonCode::Unchanged, "unchanged")
}

fn changed(allowed: bool, reason: String) -> Comparison {
    if allowed {
        Comparison::allowed(reason)
    } else {
        Comparison::new(FindingOutcome::Different, ReasonCode::Changed, reason)
    }
}

fn numbers(
    before: &Metric,
    after: &Metric,
    (old, new): (&Number, &Number),
    rule: &Rule,
    declared: Declared,
) -> Comparison {
    let order = new.order(old);
    // a bound holds whether or not the value moved
    if let Rule::Between(lo, hi) = rule {
        let bound = |bound: &taster_model::Bound| Number::Finite(bound.value().clone());
        let inside =
            new.order(&bound(lo)).is_some_and(Ordering::is_ge) && new.order(&bound(hi)).is_some_and(Ordering::is_le);
        if !inside {
            return changed(false, format!("{} is not between {lo} and {hi}", shown(&after.value)));
        }
    }
    if order == Some(Ordering::Equal) {
        return unchanged(new.is_zero(), "0", declared);
    }
    let allowed = match rule {
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
        Rule::Equal | Rule::Superset | Rule::Subset => false,
    };
    let mut reason = difference(before, after);
    if let (Rule::Within(_), Some(old), Some(new)) = (rule, old.finite(), new.finite())
        && let Some(percent) = percent(old, new)
    {
        reason = format!("{reason} ({percent})");
    }
    changed(allowed, reason)
}

/// `34 fewer`, `revenue 12.50 less`, `120 ms more`; where there is no difference to tell, both values.
fn difference(before: &Metric, after: &Metric) -> String {
    let exact = |value: &Value| match value {
        // the text that a double is shown as, so that 0.3 - 0.1 reads 0.2
        Value::Real(real) => real.to_string().parse::<BigDecimal>().ok(),
        other => Number::of(other).and_then(Result::ok).and_then(|n| n.finite().cloned()),
    };
    let (Some(old), Some(new)) = (exact(&before.value), exact(&after.value)) else {
        return format!("{} → {}", shown(&before.value), shown(&after.value));
    };
    let difference = &new - &old;
    let amount = digits(&difference.abs());
    let counted = before.unit == "1" || before.unit.starts_with('{');
    let amount = if counted { amount } else { format!("{amount} {}", show::short(&before.unit)) };
    if counted && matches!(before.value, Value::Integer(_)) {
        return format!("{amount} {}", if difference.is_negative() { "fewer" } else { "more" });
    }
    let what = match before.value {
        Value::Integer(_) => String::new(),
        _ => format!("{} ", before.name.rsplit('.').next().unwrap_or_default()),
    };
    format!("{what}{amount} {}", if difference.is_negative() { "less" } else { "more" })
}

/// A number in plain digits, or in scientific notation where those are many.
fn digits(number: &BigDecimal) -> String {
    const MANY: i64 = 40;
    let (_, scale) = number.as_bigint_and_exponent();
    let plain = -MANY < scale && scale < MANY && number.digits() < MANY.unsigned_abs();
    if plain { number.to_plain_string() } else { number.with_prec(16).normalized().to_scientific_notation() }
}

/// `3.3 %` of what it was. `None` where it was 0.
fn percent(before: &BigDecimal, after: &BigDecimal) -> Option<String> {
    if before.is_zero() {
        return None;
    }
    let percent = ((after - before).abs() * BigDecimal::from(100)) / before.abs();
    let tenths = percent.with_scale_round(1, RoundingMode::HalfUp);
    if !tenths.is_zero() && tenths.to_f64().is_some_and(|p| p < 1e6) {
        return Some(format!("{} %", tenths.to_plain_string()));
    }
    if tenths.is_zero() {
        return Some("less than 0.1 %".to_owned());
    }
    Some(format!("{} times", digits(&(percent / BigDecimal::from(100)).with_scale_round(0, RoundingMode::Down))))
}

/// A value as reasons show it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Real(real) => real.to_string(),
        Value::Decimal(text) => show::short(text),
        Value::Text(text) => show::name(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Set(items) if items.is_empty() => "an empty set".to_owned(),
        Value::Set(items) => show::names(items.iter().map(String::as_str)),
        Value::Document(document) => show::json(document),
        Value::Census(id) => show::name(id),
    }
}

fn others(before: &Value, after: &Value, rule: &Rule, declared: Declared) -> Comparison {
    match (before, after) {
        (Value::Set(old), Value::Set(new)) => sets(old, new, rule, declared),
        (Value::Document(old), Value::Document(new)) => {
            if diff::equal(old, new) {
                let empty =
                    old.as_object().is_some_and(serde_json::Map::is_empty) || old.as_array().is_some_and(Vec::is_empty);
                return unchanged(empty, "an empty document", declared);
            }
            let allowed = match rule {
                Rule::Ignore => true,
                Rule::Superset => diff::entries_within(old, new),
                Rule::Subset => diff::entries_within(new, old),
                _ => false,
            };
            changed(allowed, diff::tell(old, new))
        }
        (old, new) if old == new => unchanged(false, "", declared),
        (old, new) => {
            let (was, is) = (shown(old), shown(new));
            let reason =
                if was == is { "text changed past what is shown".to_owned() } else { format!("{was} → {is}") };
            changed(*rule == Rule::Ignore, reason)
        }
    }
}

fn sets(old: &BTreeSet<String>, new: &BTreeSet<String>, rule: &Rule, declared: Declared) -> Comparison {
    if old == new {
        return unchanged(old.is_empty(), "an empty set", declared);
    }
    let lost: Vec<&str> = old.difference(new).map(String::as_str).collect();
    let gained: Vec<&str> = new.difference(old).map(String::as_str).collect();
    let allowed = match rule {
        Rule::Ignore => true,
        Rule::Superset => lost.is_empty(),
        Rule::Subset => gained.is_empty(),
        _ => false,
    };
    let parts = [("lost", &lost), ("gained", &gained)];
    let told: Vec<String> = parts
        .iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(word, items)| format!("{word} {}", show::names(items.iter().copied())))
        .collect();
    changed(allowed, told.join("; "))
}
