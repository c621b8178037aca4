//! Text for one line: messages of the kubelet and the controllers.

/// The longest message of another program that a line quotes, in bytes.
const MAX_BYTES: usize = 600;

/// The text on one line, at most [`MAX_BYTES`] bytes. A longer one loses its beginning, because the end of a log says more.
pub(crate) fn one_line(text: &str) -> String {
    let line = taster_text::one_line(text);
    let line = line.trim_end_matches('.');
    if line.len() <= MAX_BYTES {
        return line.to_owned();
    }
    let mut from = line.len() - MAX_BYTES;
    while !line.is_char_boundary(from) {
        from += 1;
    }
    // a cut word may be the end of a connection string, whose password nothing would recognize and hide
    let rest = line[from..].split_once(' ').map_or("", |(_, rest)| rest);
    format!("… {rest}")
}

/// `reason: message`, or the one of them that is there.
pub(crate) fn reason_and_message(reason: Option<&str>, message: Option<&str>) -> String {
    let [reason, message] = [reason, message].map(|text| text.map(one_line).filter(|text| !text.is_empty()));
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_end_and_no_cut_word() {
        let text = format!("mongodb://user:{}@host\nlast\twords ü", "ü".repeat(600));
        assert_eq!(one_line(&text), "… last words ü");
        let line = one_line(&"word ".repeat(600));
        assert!(
            line.ends_with("word word") && line.len() > MAX_BYTES - 10 && line.len() <= MAX_BYTES + "… ".len(),
            "{line}"
        );
        assert!(!line.contains('\n'));
        assert_eq!(one_line("red\u{1b}[31m\u{202e}"), r"red\u{1b}[31m\u{202e}");
    }

    #[test]
    fn a_missing_reason_or_message_is_left_out() {
        assert_eq!(reason_and_message(Some("Evicted"), Some("low on\nmemory")), "Evicted: low on memory");
        assert_eq!(reason_and_message(Some("Evicted"), Some(" ")), "Evicted");
        assert_eq!(reason_and_message(None, None), "no reason given");
    }
}
