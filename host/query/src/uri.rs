//! Connection strings that never print what must stay secret.

use std::{fmt, str::FromStr};

use mongodb::options::ConnectionString;
use percent_encoding::percent_decode_str;

use crate::error::QueryError;

/// A connection string. `Display` and `Debug` show `mongodb://***@host:27017/database?option=value`: user, password and
/// every option that is not known to be harmless are replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUri {
    text: String,
    database: Option<String>,
}

/// Options whose values say nothing about who may enter.
const HARMLESS: [&str; 34] = [
    "appname",
    "authmechanism",
    "authsource",
    "compressors",
    "connecttimeoutms",
    "directconnection",
    "heartbeatfrequencyms",
    "journal",
    "loadbalanced",
    "localthresholdms",
    "maxidletimems",
    "maxpoolsize",
    "maxstalenessseconds",
    "minpoolsize",
    "readconcernlevel",
    "readpreference",
    "replicaset",
    "retryreads",
    "retrywrites",
    "servermonitoringmode",
    "serverselectiontimeoutms",
    "sockettimeoutms",
    "srvmaxhosts",
    "srvservicename",
    "ssl",
    "tls",
    "tlsallowinvalidcertificates",
    "tlsallowinvalidhostnames",
    "tlscafile",
    "tlscertificatekeyfile",
    "tlsinsecure",
    "w",
    "waitqueuetimeoutms",
    "wtimeoutms",
];

impl MongoUri {
    /// The database that the string names.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The whole string, for the driver.
    pub(crate) fn secret(&self) -> &str {
        &self.text
    }

    /// What must appear in no text.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::of(&self.text)
    }
}

impl FromStr for MongoUri {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let parsed = ConnectionString::parse(text).map_err(|error| {
            // the parser quotes what it did not understand, and that may be half a password
            QueryError::BadUri { detail: Secrets::of(text).scrub(&crate::error::text(&error)) }
        })?;
        Ok(Self { text: text.to_owned(), database: parsed.default_database.filter(|name| !name.is_empty()) })
    }
}

impl fmt::Display for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.text.split_once("://").unwrap_or(("mongodb", ""));
        let (place, options) = rest.split_once('?').map_or((rest, None), |(place, options)| (place, Some(options)));
        match place.rsplit_once('@') {
            Some((_, place)) => write!(f, "{scheme}://***@{place}")?,
            None => write!(f, "{scheme}://{place}")?,
        }
        let mut separator = '?';
        for option in options.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = if HARMLESS.contains(&name.to_ascii_lowercase().as_str()) { value } else { "***" };
            write!(f, "{separator}{name}={value}")?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoUri({self})")
    }
}

/// Words that must appear in no text: user, password and secret options of one connection string, as written and
/// decoded.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Works on strings that are no connection strings, too: those are the ones that end up in errors. So the user
    /// information ends at the last `@` there is, and a host may be taken for a secret.
    fn of(text: &str) -> Self {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let mut words = Vec::new();
        if let Some((user, _)) = rest.rsplit_once('@') {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            words.extend([user, name, password]);
            // a password with a bare `:`, `/`, `?` or `@` in it is cut there by whoever parses it
            words.extend(password.split([':', '/', '?', '@', '#']));
        }
        if let Some((_, options)) = rest.split_once('?') {
            for option in options.split('&') {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                if !HARMLESS.contains(&name.to_ascii_lowercase().as_str()) {
                    words.push(value);
                    words.extend(value.split([':', ',']).skip(1));
                }
            }
        }
        let decoded = words.iter().map(|word| percent_decode_str(word).decode_utf8_lossy().into_owned());
        let mut words: Vec<String> =
            words.iter().map(|word| (*word).to_owned()).chain(decoded).filter(|word| !word.is_empty()).collect();
        words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        Self(words)
    }

    /// The text without the secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in &self.0 {
            text = replace(&text, word);
        }
        text
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// Replaces a word wherever it stands alone; long ones anywhere. A user called `a` must not turn every message into
/// stars.
fn replace(text: &str, word: &str) -> String {
    const LONG: usize = 6;
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(word) {
        let (before, after) = (&rest[..start], &rest[start + word.len()..]);
        out.push_str(before);
        let alone = !inside(out.chars().next_back()) && !inside(after.chars().next());
        out.push_str(if alone || word.len() >= LONG { "***" } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<MongoUri>().map_or_else(|error| error.to_string(), |uri| uri.to_string())
    }

    #[test]
    fn uris_print_redacted() {
        assert_snapshot!(shown("mongodb://taster:geheim@db.example:27017/pxbbq?authSource=admin&tls=true"), @"mongodb://***@db.example:27017/pxbbq?authSource=admin&tls=true");
        assert_snapshot!(shown("mongodb://a,b:27018/?replicaSet=rs0"), @"mongodb://a,b:27018/?replicaSet=rs0");
        let text = "mongodb://AKIA:x%2Fy@h/d?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:tok";
        let uri = MongoUri { text: text.to_owned(), database: None };
        assert_snapshot!(uri, @"mongodb://***@h/d?authMechanism=MONGODB-AWS&authMechanismProperties=***");
        assert_eq!(
            uri.secrets().scrub("AKIA said x/y and x%2Fy to tok, not to tokyo"),
            "*** said *** and *** to ***, not to tokyo"
        );
        let uri: MongoUri = "mongodb://u:geheim@h/shop".parse().unwrap();
        assert_snapshot!(format!("{uri:?} {:?} {:?}", uri.database(), uri.secrets()), @r#"MongoUri(mongodb://***@h/shop) Some("shop") Secrets(***)"#);
    }

    #[test]
    fn bad_uris_do_not_quote_their_secrets() {
        for text in [
            "mongodb://taster:ge:heim@h/d",
            "mongodb://taster:ge/heim@h/d",
            "mongodb://taster:geheim%@h/d",
            "mongodb://taster:gehe?im@h/d",
            "mongodb://taster:geheim@h:notaport/d",
            "postgres://taster:geheim@h/d",
            "taster:geheim@h/d",
            "mongodb://taster:geheim@",
            "mongodb://h/?authMechanismProperties=geheim&x=geheim",
        ] {
            let error = shown(text);
            for secret in ["geheim", "gehe", "heim", "taster"] {
                assert!(!error.contains(secret), "{text}: {error}");
            }
        }
    }
}
