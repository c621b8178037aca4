//! The binary against real servers: one test binary, a module an idea.

mod added_probes;
mod baseline;
mod census;
mod cluster;
mod collections;
mod compiling;
mod copies;
mod crashes;
mod declared;
mod demo;
mod docs;
mod errors;
mod flow;
mod fresh;
mod growth;
mod hostile;
mod interrupted;
mod logs;
mod losses;
mod memory;
mod million;
mod moments;
mod notify;
mod pages;
mod preflight;
mod probe;
mod promises;
mod reloaded;
mod replica_set;
mod s3;
mod schemas;
mod serve;
mod server;
mod support;

use taster_testkit::control_plane;
