//! Text as people read it: characters that must not be shown, credentials that must not be written, numbers, sizes, durations
//! and lengths. Used by every crate that writes a line for a person; it knows nothing of Taster.

mod amounts;
mod credentials;
mod hidden;
mod lengths;

pub use amounts::{bytes, count, elapsed, group, number};
pub use credentials::scrub;
pub use hidden::{is_hidden, plain, plain_except};
pub use lengths::{cut, shorten};
