//! The binary against real servers: one test binary, a module an idea.

mod baseline;
mod census;
mod cluster;
mod collections;
#[path = "../../../cluster/tests/it/control_plane.rs"]
mod control_plane;
mod copies;
mod crashes;
mod demo;
mod errors;
mod flow;
mod fresh;
mod hostile;
mod interrupted;
mod memory;
mod million;
mod moments;
mod notify;
mod pages;
mod probe;
mod promises;
mod replica_set;
mod s3;
#[path = "../../../store/tests/it/s3_server.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod s3_server;
mod schemas;
mod serve;
mod server;
mod support;
