//! The operator's expectations, indexed.

use std::collections::HashMap;

use taster_model::{Expectation, Metric};

/// The operator's expectations, by what a metric must have to match them: with ten thousand expectations, asking each of them
/// about each metric takes minutes.
#[derive(Debug)]
pub(crate) struct ExpectationIndex<'a> {
    all: &'a [Expectation],
    /// Positions of those with labels, by one of their labels.
    by_label: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// Positions of those without labels and with a metric's name, by that name.
    by_name: HashMap<&'a str, Vec<usize>>,
    /// Positions of all others.
    others: Vec<usize>,
}

impl<'a> ExpectationIndex<'a> {
    pub(crate) fn new(all: &'a [Expectation]) -> Self {
        let mut index = Self { all, by_label: HashMap::new(), by_name: HashMap::new(), others: Vec::new() };
        let mut with_label: HashMap<(&str, &str), usize> = HashMap::new();
        for label in all.iter().flat_map(|expectation| &expectation.labels) {
            *with_label.entry((label.0.as_str(), label.1.as_str())).or_default() += 1;
        }
        for (position, expectation) in all.iter().enumerate() {
            let labels = expectation.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            // the label that the fewest expectations have
            if let Some(label) = labels.min_by_key(|label| with_label.get(label)) {
                index.by_label.entry(label).or_default().push(position);
            } else if expectation.metric.is_exact() {
                index.by_name.entry(expectation.metric.as_str()).or_default().push(position);
            } else {
                index.others.push(position);
            }
        }
        index
    }

    /// The expectations that match a metric, with their positions.
    pub(crate) fn matching<'m>(
        &'m self,
        probe: &'m str,
        metric: &'m Metric,
    ) -> impl Iterator<Item = (usize, &'a Expectation)> + use<'a, 'm> {
        let labels = metric.labels.iter().filter_map(|(key, value)| self.by_label.get(&(key.as_str(), value.as_str())));
        let candidates = labels.chain(self.by_name.get(metric.name.as_str())).chain([&self.others]).flatten();
        let expectations = candidates.map(|position| (*position, &self.all[*position]));
        expectations.filter(move |(_, expectation)| matches(expectation, probe, metric))
    }

    /// The expectations that match none of these metrics.
    pub(crate) fn unmatched<'m>(&self, metrics: impl Iterator<Item = (&'m str, &'m Metric)>) -> Vec<&'a Expectation> {
        let mut is_matched = vec![false; self.all.len()];
        for (probe, metric) in metrics {
            self.matching(probe, metric).for_each(|(position, _)| is_matched[position] = true);
        }
        self.all
            .iter()
            .zip(is_matched)
            .filter(|(_, is_matched)| !is_matched)
            .map(|(expectation, _)| expectation)
            .collect()
    }
}

fn matches(expectation: &Expectation, probe: &str, metric: &Metric) -> bool {
    expectation.probe.as_deref().is_none_or(|name| name == probe)
        && expectation.metric.matches(&metric.name)
        && expectation.labels.iter().all(|(key, value)| metric.labels.get(key) == Some(value))
}
