//! What a probe may say to MongoDB: an allow-list over raw BSON, and the checked types that come out of it.
//!
//! A probe never sends a command. It sends filters, projections, sorts and pipelines, and each is read element by
//! element here before anything else looks at it. What is not on a list of [`names`] is refused by name, so a stage that
//! a later server learns is refused until somebody has thought about it. Deny-lists of the field did not hold: `$merge`
//! was forgotten once, `$changeStream` another time.
//!
//! The rules, each there because its absence is a way around the others:
//! - A stage has one field; no name stands twice in a document; elements of arrays are numbered. Whatever two parsers
//!   could read in two ways is refused, and what was checked is sent byte for byte.
//! - Lists for stages, accumulators, window operators, query operators, expression operators, variables and options are
//!   separate. `$_…` is on none. What `$literal` holds is data; everywhere else a name with `$` is an operator.
//! - Pipelines within stages are read like the request's own, and their stages count with its stages.
//! - Each collection that is named must be granted, and where it is a view, everything that its definition reads: see
//!   [`walk`]. Other databases cannot be named.
//! - What answers differently each time is refused, for two captures could not be compared.
//!
//! The rest of the crate takes only the `Checked…` types, which nothing outside this module can make.

mod at;
mod checked;
mod expression;
mod filter;
mod geo;
mod group;
mod names;
mod options;
mod pipeline;
mod refused;
mod schema;
mod series;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod unlisted;
mod walk;
mod window;

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};

use self::{at::At, pipeline::Place, tree::Node, walk::Walk};
pub use checked::{
    CheckedCollation, CheckedFilter, CheckedHint, CheckedPath, CheckedPipeline, CheckedProjection, CheckedSort,
    CheckedTarget, CheckedVariables, Reads,
};
pub use refused::Refused;
pub(crate) use refused::{clipped, shown};
pub(crate) use walk::Scope;

/// Bytes of all BSON of one call. Queries that people write have a thousandth of it.
pub const REQUEST_BYTES: usize = 64 * 1024;
/// Documents and arrays within one another. The server itself stops at about 200.
pub const DEPTH: usize = 64;
/// Stages of a pipeline, those of the pipelines within it included.
pub const STAGES: usize = 100;
/// Bytes of a name: an index, a variable.
const NAME_BYTES: usize = 255;

/// One call of a probe: everything in it counts against [`REQUEST_BYTES`].
#[derive(Debug)]
pub struct Request<'s> {
    scope: Scope<'s>,
    bytes: usize,
}

impl<'s> Request<'s> {
    /// A call that reads nothing yet.
    pub(crate) fn new(scope: Scope<'s>) -> Self {
        Self { scope, bytes: 0 }
    }

    /// The collection that the call is for.
    pub fn target(&self, name: &str) -> Result<CheckedTarget, Refused> {
        let mut walk = Walk::new(self.scope);
        walk.named(name, &At::root("collection"))?;
        Ok(CheckedTarget { name: name.to_owned(), reads: walk.reads() })
    }

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
        let mut walk = Walk::new(self.scope);
        let mut checked = RawArrayBuf::new();
        let mut makes_documents = false;
        for (number, bytes) in stages.iter().enumerate() {
            let at = root.index(number);
            self.spend(bytes.len(), &at)?;
            let stage = whole(bytes, &at, |stage, at| {
                makes_documents |= stage::makes_documents(stage);
                stage::check(stage, Place::outermost(number), &mut walk, at)
            })?;
            checked.push(stage);
        }
        Ok(CheckedPipeline { stages: checked, reads: walk.reads(), makes_documents })
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
fn whole(
    bytes: &[u8],
    at: &At<'_>,
    check: impl FnOnce(&[(&str, Node<'_>)], &At<'_>) -> Result<(), Refused>,
) -> Result<RawDocumentBuf, Refused> {
    let raw = RawDocument::from_bytes(bytes).map_err(|error| Refused::unreadable(&error, at))?;
    check(&tree::document(raw, at)?, at)?;
    Ok(raw.to_owned())
}
