//! What a probe may say to MongoDB: an allow-list over raw BSON, and the checked types that come out of it.
//!
//! A probe never sends a command. It sends filters, projections, sorts and pipelines, and each is read element by
//! element here before anything else looks at it. What is not on a list of [`names`] is refused by name, so a stage that
//! a later server learns is refused until somebody has thought about it. Deny-lists of the field did not hold: `$merge`
//! was forgotten once, `$changeStream` another time.
//!
//! The rest of the crate takes only the `Checked…` types, which nothing outside this module can make.

mod at;
mod expression;
mod filter;
mod names;
mod options;
mod refused;
mod stage;
#[cfg(test)]
mod tests;
mod tree;

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};

use self::{at::At, tree::Node};
pub use refused::Refused;
pub(crate) use refused::{clipped, shown};

/// Bytes of all BSON of one call. Queries that people write have a thousandth of it.
pub const REQUEST_BYTES: usize = 64 * 1024;
/// Documents and arrays within one another. The server itself stops at about 200.
pub const DEPTH: usize = 64;
/// Stages of a pipeline.
pub const STAGES: usize = 100;
/// Bytes of a name: an index, a variable.
const NAME_BYTES: usize = 255;

/// A filter that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedFilter(RawDocumentBuf);

/// A projection that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedProjection(RawDocumentBuf);

/// A sort that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedSort(RawDocumentBuf);

/// A collation that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedCollation(RawDocumentBuf);

/// Values for `$$name`, each wrapped in `$literal`, so that the server computes none of them.
#[derive(Debug, Clone)]
pub struct CheckedVariables(RawDocumentBuf);

/// A pipeline of which every stage was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedPipeline(RawArrayBuf);

/// The name of an index.
#[derive(Debug, Clone)]
pub struct CheckedHint(String);

/// A dotted path into a document: no empty part, no `$`, no NUL.
#[derive(Debug, Clone)]
pub struct CheckedPath(String);

macro_rules! raw {
    ($($name:ident)*) => {$(
        impl $name {
            /// As it goes into a command.
            pub(crate) fn raw(&self) -> &RawDocument {
                &self.0
            }
        }
    )*};
}
raw!(CheckedFilter CheckedProjection CheckedSort CheckedCollation CheckedVariables);

impl CheckedPipeline {
    /// The stages, to be put among the host's own.
    pub(crate) fn into_stages(self) -> RawArrayBuf {
        self.0
    }
}

impl CheckedHint {
    /// As it goes into a command.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl CheckedPath {
    /// As it goes into a command.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One call of a probe: everything in it counts against [`REQUEST_BYTES`].
#[derive(Debug, Default)]
pub struct Request {
    bytes: usize,
}

impl Request {
    /// Reads a filter.
    pub fn filter(&mut self, bytes: &[u8]) -> Result<CheckedFilter, Refused> {
        self.document(bytes, "filter", filter::check).map(CheckedFilter)
    }

    /// Reads a projection of `find`.
    pub fn projection(&mut self, bytes: &[u8]) -> Result<CheckedProjection, Refused> {
        self.document(bytes, "projection", options::projection).map(CheckedProjection)
    }

    /// Reads a sort.
    pub fn sort(&mut self, bytes: &[u8]) -> Result<CheckedSort, Refused> {
        self.document(bytes, "sort", options::sort).map(CheckedSort)
    }

    /// Reads a collation.
    pub fn collation(&mut self, bytes: &[u8]) -> Result<CheckedCollation, Refused> {
        self.document(bytes, "collation", options::collation).map(CheckedCollation)
    }

    /// Reads variables.
    pub fn variables(&mut self, bytes: &[u8]) -> Result<CheckedVariables, Refused> {
        let given = self.document(bytes, "variables", options::variables)?;
        Ok(CheckedVariables(options::as_literals(&given)))
    }

    /// Reads a pipeline, one document a stage.
    pub fn pipeline(&mut self, stages: &[Vec<u8>]) -> Result<CheckedPipeline, Refused> {
        let root = At::root("stages");
        if stages.len() > STAGES {
            return Err(Refused::too_much("stages", stages.len(), STAGES, &root));
        }
        let mut checked = RawArrayBuf::new();
        for (number, bytes) in stages.iter().enumerate() {
            let at = root.index(number);
            self.spend(bytes.len(), &at)?;
            checked.push(whole(bytes, &at, stage::check)?);
        }
        Ok(CheckedPipeline(checked))
    }

    /// Reads the name of an index.
    pub fn hint(&mut self, name: &str) -> Result<CheckedHint, Refused> {
        let at = At::root("hint");
        self.spend(name.len(), &at)?;
        if name.is_empty() || name.starts_with('$') || name.contains('\0') || name.len() > NAME_BYTES {
            return Err(Refused::shape("the name of an index", &at));
        }
        Ok(CheckedHint(name.to_owned()))
    }

    /// Reads a dotted path.
    pub fn path(&mut self, path: &str) -> Result<CheckedPath, Refused> {
        let at = At::root("path");
        self.spend(path.len(), &at)?;
        options::path(path, &at)?;
        Ok(CheckedPath(path.to_owned()))
    }

    fn document(&mut self, bytes: &[u8], what: &'static str, check: Check) -> Result<RawDocumentBuf, Refused> {
        let at = At::root(what);
        self.spend(bytes.len(), &at)?;
        whole(bytes, &at, check)
    }

    fn spend(&mut self, bytes: usize, at: &At<'_>) -> Result<(), Refused> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > REQUEST_BYTES {
            return Err(Refused::too_much("bytes", self.bytes, REQUEST_BYTES, at));
        }
        Ok(())
    }
}

type Check = fn(&[(&str, Node<'_>)], &At<'_>) -> Result<(), Refused>;

/// Reads exactly one document and lets `check` decide about it.
fn whole(bytes: &[u8], at: &At<'_>, check: Check) -> Result<RawDocumentBuf, Refused> {
    let raw = RawDocument::from_bytes(bytes).map_err(|error| Refused::malformed(&error, at))?;
    check(&tree::document(raw, at)?, at)?;
    Ok(raw.to_owned())
}
