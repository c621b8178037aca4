//! The configuration: paths to ignore, and how many there may be.

use serde::Deserialize;
use taster_probe::{Config, Failure};

/// The configuration, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Paths that are left out, with all below them; a segment `*` stands for any one name.
    pub(crate) ignore: Vec<String>,
    /// At most so many paths a collection; fields beyond that are folded into `*`.
    pub(crate) paths: usize,
    /// A subdocument with more different names than this is a map with data for keys: its fields fold into `*`.
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
                return Err(Config::wrong(key, &format!("expected 1 to {most}, found {number}")));
            }
        }
        for (index, path) in settings.ignore.iter().enumerate() {
            if path.is_empty() {
                return Err(Config::wrong(&format!("ignore[{index}]"), "expected a path such as `audit.trail`"));
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
    fn mistakes_are_named_with_their_key() {
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
