//! Bytes into a tree: well-formed BSON, harmless types, no name twice, no deeper than [`DEPTH`].

use bson::{RawBsonRef, RawDocument, raw::RawElement};

use super::{DEPTH, at::At, refused::Refused};

/// A value, as far as the grammar needs to know it.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Document(Vec<(&'a str, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Text(&'a str),
    Whole(i64),
    Double(f64),
    Flag,
    Regex,
    /// Null, dates, ids, binary data and the like: data, whatever it says.
    Other,
}

impl Node<'_> {
    /// A number without a fraction.
    pub(super) fn whole(&self) -> Option<i64> {
        match *self {
            Self::Whole(number) => Some(number),
            // 2^53: beyond it a double is no count of anything
            Self::Double(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => {
                Some(number as i64)
            }
            _ => None,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Whole(_) | Self::Double(_))
    }
}

/// Reads the fields of a document.
pub(super) fn document<'a>(raw: &'a RawDocument, at: &At<'_>) -> Result<Vec<(&'a str, Node<'a>)>, Refused> {
    let mut fields = Vec::new();
    for element in raw.iter_elements() {
        let element = element.map_err(|error| Refused::malformed(&error, at))?;
        let name = element.key().as_str();
        fields.push((name, node(&element, &at.field(name))?));
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Refused::Twice { at: at.field(twice[0]).to_string() });
    }
    Ok(fields)
}

fn node<'a>(element: &RawElement<'a>, at: &At<'_>) -> Result<Node<'a>, Refused> {
    if at.depth() > DEPTH {
        return Err(Refused::too_much("levels", at.depth(), DEPTH, at));
    }
    let refused = |kind| Err(Refused::Type { at: at.to_string(), kind });
    let value = element.value().map_err(|error| Refused::malformed(&error, at))?;
    Ok(match value {
        RawBsonRef::Document(raw) => Node::Document(document(raw, at)?),
        RawBsonRef::Array(raw) => {
            let mut items = Vec::new();
            for (number, element) in raw.iter_elements().enumerate() {
                let element = element.map_err(|error| Refused::malformed(&error, at))?;
                items.push(node(&element, &at.index(number))?);
            }
            Node::Array(items)
        }
        RawBsonRef::String(text) => Node::Text(text),
        RawBsonRef::Int32(number) => Node::Whole(number.into()),
        RawBsonRef::Int64(number) => Node::Whole(number),
        RawBsonRef::Double(number) => Node::Double(number),
        RawBsonRef::Boolean(_) => Node::Flag,
        RawBsonRef::RegularExpression(_) => Node::Regex,
        RawBsonRef::Null
        | RawBsonRef::Timestamp(_)
        | RawBsonRef::Binary(_)
        | RawBsonRef::ObjectId(_)
        | RawBsonRef::DateTime(_)
        | RawBsonRef::Decimal128(_)
        | RawBsonRef::MaxKey
        | RawBsonRef::MinKey => Node::Other,
        RawBsonRef::JavaScriptCode(_) => return refused("javascript"),
        RawBsonRef::JavaScriptCodeWithScope(_) => return refused("javascriptWithScope"),
        RawBsonRef::Symbol(_) => return refused("symbol"),
        RawBsonRef::DbPointer(_) => return refused("dbPointer"),
        RawBsonRef::Undefined => return refused("undefined"),
    })
}
