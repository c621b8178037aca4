//! Fixtures that the tests of several crates share: real servers, and waiting for a condition.
//!
//! Tests and benchmarks depend on this crate, the binary never does (`.ci/rooms.py` proves it).

#[cfg(feature = "control-plane")]
pub mod control_plane;
#[cfg(feature = "s3")]
pub mod s3;
mod wait;

pub use wait::{wait_for, wait_until};
