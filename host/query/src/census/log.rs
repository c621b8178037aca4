//! The censuses of one run of a probe: their numbers, the time they took, and the recorded files.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taster_census::CensusFile;

/// The censuses of one run of a probe.
#[derive(Debug, Default)]
pub(crate) struct CensusLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    requested: usize,
    time: Duration,
    recorded: Vec<CensusFile>,
}

impl CensusLog {
    fn state(&self) -> MutexGuard<'_, State> {
        // its fields are changed one at a time, so a panic leaves it consistent
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next census, and the time that the others took. Refused censuses are numbered too, so that the same
    /// calls get the same ids on both sides of the sync.
    pub(super) fn next(&self) -> (usize, Duration) {
        let mut state = self.state();
        state.requested += 1;
        (state.requested, state.time)
    }

    /// Adds the time that a census took, whether it succeeded or not.
    pub(super) fn add_time(&self, time: Duration) {
        self.state().time += time;
    }

    /// Adds a recorded census.
    pub(super) fn add(&self, recorded: CensusFile) {
        self.state().recorded.push(recorded);
    }

    /// Removes and returns the recorded censuses, in the order in which they were requested.
    pub(super) fn take(&self) -> Vec<CensusFile> {
        std::mem::take(&mut self.state().recorded)
    }
}
