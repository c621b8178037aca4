//! Credentials never reach a log, a report or an error: text from outside goes through here first.

/// Replaces `user:password@` after every `://` by `***@`.
///
/// The user goes as well: for X.509 and cloud credentials it is half the secret.
#[must_use]
pub fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        // an unescaped `/` may stand in a password that was pasted raw; the authority ends at the last `@` of the word
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
    use super::scrub;

    #[test]
    fn credentials_are_replaced_wherever_a_url_stands() {
        let cases = [
            ("mongodb://joe:s3cret@db:27017/x", "mongodb://***@db:27017/x"),
            ("uri: mongodb+srv://joe:p@ss/w@cluster/x and more", "uri: mongodb+srv://***@cluster/x and more"),
            ("https://a:b@c, https://d:e@f", "https://***@c, https://***@f"),
            ("mongodb://db:27017/x", "mongodb://db:27017/x"),
            ("no url, but an @ sign", "no url, but an @ sign"),
        ];
        for (given, expected) in cases {
            assert_eq!(scrub(given), expected);
        }
    }
}
