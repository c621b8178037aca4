//! The upgrades that can be played on the shop. Another one is another file here and another entry in [`ALL`].

mod clean;
mod declared;
mod duplicate;
mod index;
mod lossy;
mod retype;
mod swap;

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use mongodb::{Client, Database, error::Error};
use taster_model::Verdict;

use super::{DATABASE, DemoError};

/// One upgrade of the shop's app, as far as its database feels it.
pub struct Upgrade {
    /// What `--upgrade` takes.
    pub name: &'static str,
    /// What it is, in one line, without giving away what goes wrong.
    pub summary: &'static str,
    /// What has to come of tasting it.
    pub expected: Verdict,
    /// What the upgrade says beforehand that it will do: YAML, whole keys, that belongs at the end of the configuration.
    pub declares: Option<&'static str>,
    play: for<'a> fn(&'a Database) -> Playing<'a>,
}

/// What an upgrade is doing: ends with one line for each thing that it did.
type Playing<'a> = BoxFuture<'a, Result<Vec<String>, Error>>;

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an upgrade did, for the closing text: it is told after the verdict, not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// One line for each thing that was done to the database.
    pub did: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Every upgrade there is; the first one is the default.
pub static ALL: [Upgrade; 8] = [
    clean::UPGRADE,
    lossy::UPGRADE,
    retype::UPGRADE,
    index::UPGRADE,
    swap::UPGRADE,
    duplicate::UPGRADE,
    declared::UPGRADE,
    declared::HALF,
];

impl Upgrade {
    /// The upgrade of that name.
    pub fn named(name: &str) -> Result<&'static Self, DemoError> {
        ALL.iter().find(|upgrade| upgrade.name == name).ok_or_else(|| DemoError::NoUpgrade { given: name.to_owned() })
    }

    /// Plays it on the shop.
    pub async fn play(&self, client: &Client) -> Result<Played, DemoError> {
        let begun = Instant::now();
        let did = (self.play)(&client.database(DATABASE)).await.map_err(DemoError::database("play the upgrade"))?;
        Ok(Played { did, took: begun.elapsed() })
    }
}

#[cfg(test)]
mod tests;
