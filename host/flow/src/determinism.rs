//! Checks that a probe returns the same result for the same data. Without that, results cannot be compared.

use taster_model::{Failure, Metric, Refusal, failure};

/// How often each probe runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProbeRuns {
    /// Once.
    #[default]
    Once,
    /// Twice on the same data. Different results fail the probe.
    Twice,
}

/// Checks that two results are the same, byte by byte.
pub fn check_deterministic(first: &[Metric], second: &[Metric]) -> Result<(), Failure> {
    let bytes = |metrics: &[Metric]| serde_json::to_string(metrics).unwrap_or_default();
    if bytes(first) == bytes(second) {
        return Ok(());
    }
    let differs = first.iter().zip(second).find(|(a, b)| a != b);
    let message = match differs {
        Some((a, b)) if (&a.name, &a.labels) == (&b.name, &b.labels) => format!(
            "the probe returned different results for the same data: `{}` is {}, then {}",
            a.name,
            a.value.plain(),
            b.value.plain()
        ),
        _ => format!(
            "the probe returned different results for the same data: {} metrics, then {} with other names or labels",
            first.len(),
            second.len()
        ),
    };
    let help = "use the host's clock and entropy, and sort what has no order";
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
    fn results_that_differ_in_one_bit_are_different() {
        assert_eq!(check_deterministic(&[metric("a", f64::NAN)], &[metric("a", f64::NAN)]), Ok(()));
        let error = check_deterministic(&[metric("a", 0.0)], &[metric("a", -0.0)]).unwrap_err();
        assert_eq!(error.reason(), Some(taster_model::ReasonCode::NotDeterministic));
        assert!(check_deterministic(&[metric("a", 1.0)], &[]).is_err());
        assert!(check_deterministic(&[metric("a", 1.0)], &[metric("b", 1.0)]).is_err());
    }
}
