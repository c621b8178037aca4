//! Why the sandbox cannot be set up, or a component is not a probe.

use std::path::PathBuf;

use taster_model::{Diagnostic, Failure};

use crate::limits::size;

/// Why the sandbox cannot be set up, or a component is not a probe.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// T0301: this machine cannot run the sandbox.
    #[error("the sandbox cannot be set up: {0}")]
    Setup(String),
    /// T0302: the component is larger than allowed.
    #[error("the component has {} and {} are allowed ({setting})", size(*asked), size(*allowed))]
    TooLarge {
        /// Its size in bytes.
        asked: u64,
        /// The limit in bytes.
        allowed: u64,
        /// The setting that raises it.
        setting: String,
    },
    /// T0303: not a component at all.
    #[error("this is not a WebAssembly component but {what}")]
    NotAComponent {
        /// What it is instead.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// T0304: a component that breaks the rules of WebAssembly, or uses a proposal that is off.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// T0305: it imports something that probes are not offered.
    #[error("the component imports `{import}`, which probes are not offered")]
    UnknownImport {
        /// The import.
        import: String,
        /// What to do.
        help: String,
    },
    /// T0306: `describe` or `run` is missing.
    #[error("the component does not export `{export}`; it exports {found}")]
    MissingExport {
        /// The export.
        export: &'static str,
        /// What it exports instead.
        found: String,
    },
    /// T0307: it imports or exports the right names with other types.
    #[error("the component does not fit the interface taster:probe@1.0.0: {0}")]
    Misfit(String),
    /// T0308: the folder of compiled code is not private.
    #[error("compiled code is not kept in {}: {why}", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// T0313: others could write to what came with the host.
    #[error("code in {} is not run: {why}", path.display())]
    Shipped {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// T0309: `describe` did not end well.
    #[error("the component does not describe itself: {0}")]
    Describe(Box<Failure>),
    /// T0310: what it says of itself breaks the rules of manifests.
    #[error("the component describes itself wrongly: {0}")]
    Manifest(String),
    /// T0311: the compiler gave up.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
}

impl Diagnostic for EngineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "T0301",
            Self::TooLarge { .. } => "T0302",
            Self::NotAComponent { .. } => "T0303",
            Self::Invalid(_) => "T0304",
            Self::UnknownImport { .. } => "T0305",
            Self::MissingExport { .. } => "T0306",
            Self::Misfit(_) => "T0307",
            Self::Cache { .. } => "T0308",
            Self::Shipped { .. } => "T0313",
            Self::Describe(_) => "T0309",
            Self::Manifest(_) => "T0310",
            Self::Compile(_) => "T0311",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Setup(_) | Self::Compile(_) => {
                "this is a fault of Taster or of this machine: please report it".to_owned()
            }
            Self::TooLarge { setting, .. } => format!("strip debug information from it, or raise {setting}"),
            Self::NotAComponent { help, .. } => (*help).to_owned(),
            Self::Invalid(_) => {
                "build it again, without WebAssembly proposals beyond bulk memory and extended constants".to_owned()
            }
            Self::UnknownImport { help, .. } => help.clone(),
            Self::MissingExport { .. } | Self::Misfit(_) => {
                "build it for the world `probe` of taster:probe@1.0.0".to_owned()
            }
            Self::Cache { path, .. } => format!("remove {}, or name another folder", path.display()),
            Self::Shipped { path, .. } => {
                format!(
                    "give {} to root, writable by nobody else, or name another folder with TASTER_CODE",
                    path.display()
                )
            }
            Self::Describe(failure) => match &failure.setting {
                Some(setting) => format!("raise {setting}, or mend the probe's `describe`"),
                None => "mend the probe: it fails before it has seen any data".to_owned(),
            },
            Self::Manifest(_) => "mend what the probe's `describe` returns".to_owned(),
        })
    }
}
