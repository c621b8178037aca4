//! Text for people: escapes hidden characters, redacts credentials, formats numbers, sizes and durations,
//! truncates, and compares JSON documents.
//! Every crate that writes a line for a person uses it. It depends on no other crate of Taster.

mod amounts;
mod credentials;
mod hidden;
mod json;
mod lengths;

pub use amounts::{age, counted, duration, exact_duration, exact_size, group_digits, group_number, grouped, size};
pub use credentials::redact_credentials;
pub use hidden::{escape_hidden, escape_hidden_except, is_hidden};
pub use json::{
    JsonChange, JsonChangeKind, JsonDiff, escape_field_name, is_bson_scalar, join_path, json_diff, json_equal,
    unescape_field_name,
};
pub use lengths::{listed, one_line, truncate_bytes, truncate_chars};
