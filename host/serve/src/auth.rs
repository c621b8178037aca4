//! Who may read: bearer tokens out of files, which may change while the server runs.
//!
//! A browser sends the token as the password of HTTP Basic, whatever the user's name. Only digests are kept, each request
//! is compared with all of them, and no comparison ends early: how long it takes says nothing about a token.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{ServeError, refusal::Refused};

/// Characters that a token has at least: shorter ones can be guessed.
pub(super) const SHORTEST: usize = 16;
/// Bytes that a file of tokens has at most.
const LARGEST: u64 = 64 * 1024;
/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// SHA-256 of a token.
type Print = [u8; 32];

/// The tokens of all files, as they stand now.
pub(super) struct Tokens {
    files: Vec<PathBuf>,
    prints: RwLock<Vec<Print>>,
}

impl Tokens {
    /// Reads the files now, and every second from now on: a mounted Secret changes in place, and a token that was taken
    /// out must not open anything any more.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Arc<Self>, ServeError> {
        let mut prints = Vec::new();
        for file in &files {
            prints.extend(prints_of(file)?);
        }
        let tokens = Arc::new(Self { files, prints: RwLock::new(prints) });
        let watched = Arc::clone(&tokens);
        tokio::spawn(async move {
            let mut broken = false;
            loop {
                tokio::time::sleep(EVERY).await;
                let again = Arc::clone(&watched);
                // a file may lie on a disk that hangs
                let read = tokio::task::spawn_blocking(move || again.read_again()).await;
                let errors = read.unwrap_or_default();
                if !broken {
                    for error in &errors {
                        tracing::error!("{error}; none of its tokens counts until that is mended");
                    }
                }
                broken = !errors.is_empty();
            }
        });
        Ok(tokens)
    }

    /// Takes what the files say now; what is wrong with those that cannot be used. Their tokens do not count any more:
    /// whoever emptied a file meant to take them back.
    fn read_again(&self) -> Vec<ServeError> {
        let mut errors = Vec::new();
        let mut prints = Vec::new();
        for file in &self.files {
            match prints_of(file) {
                Ok(found) => prints.extend(found),
                Err(error) => errors.push(error),
            }
        }
        let mut known = self.prints.write().unwrap_or_else(PoisonError::into_inner);
        if *known != prints {
            tracing::info!("tokens were read again: there are {} now", prints.len());
            *known = prints;
        }
        errors
    }

    /// Whether it is one of them.
    fn has(&self, token: &[u8]) -> bool {
        let print: Print = Sha256::digest(token).into();
        let known = self.prints.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(Choice::from(0), |found, other| found | print.ct_eq(other)).into()
    }
}

fn prints_of(file: &Path) -> Result<Vec<Print>, ServeError> {
    let wrong = |what: String| ServeError::Tokens { path: file.to_owned(), what };
    let mut text = String::new();
    // one byte more than is allowed shows that there is more
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let read = opened.take(LARGEST + 1).read_to_string(&mut text);
    // the error of a text that is none must not quote it
    read.map_err(|error| wrong(error.kind().to_string()))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong(format!("it has more than {LARGEST} bytes")));
    }
    let mut prints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() < SHORTEST {
            return Err(wrong(format!("line {} has {} characters, fewer than {SHORTEST}", index + 1, line.len())));
        }
        if !line.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(format!("line {} has a character that cannot be sent in a header", index + 1)));
        }
        prints.push(Sha256::digest(line).into());
    }
    if prints.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(prints) }
}

/// The token that a request carries.
fn given(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    // of several nobody could say which one counts
    let (value, None) = (all.next()?.as_bytes(), all.next()) else { return None };
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// Lets those pass who have a token; everybody, where there are no tokens.
pub(super) async fn known(State(tokens): State<Option<Arc<Tokens>>>, request: Request, next: Next) -> Response {
    let Some(tokens) = tokens else { return next.run(request).await };
    if given(request.headers()).is_some_and(|token| tokens.has(&token)) {
        next.run(request).await
    } else {
        Refused::Unauthorised.into_response()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_token_comes_as_a_bearer_or_as_a_password() {
        let token = |values: &[&str]| given(&headers(values)).map(|token| String::from_utf8(token).unwrap());
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        assert_eq!(token(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(token(&["bearer   abc "]).as_deref(), Some("abc"));
        assert_eq!(token(&[&basic("ada:a:b")]).as_deref(), Some("a:b"));
        assert_eq!(token(&[&basic(":abc")]).as_deref(), Some("abc"));
        for none in ["Bearer", "Digest abc", "Basic abc", &basic("abc"), ""] {
            assert_eq!(token(&[none]), None, "{none}");
        }
        assert_eq!(token(&["Bearer abc", "Bearer def"]), None, "two of them");
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn a_file_of_tokens_is_read_strictly_and_never_quoted() {
        let good = file(b"# ada\n0123456789abcdef\n\n  fedcba9876543210  \r\n");
        let tokens = Tokens { files: Vec::new(), prints: RwLock::new(prints_of(good.path()).unwrap()) };
        assert!(tokens.has(b"0123456789abcdef") && tokens.has(b"fedcba9876543210"));
        assert!(!tokens.has(b"0123456789abcdeF") && !tokens.has(b"") && !tokens.has(b"# ada"));
        let says = |text: &[u8]| {
            let file = file(text);
            prints_of(file.path()).unwrap_err().to_string().replace(&file.path().display().to_string(), "[file]")
        };
        assert_snapshot!(says(b"# nothing\n"), @"cannot use the tokens of [file]: there is none in it");
        assert_snapshot!(says(b"\nsecret\n"), @"cannot use the tokens of [file]: line 2 has 6 characters, fewer than 16");
        assert_snapshot!(says(b"0123456789 abcdef"), @"cannot use the tokens of [file]: line 1 has a character that cannot be sent in a header");
        assert_snapshot!(says(b"\xff0123456789abcdef"), @"cannot use the tokens of [file]: invalid data");
        assert_snapshot!(says(&b"a".repeat(70_000)), @"cannot use the tokens of [file]: it has more than 65536 bytes");
        let gone = prints_of(Path::new("/nonexistent/tokens")).unwrap_err().to_string();
        assert_snapshot!(gone, @"cannot use the tokens of /nonexistent/tokens: No such file or directory (os error 2)");
    }

    #[test]
    fn a_file_that_cannot_be_used_any_more_opens_nothing() {
        let (one, two) = (file(b"0123456789abcdef"), file(b"fedcba9876543210"));
        let files = vec![one.path().to_owned(), two.path().to_owned()];
        let tokens = Tokens { files, prints: RwLock::new(Vec::new()) };
        assert!(tokens.read_again().is_empty());
        assert!(tokens.has(b"0123456789abcdef") && tokens.has(b"fedcba9876543210"));
        std::fs::write(one.path(), "").unwrap();
        assert_eq!(tokens.read_again().len(), 1);
        assert!(!tokens.has(b"0123456789abcdef") && tokens.has(b"fedcba9876543210"));
    }
}
