//! Names of apps, runs and attempts, which become paths and keys: checked when they are parsed.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An invalid name of an app, a run or an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} `{given}`: expected {rule}")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    rule: &'static str,
}

const NAME_RULE: &str =
    "1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit, not ending in `.json`";
const ATTEMPT_RULE: &str = "a ULID in upper case";

fn check_name(what: &'static str, given: &str) -> Result<String, InvalidName> {
    let first = given.as_bytes().first().copied().unwrap_or(b'-');
    let fits = (1..=63).contains(&given.len())
        && (first.is_ascii_lowercase() || first.is_ascii_digit())
        // a run with the name of a stored object, such as `current.json`, would overwrite it
        && !given.ends_with(".json")
        && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if fits { Ok(given.to_owned()) } else { Err(InvalidName { what, given: given.to_owned(), rule: NAME_RULE }) }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = r"^[a-z0-9][a-z0-9._-]{0,62}$"))]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(given: &str) -> Result<Self, InvalidName> {
                check_name($what, given).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(given: String) -> Result<Self, InvalidName> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The app whose database is compared: `[a-z0-9][a-z0-9._-]{0,62}`.
    AppName, "app"
}
name_type! {
    /// One run, which is one sync with its `pre` and `post`: `[a-z0-9][a-z0-9._-]{0,62}`.
    RunId, "run"
}

impl RunId {
    /// A new run id that sorts by time: a ULID in lower case.
    #[must_use]
    pub fn generate() -> Self {
        Self(ulid::Ulid::generate().to_string().to_lowercase())
    }
}

/// One attempt at one side of a run: a ULID, so that later attempts sort after earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId(String);

impl AttemptId {
    /// A new attempt id that sorts after all earlier ones of this process, and after those of earlier milliseconds.
    #[must_use]
    pub fn generate() -> Self {
        // plain ULIDs of the same millisecond are not ordered; the generator counts up
        static LAST: Mutex<ulid::Generator> = Mutex::new(ulid::Generator::new());
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match last.generate() {
            Ok(next) => next,
            Err(overflow) => overflow.commit_overflow_increment(),
        };
        Self(next.to_string())
    }

    /// When the attempt started, in milliseconds since 1970, by the clock of the machine that started it.
    #[must_use]
    pub fn started_ms(&self) -> u64 {
        ulid::Ulid::from_string(&self.0).map_or(0, |ulid| ulid.timestamp_ms())
    }

    /// The ULID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AttemptId {
    type Error = InvalidName;
    fn try_from(given: String) -> Result<Self, InvalidName> {
        match ulid::Ulid::from_string(&given) {
            // only upper case: a lower-case id would sort after every other attempt
            Ok(ulid) if ulid.to_string() == given => Ok(Self(given)),
            _ => Err(InvalidName { what: "attempt", given, rule: ATTEMPT_RULE }),
        }
    }
}

impl From<AttemptId> for String {
    fn from(id: AttemptId) -> Self {
        id.0
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The two sides of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Before the sync.
    Pre,
    /// After the sync.
    Post,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pre => "pre",
            Self::Post => "post",
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for good in ["pxbbq", "1764000000", "a.b_c-d", &"x".repeat(63)] {
            assert!(good.parse::<RunId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "current.json", "-a", "_a", "A", "a/b", "a b", "ä", "a\0", &"x".repeat(64)] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
            assert!(serde_json::from_value::<AppName>(bad.into()).is_err(), "{bad}");
        }
        assert_snapshot!("Shop".parse::<AppName>().unwrap_err(), @"invalid app `Shop`: expected 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit, not ending in `.json`");
    }

    #[test]
    fn later_attempts_sort_after_earlier_ones() {
        let attempts: Vec<AttemptId> = (0..2000).map(|_| AttemptId::generate()).collect();
        assert!(attempts.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(attempts[0].started_ms() > 1_700_000_000_000);
    }

    #[test]
    fn an_attempt_has_one_spelling() {
        let attempt = AttemptId::generate().to_string();
        assert!(AttemptId::try_from(attempt.clone()).is_ok());
        assert!(AttemptId::try_from(attempt.to_lowercase()).is_err());
        assert_snapshot!(AttemptId::try_from("../x".to_owned()).unwrap_err(), @"invalid attempt `../x`: expected a ULID in upper case");
    }

    #[test]
    fn a_generated_run_id_is_valid() {
        assert!(RunId::generate().as_str().parse::<RunId>().is_ok());
    }
}
