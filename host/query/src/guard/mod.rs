//! What a probe can send to MongoDB: an allow-list over raw BSON, and the checked types that come out of it.
//!
//! A probe never sends a command. It sends filters, projections, sorts and pipelines, and the guard checks each of them
//! element by element before anything else uses it. A name that is not on a list in `names.rs` is refused, so a stage that a
//! later server version adds is refused until somebody has reviewed it. Deny-lists have failed elsewhere: one forgot
//! `$merge`, another one `$changeStream`.
//!
//! The rules. Without any one of them, the others could be bypassed:
//! - A stage has one field, no field appears twice in a document, and array elements are numbered. Whatever two parsers
//!   could read in two ways is refused, and what was checked is sent byte for byte.
//! - Stages, accumulators, window operators, query operators, expression operators, variables and options have separate
//!   lists. `$_…` is on none of them. The content of `$literal` is data; everywhere else a name with `$` is an operator.
//! - Pipelines within stages are checked like the request's own, and their stages count together with its stages.
//! - Each named collection must be granted. If it is a view, everything that its definition reads must be granted too: see
//!   `context.rs`. Other databases cannot be named.
//! - Operators that return different results each time are refused, because two captures could not be compared.
//!
//! The rest of the crate accepts only the `Checked…` types, and only this module can create them.

pub(crate) mod checked;
pub(crate) mod context;
pub(crate) mod error;
pub(crate) mod request;

mod expression;
mod filter;
mod gaps;
mod geo;
mod group;
mod limits;
mod location;
mod names;
mod pipeline;
mod position;
mod query_options;
mod schema;
mod shape;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod unknown_name;
mod window;

pub use self::{
    checked::{
        CheckedCollation, CheckedFilter, CheckedHint, CheckedPath, CheckedPipeline, CheckedProjection, CheckedSort,
        CheckedTarget, CheckedVariables, ReadSet,
    },
    error::GuardError,
    limits::{DEPTH, REQUEST_BYTES, STAGES},
    request::Request,
};
