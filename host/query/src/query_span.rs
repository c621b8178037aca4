//! The tracing span `query`: one call of the capability, with what it cost.

use std::time::Instant;

use tracing::{Span, field::Empty};

use crate::metered_connection::MeteredConnection;

/// One call of the capability. When it is dropped, the span gets its costs and an event says that the query is finished.
pub(crate) struct QuerySpan {
    span: Span,
    started: Instant,
    documents: u64,
    bytes: u64,
}

impl QuerySpan {
    /// Begins the `request`-th call of a probe, as a child of the current span.
    pub(crate) fn begin(
        connection: &MeteredConnection,
        request: u64,
        operation: &'static str,
        collection: &str,
    ) -> Self {
        let inner = &connection.connection;
        let span = tracing::debug_span!(
            "query",
            database = inner.facts.database,
            collection,
            operation,
            request,
            comment = inner.comment,
            documents = Empty,
            bytes = Empty,
            milliseconds = Empty,
        );
        Self { span, started: Instant::now(), documents: 0, bytes: 0 }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Adds documents that were handed out or recorded.
    pub(crate) fn add(&mut self, documents: u64, bytes: u64) {
        self.documents += documents;
        self.bytes += bytes;
    }
}

impl Drop for QuerySpan {
    fn drop(&mut self) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("documents", self.documents);
        self.span.record("bytes", self.bytes);
        self.span.record("milliseconds", u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        // inside the span, not with it as its parent: JSON lists the spans that were entered
        self.span.in_scope(|| tracing::debug!("query finished"));
    }
}
