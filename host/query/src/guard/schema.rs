//! `$jsonSchema`: the keywords that MongoDB knows, and no others.

use super::{
    at::At,
    expression,
    options::{fields, flag, options, text, whole_from},
    refused::Refused,
    tree::{self, Node},
};

/// MongoDB's keywords. `$ref`, `$schema`, `default`, `definitions`, `format` and `id` are none of them, and the ones
/// for encryption describe clients, not data.
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

/// Reads a schema.
pub(super) fn check(schema: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    options(fields(schema, "a schema", at)?, &KEYWORDS, at, |keyword, value, at| match keyword {
        "additionalItems" | "additionalProperties" => match value {
            Node::Flag => Ok(()),
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
                    _ if name.starts_with('$') => return Err(Refused::shape("the name of a field", at)),
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
            _ => Err(Refused::shape("a regular expression as text", at)),
        },
        "description" | "title" => text(value, at),
        "exclusiveMaximum" | "exclusiveMinimum" | "uniqueItems" => flag(value, at),
        "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => {
            whole_from(0, value, at)
        }
        // values: `enum`, `maximum`, `minimum`, `multipleOf`
        _ => expression::literal(value, at),
    })
}

fn each(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Array(schemas) => {
            schemas.iter().enumerate().try_for_each(|(number, schema)| check(schema, &at.index(number)))
        }
        _ => Err(Refused::shape("an array of schemas", at)),
    }
}

fn names(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Array(names) => names.iter().enumerate().try_for_each(|(number, name)| text(name, &at.index(number))),
        _ => Err(Refused::shape("an array of names", at)),
    }
}
