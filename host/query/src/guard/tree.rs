//! Bytes into a tree: well-formed BSON, harmless types, no name twice, no deeper than [`DEPTH`].

use bson::{RawBsonRef, RawDocument, raw::RawElement};

use super::{DEPTH, at::At, refused::Refused};

/// The most that a double counts exactly: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Bytes of a regular expression. The server's own limit is 32 KiB; what people write has a few dozen.
pub(super) const REGEX_BYTES: usize = 1024;

/// A value, as far as the grammar needs to know it.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Document(Vec<(&'a str, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Text(&'a str),
    Whole(i64),
    Double(f64),
    Flag,
    /// Milliseconds since 1970.
    Date(i64),
    Regex,
    /// Null, ids, binary data and the like: data, whatever it says.
    Other,
}

impl Node<'_> {
    /// A number without a fraction.
    pub(super) fn whole(&self) -> Option<i64> {
        match *self {
            Self::Whole(number) => Some(number),
            Self::Double(number) if number.fract() == 0.0 && number.abs() <= EXACT => Some(number as i64),
            _ => None,
        }
    }

    /// A finite number that a double holds exactly enough to count with.
    pub(super) fn number(&self) -> Option<f64> {
        match *self {
            // exact: not beyond 2^53
            #[expect(clippy::cast_precision_loss, reason = "the filter keeps what would lose any")]
            Self::Whole(number) => Some(number as f64).filter(|number| number.abs() <= EXACT),
            Self::Double(number) => Some(number).filter(|number| number.abs() <= EXACT),
            _ => None,
        }
    }
}

/// Reads the fields of a document.
pub(super) fn document<'a>(raw: &'a RawDocument, at: &At<'_>) -> Result<Vec<(&'a str, Node<'a>)>, Refused> {
    let mut fields = Vec::new();
    for element in raw.iter_elements() {
        let element = element.map_err(|error| Refused::unreadable(&error, at))?;
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
    let value = element.value().map_err(|error| Refused::unreadable(&error, at))?;
    Ok(match value {
        RawBsonRef::Document(raw) => Node::Document(document(raw, at)?),
        RawBsonRef::Array(raw) => {
            let mut items = Vec::new();
            for (number, element) in raw.iter_elements().enumerate() {
                let element = element.map_err(|error| Refused::unreadable(&error, at))?;
                // names of elements mean nothing to most of the server, and must mean nothing to any of it
                if element.key().as_str() != number.to_string() {
                    return Err(Refused::malformed("the elements of an array are not numbered", at));
                }
                items.push(node(&element, &at.index(number))?);
            }
            Node::Array(items)
        }
        RawBsonRef::String(text) => Node::Text(text),
        RawBsonRef::Int32(number) => Node::Whole(number.into()),
        RawBsonRef::Int64(number) => Node::Whole(number),
        RawBsonRef::Double(number) => Node::Double(number),
        RawBsonRef::Boolean(_) => Node::Flag,
        RawBsonRef::RegularExpression(regex) => {
            pattern(regex.pattern.as_str(), at)?;
            flags(regex.options.as_str(), at)?;
            Node::Regex
        }
        RawBsonRef::DateTime(date) => Node::Date(date.timestamp_millis()),
        RawBsonRef::Null
        | RawBsonRef::Timestamp(_)
        | RawBsonRef::Binary(_)
        | RawBsonRef::ObjectId(_)
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

/// The text of a regular expression.
pub(super) fn pattern(text: &str, at: &At<'_>) -> Result<(), Refused> {
    if text.len() > REGEX_BYTES {
        return Err(Refused::too_much("bytes of a regular expression", text.len(), REGEX_BYTES, at));
    }
    if text.contains('\0') {
        return Err(Refused::shape("a regular expression without NUL", at));
    }
    Ok(())
}

/// The flags of a regular expression.
pub(super) fn flags(text: &str, at: &At<'_>) -> Result<(), Refused> {
    if text.chars().all(|flag| "imsux".contains(flag)) {
        return Ok(());
    }
    Err(Refused::shape("flags of a regular expression: i, m, s, u and x", at))
}
