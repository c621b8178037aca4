//! Waiting until a workload is ready, and seeing early that it never will be.

mod error;
mod reasons;
mod words;

use std::time::Instant;

pub use error::ReadyError;
pub(crate) use words::one_line;

use crate::{Cluster, ClusterError, Workload};

impl Cluster {
    /// Waits until the workload is as its specification says (observed generation) and `replicas` of it are ready.
    ///
    /// `say` is called with what is being waited for, whenever that changes.
    ///
    /// # Errors
    /// At once for what waiting cannot mend (crash loop, image name, configuration, missing claim, quota, admission), with
    /// the container's reason; at `until` for the rest, with what was still waited for.
    pub async fn wait_ready(
        &self,
        _workload: &Workload,
        _until: Instant,
        _say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), ClusterError> {
        todo!()
    }
}
