//! What a `component:` names.

use std::path::PathBuf;

/// What a `component:` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A probe that is part of the host.
    Standard(String),
    /// A file.
    File(PathBuf),
    /// A bare name that no standard probe has.
    Unknown(String),
    /// A URL of a kind that this host does not read.
    Unsupported(String),
}

impl ComponentSource {
    /// A bare word is a standard probe; what looks like a path or begins with `file:` is a file.
    #[must_use]
    pub fn of(component: &str) -> Self {
        if let Some(path) = component.strip_prefix("file:") {
            return Self::File(PathBuf::from(path.strip_prefix("//").unwrap_or(path)));
        }
        if let Some((scheme, _)) = component.split_once(':')
            && scheme.len() > 1
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Self::Unsupported(scheme.to_owned());
        }
        if component.contains('/') || component.ends_with(".wasm") {
            return Self::File(PathBuf::from(component));
        }
        if taster_standard_probes::names().contains(&component) {
            Self::Standard(component.to_owned())
        } else {
            Self::Unknown(component.to_owned())
        }
    }
}
