//! The commands: each reads its arguments, calls a flow, and writes the result.

pub mod accept;
mod acting_user;
pub mod baseline;
pub mod compare;
pub mod config;
pub mod demo;
pub mod explain;
pub mod gc;
pub mod init;
pub(crate) mod inputs;
pub mod man;
pub mod post;
pub mod pre;
pub mod probe;
mod probe_flags;
pub mod restore;
mod results;
pub mod runs;
pub mod serve;
pub mod show;
