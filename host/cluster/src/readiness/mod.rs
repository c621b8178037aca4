//! Readiness: waiting until a workload is ready, and failing early when it cannot become ready.

mod mongod_log;
mod object;
mod observation;
mod obstacle;
mod pod_events;
mod pods;
mod wait;
mod wait_state;
