//! Words of the kubelet and the controllers, made fit for one line; and how long something took.

use std::time::Duration;

use jiff::{SignedDuration, fmt::friendly::SpanPrinter};

/// As many bytes of a foreign text as one line has room for.
const ROOM: usize = 600;

/// On one line, at most [`ROOM`] bytes: the end of a log says more than its beginning, so the beginning goes.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.').to_owned();
    if line.len() <= ROOM {
        return line;
    }
    let mut from = line.len() - ROOM;
    while !line.is_char_boundary(from) {
        from += 1;
    }
    // half a word may be half a connection string, whose password nobody would know for one
    let rest = line[from..].split_once(' ').map_or("", |(_, rest)| rest);
    format!("… {rest}")
}

/// `reason: message`, or the one that is there.
pub(crate) fn said(reason: Option<&str>, message: Option<&str>) -> String {
    let [reason, message] = [reason, message].map(|text| text.map(one_line).filter(|text| !text.is_empty()));
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "no reason given".to_owned(),
    }
}

/// `1h 12m`: seconds only where there are no hours.
pub(crate) fn brief(duration: Duration) -> String {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let shown = if seconds < 3600 { seconds } else { seconds / 60 * 60 };
    SpanPrinter::new().duration_to_string(&SignedDuration::from_secs(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_end_whole() {
        let text = format!("mongodb://user:{}@host\nlast\twords ü", "ü".repeat(600));
        assert_eq!(one_line(&text), "… last words ü");
        let line = one_line(&"word ".repeat(600));
        assert!(line.ends_with("word word") && line.len() > ROOM - 10 && line.len() <= ROOM + "… ".len(), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn what_is_missing_is_left_out() {
        assert_eq!(said(Some("Evicted"), Some("low on\nmemory")), "Evicted: low on memory");
        assert_eq!(said(Some("Evicted"), Some(" ")), "Evicted");
        assert_eq!(said(None, None), "no reason given");
    }
}
