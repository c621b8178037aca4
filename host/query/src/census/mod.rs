//! Censuses: the host reads every document of a collection and records it, without handing it to the guest.
//!
//! A scan passes whole replies of the server to a thread that hashes them, so that reading and hashing overlap.

pub(crate) mod env;
pub(crate) mod log;

mod checked;
mod hash_thread;
mod options;
mod partition;
mod refusal;
mod request;
mod scan;
mod take;

pub use taster_census::DetailLevel;

pub use self::{
    env::CensusEnv,
    request::{CensusRequest, CensusSummary},
};
