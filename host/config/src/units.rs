//! Durations and sizes as people write them: `30s`, `10m`, `64MiB`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time: `30s`, `10m`, `1h 30m`, `7d`. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Period(Duration);

impl Period {
    /// A length of time in seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The length of time as a [`Duration`].
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// A length of time, or none: `0s`, `30s`, `10m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Delay(Duration);

impl Delay {
    /// The length of time as a [`Duration`].
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Delay {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

impl From<Delay> for String {
    fn from(delay: Delay) -> Self {
        Period(delay.0).to_string()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as `30s`, `10m`, `1h 30m` or `7d`");
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    span.try_into().map_err(|_| wrong())
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let duration = duration(text)?;
        if duration.is_zero() {
            Err(format!("`{text}`: a duration must be longer than `0s`"))
        } else {
            Ok(Self(duration))
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

/// A number of bytes: `64MiB`, `1GiB`, `500 kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Size(u64);

impl Size {
    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let size: bytesize::ByteSize =
            text.parse().map_err(|_| format!("`{text}` is not a size such as `64KiB`, `256MiB` or `1GiB`"))?;
        if size.0 == 0 { Err(format!("`{text}`: a size must be more than nothing")) } else { Ok(Self(size.0)) }
    }
}

impl TryFrom<String> for Size {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", bytesize::ByteSize(self.0).display().iec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        for (text, seconds) in
            [("30s", 30), ("10m", 600), ("1h 30m", 5400), ("1h30m", 5400), ("7d", 604_800), ("1d 12h", 129_600)]
        {
            assert_eq!(text.parse::<Period>().unwrap().get().as_secs(), seconds, "{text}");
        }
        for (text, bytes) in [("64KiB", 65_536), ("256MiB", 268_435_456), ("1 GiB", 1_073_741_824), ("500kB", 500_000)]
        {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes, "{text}");
        }
        let week: Period = "7d".parse().unwrap();
        assert_eq!(week.to_string().parse::<Period>(), Ok(week), "it reads back as {week}");
        for text in ["", "10", "0s", "-5m", "ten minutes", "1 month"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in ["", "0", "-1MiB", "big"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
