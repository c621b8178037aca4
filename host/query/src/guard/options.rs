//! What goes beside filters and pipelines: projections, sorts, collations, variables, paths.

use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::{NAME_BYTES, at::At, expression, filter, names::Kind, refused::Refused, tree::Node, unlisted};

/// Keys of a sort. The server's own limit.
const SORT_KEYS: usize = 32;

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
    if fields.len() > SORT_KEYS {
        return Err(Refused::too_much("keys of a sort", fields.len(), SORT_KEYS, at));
    }
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        // `{$natural: 1}` would force a collection scan in an order that nothing promises
        path(name, &at)?;
        match value {
            Node::Document(inner) => match single(inner, "1, -1 or {$meta: \"textScore\"}", &at)? {
                ("$meta", argument) => text_score(argument, &at),
                (name, _) => Err(unlisted::refuse(Kind::Expression, name, &at)),
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
    let one_of = |value: &Node<'_>, wanted: &[&str], at: &At<'_>| match value {
        Node::Text(text) if wanted.contains(text) => Ok(()),
        _ => Err(Refused::shape(format!("one of {}", wanted.join(", ")), at)),
    };
    if !fields.iter().any(|(name, _)| *name == "locale") {
        return Err(Refused::shape("a document with a `locale`", at));
    }
    options(fields, &KNOWN, at, |name, value, at| match name {
        "locale" => match value {
            Node::Text(text) if is_locale(text) => Ok(()),
            _ => Err(Refused::shape("a locale: `simple`, `de`, `de_AT`, `fr@collation=search`", at)),
        },
        "strength" => match value.whole() {
            Some(1..=5) => Ok(()),
            _ => Err(Refused::shape("a whole number from 1 to 5", at)),
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

/// `{name: EXPRESSION}`: variables that a stage or an expression binds.
pub(super) fn bound(variables: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    fields(variables, "a document of variables", at)?.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        variable(name, &at)?;
        expression::check(value, &at)
    })
}

/// The name of a variable of the probe's own. Names of the server's variables begin with a capital.
pub(super) fn variable(name: &str, at: &At<'_>) -> Result<(), Refused> {
    if is_variable(name) {
        return Ok(());
    }
    Err(Refused::shape("the name of a variable: it begins with a small letter", at))
}

/// Whether the server takes a name for a variable of whoever asks.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || !c.is_ascii())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii())
}

/// `a.b.c`: no empty part, none that begins with `$`.
pub(super) fn path(path: &str, at: &At<'_>) -> Result<(), Refused> {
    if path.contains('\0') || path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(Refused::shape("a path of field names", at));
    }
    Ok(())
}

/// A path as a value.
pub(super) fn text_path(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Text(text) => path(text, at),
        _ => Err(Refused::shape("a path of field names", at)),
    }
}

/// The name of a field at the top: a path of one part.
pub(super) fn name(name: &str, at: &At<'_>) -> Result<(), Refused> {
    if name.is_empty() || name.starts_with('$') || name.contains(['.', '\0']) {
        return Err(Refused::shape("the name of a field, without dots", at));
    }
    Ok(())
}

/// Text that means nothing but itself.
pub(super) fn text(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Text(text) if !text.starts_with('$') && !text.contains('\0') => Ok(()),
        _ => Err(Refused::shape("text", at)),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Flag => Ok(()),
        _ => Err(Refused::shape("a flag", at)),
    }
}

/// A whole number, and how little it may be.
pub(super) fn whole_from(least: i64, value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value.whole() {
        Some(number) if number >= least => Ok(()),
        _ => Err(Refused::shape(format!("a whole number that is at least {least}"), at)),
    }
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
            return Err(unknown(name, known, &at));
        }
        check(name, value, &at)
    })
}

/// An option that nobody knows there.
pub(super) fn unknown(name: &str, known: &[&str], at: &At<'_>) -> Refused {
    unlisted::among(Kind::Option, name, known, at)
}
