//! What goes beside filters and pipelines: projections, sorts, collations, variables, paths.

use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::{
    NAME_BYTES,
    at::At,
    expression, filter,
    names::{self, Kind},
    refused::Refused,
    tree::Node,
};

/// A projection of `find`: as in `$project`, and the three operators that only `find` has.
pub(super) fn projection(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
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

/// Paths and what becomes of them: `$project`, `$addFields`.
pub(super) fn computed_paths(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        path(name, &at)?;
        expression::check(value, &at)
    })
}

/// `{total: -1, _id: 1}`.
pub(super) fn sort(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        // `{$natural: 1}` would force a collection scan in an order that nothing promises
        path(name, &at)?;
        match value {
            Node::Document(inner) => match single(inner, "1, -1 or {$meta: \"textScore\"}", &at)? {
                ("$meta", argument) => text_score(argument, &at),
                (name, _) => Err(names::refuse(Kind::Expression, name, &at)),
            },
            _ if matches!(value.whole(), Some(1 | -1)) => Ok(()),
            _ => Err(Refused::shape("1, -1 or {$meta: \"textScore\"}", &at)),
        }
    })
}

/// `{locale: "de", strength: 2}`.
pub(super) fn collation(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
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
    options(fields, &KNOWN, at, |_, value, at| match value {
        Node::Text(_) | Node::Flag => Ok(()),
        _ if value.is_number() => Ok(()),
        _ => Err(Refused::shape("text, a number or a flag", at)),
    })
}

/// `{name: value}`: plain values.
pub(super) fn variables(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        let fits = name.len() <= NAME_BYTES
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits {
            return Err(Refused::shape("named like `minimum`: a small letter, then letters, digits and _", &at));
        }
        expression::literal(value, &at)
    })
}

/// Wraps each value, because the server takes the values of `let` for expressions.
pub(super) fn as_literals(checked: &RawDocument) -> RawDocumentBuf {
    let mut wrapped = RawDocumentBuf::new();
    for (name, value) in checked.iter().flatten() {
        wrapped.append(name, rawdoc! { "$literal": value });
    }
    wrapped
}

/// `a.b.c`: no empty part, none that begins with `$`.
pub(super) fn path(path: &str, at: &At<'_>) -> Result<(), Refused> {
    if path.contains('\0') || path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(Refused::shape("a path of field names", at));
    }
    Ok(())
}

/// The only `$meta` that is about the data.
pub(super) fn text_score(argument: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match argument {
        Node::Text("textScore") => Ok(()),
        _ => Err(Refused::shape("\"textScore\"", at)),
    }
}

/// The fields of a document.
pub(super) fn fields<'n, 'a>(
    node: &'n Node<'a>,
    wanted: &str,
    at: &At<'_>,
) -> Result<&'n [(&'a str, Node<'a>)], Refused> {
    match node {
        Node::Document(fields) => Ok(fields),
        _ => Err(Refused::shape(wanted, at)),
    }
}

/// The only field of a document.
pub(super) fn single<'n, 'a>(
    fields: &'n [(&'a str, Node<'a>)],
    wanted: &str,
    at: &At<'_>,
) -> Result<(&'a str, &'n Node<'a>), Refused> {
    match fields {
        [(name, value)] => Ok((name, value)),
        _ => Err(Refused::shape(format!("a document with exactly one field: {wanted}"), at)),
    }
}

/// Named options, each known.
pub(super) fn options<'a>(
    fields: &[(&'a str, Node<'a>)],
    known: &[&str],
    at: &At<'_>,
    check: impl Fn(&str, &Node<'a>, &At<'_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if !known.contains(name) {
            return Err(names::refuse(Kind::Option, name, &at));
        }
        check(name, value, &at)
    })
}
