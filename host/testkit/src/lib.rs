//! Fixtures that the tests of several crates share: real servers, and waiting for a condition.
//!
//! Tests and benchmarks depend on this crate, the binary never does (`.ci/rooms.py` proves it).

#[cfg(feature = "captures")]
pub mod captures;
#[cfg(feature = "captures")]
pub mod changed_captures;
#[cfg(feature = "control-plane")]
pub mod control_plane;
#[cfg(feature = "mongod")]
pub mod mongod;
#[cfg(feature = "mongod")]
pub mod replica_set;
#[cfg(feature = "s3")]
pub mod s3;
mod wait;

pub use wait::{WAIT_TIMEOUT, block_until, wait_for, wait_until};

/// A port of 127.0.0.1 that is free at the moment.
///
/// # Panics
///
/// Panics when there is none.
#[must_use]
pub fn free_port() -> u16 {
    free_ports::<1>()[0]
}

/// Different ports of 127.0.0.1 that are free at the moment.
///
/// # Panics
///
/// Panics if there are fewer.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    // all at once, so that no two are the same
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}
