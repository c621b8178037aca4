//! Types for the contents of a page: text without hidden characters, and links that are safe to follow.
//!
//! The templates escape all text, so that nothing becomes markup. These types guarantee the rest: a page shows text from a
//! database, a probe or a configuration only as [`Text`], and links only as [`Href`].

use std::fmt;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use taster_text::{escape_hidden, truncate_chars};

/// Longer texts are cut to this many characters; `verdict.json` has the whole text.
const MAX_TEXT_CHARS: usize = 2000;

/// Text from outside: without control characters and without characters that change the direction of writing, and of
/// limited length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text(String);

impl Text {
    /// The whole text, up to 2 000 characters.
    #[must_use]
    pub(super) fn of(text: &str) -> Self {
        Self::cut(text, MAX_TEXT_CHARS)
    }

    /// At most `limit` characters of the text.
    #[must_use]
    pub(super) fn cut(text: &str, limit: usize) -> Self {
        // cut first, so that a megabyte of text is not escaped to show one line of it
        let end = text.char_indices().nth(limit + 1).map_or(text.len(), |(end, _)| end);
        Self(truncate_chars(&escape_hidden(&text[..end]), limit))
    }

    /// The text.
    #[must_use]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text in which backticks enclose code, such as a reason or a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prose(Vec<Span>);

/// A part of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Whether it was between backticks.
    pub(super) code: bool,
    /// The text without the backticks.
    pub(super) text: Text,
}

impl Prose {
    /// Splits the text at its backticks. If the number of backticks is odd, nothing is code.
    #[must_use]
    pub(super) fn of(text: &str) -> Self {
        let text = Text::of(text);
        if text.as_str().matches('`').count() % 2 == 1 {
            return Self(vec![Span { code: false, text }]);
        }
        let parts = text.as_str().split('`').enumerate().filter(|(_, part)| !part.is_empty());
        Self(parts.map(|(index, part)| Span { code: index % 2 == 1, text: Text(part.to_owned()) }).collect())
    }

    /// Its parts.
    #[must_use]
    pub(super) fn spans(&self) -> &[Span] {
        &self.0
    }
}

/// An address that a link may have: `http`, `https`, `file`, or relative to the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Href(String);

/// Characters that are percent-encoded in a path.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

impl Href {
    /// An address from outside. `None` unless it only opens a page or a file; browsers cannot open `s3://`.
    #[must_use]
    pub(super) fn checked(address: &str) -> Option<Self> {
        if let Some(path) = address.strip_prefix("file://") {
            return Some(Self(format!("file://{}", utf8_percent_encode(path, PATH))));
        }
        // browsers ignore line feeds in a scheme, and read a backslash as a slash
        if address.is_empty()
            || escape_hidden(address) != address
            || address.contains(|c: char| c.is_whitespace() || c == '\\')
        {
            return None;
        }
        let scheme = address.split(['/', '?', '#']).next().and_then(|head| head.split_once(':'));
        let safe = match scheme {
            Some((scheme, _)) => ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
            // without a scheme, `//` leads to another host
            None => !address.starts_with("//"),
        };
        safe.then(|| Self(address.to_owned()))
    }

    /// An address that Taster made itself, from checked names, or the anchor of a section.
    #[must_use]
    pub(super) fn own(address: String) -> Self {
        Self(address)
    }

    /// The address with query parameters.
    #[must_use]
    pub(super) fn with(&self, parameters: &[(&str, &str)]) -> Self {
        let mut address = self.0.clone();
        for (index, (name, value)) in parameters.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            address.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        Self(address)
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time, in the format of the `<time>` element and in a format for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When(pub(super) Timestamp);

impl When {
    /// `2026-01-01T00:00:00Z`.
    #[must_use]
    pub(super) fn machine(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

impl fmt::Display for When {
    /// `2026-01-01 00:00:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.strftime("%Y-%m-%d %H:%M:%S UTC"), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_and_long_text_is_cut() {
        assert_eq!(Text::of("a\0b\u{202e}c\u{61c}").as_str(), r"a\u{0}b\u{202e}c\u{61c}");
        let long = Text::of(&"x\u{1b}".repeat(1 << 20));
        assert_eq!(long.as_str().chars().count(), MAX_TEXT_CHARS);
        assert!(long.as_str().ends_with('…'));
        assert_eq!(Text::cut("abcdef", 6).as_str(), "abcdef");
        assert_eq!(Text::cut("abcdefg", 6).as_str(), "abcde…");
    }

    #[test]
    fn backticks_in_pairs_enclose_code() {
        let parts = |text: &str| {
            Prose::of(text).spans().iter().map(|span| (span.code, span.text.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(
            parts("run `taster post` again"),
            [(false, "run ".to_owned()), (true, "taster post".to_owned()), (false, " again".to_owned()),]
        );
        assert_eq!(parts("`total`"), [(true, "total".to_owned())]);
        assert_eq!(parts("a ` stray one"), [(false, "a ` stray one".to_owned())]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn links_lead_only_to_pages_and_files() {
        for good in
            ["https://a.example/x?y#z", "HTTP://a.example/", "report.md", "/apps/shop", "#probe-1", "a/b:c", "?page=2"]
        {
            assert_eq!(Href::checked(good).map(|href| href.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "s3://bucket/key",
            "//evil.example/",
            "\\\\evil.example",
            "/\\evil.example",
            "blob:x",
            "view-source:x",
            "javascript&colon;alert(1):",
            "x:",
        ] {
            assert_eq!(Href::checked(bad), None, "{bad:?}");
        }
        let spaced = Href::checked("file:///tmp/a b/#1/\"><script>.html").map(|href| href.to_string());
        assert_eq!(spaced.as_deref(), Some("file:///tmp/a%20b/%231/%22%3E%3Cscript%3E.html"));
    }

    #[test]
    fn parameters_are_percent_encoded() {
        let href = Href::own("/apps/shop".to_owned()).with(&[("page", "2"), ("metric", "a b{c=d&page=3}#")]);
        assert_eq!(href.to_string(), "/apps/shop?page=2&metric=a%20b%7Bc%3Dd%26page%3D3%7D%23");
    }
}
