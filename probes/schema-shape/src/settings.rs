//! The configuration: ignored paths, and the limit of paths.

use serde::Deserialize;
use taster_probe::{Config, Failure};

/// The checked configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Ignored paths, with everything below; a segment `*` matches any name.
    pub(crate) ignore: Vec<String>,
    /// The limit of paths of a collection; further fields are folded into `*`.
    pub(crate) paths: usize,
    /// A subdocument with more different fields is a map, whose keys are data: its fields are folded into `*`.
    pub(crate) children: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ignore: Vec::new(), paths: 2000, children: 200 }
    }
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let settings: Self = config.parse()?;
        for (key, number, most) in [("paths", settings.paths, 20_000), ("children", settings.children, 20_000)] {
            if !(1..=most).contains(&number) {
                return Err(Config::invalid(key, &format!("expected 1 to {most}, found {number}")));
            }
        }
        for (index, path) in settings.ignore.iter().enumerate() {
            if path.is_empty() {
                return Err(Config::invalid(&format!("ignore[{index}]"), "expected a path such as `audit.trail`"));
            }
        }
        Ok(settings)
    }

    /// The segments of each ignored path; `items[].sku` is `items`, `[]`, `sku`.
    pub(crate) fn ignored(&self) -> Vec<Vec<Vec<u8>>> {
        self.ignore.iter().map(|path| segments(path)).collect()
    }
}

fn segments(path: &str) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for part in path.split('.') {
        let name = part.trim_end_matches("[]");
        segments.push(name.as_bytes().to_vec());
        for _ in 0..(part.len() - name.len()) / 2 {
            segments.push(b"[]".to_vec());
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong(r#"{"ignored": []}"#), @"probes[…].config.ignored: unknown field `ignored`, expected one of `ignore`, `paths`, `children`");
        assert_snapshot!(wrong(r#"{"paths": 0}"#), @"probes[…].config.paths: expected 1 to 20000, found 0");
        assert_snapshot!(wrong(r#"{"ignore": ["a", ""]}"#), @"probes[…].config.ignore[1]: expected a path such as `audit.trail`");
    }

    #[test]
    fn paths_go_into_arrays() {
        let segments = segments("items[].tags[][].name");
        let texts: Vec<_> = segments.iter().map(|segment| str::from_utf8(segment).unwrap()).collect();
        assert_eq!(texts, ["items", "[]", "tags", "[]", "[]", "name"]);
    }
}
