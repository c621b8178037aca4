//! The lock: a Lease of the app that one process holds at a time.
//!
//! It excludes other processes, not other runs. A holder whose pod has ended, or that was a process of this
//! machine, is dead at once. Any other holder is dead when
//! another process has seen its Lease unchanged for the lease duration. That process measures with its own monotonic clock,
//! so clocks of two machines are never compared.

mod acquire;
mod decision;
mod held;
mod holder;
mod lease;
mod process;
mod request;

pub use held::Lock;
pub use request::{LEASE_DURATION, LockRequest, WhenLocked};
