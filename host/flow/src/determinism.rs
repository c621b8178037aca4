//! A probe gives one answer about one state of the data, or its answers cannot be compared.

use taster_model::{Failure, Metric, Refusal, failure};

/// How often each probe tastes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tastings {
    /// Once.
    #[default]
    One,
    /// Twice on the same data; two answers that differ by a byte are none.
    Two,
}

/// Whether two answers are the same, to the byte.
pub fn agree(first: &[Metric], second: &[Metric]) -> Result<(), Failure> {
    let bytes = |metrics: &[Metric]| serde_json::to_string(metrics).unwrap_or_default();
    if bytes(first) == bytes(second) {
        return Ok(());
    }
    let differs = first.iter().zip(second).find(|(a, b)| a != b);
    let message = match differs {
        Some((a, b)) if (&a.name, &a.labels) == (&b.name, &b.labels) => format!(
            "the probe gave two answers about the same data: `{}` is {}, then {}",
            a.name,
            a.value.plain(),
            b.value.plain()
        ),
        _ => format!(
            "the probe gave two answers about the same data: {} metrics, then {} with other names or labels",
            first.len(),
            second.len()
        ),
    };
    let help = "a probe has no clock and no chance but the host's, and no order but a sort's";
    Err(Failure::refused(Refusal::Invalid, failure::NOT_DETERMINISTIC, message).allowed(help))
}

#[cfg(test)]
mod tests {
    use taster_model::{Real, Value};

    use super::*;

    fn metric(name: &str, value: f64) -> Metric {
        Metric { name: name.to_owned(), labels: [].into(), value: Value::Real(Real(value)), unit: "1".to_owned() }
    }

    #[test]
    fn a_bit_is_a_difference() {
        assert_eq!(agree(&[metric("a", f64::NAN)], &[metric("a", f64::NAN)]), Ok(()));
        let error = agree(&[metric("a", 0.0)], &[metric("a", -0.0)]).unwrap_err();
        assert_eq!(error.reason(), Some(taster_model::ReasonCode::NotDeterministic));
        assert!(agree(&[metric("a", 1.0)], &[]).is_err());
        assert!(agree(&[metric("a", 1.0)], &[metric("b", 1.0)]).is_err());
    }
}
