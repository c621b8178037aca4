//! The configuration that a team of the barbecue shop would have written.

/// `taster.yaml` for the shop on that server, with results in that store.
#[must_use]
pub fn taster_yaml(uri: &str, store: &str) -> String {
    TEMPLATE.replace("{uri}", &quoted(uri)).replace("{store}", &quoted(store))
}

/// Text as a YAML scalar: JSON strings are YAML strings.
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
";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    #[test]
    fn it_is_a_configuration_that_holds() {
        let yaml = super::taster_yaml("mongodb://127.0.0.1:1/", "file:///tmp/a \"quoted\" folder");
        let config = crate::config::parse("taster.yaml", &yaml, HashMap::new()).unwrap();
        assert_eq!(config.mongodb.uri, "mongodb://127.0.0.1:1/");
        assert_eq!(config.store, "file:///tmp/a \"quoted\" folder");
        let mut components: Vec<_> = config.probes.iter().map(|probe| probe.component.as_str()).collect();
        components.sort_unstable();
        assert_eq!(components, crate::standard::names(), "the demo shows every standard probe");
    }
}
