//! The capability against real servers.

mod capability;
mod cursors;
mod errors;
mod mongod;
mod support;
