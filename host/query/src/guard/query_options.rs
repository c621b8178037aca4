//! Checks of projections, computed fields, sorts, collations and variables.

use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::{
    error::GuardError,
    expression, filter,
    limits::NAME_BYTES,
    location::Location,
    names::NameKind,
    shape::{flag, options, path, single, text_score},
    tree::Node,
    unknown_name,
};

/// The most keys of a sort. The server's own limit.
const MAX_SORT_KEYS: usize = 32;

/// Checks a projection of `find`: as in `$project`, plus the operators that only `find` has.
pub(super) fn projection(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        path(name, &at)?;
        match value {
            Node::Document(inner) => match inner.as_slice() {
                [("$elemMatch", wanted)] => filter::elements(wanted, &at.field("$elemMatch")),
                _ => expression::check(value, &at),
            },
            _ => expression::check(value, &at),
        }
    })
}

/// Checks the fields of `$project` and `$addFields`.
pub(super) fn computed_fields(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        path(name, &at)?;
        expression::check(value, &at)
    })
}

/// Checks a sort: `{total: -1, _id: 1}`.
pub(super) fn sort(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    if fields.len() > MAX_SORT_KEYS {
        return Err(GuardError::too_much("sort keys", fields.len(), MAX_SORT_KEYS, at));
    }
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        // `{$natural: 1}` would force a collection scan in an undefined order
        path(name, &at)?;
        match value {
            Node::Document(inner) => match single(inner, "1, -1 or {$meta: \"textScore\"}", &at)? {
                ("$meta", argument) => text_score(argument, &at),
                (name, _) => Err(unknown_name::not_listed(NameKind::Expression, name, &at)),
            },
            _ if matches!(value.integer(), Some(1 | -1)) => Ok(()),
            _ => Err(GuardError::invalid("1, -1 or {$meta: \"textScore\"}", &at)),
        }
    })
}

/// Checks a collation: `{locale: "de", strength: 2}`.
pub(super) fn collation(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    const KNOWN: [&str; 9] = [
        "locale",
        "strength",
        "caseLevel",
        "caseFirst",
        "numericOrdering",
        "alternate",
        "maxVariable",
        "normalization",
        "backwards",
    ];
    let one_of = |value: &Node<'_>, wanted: &[&str], at: &Location<'_>| match value {
        Node::Text(text) if wanted.contains(text) => Ok(()),
        _ => Err(GuardError::invalid(format!("one of {}", wanted.join(", ")), at)),
    };
    if !fields.iter().any(|(name, _)| *name == "locale") {
        return Err(GuardError::invalid("a document with a `locale`", at));
    }
    options(fields, &KNOWN, at, |name, value, at| match name {
        "locale" => match value {
            Node::Text(text) if is_locale(text) => Ok(()),
            _ => Err(GuardError::invalid("a locale: `simple`, `de`, `de_AT`, `fr@collation=search`", at)),
        },
        "strength" => match value.integer() {
            Some(1..=5) => Ok(()),
            _ => Err(GuardError::invalid("an integer from 1 to 5", at)),
        },
        "caseFirst" => one_of(value, &["upper", "lower", "off"], at),
        "alternate" => one_of(value, &["non-ignorable", "shifted"], at),
        "maxVariable" => one_of(value, &["punct", "space"], at),
        _ => flag(value, at),
    })
}

fn is_locale(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-@=;".contains(c))
}

/// Checks variables `{name: value}` with plain values.
pub(super) fn variables(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        let is_valid = name.len() <= NAME_BYTES
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_valid {
            return Err(GuardError::invalid("a variable name: a lower-case letter, then letters, digits and _", &at));
        }
        expression::literal(value, &at)
    })
}

/// Wraps each value, because the server evaluates the values of `let` as expressions.
pub(super) fn as_literals(checked: &RawDocument) -> RawDocumentBuf {
    let mut wrapped = RawDocumentBuf::new();
    for (name, value) in checked.iter().flatten() {
        wrapped.append(name, rawdoc! { "$literal": value });
    }
    wrapped
}
