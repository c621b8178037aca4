//! The position of a stage in its pipeline, and of that pipeline in the request.

/// The position of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// How many stages come before it.
    pub(super) index: usize,
    /// Where the documents of its pipeline come from.
    pub(super) input: Input,
    /// How many pipelines surround its pipeline.
    pub(super) depth: usize,
    /// Whether it is in a branch of `$facet`, at any level.
    pub(super) in_facet: bool,
}

/// Where the documents of a pipeline come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Collection,
    /// From a `$documents` stage, because no collection is named.
    DocumentsStage,
    /// From the surrounding pipeline.
    Facet,
}

impl Position {
    /// A stage of the request's own pipeline.
    pub(super) fn top_level(index: usize) -> Self {
        Self { index, input: Input::Collection, depth: 0, in_facet: false }
    }

    /// Whether the stage reads a collection's documents directly.
    pub(super) fn is_first_on_collection(self) -> bool {
        self.index == 0 && self.input == Input::Collection
    }
}
