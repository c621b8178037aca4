//! The binary against real servers: one test binary, a module an idea.

mod baseline;
mod demo;
mod errors;
mod flow;
mod hostile;
mod interrupted;
mod probe;
mod promises;
mod server;
mod support;
