//! What the operator lets one probe reach.

use std::time::Duration;

use taster_model::{CollectionGrant, Failure, Refusal};

use crate::CensusSetup;

/// What one probe may reach, and how much of it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Name of the probe in the configuration.
    pub probe: String,
    /// The collections, each with the role that it plays. One may play several.
    pub collections: Vec<CollectionGrant>,
    /// How much of them.
    pub limits: Limits,
    /// Where the limits are set, `probes[orders].limits`: refusals name the setting that raises them.
    pub setting: String,
    /// How censuses are recorded for it; `None`: they are refused.
    pub census: Option<CensusSetup>,
}

/// How much one run of a probe may read. Every cursor of the run counts against the same budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Documents handed to the probe. Default 100 000 000.
    ///
    /// What the host has fetched ahead and never handed out does not count. The documents that fit are handed out; the
    /// first one that does not is refused.
    pub documents: u64,
    /// Bytes of those documents. Default 1 TiB.
    pub bytes: u64,
    /// Cursors open on the server at a time. Default 16.
    ///
    /// A cursor counts until its last batch was handed over or it is dropped. Each may hold two server replies of at
    /// most 16 MiB on the host, so this multiplies with 32 MiB of the host's memory in the worst case.
    pub cursors: u32,
    /// Time spent waiting for the server, summed over all cursors, fetching ahead included. Default 10 min.
    ///
    /// What is left of it goes to the server as `maxTimeMS`, so that it stops there too.
    pub server_time: Duration,
    /// Bytes of one batch handed to the probe, unless one document is larger. Default 2 MiB.
    ///
    /// A guest must have this much memory free, twice where its language copies. Size made no difference to speed between
    /// 256 KiB and 4 MiB; this one holds a whole reply of 4096 ordinary documents.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            documents: 100_000_000,
            bytes: 1 << 40,
            cursors: 16,
            server_time: Duration::from_mins(10),
            batch: 2 * 1024 * 1024,
        }
    }
}

impl Grant {
    /// Whether the probe may read a collection.
    pub(crate) fn admit(&self, name: &str) -> Result<(), Failure> {
        let shown = crate::guard::shown(name);
        if !is_readable(name) {
            let message = format!("`{shown}` belongs to the server; it is granted to nobody");
            return Err(Failure::refused(Refusal::Denied, "T0227", message).asked(shown));
        }
        if self.has(name) {
            return Ok(());
        }
        let message = format!("collection `{shown}` is not granted to probe `{}`", self.probe);
        Err(Failure::refused(Refusal::Denied, "T0226", message)
            .asked(shown)
            .allowed(self.shown())
            .setting(self.collections_setting()))
    }

    /// Whether a collection is among the granted ones.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.collections.iter().any(|collection| collection.name == name)
    }

    /// The granted collections, as people read them.
    pub(crate) fn shown(&self) -> String {
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

/// Whether a collection holds somebody's data. `system.*` is the server's (`system.js` holds code, `system.buckets.*`
/// the inside of time series), and no ordinary name has a `$` or a NUL in it.
pub(crate) fn is_readable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.starts_with("system.") && !name.contains(['$', '\0'])
}
