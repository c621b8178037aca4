//! Places on a map: the operators of filters and `$geoNear`.

use super::{
    at::At,
    filter,
    options::{fields, flag, options, single, text, text_path},
    refused::Refused,
    tree::Node,
};

/// `{$geometry: G}`, `{$box: [[0, 0], [9, 9]]}`, `{$centerSphere: [[0, 0], 0.1]}`.
pub(super) fn within(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match single(fields(value, "a shape", at)?, "a shape", at)? {
        ("$geometry", shape) => geometry(shape, &at.field("$geometry")),
        (name @ ("$box" | "$polygon" | "$center" | "$centerSphere"), shape) => coordinates(shape, &at.field(name)),
        (name, _) => {
            let known = ["$geometry", "$box", "$polygon", "$center", "$centerSphere"];
            Err(super::options::unknown(name, &known, &at.field(name)))
        }
    }
}

/// `{$geometry: G}`.
pub(super) fn intersects(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    options(fields(value, "a geometry", at)?, &["$geometry"], at, |_, shape, at| geometry(shape, at))
}

/// `{$geometry: POINT, $maxDistance: 5}`, or `[x, y]` as long as there were no geometries.
pub(super) fn near(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let Node::Document(near) = value else { return coordinates(value, at) };
    options(near, &["$geometry", "$maxDistance", "$minDistance"], at, |name, value, at| match name {
        "$geometry" => geometry(value, at),
        _ => distance(value, at),
    })
}

/// `{near, distanceField, spherical, maxDistance, minDistance, query, distanceMultiplier, includeLocs, key}`.
pub(super) fn near_stage(stage: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    const KNOWN: [&str; 9] = [
        "near",
        "distanceField",
        "spherical",
        "maxDistance",
        "minDistance",
        "query",
        "distanceMultiplier",
        "includeLocs",
        "key",
    ];
    options(stage, &KNOWN, at, |name, value, at| match name {
        "near" => match value {
            Node::Document(_) => geometry(value, at),
            _ => coordinates(value, at),
        },
        "query" => filter::check(fields(value, "a filter", at)?, at),
        "spherical" => flag(value, at),
        "maxDistance" | "minDistance" | "distanceMultiplier" => distance(value, at),
        _ => text_path(value, at),
    })
}

/// A length, in whatever the shape is measured in.
pub(super) fn distance(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value.number() {
        Some(0.0..) => Ok(()),
        _ => Err(Refused::shape("a number that is not negative", at)),
    }
}

/// `{type: "Point", coordinates: [13.4, 52.5]}`, a `GeometryCollection`, and the system of its coordinates.
fn geometry(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let known = ["type", "coordinates", "geometries", "crs"];
    options(fields(value, "a geometry", at)?, &known, at, |name, value, at| match (name, value) {
        ("type", _) => text(value, at),
        ("coordinates", _) => coordinates(value, at),
        ("geometries", Node::Array(items)) => {
            items.iter().enumerate().try_for_each(|(number, item)| geometry(item, &at.index(number)))
        }
        ("geometries", _) => Err(Refused::shape("an array of geometries", at)),
        _ => options(fields(value, "a document", at)?, &["type", "properties"], at, |name, value, at| match name {
            "type" => text(value, at),
            _ => options(fields(value, "a document", at)?, &["name"], at, |_, value, at| text(value, at)),
        }),
    })
}

/// Numbers, and arrays of them within one another.
fn coordinates(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| match item {
            Node::Array(_) => coordinates(item, &at.index(number)),
            _ if item.number().is_some() => Ok(()),
            _ => Err(Refused::shape("a number", &at.index(number))),
        }),
        _ => Err(Refused::shape("an array of coordinates", at)),
    }
}
