//! The options that every command carries.

use std::time::Duration;

use bson::{RawDocumentBuf, Timestamp, rawdoc};

use crate::bson_util::key;

/// The options that every command carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandOptions<'a> {
    /// Shown in the server's logs and in `currentOp`.
    pub(crate) comment: &'a str,
    /// How long the server may work on the command, over all its batches.
    pub(crate) max_time: Duration,
    /// The point in time whose data are read. `None`: the present.
    pub(crate) read_at: Option<Timestamp>,
}

impl CommandOptions<'_> {
    /// The same at the present, for commands that know no point in time.
    pub(crate) fn at_present(self) -> Self {
        Self { read_at: None, ..self }
    }

    pub(crate) fn append_to(self, command: &mut RawDocumentBuf) {
        command.append(key("comment"), self.comment);
        command.append(
            key("maxTimeMS"),
            i64::try_from(self.max_time.as_millis()).unwrap_or(i64::MAX).clamp(1, i64::from(i32::MAX)),
        );
        if let Some(time) = self.read_at {
            command.append(key("readConcern"), rawdoc! { "level": "snapshot", "atClusterTime": time });
        }
    }
}
