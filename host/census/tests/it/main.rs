//! The census from the outside: documents in, differences out.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod cases;
mod damage;
mod declared;
mod fixture;
mod properties;
