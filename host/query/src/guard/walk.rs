//! Which collections a request names, and what the views among them read: all of it must be granted.
//!
//! A view is read with the rights of whoever reads the view, so on the server it is a door to what lies beneath. Here it
//! is none: its definition is followed down to real collections, through views of views and their sub-pipelines, by the
//! rules that hold for probes.

use std::collections::BTreeSet;

use bson::RawDocument;

use super::{
    REQUEST_BYTES, STAGES, at::At, checked::Reads, options::fields, pipeline, refused::Refused, shown, tree, tree::Node,
};
use crate::{
    collection::Collection,
    grant::{self, Grant},
};

/// Views of views. The server's own limit is 20.
const VIEWS: usize = 20;

/// What a request may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'s> {
    grant: &'s Grant,
    collections: &'s [Collection],
}

impl<'s> Scope<'s> {
    /// What a grant reaches of the collections that there are.
    pub(crate) fn new(grant: &'s Grant, collections: &'s [Collection]) -> Self {
        Self { grant, collections }
    }
}

/// What is known so far of a pipeline that is being read.
pub(super) struct Walk<'s> {
    scope: Scope<'s>,
    reads: BTreeSet<String>,
    stages: usize,
    /// How many views one is inside of.
    views: usize,
}

impl<'s> Walk<'s> {
    pub(super) fn new(scope: Scope<'s>) -> Self {
        Self { scope, reads: BTreeSet::new(), stages: 0, views: 0 }
    }

    /// Everything that was named.
    pub(super) fn reads(self) -> Reads {
        Reads(self.reads)
    }

    /// Whether these are the words of whoever defined a view, not of the probe.
    pub(super) fn is_in_view(&self) -> bool {
        self.views > 0
    }

    /// One more stage, wherever it stands.
    pub(super) fn stage(&mut self, at: &At<'_>) -> Result<(), Refused> {
        self.stages += 1;
        if self.stages > STAGES {
            return Err(Refused::too_much("stages", self.stages, STAGES, at));
        }
        Ok(())
    }

    /// The name of a collection.
    pub(super) fn collection(&mut self, node: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
        match node {
            Node::Text(name) => self.named(name, at),
            // `{db, coll}` reaches another database
            _ => Err(Refused::shape("the name of a collection of this database", at)),
        }
    }

    /// A collection that is read.
    pub(super) fn named(&mut self, name: &str, at: &At<'_>) -> Result<(), Refused> {
        if !grant::is_readable(name) {
            return Err(Refused::Reserved { at: at.to_string(), name: shown(name) });
        }
        let Scope { grant, collections } = self.scope;
        let definition =
            collections.iter().find(|there| there.name == name).and_then(|there| there.definition.as_ref());
        // what a view is made of may itself be a view that nobody granted: it shows no more than what is beneath it
        let only_passed_through = self.is_in_view() && definition.is_some();
        if !only_passed_through && !grant.has(name) {
            return Err(Refused::NotGranted {
                at: at.to_string(),
                name: shown(name),
                probe: grant.probe.clone(),
                granted: grant.shown(),
                setting: grant.collections_setting(),
            });
        }
        // whatever was named before has been followed; so a circle, which no server lets anybody make, ends here
        if !self.reads.insert(name.to_owned()) {
            return Ok(());
        }
        definition.map_or(Ok(()), |definition| self.view(name, definition, at))
    }

    fn view(&mut self, name: &str, definition: &RawDocument, at: &At<'_>) -> Result<(), Refused> {
        if self.views == VIEWS {
            return Err(Refused::too_much("views of views", VIEWS + 1, VIEWS, at));
        }
        self.views += 1;
        let outside = std::mem::take(&mut self.stages);
        let read = self.definition(definition);
        self.stages = outside;
        self.views -= 1;
        read.map_err(|refused| refused.in_view(name, at))
    }

    /// `{viewOn, pipeline}`, and a collation, which reads nothing.
    fn definition(&mut self, definition: &RawDocument) -> Result<(), Refused> {
        let root = At::root("definition");
        let bytes = definition.as_bytes().len();
        if bytes > REQUEST_BYTES {
            return Err(Refused::too_much("bytes", bytes, REQUEST_BYTES, &root));
        }
        let options = Node::Document(tree::document(definition, &root)?);
        let field = |wanted: &str| {
            fields(&options, "a document", &root).map(|all| all.iter().find(|(name, _)| *name == wanted))
        };
        match field("viewOn")? {
            Some((name, on)) => self.collection(on, &root.field(name))?,
            None => return Err(Refused::shape("the definition of a view", &root)),
        }
        match field("pipeline")? {
            Some((name, stages)) => pipeline::of_view(stages, self, &root.field(name)),
            None => Ok(()),
        }
    }
}
