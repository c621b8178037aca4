//! `report`, `redact` and `scan`: how many ids a report lists, which data are not stored, how many cursors a scan uses.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use taster_model::{AppName, ChangeKind, DeclaredChange, FieldPath, RenamedField, RunId};
use taster_text::grouped;

use super::error::{ConfigError, inconsistent};

/// The highest `report.maxIds`: people cannot read a report with more ids.
const MAX_REPORT_IDS: u32 = 100_000;
/// The highest `scan.cursors`: how many cursors may be open on one collection at a time.
const MAX_CURSORS: u32 = 16;

/// What reports show of documents.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Report {
    /// How many ids are named for each kind of difference, at most 100 000; counts are always exact. Default 1000.
    #[serde(default = "default_max_ids")]
    pub max_ids: u32,
    /// Address of the report of a run: `https://taster.example.com/apps/{app}/runs/{run}`. Argo CD links to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Report {
    /// The address of the report of a run.
    #[must_use]
    pub fn url_of(&self, app: &AppName, run: &RunId) -> Option<String> {
        Some(self.url.as_ref()?.replace("{app}", app.as_str()).replace("{run}", run.as_str()))
    }
}

/// What is not stored of documents.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Redact {
    /// Store and show keyed hashes instead of ids: equal ids have equal hashes, and a hash does not reveal its id.
    #[serde(default)]
    pub ids: bool,
    /// Fields whose values are never stored, neither in sampled documents nor beside digests: `email`, `customer.phone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<RedactedField>,
    /// The key of the hashes, `${REDACT_SECRET}`: with it you can find the document of a hash.
    /// Default: the random key of the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// How collections are read for a census.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scan {
    /// Cursors on one collection at the same time, 1 to 16. More are faster and load the server more. Default 1.
    #[serde(default = "default_cursors")]
    pub cursors: u32,
}

/// A field whose value is never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RedactedField(FieldPath);

impl RedactedField {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &FieldPath {
        &self.0
    }
}

impl TryFrom<String> for RedactedField {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "_id" || text.starts_with("_id.") {
            return Err(format!("`{text}`: ids are redacted by `ids: true`"));
        }
        text.try_into().map(Self)
    }
}

impl From<RedactedField> for String {
    fn from(field: RedactedField) -> Self {
        field.0.to_string()
    }
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, to use as a key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Fails if the text is empty, or if it still contains a variable.
    pub(super) fn filled(&self, at: &str) -> Result<(), ConfigError> {
        if self.0.contains("${") {
            let help = "write it as a plain value, without quotes: ${NAME}";
            return Err(inconsistent(at, "a quoted `${…}` is not expanded", help));
        }
        if self.0.trim().is_empty() {
            return Err(inconsistent(at, "it is empty", "is the variable set?"));
        }
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

fn default_max_ids() -> u32 {
    1000
}

fn default_cursors() -> u32 {
    1
}

impl Default for Report {
    fn default() -> Self {
        Self { max_ids: default_max_ids(), url: None }
    }
}

impl Default for Scan {
    fn default() -> Self {
        Self { cursors: default_cursors() }
    }
}

/// Checks that the link is a web address without placeholders other than `{app}` and `{run}`.
fn check_url(url: &str) -> Result<(), ConfigError> {
    const AT: &str = "report.url";
    let shape = "write it as https://taster.example.com/apps/{app}/runs/{run}";
    if !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(char::is_whitespace) {
        return Err(inconsistent(AT, format!("`{url}` is no address of a web page"), shape));
    }
    let rest = url.replace("{app}", "").replace("{run}", "");
    if rest.contains(['{', '}']) {
        return Err(inconsistent(AT, format!("`{url}` holds braces that are neither `{{app}}` nor `{{run}}`"), shape));
    }
    Ok(())
}

/// The new names of redacted fields: their values must be as little stored as under the old ones.
pub(super) fn unredacted_renamings(redact: &Redact, changes: &[DeclaredChange]) -> Vec<ConfigError> {
    let is_redacted = |path: &[String]| redact.fields.iter().any(|field| path.starts_with(field.path().names()));
    let mut mistakes = Vec::new();
    for change in changes {
        let ChangeKind::RenamedField(RenamedField { from, to }) = &change.kind else { continue };
        for field in &redact.fields {
            let path = field.path().names();
            // the whole field is renamed, or one around it
            let within = if from.names().starts_with(path) { Some(&[][..]) } else { path.strip_prefix(from.names()) };
            let Some(within) = within else { continue };
            let new_path = [to.names(), within].concat();
            if !is_redacted(&new_path) {
                let (old, new) = (path.join("."), new_path.join("."));
                let message =
                    format!("`{old}` is redacted, and `changes` renames `{from}` of {} to `{to}`", change.collection);
                mistakes.push(inconsistent("redact.fields", message, format!("add `{new}`")));
            }
        }
    }
    mistakes
}

/// Checks the three sections.
pub(super) fn check(report: &Report, redact: &Redact, scan: &Scan) -> Result<(), ConfigError> {
    if report.max_ids > MAX_REPORT_IDS {
        let message = format!("{} ids of each kind are more than a report can hold", grouped(report.max_ids.into()));
        return Err(inconsistent(
            "report.maxIds",
            message,
            format!("at most {}; counts are always exact", grouped(MAX_REPORT_IDS.into())),
        ));
    }
    if let Some(url) = &report.url {
        check_url(url)?;
    }
    if scan.cursors == 0 || scan.cursors > MAX_CURSORS {
        let message = format!("{} cursors on one collection", grouped(scan.cursors.into()));
        return Err(inconsistent("scan.cursors", message, format!("1 to {MAX_CURSORS}")));
    }
    let Some(Secret(secret)) = &redact.secret else { return Ok(()) };
    if secret.contains("${") {
        let help = "write it as a plain value, without quotes: secret: ${REDACT_SECRET}";
        return Err(inconsistent("redact.secret", "a quoted `${…}` is not expanded", help));
    }
    if secret.len() < 16 {
        let help = "16 characters or more; `openssl rand -hex 32` makes one; or leave the key out";
        return Err(inconsistent("redact.secret", "too short to keep anything secret", help));
    }
    if !redact.ids {
        return Err(inconsistent(
            "redact.secret",
            "it keys the hashes of ids, and ids are not redacted",
            "add `ids: true`",
        ));
    }
    Ok(())
}
