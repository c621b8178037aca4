//! Checks of geospatial operators and of the shapes that they use.

use super::{
    error::GuardError,
    location::Location,
    shape::{fields, options, single, text, unknown},
    tree::Node,
};

/// `{$geometry: G}`, `{$box: [[0, 0], [9, 9]]}`, `{$centerSphere: [[0, 0], 0.1]}`.
pub(super) fn within(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match single(fields(value, "a shape", at)?, "a shape", at)? {
        ("$geometry", shape) => geometry(shape, &at.field("$geometry")),
        (name @ ("$box" | "$polygon" | "$center" | "$centerSphere"), shape) => coordinates(shape, &at.field(name)),
        (name, _) => {
            let known = ["$geometry", "$box", "$polygon", "$center", "$centerSphere"];
            Err(unknown(name, &known, &at.field(name)))
        }
    }
}

/// `{$geometry: G}`.
pub(super) fn intersects(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    options(fields(value, "a geometry", at)?, &["$geometry"], at, |_, shape, at| geometry(shape, at))
}

/// `{$geometry: POINT, $maxDistance: 5}`, or the legacy form `[x, y]`.
pub(super) fn near(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let Node::Document(near) = value else { return coordinates(value, at) };
    options(near, &["$geometry", "$maxDistance", "$minDistance"], at, |name, value, at| match name {
        "$geometry" => geometry(value, at),
        _ => distance(value, at),
    })
}

/// A distance, in the unit of the shape.
pub(super) fn distance(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value.number() {
        Some(0.0..) => Ok(()),
        _ => Err(GuardError::invalid("a number of at least 0", at)),
    }
}

/// `{type: "Point", coordinates: [13.4, 52.5]}`, or a `GeometryCollection`, with an optional coordinate system.
pub(super) fn geometry(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let known = ["type", "coordinates", "geometries", "crs"];
    options(fields(value, "a geometry", at)?, &known, at, |name, value, at| match (name, value) {
        ("type", _) => text(value, at),
        ("coordinates", _) => coordinates(value, at),
        ("geometries", Node::Array(items)) => {
            items.iter().enumerate().try_for_each(|(number, item)| geometry(item, &at.index(number)))
        }
        ("geometries", _) => Err(GuardError::invalid("an array of geometries", at)),
        _ => options(fields(value, "a document", at)?, &["type", "properties"], at, |name, value, at| match name {
            "type" => text(value, at),
            _ => options(fields(value, "a document", at)?, &["name"], at, |_, value, at| text(value, at)),
        }),
    })
}

/// An array of numbers, or nested arrays of numbers.
pub(super) fn coordinates(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| match item {
            Node::Array(_) => coordinates(item, &at.index(number)),
            _ if item.number().is_some() => Ok(()),
            _ => Err(GuardError::invalid("a number", &at.index(number))),
        }),
        _ => Err(GuardError::invalid("an array of coordinates", at)),
    }
}
