//! [`Upgrade`]: what an upgrade is called, what it does to the database, and which verdict is expected.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use mongodb::{Client, Database, error::Error};
use taster_model::Verdict;

use crate::{DATABASE, DemoError};

/// One upgrade of the shop's app: the changes that it makes to the database.
pub struct Upgrade {
    /// Its name, the value of `--upgrade`.
    pub name: &'static str,
    /// One line about it that does not reveal what goes wrong.
    pub summary: &'static str,
    /// The verdict that Taster should reach.
    pub expected: Verdict,
    /// The changes that the upgrade declares: YAML with whole keys, to be appended to the configuration.
    pub declares: Option<&'static str>,
    /// Changes the database.
    pub(super) run: for<'a> fn(&'a Database) -> UpgradeFuture<'a>,
}

/// Resolves to one line for each change that the upgrade made.
type UpgradeFuture<'a> = BoxFuture<'a, Result<Vec<String>, Error>>;

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an upgrade did. The demo prints it after the verdict, not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeOutcome {
    /// One line for each change to the database.
    pub changes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Upgrade {
    /// Runs the upgrade on the shop's database.
    pub async fn run(&self, client: &Client) -> Result<UpgradeOutcome, DemoError> {
        let started = Instant::now();
        let changes = (self.run)(&client.database(DATABASE)).await.map_err(DemoError::database("run the upgrade"))?;
        Ok(UpgradeOutcome { changes, took: started.elapsed() })
    }
}
