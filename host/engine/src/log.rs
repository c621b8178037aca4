//! The log of a guest: limited in size, without control characters.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taster_text::{exact_size, is_hidden, truncate_chars};

/// Bytes of an unfinished line of a standard stream. A longer one is cut into lines.
const MAX_OPEN_LINE_BYTES: usize = 4 << 10;

/// Bytes that a line counts beside its text, so that empty lines count, too.
const LINE_OVERHEAD: u64 = 16;

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For the probe's author.
    Debug,
    /// For the operator.
    Info,
    /// The operator should look at it. The level of standard error.
    Warn,
    /// The operator should act on it.
    Error,
}

/// A log line of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
}

/// The log of one run, shared with the standard streams of the guest.
#[derive(Debug, Clone)]
pub(crate) struct GuestLog(Arc<Mutex<LogBuffer>>);

#[derive(Debug)]
struct LogBuffer {
    kept: Vec<LogLine>,
    /// Unfinished lines of standard streams.
    open: BTreeMap<LogLevel, Vec<u8>>,
    bytes: u64,
    dropped: u64,
    allowed: u64,
    setting: String,
}

/// A finished log.
pub(crate) struct FinishedLog {
    pub(crate) lines: Vec<LogLine>,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

impl GuestLog {
    /// Keeps `allowed` bytes, which `setting` sets.
    pub(crate) fn new(allowed: u64, setting: String) -> Self {
        Self(Arc::new(Mutex::new(LogBuffer {
            kept: Vec::new(),
            open: BTreeMap::new(),
            bytes: 0,
            dropped: 0,
            allowed,
            setting,
        })))
    }

    fn buffer(&self) -> MutexGuard<'_, LogBuffer> {
        // a panicking thread cannot leave an incomplete line
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or counts it as dropped.
    pub(crate) fn push(&self, level: LogLevel, message: &str) {
        self.buffer().push(level, message);
    }

    /// Adds bytes of a standard stream as lines.
    pub(crate) fn write(&self, level: LogLevel, bytes: &[u8]) {
        let mut lines = self.buffer();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let open = lines.open.entry(level).or_default();
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || open.len() >= MAX_OPEN_LINE_BYTES {
                lines.end_line(level);
            }
        }
    }

    /// The last line at `warn` or above. The last line of a Python traceback is the exception.
    pub(crate) fn last_warning(&self) -> Option<String> {
        let mut lines = self.buffer();
        lines.end_lines();
        let last =
            lines.kept.iter().rev().find(|line| line.level >= LogLevel::Warn && !line.message.trim().is_empty())?;
        Some(truncate_chars(last.message.trim(), 300))
    }

    /// Takes the log, with a note if lines were dropped.
    pub(crate) fn finish(&self) -> FinishedLog {
        let mut lines = self.buffer();
        lines.end_lines();
        let mut kept = std::mem::take(&mut lines.kept);
        if lines.dropped > 0 {
            let message =
                format!("the log was cut off after {} (setting: {})", exact_size(lines.allowed), lines.setting);
            kept.push(LogLine { level: LogLevel::Warn, message });
        }
        FinishedLog { lines: kept, bytes: lines.bytes, dropped: lines.dropped }
    }
}

impl LogBuffer {
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
        let cost = message.len() as u64 + LINE_OVERHEAD;
        // once a line was dropped, no further line is kept: a reader could not see the gap
        if self.dropped > 0 || self.bytes + cost > self.allowed {
            self.dropped += message.len() as u64;
            // a dropped empty line counts, too
            self.dropped = self.dropped.max(1);
            return;
        }
        self.bytes += cost;
        self.kept.push(LogLine { level, message: printable(message) });
    }
}

/// Replaces hidden characters other than line feed and tab, so that a probe cannot send commands to a terminal or forge lines.
pub(crate) fn printable(text: &str) -> String {
    let replaced = |c: char| is_hidden(c) && c != '\n' && c != '\t';
    if !text.contains(replaced) {
        return text.to_owned();
    }
    text.chars().map(|c| if replaced(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_dropped_with_one_note() {
        let log = GuestLog::new(50, "probes[orders].limits.logBytes".to_owned());
        for message in ["one", "two", "three", ""] {
            log.push(LogLevel::Info, message);
        }
        let finished = log.finish();
        let text: Vec<_> = finished.lines.iter().map(|line| line.message.as_str()).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        one
        two
        the log was cut off after 50 bytes (setting: probes[orders].limits.logBytes)
        ");
        assert_eq!((finished.bytes, finished.dropped), (38, 5));
    }

    #[test]
    fn escape_sequences_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\u{202e}"), "a\u{fffd}[2Jb\tc\u{fffd}");
    }
}
