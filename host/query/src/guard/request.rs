//! Checks the parts of one call.

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};

use super::{
    checked::{
        CheckedCollation, CheckedFilter, CheckedHint, CheckedPath, CheckedPipeline, CheckedProjection, CheckedSort,
        CheckedTarget, CheckedVariables,
    },
    context::{Context, Scope},
    error::GuardError,
    filter,
    limits::{NAME_BYTES, REQUEST_BYTES, STAGES},
    location::Location,
    pipeline,
    position::Position,
    query_options, shape, stage,
    tree::{self, Node},
};

/// Checks one call of a probe. All its parts count against [`REQUEST_BYTES`].
#[derive(Debug)]
pub struct Request<'s> {
    scope: Scope<'s>,
    bytes: usize,
}

impl<'s> Request<'s> {
    /// A call without parts.
    pub(crate) fn new(scope: Scope<'s>) -> Self {
        Self { scope, bytes: 0 }
    }

    /// Checks the collection that the call is for.
    pub fn target(&self, name: &str) -> Result<CheckedTarget, GuardError> {
        let mut context = self.context();
        context.collection_name(name, &Location::root("collection"))?;
        Ok(CheckedTarget { name: name.to_owned(), reads: context.into_reads() })
    }

    /// Checks a filter.
    pub fn filter(&mut self, bytes: &[u8]) -> Result<CheckedFilter, GuardError> {
        self.document(bytes, "filter", filter::check).map(CheckedFilter)
    }

    /// Checks a projection of `find`.
    pub fn projection(&mut self, bytes: &[u8]) -> Result<CheckedProjection, GuardError> {
        self.document(bytes, "projection", query_options::projection).map(CheckedProjection)
    }

    /// Checks a sort.
    pub fn sort(&mut self, bytes: &[u8]) -> Result<CheckedSort, GuardError> {
        self.document(bytes, "sort", query_options::sort).map(CheckedSort)
    }

    /// Checks a collation.
    pub fn collation(&mut self, bytes: &[u8]) -> Result<CheckedCollation, GuardError> {
        self.document(bytes, "collation", query_options::collation).map(CheckedCollation)
    }

    /// Checks variables.
    pub fn variables(&mut self, bytes: &[u8]) -> Result<CheckedVariables, GuardError> {
        let variables = self.document(bytes, "variables", query_options::variables)?;
        Ok(CheckedVariables(query_options::as_literals(&variables)))
    }

    /// Checks a pipeline, one document per stage.
    pub fn pipeline(&mut self, stages: &[Vec<u8>]) -> Result<CheckedPipeline, GuardError> {
        let root = Location::root("stages");
        if stages.len() > STAGES {
            return Err(GuardError::too_much("stages", stages.len(), STAGES, &root));
        }
        let mut context = self.context();
        let mut checked = RawArrayBuf::new();
        let mut makes_documents = false;
        for (index, bytes) in stages.iter().enumerate() {
            let at = root.index(index);
            self.count_bytes(bytes.len(), &at)?;
            let stage = single_document(bytes, &at, |stage, at| {
                makes_documents |= stage::makes_documents(stage);
                pipeline::check_stage(stage, Position::top_level(index), &mut context, at)
            })?;
            checked.push(stage);
        }
        Ok(CheckedPipeline { stages: checked, reads: context.into_reads(), makes_documents })
    }

    /// Checks the name of an index.
    pub fn hint(&mut self, name: &str) -> Result<CheckedHint, GuardError> {
        let at = Location::root("hint");
        self.count_bytes(name.len(), &at)?;
        if name.is_empty() || name.starts_with('$') || name.contains('\0') || name.len() > NAME_BYTES {
            return Err(GuardError::invalid("an index name", &at));
        }
        Ok(CheckedHint(name.to_owned()))
    }

    /// Checks a dotted path.
    pub fn path(&mut self, path: &str) -> Result<CheckedPath, GuardError> {
        let at = Location::root("path");
        self.count_bytes(path.len(), &at)?;
        shape::path(path, &at)?;
        Ok(CheckedPath(path.to_owned()))
    }

    fn context(&self) -> Context<'s> {
        Context::new(self.scope, pipeline::check_view)
    }

    fn document(&mut self, bytes: &[u8], part: &'static str, check: Check) -> Result<RawDocumentBuf, GuardError> {
        let at = Location::root(part);
        self.count_bytes(bytes.len(), &at)?;
        single_document(bytes, &at, check)
    }

    fn count_bytes(&mut self, bytes: usize, at: &Location<'_>) -> Result<(), GuardError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > REQUEST_BYTES {
            return Err(GuardError::too_much("bytes", self.bytes, REQUEST_BYTES, at));
        }
        Ok(())
    }
}

type Check = fn(&[(&str, Node<'_>)], &Location<'_>) -> Result<(), GuardError>;

/// Parses exactly one document and checks it.
fn single_document(
    bytes: &[u8],
    at: &Location<'_>,
    check: impl FnOnce(&[(&str, Node<'_>)], &Location<'_>) -> Result<(), GuardError>,
) -> Result<RawDocumentBuf, GuardError> {
    let raw = RawDocument::from_bytes(bytes).map_err(|error| GuardError::unreadable(&error, at))?;
    check(&tree::document(raw, at)?, at)?;
    Ok(raw.to_owned())
}
