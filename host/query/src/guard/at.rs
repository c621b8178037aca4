//! Where in a request something stands: `stages[2].$group.total.$sum`.

use std::fmt;

use super::refused::shown;

/// A place, as a list that lives on the stack of whoever reads. Printed only when something is refused.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The request's own part: `filter`.
    pub(super) fn root(name: &'a str) -> Self {
        Self { parent: None, step: Step::Name(name), depth: 0 }
    }

    /// A field of it.
    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Name(name), depth: self.depth + 1 }
    }

    /// An element of it.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index), depth: self.depth + 1 }
    }

    /// How many steps below the root.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            fmt::Display::fmt(parent, f)?;
        }
        match self.step {
            Step::Name(name) if self.parent.is_some() => write!(f, ".{}", shown(name)),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
