//! Reading the component of a probe.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use taster_config::ComponentSource;
use taster_model::Diagnostic;
use taster_text::grouped;

/// Why a component could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read the component {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than the limit; found before it is read.
    #[error(
        "the component {} has {} bytes, more than the {} of {setting}",
        path.display(), grouped(*size), grouped(*limit)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
        /// The setting that raises it.
        setting: String,
    },
    /// Another component than the pinned one.
    #[error("the component {component} is not the pinned one: sha256 {actual}, pinned {pinned}")]
    PinMismatch {
        /// As configured.
        component: String,
        /// What was read.
        actual: String,
        /// What the configuration says.
        pinned: String,
    },
    /// There is no such component.
    #[error("there is no component `{0}`")]
    NoSuch(String),
}

impl Diagnostic for ComponentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "T0108",
            Self::TooLarge { .. } => "T0109",
            Self::PinMismatch { .. } => "T0110",
            Self::NoSuch(_) => "T0111",
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => Some("paths are relative to the configuration file".to_owned()),
            Self::TooLarge { setting, .. } => Some(format!("raise `{setting}` if the component is what it should be")),
            Self::PinMismatch { .. } => {
                Some("somebody replaced the file: find out who, then pin the new digest".to_owned())
            }
            Self::NoSuch(_) => Some(format!("standard probes: {}", taster_standard_probes::names().join(", "))),
        }
    }
}

/// A component as it was read, with its digest.
#[derive(Clone)]
pub struct Component {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Reads the component of `probe`; relative paths start at `base`.
pub fn read(probe: &taster_config::Probe, base: &Path, size_limit: u64) -> Result<Component, ComponentError> {
    let bytes = match ComponentSource::of(&probe.component) {
        ComponentSource::Standard(name) => {
            taster_standard_probes::get(&name).ok_or_else(|| ComponentError::NoSuch(name.clone()))?.to_vec()
        }
        ComponentSource::File(path) => read_file(&base.join(path), size_limit, &probe.limits_setting())?,
        ComponentSource::Unknown(name) | ComponentSource::Unsupported(name) => {
            return Err(ComponentError::NoSuch(name));
        }
    };
    let sha256 = hex::encode(Sha256::digest(&bytes));
    match &probe.sha256 {
        Some(pinned) if !pinned.eq_ignore_ascii_case(&sha256) => Err(ComponentError::PinMismatch {
            component: probe.component.clone(),
            actual: sha256,
            pinned: pinned.clone(),
        }),
        _ => Ok(Component { bytes, sha256 }),
    }
}

fn read_file(path: &Path, limit: u64, setting: &str) -> Result<Vec<u8>, ComponentError> {
    use std::io::Read;
    let unreadable = |source| ComponentError::Unreadable { path: path.to_owned(), source };
    let file = taster_store::open_regular_file(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let too_large = |size| ComponentError::TooLarge {
        path: path.to_owned(),
        size,
        limit,
        setting: format!("{setting}.componentSize"),
    };
    if size > limit {
        return Err(too_large(size));
    }
    // a file may grow while it is read
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}
