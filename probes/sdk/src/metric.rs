//! Builders of metrics.

use crate::{Document, Metric, Value};

impl Metric {
    /// A metric with unit `1` and no labels.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self { name: name.into(), labels: Vec::new(), value, unit: "1".to_owned() }
    }

    /// A count.
    pub fn count(name: impl Into<String>, count: u64) -> Self {
        // no collection has 2^63 documents
        Self::new(name, Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// An exact decimal, as text.
    pub fn decimal(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name, Value::Decimal(text.into()))
    }

    /// A set of texts.
    pub fn set(name: impl Into<String>, texts: impl IntoIterator<Item = String>) -> Self {
        Self::new(name, Value::Set(texts.into_iter().collect()))
    }

    /// A BSON document.
    pub fn document(name: impl Into<String>, document: Document) -> Self {
        Self::new(name, Value::Document(document.into_bytes()))
    }

    /// A census, by the id in the summary of [`crate::Census::record`].
    pub fn census(name: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(name, Value::Census(id.into()))
    }

    /// Sets the unit, as in OpenTelemetry.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }
}
