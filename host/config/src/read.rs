//! From text to [`Config`]: YAML with positions, variables expanded in values, errors that point at the line.

use std::{collections::HashMap, path::Path};

use serde_saphyr::{Error as Yaml, Location};

use taster_model::DataKind;

use super::{
    closest::closest_match,
    documents::{Redact, Report, Scan},
    error::{ConfigError, SourceLocation},
    probe::default_probes,
    renamed::new_name,
    require::Require,
    root::{self, Config, Mongodb, app_name_from},
    store::{RetentionSection, S3Section},
};

/// Reads and checks a file. `environment` has the values of variables `${NAME}`.
pub fn load(path: &Path, environment: HashMap<String, String>) -> Result<Config, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text, environment)
}

/// A configuration with everything that is wrong in it.
#[derive(Debug)]
pub struct CheckedFile {
    /// The configuration, even if there are mistakes in it. Absent where the text could not be read as one.
    pub config: Option<Config>,
    /// The mistakes, those of the text first.
    pub mistakes: Vec<ConfigError>,
}

/// Reads a file and finds all of its mistakes. The error of [`load`] is the first of them.
pub fn check_file(path: &Path, environment: &HashMap<String, String>) -> Result<CheckedFile, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    Ok(check_text(&path.display().to_string(), &text, environment))
}

/// The limit of mistakes that are searched for in the text itself.
const MAX_TEXT_MISTAKES: usize = 50;

/// Finds all mistakes of a text. The reader stops at the first mistake, so the entry with the mistake is left out and the rest
/// is read again.
pub(super) fn check_text(file: &str, text: &str, environment: &HashMap<String, String>) -> CheckedFile {
    let mut mistakes: Vec<ConfigError> = Vec::new();
    let mut rest = text.to_owned();
    while mistakes.len() < MAX_TEXT_MISTAKES {
        let options = serde_saphyr::options! { strict_booleans: true }.with_properties(environment.clone());
        let error = match serde_saphyr::from_str_with_options::<Config>(&rest, options) {
            Ok(config) => {
                let whole = mistakes.is_empty();
                mistakes.extend(config.mistakes().into_iter().filter(|mistake| whole || !is_about_probes(mistake)));
                return CheckedFile { config: Some(config), mistakes };
            }
            // the line is shown as it is in the file
            Err(error) => describe(file, text, &error),
        };
        // mistakes are found from the top down; what was left out leaves an empty parent, which is found further up
        let line = |error: &ConfigError| error.location().map(|at| at.line);
        let is_consequence = mistakes
            .last()
            .is_some_and(|last| line(&error) <= line(last) || matches!(error, ConfigError::Missing { .. }));
        let shorter = error.location().and_then(|at| without_entry(&rest, at));
        if !is_consequence {
            mistakes.push(error);
        }
        match shorter {
            Some(shorter) if !is_consequence => rest = shorter,
            _ => break,
        }
    }
    CheckedFile { config: None, mistakes }
}

/// Whether a mistake may only come from a probe that was left out of the text.
fn is_about_probes(mistake: &ConfigError) -> bool {
    matches!(mistake, ConfigError::Inconsistent { at, .. } if at == "probes" || at.ends_with(".probe"))
}

/// The text without the entry that begins in the line of a mistake: that line and the lines below it that belong to it. Lines
/// become empty, so that the others keep their numbers. `None` where an entry cannot be left out: it is the first key of a
/// list's item, or the line is within brackets that another line opened.
fn without_entry(text: &str, at: &SourceLocation) -> Option<String> {
    let index = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let line = *lines.get(index)?;
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (depth, content) = (indent(line), line.trim_start());
    // an item in braces can be left out as a whole
    let is_item = content.starts_with("- {") && content.trim_end().ends_with('}');
    let is_entry = !content.starts_with('-')
        && content.split_once(':').is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric()));
    if !is_item && !is_entry {
        return None;
    }
    lines[index] = "";
    for line in lines.iter_mut().skip(index + 1) {
        let is_list = indent(line) == depth && line.trim_start().starts_with("- ") && is_entry;
        if !line.trim().is_empty() && indent(line) <= depth && !is_list {
            break;
        }
        *line = "";
    }
    Some(lines.join("\n"))
}

/// Reads and checks a text; `file` is its name in errors.
pub fn parse(file: &str, text: &str, environment: HashMap<String, String>) -> Result<Config, ConfigError> {
    let options = serde_saphyr::options! { strict_booleans: true }.with_properties(environment);
    let config: Config =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| describe(file, text, &error))?;
    config.checked()
}

impl Config {
    /// The configuration of `--mongodb URI` without a file: every collection, the standard probes, results in the current
    /// folder.
    pub fn for_uri(uri: &str) -> Result<Self, ConfigError> {
        let parsed: taster_query::MongoUri = uri.parse()?;
        let database = parsed.database().ok_or(ConfigError::NoDatabase)?.to_owned();
        let config = Self {
            app: app_name_from(&database),
            store: root::default_store(),
            s3: S3Section::default(),
            retention: RetentionSection::default(),
            mongodb: Mongodb {
                uri: uri.to_owned(),
                database: Some(database),
                data: DataKind::Copy,
                connect_timeout: root::default_timeout(),
                majority_timeout: root::default_timeout(),
                index_build_timeout: root::default_index_build_timeout(),
                quiet_period: root::default_quiet_period(),
                max_rescans: root::default_max_rescans(),
            },
            probes: default_probes(),
            expect: Vec::new(),
            changes: Vec::new(),
            report: Report::default(),
            redact: Redact::default(),
            scan: Scan::default(),
            cluster: None,
            freshness: Vec::new(),
            max_baseline_age: None,
            notify: Vec::new(),
            require: Require::default(),
            require_pins: false,
            require_read_only_user: false,
        };
        config.checked()
    }
}

fn describe(file: &str, text: &str, error: &Yaml) -> ConfigError {
    let error = error.without_snippet();
    let location = location(file, text, error.location());
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            // if the file has variables, the library hides the name of the field; variables are not expanded in keys, so
            // the key can be read from the file
            let key = key_at(&location).unwrap_or_else(|| field.clone());
            match new_name(&key, expected) {
                Some(new) => ConfigError::RenamedKey { location, key, new },
                None => ConfigError::UnknownKey {
                    near: closest_match(&key, expected),
                    key,
                    known: expected.clone(),
                    location,
                },
            }
        }
        Yaml::SerdeMissingField { field, .. } => ConfigError::Missing { location, key: field },
        Yaml::UnresolvedProperty { name, .. } => {
            ConfigError::Unset { location, message: format!("the variable `{name}` is not set") }
        }
        other => {
            let message = other.to_string();
            // the library's text begins or ends with the position, which the error's location already has
            let message = message.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or(message);
            let message = in_words_of_yaml(message.trim());
            // the value itself may be as long as the file
            let message = taster_text::truncate_chars(&taster_text::redact_credentials(&message), MAX_MESSAGE);
            ConfigError::Malformed { location, message }
        }
    }
}

/// The limit of characters of a message.
const MAX_MESSAGE: usize = 400;

/// Messages of the library about its own types and limits, and what they mean in the file.
const MEANINGS: [(&str, &str); 22] = [
    ("cannot deserialize null into string", "the value is missing: a text is expected"),
    ("expected mapping start", "keys with values are expected here, as in `key: value`"),
    ("expected sequence start", "a list is expected here, as in `- item` or `[item]`"),
    ("expected string scalar", "a text is expected here"),
    ("expected scalar", "a single value is expected here, not a list or keys"),
    ("invalid boolean", "`true` or `false` is expected"),
    ("invalid u8", "a whole number from 0 to 255 is expected"),
    ("invalid u16", "a whole number from 0 to 65535 is expected"),
    ("invalid u", "a whole number of 0 or more is expected"),
    ("invalid i", "a whole number is expected"),
    ("invalid f", "a number is expected"),
    ("multiple YAML documents", "the file holds several documents (`---`), and one is expected"),
    ("alias references unknown anchor", "`*name` refers to an anchor `&name` that the file does not have"),
    ("alias ", "the anchors of the file refer to each other too often: write the values out"),
    ("recursion limit exceeded", "the file is too large for a configuration: its values are nested too deeply"),
    ("property ", "variables are nested too deeply: write the values out"),
    ("unsupported tag", "tags such as `!name` are not used in this file"),
    ("unexpected end of input", "the file ends too early: a bracket or a quote is not closed"),
    ("list or mapping end with no start", "a bracket is closed that was not opened"),
    ("unexpected container end", "a bracket is closed that was not opened"),
    ("unexpected sequence end", "the list ends too early"),
    ("unexpected mapping end", "the keys end too early"),
];

/// A message of the YAML library in words of YAML. Other messages, such as those of Taster's own types, stay as they are.
fn in_words_of_yaml(message: &str) -> String {
    if let Some(limit) = message.strip_prefix("budget breached: ") {
        let what = match limit.split([' ', '{', '(']).next().unwrap_or_default() {
            "Depth" => "its values are nested too deeply",
            "Aliases" | "Anchors" | "AliasAnchorRatio" => "it has too many anchors and aliases",
            "MergeKeys" => "it has too many merge keys (`<<`)",
            "Documents" => "it has too many documents (`---`)",
            _ => "it has too many values or too much text",
        };
        return format!("the file is too large for a configuration: {what}");
    }
    if let Some(key) = message.strip_prefix("duplicate mapping key") {
        let key = key.trim_start_matches(':').split(", set ").next().unwrap_or_default().trim();
        return format!("the key `{key}` is there twice");
    }
    let known = MEANINGS.iter().find(|(words, _)| message.starts_with(words));
    known.map_or_else(|| message.to_owned(), |(_, meaning)| (*meaning).to_owned())
}

fn location(file: &str, text: &str, location: Option<Location>) -> SourceLocation {
    let (line, column) = location.map_or((1, 1), |l| (l.line().max(1), l.column().max(1)));
    let index = usize::try_from(line).unwrap_or(usize::MAX) - 1;
    let shown = text.lines().nth(index).unwrap_or_default();
    let before = index.checked_sub(1).and_then(|index| text.lines().nth(index)).unwrap_or_default();
    SourceLocation {
        file: file.to_owned(),
        line,
        column,
        text: hidden(before, &taster_text::redact_credentials(shown.trim_end())),
    }
}

/// The line with the value of a secret key replaced by `*`, unless the value is a variable. The length of the line stays the
/// same, because the error shows a caret below it.
fn hidden(before: &str, line: &str) -> String {
    let stars = |text: &str| "*".repeat(text.chars().count());
    // the value may be on the line after its key
    if before.trim_end().ends_with(':') && secret_key(before).is_some() {
        return stars(line);
    }
    let Some(end) = secret_key(line) else { return line.to_owned() };
    let (head, value) = line.split_at(end);
    let begin = value.find(|c: char| !matches!(c, '"' | '\'' | ':' | ' ')).unwrap_or(value.len());
    let (gap, value) = value.split_at(begin);
    if is_variable(value) {
        return line.to_owned();
    }
    // hide the rest of the line: every character may belong to the secret
    format!("{head}{gap}{}", stars(value))
}

/// Where the first key that holds a secret ends. `secret` counts anywhere in the line. The others are common words, so they
/// count only as a whole key.
fn secret_key(line: &str) -> Option<usize> {
    const KEYS: [&str; 3] = ["webhook", "bearer", "token"];
    let lower = line.to_ascii_lowercase();
    let secret = lower.find("secret").map(|at| at + "secret".len());
    let is_key = |at: usize, key: &str| {
        let before = lower[..at].chars().next_back();
        let after = lower[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        before.is_none_or(|c| !c.is_alphanumeric()) && after.starts_with(':')
    };
    let others = KEYS
        .iter()
        .flat_map(|key| lower.match_indices(key).filter(|(at, key)| is_key(*at, key)).map(|(at, key)| at + key.len()));
    others.chain(secret).min()
}

/// Whether the value is `${NAME}` and nothing else, except the end of a mapping. A variable with a default value does not
/// count: the default may be a secret.
fn is_variable(value: &str) -> bool {
    let Some((name, rest)) = value.strip_prefix("${").and_then(|value| value.split_once('}')) else {
        return value.is_empty();
    };
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && matches!(rest.trim(), "" | "}" | "\"")
}

fn key_at(location: &SourceLocation) -> Option<String> {
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let rest: String = location.text.chars().skip(column).collect();
    let key = rest.split(':').next()?.trim().trim_matches(['"', '\'']);
    (!key.is_empty() && key.len() <= 64).then(|| key.to_owned())
}
