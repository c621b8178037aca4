//! Checks of single values: paths, names, numbers, and documents with known fields.

use super::{error::GuardError, location::Location, names::NameKind, tree::Node, unknown_name};

/// Checks the name of a variable that the probe binds. Names of the server's own variables begin with a capital letter.
pub(super) fn variable(name: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if is_variable(name) {
        return Ok(());
    }
    Err(GuardError::invalid("a variable name, which begins with a lower-case letter", at))
}

/// Whether a name is one of a variable that the client binds.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || !c.is_ascii())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii())
}

/// Checks a path `a.b.c`: no part is empty or begins with `$`.
pub(super) fn path(path: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if path.contains('\0') || path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(GuardError::invalid("a field path", at));
    }
    Ok(())
}

/// Checks a value that is a path.
pub(super) fn text_path(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Text(text) => path(text, at),
        _ => Err(GuardError::invalid("a field path", at)),
    }
}

/// Checks the name of a top-level field.
pub(super) fn name(name: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if name.is_empty() || name.starts_with('$') || name.contains(['.', '\0']) {
        return Err(GuardError::invalid("a field name without dots", at));
    }
    Ok(())
}

/// Checks a plain string, which is neither a path nor a variable.
pub(super) fn text(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Text(text) if !text.starts_with('$') && !text.contains('\0') => Ok(()),
        _ => Err(GuardError::invalid("a string", at)),
    }
}

/// Checks a boolean.
pub(super) fn flag(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Bool => Ok(()),
        _ => Err(GuardError::invalid("true or false", at)),
    }
}

/// Checks an integer of at least `min`.
pub(super) fn integer_from(min: i64, value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value.integer() {
        Some(number) if number >= min => Ok(()),
        _ => Err(GuardError::invalid(format!("an integer of at least {min}"), at)),
    }
}

/// Checks the argument of `$meta`: only `textScore` concerns the data.
pub(super) fn text_score(argument: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match argument {
        Node::Text("textScore") => Ok(()),
        _ => Err(GuardError::invalid("\"textScore\"", at)),
    }
}

/// The fields of a document.
pub(super) fn fields<'n, 'a>(
    node: &'n Node<'a>,
    expected: &str,
    at: &Location<'_>,
) -> Result<&'n [(&'a str, Node<'a>)], GuardError> {
    match node {
        Node::Document(fields) => Ok(fields),
        _ => Err(GuardError::invalid(expected, at)),
    }
}

/// The only field of a document.
pub(super) fn single<'n, 'a>(
    fields: &'n [(&'a str, Node<'a>)],
    expected: &str,
    at: &Location<'_>,
) -> Result<(&'a str, &'n Node<'a>), GuardError> {
    match fields {
        [(name, value)] => Ok((name, value)),
        _ => Err(GuardError::invalid(format!("a document with exactly one field: {expected}"), at)),
    }
}

/// Checks a document of known options.
pub(super) fn options<'a>(
    fields: &[(&'a str, Node<'a>)],
    known: &[&str],
    at: &Location<'_>,
    check: impl Fn(&str, &Node<'a>, &Location<'_>) -> Result<(), GuardError>,
) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if !known.contains(name) {
            return Err(unknown(name, known, &at));
        }
        check(name, value, &at)
    })
}

/// The error for an unknown option.
pub(super) fn unknown(name: &str, known: &[&str], at: &Location<'_>) -> GuardError {
    unknown_name::not_among(NameKind::Option, name, known, at)
}
