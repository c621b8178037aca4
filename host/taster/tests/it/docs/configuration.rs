//! The page "Configuration": rendered from the JSON Schema of `taster.yaml`.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value};

const HEAD: &str = "\
<!-- Generated from host/model/schemas/config.json by a test (host/taster/tests/it/docs): UPDATE_DOCS=1 writes it again. -->

# Configuration

`taster.yaml` describes one app. `--config`, or the variable `TASTER_CONFIG`, names another file; relative paths in it start at its
folder. `taster init` writes a first one, `taster config check --live` tries it, and `taster config schema` prints the JSON Schema for
editors.

- `${NAME}` is replaced with the environment variable in plain values; in quoted values it is an error. `$${NAME}` is the text itself.
- An unknown key is an error that names the line, and so is a key that was renamed: the error names the new one.
- A default in the tables is what Taster uses when the key is missing. Keys without a default and without **required** may be left out.

[Getting started](../getting-started.md#a-configuration) has an example.
";

/// The schema as it is published.
fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../model/schemas/config.json")).expect("the published schema is JSON")
}

#[test]
fn the_configuration_reference_is_generated_from_the_schema() {
    super::assert_page("configuration.md", &Page::render(&schema()));
}

/// Independent of how the page is rendered: each property of each object of the schema is a row of some table.
#[test]
fn every_configuration_key_is_in_the_book() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("the schema has definitions").values();
    let objects = definitions.chain([&schema]).filter_map(|definition| definition["properties"].as_object());
    let keys: BTreeSet<&String> = objects.flat_map(Map::keys).collect();
    assert!(keys.len() > 60, "{} keys", keys.len());
    let page = super::committed("configuration.md");
    let missing: Vec<_> = keys.iter().filter(|key| !page.contains(&format!("| `{key}` |"))).collect();
    assert!(missing.is_empty(), "not in docs/src/reference/configuration.md: {missing:?}");
}

/// The page while it is written.
struct Page<'a> {
    definitions: &'a Map<String, Value>,
    text: String,
    /// Sections still to come: path of the key, definition.
    sections: Vec<(String, &'a str)>,
    /// Kinds of values that tables refer to.
    kinds: BTreeSet<&'a str>,
}

impl<'a> Page<'a> {
    fn render(schema: &'a Value) -> String {
        let definitions = schema["$defs"].as_object().expect("the schema has definitions");
        let mut page = Page { definitions, text: HEAD.to_owned(), sections: Vec::new(), kinds: BTreeSet::new() };
        page.text.push_str("\n## The file\n");
        page.table("", schema);
        let mut done = 0;
        while done < page.sections.len() {
            let (path, name) = page.sections[done].clone();
            let definition = &page.definitions[name];
            let _ = write!(page.text, "\n## {path}\n\n{}\n", describe(definition));
            page.table(&path, definition);
            done += 1;
        }
        page.kinds();
        page.text
    }

    /// The keys of an object.
    fn table(&mut self, path: &str, object: &'a Value) {
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.text.push_str("\n| key | value | meaning |\n| --- | --- | --- |\n");
        for (key, property) in object["properties"].as_object().into_iter().flatten() {
            let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let kind = self.kind(&at, property);
            let required = if required.contains(&&**key) { "**required** " } else { "" };
            let meaning = super::cell(&meaning(property));
            let _ = writeln!(self.text, "| `{key}` | {required}{kind} | {meaning} |");
        }
    }

    /// What a value is, in a word or two; objects become sections.
    fn kind(&mut self, path: &str, property: &'a Value) -> String {
        if let Some(name) = property["$ref"].as_str().and_then(|text| text.strip_prefix("#/$defs/")) {
            return self.named(path, name);
        }
        if let Some(choices) = property["anyOf"].as_array() {
            let kinds: Vec<String> = choices
                .iter()
                .filter(|choice| choice["type"] != "null")
                .map(|choice| self.kind(path, choice))
                .collect();
            return kinds.join(" or ");
        }
        match &property["type"] {
            Value::String(kind) if kind == "array" => {
                format!("list of {}", self.kind(&format!("{path}[]"), &property["items"]))
            }
            Value::String(kind) if kind == "object" && property["additionalProperties"].is_object() => {
                format!("map to {}", self.kind(&format!("{path}.NAME"), &property["additionalProperties"]))
            }
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect::<Vec<_>>().join(" or ")
            }
            _ => "any".to_owned(),
        }
    }

    fn named(&mut self, path: &str, name: &'a str) -> String {
        let Some((name, definition)) = self.definitions.get_key_value(name) else { return name.to_owned() };
        if definition["properties"].is_object() {
            self.sections.push((path.to_owned(), name));
            return format!("[section](#{})", anchor(path));
        }
        if let Some(values) = constants(definition) {
            let values = values.join(", ");
            if definition["oneOf"].is_null() {
                return values;
            }
            self.kinds.insert(name);
            return format!("{values} ([meaning](#{}))", anchor(&spoken(name)));
        }
        self.kinds.insert(name);
        format!("[{}](#{})", spoken(name), anchor(&spoken(name)))
    }

    /// What the names of values in the tables mean.
    fn kinds(&mut self) {
        self.text.push_str("\n# Kinds of values\n");
        let mut done = BTreeSet::new();
        // describing one may need another
        while let Some(name) = self.kinds.iter().find(|name| !done.contains(*name)).copied() {
            done.insert(name);
            let definition = &self.definitions[name];
            let _ = write!(self.text, "\n## {}\n\n{}\n", spoken(name), describe(definition));
            let choices: Vec<&Value> =
                ["oneOf", "anyOf"].iter().filter_map(|key| definition[*key].as_array()).flatten().collect();
            if !choices.is_empty() {
                self.text.push('\n');
            }
            for choice in choices {
                self.choice(choice);
            }
        }
    }

    /// One form of a value that has several.
    fn choice(&mut self, choice: &'a Value) {
        let form = match (&choice["enum"], &choice["properties"]) {
            _ if choice["const"].is_string() => format!("`{}`", choice["const"].as_str().unwrap_or_default()),
            (Value::Array(values), _) => {
                values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
            }
            (_, Value::Object(properties)) => {
                let keys: Vec<String> = properties.keys().map(|key| format!("`{key}: …`")).collect();
                keys.join(", ")
            }
            _ => self.kind("", choice),
        };
        let meaning = describe(choice);
        let dash = if meaning.is_empty() { "" } else { ": " };
        let _ = writeln!(self.text, "- {form}{dash}{meaning}");
    }
}

/// The description, on one line.
fn describe(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The description, and the default where that is a plain value which the description does not name.
fn meaning(property: &Value) -> String {
    let text = describe(property);
    let default = match &property["default"] {
        Value::String(value) => format!("`{value}`"),
        value @ (Value::Bool(_) | Value::Number(_)) => format!("`{value}`"),
        _ => return text,
    };
    if text.contains("Default") { text } else { format!("{text} Default {default}.") }
}

/// The values of an enumeration.
fn constants(definition: &Value) -> Option<Vec<String>> {
    let quoted = |value: &Value| value.as_str().map(|value| format!("`{value}`"));
    if let Some(values) = definition["enum"].as_array() {
        return values.iter().map(quoted).collect();
    }
    definition["oneOf"].as_array()?.iter().map(|choice| quoted(&choice["const"])).collect()
}

/// `RetentionSection` as `retention section`.
fn spoken(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The anchor that Markdown renderers give a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
            _ => None,
        })
        .collect()
}
