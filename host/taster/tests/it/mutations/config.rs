//! A configuration as plain data, and as `taster.yaml`.

use std::fmt::Write as _;

use mongodb::bson::{Bson, Document};
use serde_json::{Value as Json, json};

use super::{
    database::{Database, Kind},
    random::Random,
};

/// The options of a census for one collection.
#[derive(Debug, Clone, Default)]
pub(super) struct CensusOptions {
    /// Only documents whose `k` is below this.
    pub(super) below: Option<i32>,
    pub(super) ignore: Option<&'static str>,
    pub(super) detail: bool,
    pub(super) any_order: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) component: &'static str,
    /// `None`: all.
    pub(super) collections: Option<Vec<String>>,
    pub(super) warns: bool,
    pub(super) muted: bool,
}

impl Probe {
    pub(super) fn new(component: &'static str) -> Self {
        Self { component, collections: None, warns: false, muted: false }
    }

    pub(super) fn decides(&self) -> bool {
        !self.warns && !self.muted
    }

    pub(super) fn covers(&self, collection: &str) -> bool {
        self.collections.as_ref().is_none_or(|names| names.iter().any(|name| name == collection))
    }
}

/// How the census of one collection may change.
#[derive(Debug, Clone)]
pub(super) struct Expectation {
    pub(super) collection: String,
    pub(super) rule: &'static str,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    /// Empty: the default ones.
    pub(super) probes: Vec<Probe>,
    /// Of the census, by collection.
    pub(super) census: Vec<(String, CensusOptions)>,
    pub(super) expect: Vec<Expectation>,
    pub(super) require: Vec<String>,
    pub(super) live: bool,
    pub(super) redact: bool,
    pub(super) cursors: usize,
}

/// The probes without `probes`.
const DEFAULT: [&str; 4] = ["census", "document-count", "index-inventory", "schema-shape"];

impl Config {
    /// A configuration that compares everything.
    pub(super) fn whole(random: &mut Random) -> Self {
        Self { cursors: 1 + random.below(2), redact: random.one_in(8), ..Self::default() }
    }

    pub(super) fn generate(random: &mut Random, database: &Database) -> Self {
        let mut config = Self::whole(random);
        let names: Vec<String> = database.keys().cloned().collect();
        config.live = random.one_in(8);
        if random.one_in(4) {
            config.require =
                names.iter().filter(|name| database[*name].kind != Kind::View && random.one_in(2)).cloned().collect();
        }
        if random.one_in(3) {
            return config;
        }
        for component in DEFAULT {
            if component == "census" || random.one_in(2) {
                let (warns, muted) = (random.one_in(12), random.one_in(16));
                config.probes.push(Probe { warns, muted, ..Probe::new(component) });
            }
        }
        if random.one_in(3) {
            let recorded = names.iter().filter(|name| database[*name].kind != Kind::View && !random.one_in(3));
            config.probes[0].collections =
                Some(recorded.cloned().collect::<Vec<_>>()).filter(|names| !names.is_empty());
        }
        let recorded = config.probes[0].clone();
        for name in names.iter().filter(|name| recorded.covers(name)) {
            if random.one_in(2) && database[name].kind != Kind::View {
                let options = CensusOptions {
                    below: random.one_in(4).then(|| random.number(9) + 1),
                    ignore: random.one_in(4).then(|| random.pick(&["n", "s", "o", "k"])),
                    detail: random.one_in(2),
                    any_order: false,
                };
                config.census.push((name.clone(), options));
            }
        }
        if random.one_in(8) {
            let rule = random.pick(&["ignore", "never-decreases", "never-increases"]);
            config.expect.push(Expectation { collection: random.pick(&names).clone(), rule });
        }
        config
    }

    /// The probes, with the default ones where none is written.
    pub(super) fn probes(&self) -> Vec<Probe> {
        if self.probes.is_empty() { DEFAULT.into_iter().map(Probe::new).collect() } else { self.probes.clone() }
    }

    pub(super) fn census_options(&self, collection: &str) -> CensusOptions {
        let options = self.census.iter().find(|(name, _)| name == collection);
        options.map(|(_, options)| options.clone()).unwrap_or_default()
    }

    pub(super) fn rule(&self, collection: &str) -> Option<&'static str> {
        self.expect.iter().find(|expectation| expectation.collection == collection).map(|expectation| expectation.rule)
    }

    /// Lets every probe record this collection, too.
    pub(super) fn record(&mut self, collection: &str) {
        for names in self.probes.iter_mut().filter_map(|probe| probe.collections.as_mut()) {
            names.push(collection.to_owned());
        }
    }

    /// Without what is about a collection that does not exist.
    pub(super) fn restricted_to(&self, database: &Database) -> Self {
        let mut config = self.clone();
        config.census.retain(|(name, _)| database.contains_key(name));
        config.expect.retain(|expectation| database.contains_key(&expectation.collection));
        config.require.retain(|name| database.contains_key(name));
        for probe in &mut config.probes {
            if let Some(names) = &mut probe.collections {
                names.retain(|name| database.contains_key(name));
            }
        }
        config
    }

    /// `taster.yaml`. The values are JSON, so that no name is taken for something else.
    pub(super) fn yaml(&self, changes: &[Json], database: &str) -> String {
        let mut yaml = format!(
            "app: mutated\nstore: file://./results\nmongodb:\n  uri: ${{MONGODB_URI}}\n  database: {database}\n  \
             quietPeriod: 50ms\n"
        );
        if self.live {
            yaml.push_str("  data: live\n");
        }
        let mut section = |key: &str, values: Json| {
            if values.as_array().is_none_or(|values| !values.is_empty()) {
                writeln!(yaml, "{key}: {values}").expect("text");
            }
        };
        section("probes", self.probes.iter().map(|probe| self.probe(probe)).collect());
        let expectation = |e: &Expectation| json!({"metric": "documents", "probe": "census", "labels": {"collection": e.collection}, "rule": e.rule});
        section("expect", self.expect.iter().map(expectation).collect());
        section("changes", changes.into());
        section("scan", json!({"cursors": self.cursors.max(1)}));
        if !self.require.is_empty() {
            section("require", json!({"census": self.require}));
        }
        if self.redact {
            section("redact", json!({"ids": true}));
        }
        yaml
    }

    fn probe(&self, probe: &Probe) -> Json {
        let mut json = json!({"name": probe.component, "component": probe.component});
        if let Some(names) = &probe.collections {
            json["collections"] = json!(names);
        }
        if probe.warns {
            json["severity"] = "warn".into();
        }
        if probe.muted {
            json["muted"] = true.into();
        }
        if probe.component == "census" && !self.census.is_empty() {
            let options = self.census.iter().map(|(name, options)| (name.clone(), options.json()));
            json["config"] = json!({"collections": options.collect::<serde_json::Map<_, _>>()});
        }
        json
    }
}

impl CensusOptions {
    fn json(&self) -> Json {
        let mut json = json!({});
        if let Some(below) = self.below {
            json["filter"] = json!({"k": {"$lt": below}});
        }
        if let Some(field) = self.ignore {
            json["ignore"] = json!([field]);
        }
        if self.detail {
            json["detail"] = "fields".into();
        }
        if self.any_order {
            json["ignoreOrder"] = true.into();
        }
        json
    }

    pub(super) fn is_whole(&self) -> bool {
        self.below.is_none() && self.ignore.is_none()
    }

    /// What the census sees of a document.
    pub(super) fn seen(&self, document: &Document) -> Option<Document> {
        let is_below = |below: i32| match document.get("k") {
            Some(Bson::Int32(n)) => *n < below,
            Some(Bson::Int64(n)) => *n < below.into(),
            Some(Bson::Double(n)) => *n < below.into(),
            _ => false,
        };
        if self.below.is_some_and(|below| !is_below(below)) {
            return None;
        }
        let mut seen = document.clone();
        if let Some(field) = self.ignore {
            seen.remove(field);
        }
        Some(seen)
    }
}
