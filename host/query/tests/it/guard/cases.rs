//! The cases: what is asked and what must come of it.
#![expect(clippy::needless_pass_by_value, reason = "reads better in the tables")]

mod calls;
mod collections;
mod filters;
mod stages;

use bson::{Bson, Document, doc};
use taster_query::{AggregateOptions, FindOptions};

use crate::support::raw;

/// One call of the capability.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) collection: &'static str,
    pub(super) call: Call,
    pub(super) expected: Expected,
}

pub(super) enum Call {
    Find(Vec<u8>, FindOptions),
    Explain(Vec<u8>, FindOptions),
    Aggregate(Vec<Vec<u8>>, AggregateOptions),
    Count(Vec<u8>),
    Distinct(&'static str, Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The server answers, with so many documents.
    Documents(u64),
    /// The server answers.
    Answer,
    /// Refused with this code; the server hears nothing of it.
    Refused(&'static str),
}

const ORDERS: &str = "orders";

fn find(name: &'static str, filter: Document, expected: Expected) -> Case {
    Case { name, collection: ORDERS, call: Call::Find(raw(&filter), FindOptions::default()), expected }
}

fn find_with(name: &'static str, options: FindOptions, expected: Expected) -> Case {
    Case { name, collection: ORDERS, call: Call::Find(raw(&doc! {}), options), expected }
}

fn stages<const N: usize>(name: &'static str, stages: [Document; N], expected: Expected) -> Case {
    on(ORDERS, name, stages, expected)
}

fn on<const N: usize>(collection: &'static str, name: &'static str, stages: [Document; N], expected: Expected) -> Case {
    let stages = stages.iter().map(raw).collect();
    Case { name, collection, call: Call::Aggregate(stages, AggregateOptions::default()), expected }
}

/// An expression, computed for each order.
fn compute(name: &'static str, expression: impl Into<Bson>, expected: Expected) -> Case {
    stages(name, [doc! {"$project": {"x": expression.into()}}], expected)
}

fn options() -> FindOptions {
    FindOptions::default()
}

/// Every case.
pub(super) fn all() -> Vec<Case> {
    let parts = [
        filters::filters(),
        filters::filters_refused(),
        filters::find_options(),
        filters::collations(),
        stages::plain_stages(),
        stages::stages_refused(),
        stages::expressions(),
        collections::other_collections(),
        collections::unions(),
        collections::namespaces_refused(),
        collections::views(),
        calls::encodings(),
        calls::other_calls(),
    ];
    parts.into_iter().flatten().collect()
}
