//! Limits on the size of one request.

/// Bytes of all BSON of one call. Queries that people write have a thousandth of it.
pub const REQUEST_BYTES: usize = 64 * 1024;
/// Nesting depth of documents and arrays. The server itself stops at about 200.
pub const DEPTH: usize = 64;
/// Stages of a pipeline, including those of nested pipelines.
pub const STAGES: usize = 100;
/// Bytes of a name of an index or a variable.
pub(super) const NAME_BYTES: usize = 255;
