//! Authentication: bearer tokens from files that may change while the server runs.
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

use crate::{
    error::RequestError,
    start_error::{MIN_TOKEN_LENGTH, ServeError},
};

/// Bytes that a file of tokens has at most.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// How often the files are read.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// SHA-256 of a token.
type TokenDigest = [u8; 32];

/// The current tokens of all files.
pub(super) struct Tokens {
    files: Vec<PathBuf>,
    digests: RwLock<Vec<TokenDigest>>,
}

impl Tokens {
    /// Reads the files now and then every second: a mounted Secret changes in place, and a token that was removed must no longer
    /// be accepted.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Arc<Self>, ServeError> {
        let mut digests = Vec::new();
        for file in &files {
            digests.extend(read_digests(file)?);
        }
        let tokens = Arc::new(Self { files, digests: RwLock::new(digests) });
        let watched = Arc::clone(&tokens);
        tokio::spawn(async move {
            let mut broken = false;
            loop {
                tokio::time::sleep(RELOAD_INTERVAL).await;
                let again = Arc::clone(&watched);
                // a file may lie on a disk that hangs
                let read = tokio::task::spawn_blocking(move || again.reload()).await;
                let errors = read.unwrap_or_default();
                if !broken {
                    for error in &errors {
                        tracing::error!(%error, "the tokens of a file are not accepted until this is fixed");
                    }
                }
                broken = !errors.is_empty();
            }
        });
        Ok(tokens)
    }

    /// Reads the token files again and returns the errors of those that cannot be used. Their tokens are no longer valid: a file is
    /// emptied to revoke its tokens.
    fn reload(&self) -> Vec<ServeError> {
        let mut errors = Vec::new();
        let mut digests = Vec::new();
        for file in &self.files {
            match read_digests(file) {
                Ok(found) => digests.extend(found),
                Err(error) => errors.push(error),
            }
        }
        let mut known = self.digests.write().unwrap_or_else(PoisonError::into_inner);
        if *known != digests {
            tracing::info!(tokens = digests.len(), "tokens reloaded");
            *known = digests;
        }
        errors
    }

    /// Whether the token is valid.
    fn contains(&self, token: &[u8]) -> bool {
        let digest: TokenDigest = Sha256::digest(token).into();
        let known = self.digests.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(Choice::from(0), |found, other| found | digest.ct_eq(other)).into()
    }
}

fn read_digests(file: &Path) -> Result<Vec<TokenDigest>, ServeError> {
    let wrong = |what: String| ServeError::Tokens { path: file.to_owned(), what };
    let mut text = String::new();
    // read one byte more than is allowed, to notice a file that is too large
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let read = opened.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    // the error of invalid UTF-8 must not quote the file
    read.map_err(|error| wrong(error.kind().to_string()))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(wrong(format!("it has more than {} bytes", taster_text::grouped(MAX_FILE_BYTES))));
    }
    let mut digests = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() < MIN_TOKEN_LENGTH {
            return Err(wrong(format!(
                "line {} has {} characters, fewer than {MIN_TOKEN_LENGTH}",
                index + 1,
                line.len()
            )));
        }
        if !line.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(format!("line {} has a character that cannot be sent in a header", index + 1)));
        }
        digests.push(Sha256::digest(line).into());
    }
    if digests.is_empty() { Err(wrong("the file has no token".to_owned())) } else { Ok(digests) }
}

/// The token that a request carries.
fn presented_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    // several are ambiguous
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

/// Rejects requests without a valid token, unless the server has no tokens.
pub(super) async fn require_token(State(tokens): State<Option<Arc<Tokens>>>, request: Request, next: Next) -> Response {
    let Some(tokens) = tokens else { return next.run(request).await };
    if presented_token(request.headers()).is_some_and(|token| tokens.contains(&token)) {
        next.run(request).await
    } else {
        RequestError::Unauthorised.into_response()
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
    fn a_token_is_sent_as_bearer_or_as_basic_password() {
        let token = |values: &[&str]| presented_token(&headers(values)).map(|token| String::from_utf8(token).unwrap());
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
    fn a_token_file_is_parsed_strictly_and_never_quoted() {
        let good = file(b"# ada\n0123456789abcdef\n\n  fedcba9876543210  \r\n");
        let tokens = Tokens { files: Vec::new(), digests: RwLock::new(read_digests(good.path()).unwrap()) };
        assert!(tokens.contains(b"0123456789abcdef") && tokens.contains(b"fedcba9876543210"));
        assert!(!tokens.contains(b"0123456789abcdeF") && !tokens.contains(b"") && !tokens.contains(b"# ada"));
        let says = |text: &[u8]| {
            let file = file(text);
            read_digests(file.path()).unwrap_err().to_string().replace(&file.path().display().to_string(), "[file]")
        };
        assert_snapshot!(says(b"# nothing\n"), @"cannot use the token file [file]: the file has no token");
        assert_snapshot!(says(b"\nsecret\n"), @"cannot use the token file [file]: line 2 has 6 characters, fewer than 16");
        assert_snapshot!(says(b"0123456789 abcdef"), @"cannot use the token file [file]: line 1 has a character that cannot be sent in a header");
        assert_snapshot!(says(b"\xff0123456789abcdef"), @"cannot use the token file [file]: invalid data");
        assert_snapshot!(says(&b"a".repeat(70_000)), @"cannot use the token file [file]: it has more than 65 536 bytes");
        let gone = read_digests(Path::new("/nonexistent/tokens")).unwrap_err().to_string();
        assert_snapshot!(gone, @"cannot use the token file /nonexistent/tokens: No such file or directory (os error 2)");
    }

    #[test]
    fn tokens_of_a_file_that_became_invalid_are_rejected() {
        let (one, two) = (file(b"0123456789abcdef"), file(b"fedcba9876543210"));
        let files = vec![one.path().to_owned(), two.path().to_owned()];
        let tokens = Tokens { files, digests: RwLock::new(Vec::new()) };
        assert!(tokens.reload().is_empty());
        assert!(tokens.contains(b"0123456789abcdef") && tokens.contains(b"fedcba9876543210"));
        std::fs::write(one.path(), "").unwrap();
        assert_eq!(tokens.reload().len(), 1);
        assert!(!tokens.contains(b"0123456789abcdef") && tokens.contains(b"fedcba9876543210"));
    }
}
