//! The list of upgrades of the shop. A new one is a file here and an entry in [`ALL`].

mod clean;
mod declared;
mod definition;
mod duplicate;
mod index;
mod lossy;
mod retype;
mod swap;

pub use definition::{Upgrade, UpgradeOutcome};

use crate::DemoError;

/// All upgrades. The first one is the default.
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
    /// The upgrade with this name.
    pub fn by_name(name: &str) -> Result<&'static Self, DemoError> {
        let unknown = || DemoError::UnknownUpgrade {
            given: name.to_owned(),
            known: ALL.iter().map(|upgrade| upgrade.name).collect(),
        };
        ALL.iter().find(|upgrade| upgrade.name == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests;
