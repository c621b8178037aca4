//! The census from the outside: documents in, differences out.

mod cases;
mod damage;
mod declared;
mod kitchen;
mod properties;
