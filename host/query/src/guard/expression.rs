//! Expressions: field paths, variables, operators, literals.

use super::{
    at::At,
    names::{self, Kind},
    options,
    refused::Refused,
    tree::Node,
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
        // Named arguments, arrays of arguments and single ones are all made of expressions again. Whether an operator
        // takes them so is the server's question; that none of them hides another operator is answered here.
        _ if names::is_expression(name) => check(argument, at),
        _ => Err(names::refuse(Kind::Expression, name, at)),
    }
}

/// `$path`, `$$variable`, or plain text.
fn reference(text: &str, at: &At<'_>) -> Result<(), Refused> {
    if let Some(variable) = text.strip_prefix("$$") {
        let (name, path) = variable.split_once('.').map_or((variable, None), |(name, path)| (name, Some(path)));
        // names that begin with a small letter are the probe's own; the server knows whether they are bound
        let own = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || !c.is_ascii())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
        if !own && !names::VARIABLES.contains(&name) {
            return Err(names::refuse(Kind::Variable, &format!("$${name}"), at));
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
                return Err(names::refuse(Kind::QueryOperator, name, &at));
            }
            literal(value, &at)
        }),
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| literal(item, &at.index(number))),
        _ => Ok(()),
    }
}
