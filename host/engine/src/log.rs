//! What a guest says: lines for the operator, capped, with nothing in them that a terminal would obey.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limits::size;

/// Most bytes of a line of a standard stream that is not ended yet.
const OPEN_LINE: usize = 4 << 10;

/// What a line costs beside its text, so that empty lines are not free.
const LINE: u64 = 16;

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For the probe's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth a look. What a guest writes to standard error is this.
    Warn,
    /// Worth acting on.
    Error,
}

/// One line of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How serious.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
}

/// The log of one run, shared with the standard streams of the guest.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    kept: Vec<LogLine>,
    /// Lines of standard streams that are not ended yet.
    open: BTreeMap<LogLevel, Vec<u8>>,
    bytes: u64,
    dropped: u64,
    allowed: u64,
    setting: String,
}

/// A finished log.
pub(crate) struct Finished {
    pub(crate) lines: Vec<LogLine>,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

impl Log {
    /// Keeps `allowed` bytes; `setting` raises that.
    pub(crate) fn new(allowed: u64, setting: String) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            kept: Vec::new(),
            open: BTreeMap::new(),
            bytes: 0,
            dropped: 0,
            allowed,
            setting,
        })))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // a line is pushed whole or not at all: what a panicking thread left is still a log
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or counts it as dropped.
    pub(crate) fn push(&self, level: LogLevel, message: &str) {
        self.lines().push(level, message);
    }

    /// Adds what was written to a standard stream, line by line.
    pub(crate) fn write(&self, level: LogLevel, bytes: &[u8]) {
        let mut lines = self.lines();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let open = lines.open.entry(level).or_default();
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || open.len() >= OPEN_LINE {
                lines.end_line(level);
            }
        }
    }

    /// The last thing it said at `warn` or above: a Python traceback ends in what went wrong.
    pub(crate) fn last_words(&self) -> Option<String> {
        let mut lines = self.lines();
        lines.end_lines();
        let last =
            lines.kept.iter().rev().find(|line| line.level >= LogLevel::Warn && !line.message.trim().is_empty())?;
        Some(shorten(last.message.trim(), 300))
    }

    /// The log so far, with a note where something was dropped.
    pub(crate) fn finish(&self) -> Finished {
        let mut lines = self.lines();
        lines.end_lines();
        let mut kept = std::mem::take(&mut lines.kept);
        if lines.dropped > 0 {
            let message =
                format!("the rest of the log was dropped past {} ({} raises it)", size(lines.allowed), lines.setting);
            kept.push(LogLine { level: LogLevel::Warn, message });
        }
        Finished { lines: kept, bytes: lines.bytes, dropped: lines.dropped }
    }
}

impl Lines {
    fn end_lines(&mut self) {
        let open: Vec<_> = self.open.keys().copied().collect();
        for level in open {
            self.end_line(level);
        }
    }

    fn end_line(&mut self, level: LogLevel) {
        if let Some(line) = self.open.remove(&level) {
            let text = String::from_utf8_lossy(&line);
            self.push(level, text.trim_end_matches(['\n', '\r']));
        }
    }

    fn push(&mut self, level: LogLevel, message: &str) {
        let cost = message.len() as u64 + LINE;
        // once something was dropped nothing more is kept: a log with holes reads as if it had none
        if self.dropped > 0 || self.bytes + cost > self.allowed {
            self.dropped += message.len() as u64;
            // an empty line dropped is a line dropped
            self.dropped = self.dropped.max(1);
            return;
        }
        self.bytes += cost;
        self.kept.push(LogLine { level, message: printable(message) });
    }
}

/// `text` with control characters made visible: a probe must not move the cursor of whoever reads its log.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    text.chars().map(|c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The first `most` characters of `text`.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_noted_once() {
        let log = Log::new(50, "probes[orders].limits.logBytes".to_owned());
        for message in ["one", "two", "three", ""] {
            log.push(LogLevel::Info, message);
        }
        let finished = log.finish();
        let text: Vec<_> = finished.lines.iter().map(|line| line.message.as_str()).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        one
        two
        the rest of the log was dropped past 50 bytes (probes[orders].limits.logBytes raises it)
        ");
        assert_eq!((finished.bytes, finished.dropped), (38, 5));
    }

    #[test]
    fn escape_sequences_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\u{202e}"), "a\u{fffd}[2Jb\tc\u{fffd}");
    }
}
