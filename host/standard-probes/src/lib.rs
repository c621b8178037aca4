//! The standard probes: components that are part of the host, named without a path.

include!(concat!(env!("OUT_DIR"), "/standard_probes.rs"));

/// Names and components of all of them, sorted by name.
#[must_use]
pub fn standard_probes() -> &'static [(&'static str, &'static [u8])] {
    PROBES
}

/// Their names, sorted.
#[must_use]
pub fn names() -> &'static [&'static str] {
    NAMES
}

/// The component of one of them.
#[must_use]
pub fn get(name: &str) -> Option<&'static [u8]> {
    PROBES.iter().find(|(other, _)| *other == name).map(|(_, component)| *component)
}
