//! The configuration of the demo: `taster.yaml` for the barbecue shop.

/// `taster.yaml` for the shop: its connection string, the store's URL, and the changes that an upgrade declares.
#[must_use]
pub fn taster_yaml(uri: &str, store: &str, declares: Option<&str>) -> String {
    TEMPLATE.replace("{uri}", &quoted(uri)).replace("{store}", &quoted(store)) + declares.unwrap_or_default()
}

/// Text as a YAML scalar: every JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const TEMPLATE: &str = r"# The barbecue shop. In a file of your own, keep the connection string out of it: uri: ${MONGODB_URI}
app: pxbbq
store: {store}
mongodb:
  uri: {uri}
  database: pxbbq
probes:
  # how many documents there are, and how many orders of each status
  - name: documents
    component: document-count
    config: {collections: {orders: {groupBy: [status]}}}
  # what was sold, to the cent
  - name: sales
    component: group-report
    collections: [orders, registrations]
    config:
      reports:
        - {name: orders, collection: orders, groupBy: [status], sums: {revenue: total}}
        - {name: registrations, collection: registrations, groupBy: [event], sums: {seats: seats}}
  # indexes, validators, views
  - name: indexes
    component: index-inventory
  # which fields there are, and of which types
  - name: shape
    component: schema-shape
  # every document: which ones are missing, extra or changed, and of orders in which fields
  - name: census
    component: census
    collections: [orders, registrations, menu]
    config: {collections: {orders: {detail: fields}}}
  # what an import that runs twice leaves behind: it makes other numbers, and the same moment again
  - name: duplicates
    component: duplicate-keys
    collections: [orders, registrations]
    config: {keys: {orders: [[number], [created]], registrations: [[email, event]]}}
  # orders of what is not on the menu
  - name: references
    component: reference-check
    collections: {parent: menu, child: [orders]}
    config: {field: items.sku}
";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    #[test]
    fn the_demo_configuration_is_valid() {
        let yaml = super::taster_yaml("mongodb://127.0.0.1:1/", "file:///tmp/a \"quoted\" folder", None);
        let config = taster_config::parse("taster.yaml", &yaml, HashMap::new()).unwrap();
        assert_eq!(config.mongodb.uri, "mongodb://127.0.0.1:1/");
        assert_eq!(config.store, "file:///tmp/a \"quoted\" folder");
        let mut components: Vec<_> = config.probes.iter().map(|probe| probe.component.as_str()).collect();
        components.sort_unstable();
        assert_eq!(components, taster_standard_probes::names(), "the demo shows every standard probe");
    }

    #[test]
    fn declared_changes_add_a_key_and_repeat_none() {
        for upgrade in &crate::upgrade::ALL {
            let yaml = super::taster_yaml("mongodb://127.0.0.1:1/", "file:///tmp/results", upgrade.declares);
            let mut keys: Vec<&str> = yaml
                .lines()
                .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
                .filter_map(|line| line.split_once(':').map(|(key, _)| key))
                .collect();
            let number = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), number, "{}", upgrade.name);
            assert_eq!(keys.contains(&"changes"), upgrade.name.ends_with("declared"), "{}", upgrade.name);
        }
    }
}
