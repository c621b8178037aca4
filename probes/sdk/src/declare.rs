//! Builders of a probe's declarations: manifest, roles, metrics.

use crate::{Manifest, Merge, MetricDeclaration, Role, ValueKind};

impl Manifest {
    /// A manifest without roles, methods and metrics. Pass `env!("CARGO_PKG_VERSION")` as the version.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            roles: Vec::new(),
            methods: Vec::new(),
            metrics: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Says what the results mean, by a version of their own: with another build of the probe, a baseline is still compared if both
    /// have the same version. Raise it whenever the probe returns something else for the same data. Without it only a component
    /// of the same bytes is compared.
    #[must_use]
    pub fn results(mut self, version: u32) -> Self {
        self.extra.push(("results".to_owned(), version.to_string()));
        self
    }

    /// Adds a role of collections.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    /// Adds a method of the database that the probe calls: `find`, `list-indexes`.
    #[must_use]
    pub fn calls(mut self, method: &str) -> Self {
        self.methods.push(method.to_owned());
        self
    }

    /// Adds a metric that the probe may return.
    #[must_use]
    pub fn metric(mut self, metric: MetricDeclaration) -> Self {
        self.metrics.push(metric);
        self
    }
}

impl Role {
    /// A required role of any number of collections.
    #[must_use]
    pub fn many(name: &str, summary: &str) -> Self {
        Self { name: name.to_owned(), summary: summary.to_owned(), required: true, many: true }
    }

    /// A required role of exactly one collection.
    #[must_use]
    pub fn one(name: &str, summary: &str) -> Self {
        Self { many: false, ..Self::many(name, summary) }
    }

    /// Makes the role optional.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}

impl MetricDeclaration {
    /// A metric with unit `1` and no labels, that should stay equal and that cannot be merged from parts of a collection.
    #[must_use]
    pub fn new(name: &str, kind: ValueKind, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
            kind,
            unit: "1".to_owned(),
            labels: Vec::new(),
            expect: None,
            merge: Merge::Never,
        }
    }

    /// Sets the unit, as in OpenTelemetry.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// Sets the keys of its labels.
    #[must_use]
    pub fn labels<'a>(mut self, labels: impl IntoIterator<Item = &'a str>) -> Self {
        self.labels = labels.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the rule that applies unless the operator configures another one: `never-decreases`. With a declared rule, zero against
    /// zero is a result; without one it is `unknown`.
    #[must_use]
    pub fn expect(mut self, rule: &str) -> Self {
        self.expect = Some(rule.to_owned());
        self
    }

    /// Sets how the metrics of parts of a collection are merged.
    #[must_use]
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }
}
