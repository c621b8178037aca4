//! `taster serve`: stored results over HTTP. A webhook that gates deployments, an API for programs, metrics, and pages for
//! people.
//!
//! The server only reads. It never writes to the store, so any number of servers can use one store, and no request can change
//! a verdict. After every error the status is not 200 and the verdict is `unknown`.

mod auth;
mod compare;
mod error;
mod extract;
mod guard;
mod health;
mod listen;
mod metrics;
pub mod openapi;
mod openapi_route;
mod pages;
mod readiness;
mod request_log;
mod response;
mod routes;
mod runs;
mod server;
mod start_error;
mod state;
mod store_metrics;

pub use server::{Options, Server};
pub use start_error::ServeError;
