//! Redaction of credentials in URLs. Text from outside passes through here before it reaches a log, a report or an error.

/// Replaces `user:password@` after every `://` by `***@`.
///
/// The user is redacted as well: for X.509 and cloud credentials it is half of the secret.
#[must_use]
pub fn redact_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        // a password that was pasted raw may contain an unescaped `/`; the authority ends at the last `@` of the word
        let word = tail.find(|c: char| c.is_whitespace() || "\"'`,}".contains(c)).unwrap_or(tail.len());
        rest = match tail[..word].rfind('@') {
            Some(end) => {
                out.push_str("***");
                &tail[end..]
            }
            None => tail,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::redact_credentials;

    #[test]
    fn credentials_are_redacted_in_every_url() {
        let cases = [
            ("mongodb://joe:s3cret@db:27017/x", "mongodb://***@db:27017/x"),
            ("uri: mongodb+srv://joe:p@ss/w@cluster/x and more", "uri: mongodb+srv://***@cluster/x and more"),
            ("https://a:b@c, https://d:e@f", "https://***@c, https://***@f"),
            ("mongodb://db:27017/x", "mongodb://db:27017/x"),
            ("no url, but an @ sign", "no url, but an @ sign"),
        ];
        for (given, expected) in cases {
            assert_eq!(redact_credentials(given), expected);
        }
    }
}
