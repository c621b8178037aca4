//! Collections that could not be read: the failure is a metric, so that what is known of the other collections is still compared.

use crate::{Failure, Metric, MetricDeclaration, Value, ValueKind};

/// The server rejected a command: it says something about the data or the collection, not about the connection.
const COMMAND_FAILED: &str = "T0217";

impl MetricDeclaration {
    /// Declares [`Metric::failed`].
    #[must_use]
    pub fn failed() -> Self {
        Self::new("failed", ValueKind::Text, "why nothing is known of a collection")
            .labels(["collection"])
            .expect("absent")
    }
}

impl Metric {
    /// Says why nothing is known of a collection. Such a metric is always `unknown`.
    #[must_use]
    pub fn failed(collection: &str, failure: &Failure) -> Self {
        Self::new("failed", Value::Text(failure.to_text())).label("collection", collection)
    }
}

impl Failure {
    /// Whether the failure is about one collection. Others concern the whole run: limits, the deadline, the connection.
    #[must_use]
    pub fn is_about_collection(&self) -> bool {
        self.refusal.is_none() || self.code.as_deref() == Some(COMMAND_FAILED)
    }

    /// `T0217: message (asked: …; allowed: …; setting: …)`
    fn to_text(&self) -> String {
        let code = self.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
        let parts = [("asked", &self.asked), ("allowed", &self.allowed), ("setting", &self.setting)];
        let parts = parts.into_iter().filter_map(|(name, part)| Some(format!("{name}: {}", part.as_deref()?)));
        let parts: Vec<String> = parts.collect();
        let details = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) };
        format!("{code}{}{details}", self.message)
    }
}

/// The metrics of one collection; in place of them [`Metric::failed`] if the failure is about this collection.
pub fn or_failed(collection: &str, found: Result<Vec<Metric>, Failure>) -> Result<Vec<Metric>, Failure> {
    match found {
        Err(failure) if failure.is_about_collection() => Ok(vec![Metric::failed(collection, &failure)]),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;

    #[test]
    fn a_failure_about_a_collection_is_a_metric_and_others_end_the_run() {
        let of_host =
            |refusal, code: &str| Failure { refusal: Some(refusal), code: Some(code.to_owned()), ..Failure::new("no") };
        let kept = or_failed("orders", Err(of_host(Refusal::Unavailable, COMMAND_FAILED))).unwrap();
        assert_eq!((kept.len(), kept[0].name.as_str()), (1, "failed"));
        assert_eq!(kept[0].labels, [("collection".to_owned(), "orders".to_owned())]);
        let Value::Text(text) = &kept[0].value else { panic!() };
        assert_eq!(text, "T0217: no");
        let own = Failure::limit("too many", "5 groups", 4, "groups");
        let Value::Text(text) = &or_failed("orders", Err(own)).unwrap()[0].value else { panic!() };
        assert_eq!(text, "too many (asked: 5 groups; allowed: 4; setting: probes[…].config.groups)");
        for failure in [of_host(Refusal::Budget, "T0212"), of_host(Refusal::Unavailable, "T0204")] {
            assert!(or_failed("orders", Err(failure)).is_err());
        }
    }
}
