//! The checked types: the rest of the crate accepts only these, and only the guard can create them.

use std::collections::BTreeSet;

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf};

use crate::bson_util::key;

/// The collections that a request reads: those that it names, and those that the views among them read, including views.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet(pub(super) BTreeSet<String>);

impl ReadSet {
    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The collections of both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }
}

/// The collection that a command runs on. It is granted, and if it is a view, so is everything that it reads.
#[derive(Debug, Clone)]
pub struct CheckedTarget {
    pub(super) name: String,
    pub(super) reads: ReadSet,
}

/// A filter that passed the guard.
#[derive(Debug, Clone)]
pub struct CheckedFilter(pub(super) RawDocumentBuf);

/// A projection that passed the guard.
#[derive(Debug, Clone)]
pub struct CheckedProjection(pub(super) RawDocumentBuf);

/// A sort that passed the guard.
#[derive(Debug, Clone)]
pub struct CheckedSort(pub(super) RawDocumentBuf);

/// A collation that passed the guard.
#[derive(Debug, Clone)]
pub struct CheckedCollation(pub(super) RawDocumentBuf);

/// Values for `$$name`, each wrapped in `$literal`, so that the server does not evaluate them.
#[derive(Debug, Clone)]
pub struct CheckedVariables(pub(super) RawDocumentBuf);

/// A pipeline whose stages all passed the guard, including those of nested pipelines.
#[derive(Debug, Clone)]
pub struct CheckedPipeline {
    pub(super) stages: RawArrayBuf,
    pub(super) reads: ReadSet,
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
            /// As it is put into a command.
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
            /// As it is put into a command.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}
text!(CheckedHint CheckedPath);

impl CheckedFilter {
    /// Documents that match all of these filters; all documents if there are none.
    pub(crate) fn all_of<'a>(filters: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all: Vec<&Self> = filters.into_iter().collect();
        match (all.pop(), all.is_empty()) {
            (None, _) => Self(RawDocumentBuf::new()),
            (Some(only), true) => only.clone(),
            (Some(last), false) => Self::joined("$and", all.into_iter().chain([last])),
        }
    }

    /// Documents that match none of these filters. There must be at least one filter.
    pub(crate) fn none_of<'a>(filters: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::joined("$nor", filters)
    }

    fn joined<'a>(operator: &'static str, filters: impl IntoIterator<Item = &'a Self>) -> Self {
        let filters: RawArrayBuf = filters.into_iter().map(|filter| filter.0.clone()).collect();
        let mut joined = RawDocumentBuf::new();
        joined.append(key(operator), filters);
        Self(joined)
    }
}

impl CheckedTarget {
    /// As it is put into a command.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The collection itself and, if it is a view, everything that it reads.
    pub(crate) fn reads(&self) -> &ReadSet {
        &self.reads
    }
}

impl CheckedPipeline {
    /// The stages, to be put into a command.
    pub(crate) fn into_stages(self) -> RawArrayBuf {
        self.stages
    }

    /// What it reads besides the collection that it runs on.
    pub(crate) fn reads(&self) -> &ReadSet {
        &self.reads
    }

    /// Whether it may return documents when the collection has none.
    pub(crate) fn makes_documents(&self) -> bool {
        self.makes_documents
    }
}
