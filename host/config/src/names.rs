//! Names of Kubernetes objects.

/// What [`is_object_name`] accepts, for error messages.
pub(super) const OBJECT_NAME: &str = "a-z, 0-9, `-` and `.`, beginning and ending with a letter or digit";

/// Whether a Kubernetes object may have this name.
pub(super) fn is_object_name(name: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.starts_with(ends)
        && name.ends_with(ends)
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
}
