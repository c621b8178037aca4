//! The checked types: what the rest of the crate takes, and nothing outside the guard can make.

use std::collections::BTreeSet;

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};

use crate::command;

/// The collections that a request reads: each that it names and each that a view among them reads, views included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads(pub(super) BTreeSet<String>);

impl Reads {
    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }
}

/// The collection that a command is run on: granted, and with everything that it is made of.
#[derive(Debug, Clone)]
pub struct CheckedTarget {
    pub(super) name: String,
    pub(super) reads: Reads,
}

/// A filter that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedFilter(pub(super) RawDocumentBuf);

/// A projection that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedProjection(pub(super) RawDocumentBuf);

/// A sort that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedSort(pub(super) RawDocumentBuf);

/// A collation that was read and found harmless.
#[derive(Debug, Clone)]
pub struct CheckedCollation(pub(super) RawDocumentBuf);

/// Values for `$$name`, each wrapped in `$literal`, so that the server computes none of them.
#[derive(Debug, Clone)]
pub struct CheckedVariables(pub(super) RawDocumentBuf);

/// A pipeline of which every stage was read and found harmless, those of its sub-pipelines included.
#[derive(Debug, Clone)]
pub struct CheckedPipeline {
    pub(super) stages: RawArrayBuf,
    pub(super) reads: Reads,
    pub(super) makes_documents: bool,
}

/// The name of an index.
#[derive(Debug, Clone)]
pub struct CheckedHint(pub(super) String);

/// A dotted path into a document: no empty part, no `$`, no NUL.
#[derive(Debug, Clone)]
pub struct CheckedPath(pub(super) String);

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

macro_rules! text {
    ($($name:ident)*) => {$(
        impl $name {
            /// As it goes into a command.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}
text!(CheckedHint CheckedPath);

impl CheckedFilter {
    /// What fits all of these; everything, where there are none.
    pub(crate) fn all_of<'a>(filters: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all: Vec<&Self> = filters.into_iter().collect();
        match (all.pop(), all.is_empty()) {
            (None, _) => Self(RawDocumentBuf::new()),
            (Some(only), true) => only.clone(),
            (Some(last), false) => Self::joined("$and", all.into_iter().chain([last])),
        }
    }

    /// What fits none of these; there must be one.
    pub(crate) fn none_of<'a>(filters: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::joined("$nor", filters)
    }

    fn joined<'a>(operator: &'static str, filters: impl IntoIterator<Item = &'a Self>) -> Self {
        let filters: RawArrayBuf = filters.into_iter().map(|filter| filter.0.clone()).collect();
        let mut joined = RawDocumentBuf::new();
        joined.append(command::c(operator), filters);
        Self(joined)
    }
}

impl CheckedTarget {
    /// As it goes into a command.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Itself and, where it is a view, everything beneath it.
    pub(crate) fn reads(&self) -> &Reads {
        &self.reads
    }
}

impl CheckedPipeline {
    /// The stages, to be put among the host's own.
    pub(crate) fn into_stages(self) -> RawArrayBuf {
        self.stages
    }

    /// What it reads beside the collection that it is run on.
    pub(crate) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Whether something may come out of it when nothing goes in.
    pub(crate) fn makes_documents(&self) -> bool {
        self.makes_documents
    }
}
