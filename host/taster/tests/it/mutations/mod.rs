//! Random databases, upgrades and configurations against real servers, with a known truth.
//!
//! - [`mutated`]: something may be lost, and the verdict is never better than the truth.
//! - [`harmless`]: nothing is lost, and the verdict is `same`.
//!
//! [`rounds`] says how to play one seed alone, more rounds, or others.

mod config;
mod database;
mod declared;
mod definitions;
mod expiry;
mod harmless;
mod mutated;
mod odd;
mod random;
mod renamed;
mod rounds;
mod server;
mod truth;
mod upgrade;
mod values;

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_of_a_standalone_server_passes() {
    rounds::play::<mutated::Mutated>(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_of_a_replica_set_passes() {
    rounds::play::<mutated::Mutated>(true).await;
}

#[test]
fn every_harmless_act_and_every_declared_kind_is_played() {
    harmless::assert_all_are_played(0..rounds::ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_harmless_on_a_standalone_server_is_reported() {
    rounds::play::<harmless::Harmless>(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_harmless_on_a_replica_set_is_reported() {
    rounds::play::<harmless::Harmless>(true).await;
}
