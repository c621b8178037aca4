//! Text for people: escapes hidden characters, redacts credentials, formats numbers, sizes and durations, and truncates.
//! Every crate that writes a line for a person uses it. It depends on no other crate of Taster.

mod amounts;
mod credentials;
mod hidden;
mod lengths;

pub use amounts::{counted, duration, group_digits, grouped, size};
pub use credentials::redact_credentials;
pub use hidden::{escape_hidden, escape_hidden_except, is_hidden};
pub use lengths::{truncate_bytes, truncate_chars};
