//! Connection strings that print without their secrets.

use std::{fmt, str::FromStr};

use mongodb::options::ConnectionString;
use percent_encoding::percent_decode_str;

use crate::{driver_error, error::QueryError};

/// A connection string. `Display` and `Debug` show `mongodb://***@host:27017/database?option=value`: user, password and
/// every option that is not known to be public are replaced by `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUri {
    text: String,
    /// The same without the options that are ignored.
    for_driver: String,
    /// Names of the options that are ignored, as written.
    ignored: Vec<String>,
    database: Option<String>,
}

/// Options of other drivers that this one refuses, and that change nothing that Taster reads or how safely it does: how UUIDs
/// are shown, whether the network compresses, when a socket gives up, how many connections there are.
const IGNORED_OPTIONS: [&str; 12] = [
    "autoreconnect",
    "compressors",
    "poolsize",
    "socketkeepalive",
    "sockettimeoutms",
    "timeoutms",
    "usenewurlparser",
    "useunifiedtopology",
    "uuidrepresentation",
    "waitqueuemultiple",
    "waitqueuesize",
    "zlibcompressionlevel",
];

/// Options whose values are not secret.
const NON_SECRET_OPTIONS: [&str; 34] = [
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

    /// The hosts that it names, `a:27017,b:27017`.
    #[must_use]
    pub fn hosts(&self) -> &str {
        let rest = self.text.split_once("://").map_or(self.text.as_str(), |(_, rest)| rest);
        let authority = rest.split_once('?').map_or(rest, |(authority, _)| authority);
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        hosts.split_once('/').map_or(hosts, |(hosts, _)| hosts)
    }

    /// The string for the driver, with its secrets.
    pub(crate) fn secret(&self) -> &str {
        &self.for_driver
    }

    /// Names of the options that are ignored.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The words that no text may contain.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::of_uri(&self.text)
    }
}

impl FromStr for MongoUri {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (for_driver, ignored) = without_ignored_options(text);
        let parsed = ConnectionString::parse(&for_driver).map_err(|error| {
            // the parser quotes what it cannot parse, and that may be half a password
            let detail = Secrets::of_uri(text).scrub(&driver_error::text(&error));
            QueryError::BadUri { detail, unescaped: has_unescaped_characters(text) }
        })?;
        let database = parsed.default_database.filter(|name| !name.is_empty());
        Ok(Self { text: text.to_owned(), for_driver, ignored, database })
    }
}

/// A connection string without its ignored options, and their names.
fn without_ignored_options(text: &str) -> (String, Vec<String>) {
    let Some((start, options)) = text.split_once('?') else { return (text.to_owned(), Vec::new()) };
    let is_ignored = |option: &&str| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let name = name.to_ascii_lowercase();
        // to other drivers it means no limit
        IGNORED_OPTIONS.contains(&name.as_str()) || (name == "maxpoolsize" && value == "0")
    };
    let (ignored, kept): (Vec<&str>, Vec<&str>) = options.split('&').partition(is_ignored);
    let name = |option: &&str| option.split_once('=').map_or(*option, |(name, _)| name).to_owned();
    let kept = if kept.is_empty() { start.to_owned() } else { format!("{start}?{}", kept.join("&")) };
    (kept, ignored.iter().map(name).collect())
}

/// Whether user or password have characters that must be escaped, or a `%` that escapes nothing.
fn has_unescaped_characters(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let Some((user, _)) = rest.rsplit_once('@') else { return false };
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let escapes_nothing = |after: &str| {
        let digits = after.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    [name, password]
        .iter()
        .any(|part| part.contains(['@', ':', '/', '?', '#', '[', ']']) || part.split('%').skip(1).any(escapes_nothing))
}

impl fmt::Display for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.text.split_once("://").unwrap_or(("mongodb", ""));
        let (authority, options) =
            rest.split_once('?').map_or((rest, None), |(authority, options)| (authority, Some(options)));
        match authority.rsplit_once('@') {
            Some((_, hosts)) => write!(f, "{scheme}://***@{hosts}")?,
            None => write!(f, "{scheme}://{authority}")?,
        }
        let mut separator = '?';
        for option in options.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = if NON_SECRET_OPTIONS.contains(&name.to_ascii_lowercase().as_str()) { value } else { "***" };
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

/// The words of one connection string that no text may contain: user, password and secret options, as written and
/// percent-decoded.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Finds the secrets of a text, even where it is not a valid connection string: invalid ones end up in errors. The user
    /// information ends at the last `@`, so a host may be taken for a secret.
    fn of_uri(text: &str) -> Self {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let mut words = Vec::new();
        if let Some((user, _)) = rest.rsplit_once('@') {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            words.extend([user, name, password]);
            // parsers cut a password at an unescaped `:`, `/`, `?`, `@` or `#`
            words.extend(password.split([':', '/', '?', '@', '#']));
        }
        if let Some((_, options)) = rest.split_once('?') {
            for option in options.split('&') {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                if !NON_SECRET_OPTIONS.contains(&name.to_ascii_lowercase().as_str()) {
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

/// Replaces a word wherever it is a word of its own, and long words anywhere. A user called `a` must not turn every letter
/// `a` of a message into stars.
fn replace(text: &str, word: &str) -> String {
    const LONG: usize = 6;
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(word) {
        let (before, after) = (&rest[..start], &rest[start + word.len()..]);
        out.push_str(before);
        let is_whole_word = !in_word(out.chars().next_back()) && !in_word(after.chars().next());
        out.push_str(if is_whole_word || word.len() >= LONG { "***" } else { word });
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
        let (for_driver, ignored) = without_ignored_options(text);
        let uri = MongoUri { text: text.to_owned(), for_driver, ignored, database: None };
        assert_snapshot!(uri, @"mongodb://***@h/d?authMechanism=MONGODB-AWS&authMechanismProperties=***");
        assert_eq!(
            uri.secrets().scrub("AKIA said x/y and x%2Fy to tok, not to tokyo"),
            "*** said *** and *** to ***, not to tokyo"
        );
        let uri: MongoUri = "mongodb://u:geheim@h/shop".parse().unwrap();
        assert_snapshot!(format!("{uri:?} {:?} {:?}", uri.database(), uri.secrets()), @r#"MongoUri(mongodb://***@h/shop) Some("shop") Secrets(***)"#);
    }

    #[test]
    fn options_of_other_drivers_are_ignored_by_name() {
        for (options, kept, ignored) in [
            ("", "", ""),
            ("?uuidRepresentation=standard", "", "uuidRepresentation"),
            (
                "?compressors=zstd,snappy&replicaSet=rs0&zlibCompressionLevel=9",
                "?replicaSet=rs0",
                "compressors zlibCompressionLevel",
            ),
            ("?maxPoolSize=0&SOCKETTIMEOUTMS=0", "", "maxPoolSize SOCKETTIMEOUTMS"),
            ("?maxPoolSize=20&retryWrites=false", "?maxPoolSize=20&retryWrites=false", ""),
            ("?uuidRepresentation", "", "uuidRepresentation"),
        ] {
            let uri: MongoUri = format!("mongodb://u:p@h/shop{options}").parse().unwrap();
            assert_eq!(
                (uri.secret(), uri.ignored().join(" ")),
                (&*format!("mongodb://u:p@h/shop{kept}"), ignored.to_owned())
            );
        }
    }

    #[test]
    fn only_errors_about_unescaped_credentials_say_to_escape_them() {
        let says_to_escape = |text: &str| {
            let error = text.parse::<MongoUri>().unwrap_err();
            let help = taster_model::Diagnostic::help(&error).unwrap();
            help.contains("%40")
        };
        for text in [
            "mongodb://u:p@ss@h/d",
            "mongodb://u:p/s@h/d",
            "mongodb://u:50%@h/d",
            "mongodb://u:%zz@h/d",
            "mongodb://u:a:b@h/d",
        ] {
            assert!(says_to_escape(text), "{text}");
        }
        for text in [
            "mongodb://u:p@h/d?tsl=true",
            "mongodb://u:p%40@h/d?retryWrites=maybe",
            "mongodb://h:notaport/d",
            "mongodb://u:p@h:notaport/d",
            "http://h/d",
            "mongodb://",
            "",
        ] {
            assert!(!says_to_escape(text), "{text}");
        }
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
