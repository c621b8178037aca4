//! Names that become paths and keys: checked once, then carried as types.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name that cannot be an app or a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} `{given}` is not allowed: 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit"
)]
pub struct BadName {
    what: &'static str,
    given: String,
}

fn checked(what: &'static str, given: &str) -> Result<String, BadName> {
    let first = given.as_bytes().first().copied().unwrap_or(b'-');
    let fits = (1..=63).contains(&given.len())
        && (first.is_ascii_lowercase() || first.is_ascii_digit())
        && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if fits { Ok(given.to_owned()) } else { Err(BadName { what, given: given.to_owned() }) }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(#[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"))] String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(given: &str) -> Result<Self, BadName> {
                checked($what, given).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(given: String) -> Result<Self, BadName> {
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
    /// The app whose database is tasted: `[a-z0-9][a-z0-9._-]{0,62}`.
    AppName, "app"
}
name_type! {
    /// One sync being tasted: `[a-z0-9][a-z0-9._-]{0,62}`.
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
    /// A new attempt that sorts after all earlier ones of this machine.
    #[must_use]
    pub fn generate() -> Self {
        Self(ulid::Ulid::generate().to_string())
    }

    /// The ULID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AttemptId {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        match ulid::Ulid::from_string(&given) {
            Ok(_) => Ok(Self(given)),
            Err(_) => Err(BadName { what: "attempt", given }),
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
