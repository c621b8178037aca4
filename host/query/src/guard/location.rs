//! The location of a value in a request: `stages[2].$group.total.$sum`.

use std::fmt;

use crate::text::escaped;

/// A location, as a linked list on the stack of the checking functions. It is printed only when something is refused.
#[derive(Clone, Copy)]
pub(super) struct Location<'a> {
    parent: Option<&'a Location<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Location<'a> {
    /// A part of the request: `filter`.
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

    /// The number of steps below the root.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            fmt::Display::fmt(parent, f)?;
        }
        match self.step {
            Step::Name(name) if self.parent.is_some() => write!(f, ".{}", escaped(name)),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
