//! Expressions: field paths, variables, operators, literals.

use super::{
    at::At,
    names::{self, Kind},
    options,
    refused::Refused,
    tree::{self, Node},
    unlisted,
};

/// Reads an expression.
pub(super) fn check(node: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match node {
        Node::Text(text) => reference(text, at),
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| check(item, &at.index(number))),
        Node::Document(fields) => document(fields, at),
        _ => Ok(()),
    }
}

/// `{$operator: argument}`, or a document each of whose fields is computed.
fn document(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    if fields.first().is_some_and(|(name, _)| name.starts_with('$')) {
        let (name, argument) = options::single(fields, "one operator", at)?;
        return operator(name, argument, &at.field(name));
    }
    computed(fields, at)
}

/// Fields whose values are expressions, none of them an operator.
pub(super) fn computed(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if name.starts_with('$') {
            return Err(Refused::shape("the name of a field: an operator stands alone in its document", &at));
        }
        check(value, &at)
    })
}

fn operator(name: &str, argument: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match name {
        // The one place where `$` means nothing: the server never looks into it. Types and names were looked at when
        // the tree was read.
        "$literal" => Ok(()),
        "$meta" => options::text_score(argument, at),
        "$let" | "$map" | "$filter" | "$regexFind" | "$regexFindAll" | "$regexMatch" => named(argument, at),
        // Named arguments, arrays of arguments and single ones are all made of expressions again. Whether an operator
        // takes them so is the server's question; that none of them hides another operator is answered here.
        _ if names::is_expression(name) => check(argument, at),
        _ => Err(unlisted::refuse(Kind::Expression, name, at)),
    }
}

/// Arguments of which some are no expressions but names that are bound, or patterns.
fn named(arguments: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let Node::Document(arguments) = arguments else { return check(arguments, at) };
    arguments.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        match (*name, value) {
            ("vars", Node::Document(_)) => options::bound(value, &at),
            ("as" | "arrayIndexAs", Node::Text(name)) => options::variable(name, &at),
            ("regex", Node::Text(pattern)) if !pattern.starts_with('$') => tree::pattern(pattern, &at),
            ("options", Node::Text(flags)) if !flags.starts_with('$') => tree::flags(flags, &at),
            _ if name.starts_with('$') => Err(Refused::shape("the name of an argument", &at)),
            _ => check(value, &at),
        }
    })
}

/// `$path`, `$$variable`, or plain text.
fn reference(text: &str, at: &At<'_>) -> Result<(), Refused> {
    if let Some(variable) = text.strip_prefix("$$") {
        let (name, path) = variable.split_once('.').map_or((variable, None), |(name, path)| (name, Some(path)));
        // the server knows whether the probe's own are bound
        if !options::is_variable(name) && !names::VARIABLES.contains(&name) {
            return Err(unlisted::refuse(Kind::Variable, &format!("$${name}"), at));
        }
        return path.map_or(Ok(()), |path| options::path(path, at));
    }
    match text.strip_prefix('$') {
        Some(path) => options::path(path, at),
        None => Ok(()),
    }
}

/// Data that is compared with, never computed: no name in it may begin with `$`.
pub(super) fn literal(node: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match node {
        Node::Document(fields) => fields.iter().try_for_each(|(name, value)| {
            let at = at.field(name);
            if name.starts_with('$') {
                return Err(match unlisted::refuse(Kind::QueryOperator, name, &at) {
                    Refused::Unknown { .. } => {
                        Refused::shape("the name of a field: nothing is computed in a value", &at)
                    }
                    refused => refused,
                });
            }
            literal(value, &at)
        }),
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| literal(item, &at.index(number))),
        _ => Ok(()),
    }
}
