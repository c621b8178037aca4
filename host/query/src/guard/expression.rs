//! Expressions: field paths, variables, operators, literals.

use super::{
    error::GuardError,
    location::Location,
    names::{self, NameKind},
    shape::{self, fields, variable},
    tree::{self, Node},
    unknown_name,
};

/// Checks an expression.
pub(super) fn check(node: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match node {
        Node::Text(text) => reference(text, at),
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| check(item, &at.index(number))),
        Node::Document(fields) => document(fields, at),
        _ => Ok(()),
    }
}

/// `{$operator: argument}`, or a document whose fields are expressions.
fn document(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    if fields.first().is_some_and(|(name, _)| name.starts_with('$')) {
        let (name, argument) = shape::single(fields, "one operator", at)?;
        return operator(name, argument, &at.field(name));
    }
    computed(fields, at)
}

/// Fields whose values are expressions, none of them an operator.
pub(super) fn computed(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if name.starts_with('$') {
            return Err(GuardError::invalid("a field name: an operator must be the only field of its document", &at));
        }
        check(value, &at)
    })
}

fn operator(name: &str, argument: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match name {
        // The server does not evaluate its content, so `$` has no meaning there. Types and duplicate fields were checked
        // when the tree was parsed.
        "$literal" => Ok(()),
        "$meta" => shape::text_score(argument, at),
        "$let" | "$map" | "$filter" | "$regexFind" | "$regexFindAll" | "$regexMatch" => named_arguments(argument, at),
        // Named arguments, arrays of arguments and single arguments all consist of expressions. The server checks whether an
        // operator accepts them; here it matters only that no operator that is not listed is nested in them.
        _ if names::is_expression(name) => check(argument, at),
        _ => Err(unknown_name::not_listed(NameKind::Expression, name, at)),
    }
}

/// Checks named arguments, of which some are not expressions but variable names or patterns.
fn named_arguments(arguments: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let Node::Document(arguments) = arguments else { return check(arguments, at) };
    arguments.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        match (*name, value) {
            ("vars", Node::Document(_)) => bindings(value, &at),
            ("as" | "arrayIndexAs", Node::Text(name)) => variable(name, &at),
            ("regex", Node::Text(pattern)) if !pattern.starts_with('$') => tree::pattern(pattern, &at),
            ("options", Node::Text(flags)) if !flags.starts_with('$') => tree::flags(flags, &at),
            _ if name.starts_with('$') => Err(GuardError::invalid("an argument name", &at)),
            _ => check(value, &at),
        }
    })
}

/// Checks variables `{name: EXPRESSION}` that a stage or an expression binds.
pub(super) fn bindings(variables: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    fields(variables, "a document of variables", at)?.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        variable(name, &at)?;
        check(value, &at)
    })
}

/// `$path`, `$$variable`, or a plain string.
fn reference(text: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if let Some(variable) = text.strip_prefix("$$") {
        let (name, path) = variable.split_once('.').map_or((variable, None), |(name, path)| (name, Some(path)));
        // the server checks whether the probe's own variables are bound
        if !shape::is_variable(name) && !names::VARIABLES.contains(&name) {
            return Err(unknown_name::not_listed(NameKind::Variable, &format!("$${name}"), at));
        }
        return path.map_or(Ok(()), |path| shape::path(path, at));
    }
    match text.strip_prefix('$') {
        Some(path) => shape::path(path, at),
        None => Ok(()),
    }
}

/// Checks data that is compared with and not evaluated: no field name in it may begin with `$`.
pub(super) fn literal(node: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match node {
        Node::Document(fields) => fields.iter().try_for_each(|(name, value)| {
            let at = at.field(name);
            if name.starts_with('$') {
                return Err(match unknown_name::not_listed(NameKind::QueryOperator, name, &at) {
                    GuardError::UnknownName { .. } => {
                        GuardError::invalid("a field name: values cannot contain operators", &at)
                    }
                    error => error,
                });
            }
            literal(value, &at)
        }),
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| literal(item, &at.index(number))),
        _ => Ok(()),
    }
}
