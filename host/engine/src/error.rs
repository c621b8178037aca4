//! Errors of setting up the sandbox and of loading components.

use std::{path::PathBuf, time::Duration};

use taster_model::{Diagnostic, Failure};
use taster_text::{exact_duration, exact_size};

/// Errors of setting up the sandbox and of loading components.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// T0301: this machine cannot run the sandbox.
    #[error("cannot set up the sandbox: {0}")]
    Setup(String),
    /// T0302: the component is too large.
    #[error("the component is too large: {} (limit {}, setting {setting})", exact_size(*asked), exact_size(*allowed))]
    TooLarge {
        /// Its size in bytes.
        asked: u64,
        /// The limit in bytes.
        allowed: u64,
        /// The setting that raises it.
        setting: String,
    },
    /// T0303: the file is not a component.
    #[error("not a WebAssembly component: the file is {what}")]
    NotAComponent {
        /// What the file is.
        what: String,
        /// What to do.
        help: String,
    },
    /// T0304: the component is invalid, or uses a WebAssembly proposal that is disabled.
    #[error("invalid component: {0}")]
    Invalid(String),
    /// T0305: the component has an import that probes may not use.
    #[error("the component imports `{import}`, which is not available to probes")]
    UnknownImport {
        /// The import.
        import: String,
        /// What to do.
        help: String,
    },
    /// T0306: the component does not export `describe` or `run`.
    #[error("the component does not export `{export}`; it exports {found}")]
    MissingExport {
        /// The missing export.
        export: String,
        /// Its exports.
        found: String,
    },
    /// T0307: an import or export has other types than the interface.
    #[error("the component does not implement the interface taster:probe@1.0.0: {0}")]
    InterfaceMismatch(String),
    /// T0308: the cache folder is not private.
    #[error("cannot use the code cache {}: {why}", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// T0313: other users can write to the precompiled code.
    #[error("cannot use the precompiled code in {}: {why}", path.display())]
    Precompiled {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// T0309: `describe` failed.
    #[error("the component's `describe` failed: {0}")]
    Describe(Box<Failure>),
    /// T0310: `describe` returned an invalid manifest.
    #[error("the component's `describe` returned an invalid manifest: {0}")]
    Manifest(String),
    /// T0311: the compiler failed.
    #[error("cannot compile the component: {0}")]
    Compile(String),
    /// T0314: compiling took too long.
    #[error("compiling the component takes more than {} (setting {setting})", exact_duration(*allowed))]
    CompileTime {
        /// The limit.
        allowed: Duration,
        /// The setting that raises it.
        setting: String,
    },
    /// T0315: compiling took too much memory.
    #[error("compiling the component takes more than {} of memory (setting {setting})", exact_size(*allowed))]
    CompileMemory {
        /// The limit in bytes.
        allowed: u64,
        /// The setting that raises it.
        setting: String,
    },
    /// T0316: the process that compiles could not be started, or ended without an answer.
    #[error("the compiler process {why}")]
    CompilerProcess {
        /// What happened to it.
        why: String,
        /// What to do.
        help: String,
    },
    /// T0317: no component can be made of the core module.
    #[error("the core module cannot be made a component: {why}")]
    Componentize {
        /// Why not.
        why: String,
        /// What to do.
        help: String,
    },
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
            Self::InterfaceMismatch(_) => "T0307",
            Self::Cache { .. } => "T0308",
            Self::Precompiled { .. } => "T0313",
            Self::Describe(_) => "T0309",
            Self::Manifest(_) => "T0310",
            Self::Compile(_) => "T0311",
            Self::CompileTime { .. } => "T0314",
            Self::CompileMemory { .. } => "T0315",
            Self::CompilerProcess { .. } => "T0316",
            Self::Componentize { .. } => "T0317",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Setup(_) | Self::Compile(_) => {
                "this is a bug of Taster or a problem of this machine: please report it".to_owned()
            }
            Self::TooLarge { setting, .. } => format!("strip debug information from it, or raise {setting}"),
            Self::Invalid(_) => {
                "build it without WebAssembly proposals newer than bulk memory and extended constants".to_owned()
            }
            Self::NotAComponent { help, .. }
            | Self::UnknownImport { help, .. }
            | Self::CompilerProcess { help, .. }
            | Self::Componentize { help, .. } => help.clone(),
            Self::MissingExport { .. } | Self::InterfaceMismatch(_) => {
                "build it for the world `probe` of taster:probe@1.0.0".to_owned()
            }
            Self::Cache { path, .. } => format!("remove {}, or choose another folder", path.display()),
            Self::Precompiled { path, .. } => {
                format!(
                    "make root the owner of {} and the only user who can write, or set TASTER_CODE to another folder",
                    path.display()
                )
            }
            Self::Describe(failure) => match &failure.setting {
                Some(setting) => format!("raise {setting}, or fix the probe's `describe`"),
                None => "fix the probe's `describe`: it fails before it reads any data".to_owned(),
            },
            Self::CompileTime { setting, .. } | Self::CompileMemory { setting, .. } => {
                format!("if you trust the component, raise {setting}; else make it smaller")
            }
            Self::Manifest(_) => "fix the manifest that the probe's `describe` returns".to_owned(),
        })
    }
}
