//! Parses BSON into a tree: well-formed, of allowed types, without duplicate fields, no deeper than [`DEPTH`].

use bson::{RawBsonRef, RawDocument, raw::RawElement};

use super::{error::GuardError, limits::DEPTH, location::Location};

/// The largest integer up to which a double represents all integers exactly: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Bytes of a regular expression. The server's own limit is 32 KiB; usual ones have a few dozen.
pub(super) const REGEX_BYTES: usize = 1024;

/// A value, reduced to what the checks need.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Document(Vec<(&'a str, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Text(&'a str),
    Integer(i64),
    Double(f64),
    Bool,
    /// Milliseconds since 1970.
    Date(i64),
    Regex,
    /// Null, ids, binary data and the like, whose content does not matter.
    Other,
}

impl Node<'_> {
    /// A number without a fraction.
    pub(super) fn integer(&self) -> Option<i64> {
        match *self {
            Self::Integer(number) => Some(number),
            Self::Double(number) if number.fract() == 0.0 && number.abs() <= MAX_EXACT => Some(number as i64),
            _ => None,
        }
    }

    /// A finite number that a double represents exactly.
    pub(super) fn number(&self) -> Option<f64> {
        match *self {
            #[expect(clippy::cast_precision_loss, reason = "the filter drops numbers that are not exact")]
            Self::Integer(number) => Some(number as f64).filter(|number| number.abs() <= MAX_EXACT),
            Self::Double(number) => Some(number).filter(|number| number.abs() <= MAX_EXACT),
            _ => None,
        }
    }
}

/// Parses the fields of a document.
pub(super) fn document<'a>(raw: &'a RawDocument, at: &Location<'_>) -> Result<Vec<(&'a str, Node<'a>)>, GuardError> {
    let mut fields = Vec::new();
    for element in raw.iter_elements() {
        let element = element.map_err(|error| GuardError::unreadable(&error, at))?;
        let name = element.key().as_str();
        fields.push((name, node(&element, &at.field(name))?));
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    if let Some(duplicate) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(GuardError::DuplicateField { at: at.field(duplicate[0]).to_string() });
    }
    Ok(fields)
}

fn node<'a>(element: &RawElement<'a>, at: &Location<'_>) -> Result<Node<'a>, GuardError> {
    if at.depth() > DEPTH {
        return Err(GuardError::too_much("levels", at.depth(), DEPTH, at));
    }
    let refused = |kind| Err(GuardError::Type { at: at.to_string(), kind });
    let value = element.value().map_err(|error| GuardError::unreadable(&error, at))?;
    Ok(match value {
        RawBsonRef::Document(raw) => Node::Document(document(raw, at)?),
        RawBsonRef::Array(raw) => {
            let mut items = Vec::new();
            for (number, element) in raw.iter_elements().enumerate() {
                let element = element.map_err(|error| GuardError::unreadable(&error, at))?;
                // most of the server ignores the names of elements, and no part of it may depend on them
                if element.key().as_str() != number.to_string() {
                    return Err(GuardError::malformed("the elements of an array are not numbered 0, 1, 2, …", at));
                }
                items.push(node(&element, &at.index(number))?);
            }
            Node::Array(items)
        }
        RawBsonRef::String(text) => Node::Text(text),
        RawBsonRef::Int32(number) => Node::Integer(number.into()),
        RawBsonRef::Int64(number) => Node::Integer(number),
        RawBsonRef::Double(number) => Node::Double(number),
        RawBsonRef::Boolean(_) => Node::Bool,
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

/// Checks the pattern of a regular expression.
pub(super) fn pattern(text: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if text.len() > REGEX_BYTES {
        return Err(GuardError::too_much("bytes in a regular expression", text.len(), REGEX_BYTES, at));
    }
    if text.contains('\0') {
        return Err(GuardError::invalid("a regular expression without NUL", at));
    }
    Ok(())
}

/// Checks the options of a regular expression.
pub(super) fn flags(text: &str, at: &Location<'_>) -> Result<(), GuardError> {
    if text.chars().all(|flag| "imsux".contains(flag)) {
        return Ok(());
    }
    Err(GuardError::invalid("regular expression options: i, m, s, u, x", at))
}
