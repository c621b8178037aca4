//! The collections and limits that the operator grants to one probe.

use taster_model::{CollectionGrant, Failure, Refusal};

use crate::{limits::Limits, namespace::is_application_collection, text::escaped};

/// What one probe can read, and how much of it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Name of the probe in the configuration.
    pub probe: String,
    /// The collections, each with its role. A collection may have several roles.
    pub collections: Vec<CollectionGrant>,
    /// How much the probe may read.
    pub limits: Limits,
    /// Where the limits are set, `probes[orders].limits`. Refusals name the setting that raises the limit.
    pub setting: String,
}

impl Grant {
    /// Refuses a collection that the probe cannot read.
    pub(crate) fn check(&self, name: &str) -> Result<(), Failure> {
        let shown = escaped(name);
        if !is_application_collection(name) {
            let message = format!("`{shown}` is a system collection or not a valid name; it cannot be granted");
            return Err(Failure::refused(Refusal::Denied, "T0227", message).asked(shown));
        }
        if self.has(name) {
            return Ok(());
        }
        let message = format!("collection `{shown}` is not granted to probe `{}`", self.probe);
        Err(Failure::refused(Refusal::Denied, "T0226", message)
            .asked(shown)
            .allowed(self.collection_names())
            .setting(self.collections_setting()))
    }

    /// Whether a collection is granted.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.collections.iter().any(|collection| collection.name == name)
    }

    /// The granted collections, `orders, registrations`.
    pub(crate) fn collection_names(&self) -> String {
        let mut granted: Vec<&str> = self.collections.iter().map(|collection| collection.name.as_str()).collect();
        granted.sort_unstable();
        granted.dedup();
        if granted.is_empty() { "no collection".to_owned() } else { granted.join(", ") }
    }

    /// Where collections are granted, `probes[orders].collections`.
    pub(crate) fn collections_setting(&self) -> String {
        format!("{}.collections", self.setting.strip_suffix(".limits").unwrap_or(&self.setting))
    }
}
