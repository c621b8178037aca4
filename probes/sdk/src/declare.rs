//! Builders for what a probe declares: manifest, roles, metrics.

use crate::{Manifest, Merge, MetricDeclaration, Role, ValueKind};

impl Manifest {
    /// A probe that asks for nothing yet. Pass `env!("CARGO_PKG_VERSION")`.
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

    /// With a role that collections play.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    /// With a function of the database that the probe calls: `find`, `list-indexes`.
    #[must_use]
    pub fn calls(mut self, method: &str) -> Self {
        self.methods.push(method.to_owned());
        self
    }

    /// With a metric that the probe may return.
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

    /// That the probe can do without.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}

impl MetricDeclaration {
    /// A metric in unit `1`, without labels, that is expected to stay equal and comes from whole collections.
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

    /// With a unit as in OpenTelemetry.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// With the label keys it carries.
    #[must_use]
    pub fn labels<'a>(mut self, labels: impl IntoIterator<Item = &'a str>) -> Self {
        self.labels = labels.into_iter().map(str::to_owned).collect();
        self
    }

    /// With the rule it is held to where the operator says nothing: `never-decreases`. A declared rule also says that
    /// nothing against nothing is a finding, not a gap.
    #[must_use]
    pub fn expect(mut self, rule: &str) -> Self {
        self.expect = Some(rule.to_owned());
        self
    }

    /// With how parts of one collection become one metric.
    #[must_use]
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }
}
