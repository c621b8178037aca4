//! Checks of `$jsonSchema`: only the keywords that MongoDB supports.

use super::{
    error::GuardError,
    expression,
    location::Location,
    shape::{fields, flag, integer_from, options, text},
    tree::{self, Node},
};

/// MongoDB's keywords. MongoDB does not support `$ref`, `$schema`, `default`, `definitions`, `format` and `id`. The keywords
/// for encryption are left out, because they concern clients, not data.
const KEYWORDS: [&str; 29] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "bsonType",
    "dependencies",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
];

/// Checks a schema.
pub(super) fn check(schema: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    options(fields(schema, "a schema", at)?, &KEYWORDS, at, |keyword, value, at| match keyword {
        "additionalItems" | "additionalProperties" => match value {
            Node::Bool => Ok(()),
            _ => check(value, at),
        },
        "allOf" | "anyOf" | "oneOf" => each(value, at),
        "items" => match value {
            Node::Array(_) => each(value, at),
            _ => check(value, at),
        },
        "not" => check(value, at),
        "properties" | "patternProperties" | "dependencies" => {
            fields(value, "a document of schemas", at)?.iter().try_for_each(|(name, value)| {
                let at = &at.field(name);
                match keyword {
                    "patternProperties" => tree::pattern(name, at)?,
                    _ if name.starts_with('$') => return Err(GuardError::invalid("a field name", at)),
                    _ => {}
                }
                match value {
                    Node::Array(_) if keyword == "dependencies" => names(value, at),
                    _ => check(value, at),
                }
            })
        }
        "required" => names(value, at),
        "bsonType" | "type" => match value {
            Node::Array(_) => names(value, at),
            _ => text(value, at),
        },
        "pattern" => match value {
            Node::Text(pattern) => tree::pattern(pattern, at),
            _ => Err(GuardError::invalid("a regular expression as a string", at)),
        },
        "description" | "title" => text(value, at),
        "exclusiveMaximum" | "exclusiveMinimum" | "uniqueItems" => flag(value, at),
        "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => {
            integer_from(0, value, at)
        }
        // values: `enum`, `maximum`, `minimum`, `multipleOf`
        _ => expression::literal(value, at),
    })
}

fn each(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Array(schemas) => {
            schemas.iter().enumerate().try_for_each(|(number, schema)| check(schema, &at.index(number)))
        }
        _ => Err(GuardError::invalid("an array of schemas", at)),
    }
}

fn names(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Array(names) => names.iter().enumerate().try_for_each(|(number, name)| text(name, &at.index(number))),
        _ => Err(GuardError::invalid("an array of names", at)),
    }
}
