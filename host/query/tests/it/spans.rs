//! The tracing span `query` of every call of the capability.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bson::doc;
use taster_query::FindOptions;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::{
    mongod::standalone,
    support::{Shop, database, drain, raw},
};

/// The fields of one span.
type Fields = BTreeMap<&'static str, String>;

/// Collects the fields of every span `query`.
#[derive(Clone, Default)]
struct QuerySpans {
    next: Arc<AtomicU64>,
    spans: Arc<Mutex<BTreeMap<u64, Fields>>>,
}

struct FieldVisitor<'a>(&'a mut Fields);

impl Visit for FieldVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for QuerySpans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        if span.metadata().name() == "query" {
            let mut fields = Fields::new();
            span.record(&mut FieldVisitor(&mut fields));
            self.spans.lock().unwrap().insert(id, fields);
        }
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(fields) = self.spans.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut FieldVisitor(fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn every_call_is_a_span_with_its_costs() {
    let spans = QuerySpans::default();
    let _default = tracing::subscriber::set_default(spans.clone());
    let shop = Shop::new(standalone(), "spans").await;
    shop.fill("orders", (0..3).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let database = database(&connection.initial_snapshot(), &["orders"]);
    let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 3);
    drop(cursor);
    database.count("orders", &raw(&doc! {})).await.unwrap();
    connection.close().await;
    let mut spans: Vec<Fields> = spans.spans.lock().unwrap().values().cloned().collect();
    for span in &mut spans {
        assert!(span.remove("milliseconds").unwrap().parse::<u64>().is_ok());
    }
    let text: Vec<String> = spans.iter().map(|span| format!("{span:?}")).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    {"bytes": "42", "collection": "\"orders\"", "comment": "\"taster/spans/false\"", "database": "\"spans\"", "documents": "3", "operation": "\"find\"", "request": "1"}
    {"bytes": "0", "collection": "\"orders\"", "comment": "\"taster/spans/false\"", "database": "\"spans\"", "documents": "0", "operation": "\"count\"", "request": "4"}
    "#);
}
