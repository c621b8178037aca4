//! Which collections a request names, and which ones the views among them read: all of them must be granted.
//!
//! The server reads a view's collections with the rights of the user, so a view could give access to collections that are
//! not granted. The guard therefore follows a view's definition down to real collections, through nested views and nested
//! pipelines, by the same rules that apply to probes.

use std::collections::BTreeSet;

use bson::RawDocument;

use super::{
    checked::ReadSet,
    error::GuardError,
    limits::{REQUEST_BYTES, STAGES},
    location::Location,
    shape::fields,
    tree::{self, Node},
};
use crate::{collection::Collection, grant::Grant, namespace::is_application_collection, text::escaped};

/// The most nested views. The server's own limit.
const MAX_NESTED_VIEWS: usize = 20;

/// The collections that a request can name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'s> {
    grant: &'s Grant,
    collections: &'s [Collection],
}

impl<'s> Scope<'s> {
    /// A grant, and the collections that exist.
    pub(crate) fn new(grant: &'s Grant, collections: &'s [Collection]) -> Self {
        Self { grant, collections }
    }
}

/// Checks the pipeline of a view. A parameter, because checking a pipeline needs a [`Context`] in turn.
pub(super) type ViewPipelineCheck = fn(&Node<'_>, &mut Context<'_>, &Location<'_>) -> Result<(), GuardError>;

/// What is known so far about a request that is being checked.
pub(super) struct Context<'s> {
    scope: Scope<'s>,
    check_view_pipeline: ViewPipelineCheck,
    reads: BTreeSet<String>,
    stages: usize,
    /// How many views surround what is being checked.
    views: usize,
}

impl<'s> Context<'s> {
    pub(super) fn new(scope: Scope<'s>, check_view_pipeline: ViewPipelineCheck) -> Self {
        Self { scope, check_view_pipeline, reads: BTreeSet::new(), stages: 0, views: 0 }
    }

    /// All collections that were named.
    pub(super) fn into_reads(self) -> ReadSet {
        ReadSet(self.reads)
    }

    /// Whether the definition of a view is being checked, not what the probe sent.
    pub(super) fn is_in_view(&self) -> bool {
        self.views > 0
    }

    /// Counts a stage, at any level of nesting.
    pub(super) fn count_stage(&mut self, at: &Location<'_>) -> Result<(), GuardError> {
        self.stages += 1;
        if self.stages > STAGES {
            return Err(GuardError::too_much("stages", self.stages, STAGES, at));
        }
        Ok(())
    }

    /// Checks a value that names a collection.
    pub(super) fn collection(&mut self, node: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
        match node {
            Node::Text(name) => self.collection_name(name, at),
            // `{db, coll}` would read another database
            _ => Err(GuardError::invalid("the name of a collection of this database", at)),
        }
    }

    /// Checks the name of a collection that is read.
    pub(super) fn collection_name(&mut self, name: &str, at: &Location<'_>) -> Result<(), GuardError> {
        if !is_application_collection(name) {
            return Err(GuardError::Reserved { at: at.to_string(), name: escaped(name) });
        }
        let Scope { grant, collections } = self.scope;
        let definition = collections.iter().find(|c| c.name == name).and_then(|c| c.definition.as_ref());
        // a view within a view need not be granted: it shows no more than the collections beneath it, which must be
        let is_nested_view = self.is_in_view() && definition.is_some();
        if !is_nested_view && !grant.has(name) {
            return Err(GuardError::NotGranted {
                at: at.to_string(),
                name: escaped(name),
                probe: grant.probe.clone(),
                granted: grant.collection_names(),
                setting: grant.collections_setting(),
            });
        }
        // a name that was seen before has been followed already; this also ends a cycle, which servers do not allow
        if !self.reads.insert(name.to_owned()) {
            return Ok(());
        }
        definition.map_or(Ok(()), |definition| self.view(name, definition, at))
    }

    fn view(&mut self, name: &str, definition: &RawDocument, at: &Location<'_>) -> Result<(), GuardError> {
        if self.views == MAX_NESTED_VIEWS {
            return Err(GuardError::too_much("nested views", MAX_NESTED_VIEWS + 1, MAX_NESTED_VIEWS, at));
        }
        self.views += 1;
        let stages_outside = std::mem::take(&mut self.stages);
        let checked = self.view_definition(definition);
        self.stages = stages_outside;
        self.views -= 1;
        checked.map_err(|error| error.in_view(name, at))
    }

    /// `{viewOn, pipeline}`, and a collation, which reads nothing.
    fn view_definition(&mut self, definition: &RawDocument) -> Result<(), GuardError> {
        let root = Location::root("definition");
        let bytes = definition.as_bytes().len();
        if bytes > REQUEST_BYTES {
            return Err(GuardError::too_much("bytes", bytes, REQUEST_BYTES, &root));
        }
        let options = Node::Document(tree::document(definition, &root)?);
        let field = |wanted: &str| {
            fields(&options, "a document", &root).map(|all| all.iter().find(|(name, _)| *name == wanted))
        };
        match field("viewOn")? {
            Some((name, on)) => self.collection(on, &root.field(name))?,
            None => return Err(GuardError::invalid("the definition of a view", &root)),
        }
        match field("pipeline")? {
            Some((name, stages)) => (self.check_view_pipeline)(stages, self, &root.field(name)),
            None => Ok(()),
        }
    }
}
