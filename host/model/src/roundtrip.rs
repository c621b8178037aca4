//! Tests: whatever is written reads back as the same, to the last bit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::{collection, option, prelude::*, string::string_regex};
use serde::{Serialize, de::DeserializeOwned};

use crate::*;

fn name() -> impl Strategy<Value = String> {
    string_regex("[a-z][a-z0-9_]{0,8}(\\.[a-z0-9_]{1,8}){0,2}").unwrap()
}

fn labels() -> impl Strategy<Value = Labels> {
    collection::btree_map("[a-z]{1,6}", any::<String>(), 0..3)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64, 0..1_000_000_000_i32).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(|n| serde_json::json!({"$numberLong": n.to_string()})),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(|x| Value::Real(Real(x))),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)]
            .prop_map(|x| Value::Real(Real(x))),
        "-?[0-9]{1,20}(\\.[0-9]{1,20})?(E[+-]?[0-9]{1,3})?".prop_map(Value::Decimal),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Flag),
        collection::btree_set(any::<String>(), 0..5).prop_map(Value::Set),
        document().prop_map(Value::Document),
    ]
}

fn metric() -> impl Strategy<Value = Metric> {
    (name(), labels(), value(), "[a-z{}]{1,6}").prop_map(|(name, labels, value, unit)| Metric {
        name,
        labels,
        value,
        unit,
    })
}

fn failure() -> impl Strategy<Value = Failure> {
    let text = || option::of(any::<String>());
    let refusal = option::of(prop_oneof![
        Just(Refusal::Denied),
        Just(Refusal::Invalid),
        Just(Refusal::Deadline),
        Just(Refusal::Budget),
        Just(Refusal::Unavailable),
    ]);
    (any::<String>(), refusal, text(), text(), text(), text()).prop_map(
        |(message, refusal, code, asked, allowed, setting)| Failure { message, refusal, code, asked, allowed, setting },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    const WORDS: [&str; 7] = ["equal", "never-decreases", "never-increases", "superset", "subset", "ignore", "absent"];
    prop_oneof![
        proptest::sample::select(&WORDS[..]).prop_map(|word| word.parse().unwrap()),
        "[0-9]{1,30}(\\.[0-9]{1,30})?%?".prop_map(|bound| format!("{{within: {bound}}}").parse().unwrap()),
        ("-[0-9]{1,9}", "[0-9]{1,9}\\.[0-9]{1,30}")
            .prop_map(|(lo, hi)| format!("{{between: [{lo}, {hi}]}}").parse().unwrap()),
    ]
}

fn declaration() -> impl Strategy<Value = MetricDeclaration> {
    (name(), any::<String>(), option::of(rule())).prop_map(|(name, summary, expect)| MetricDeclaration {
        name: format!("*.{name}").parse().unwrap(),
        summary,
        kind: ValueKind::Integer,
        unit: "1".to_owned(),
        labels: vec!["*".to_owned()],
        expect,
        merge: Merge::Sum,
    })
}

fn probe() -> impl Strategy<Value = ProbeRecord> {
    let outcome = prop_oneof![
        collection::vec(metric(), 0..4).prop_map(ProbeOutcome::Metrics),
        failure().prop_map(ProbeOutcome::Failed),
    ];
    (name(), outcome, collection::vec(declaration(), 0..3), any::<bool>(), any::<u64>()).prop_map(
        |(name, outcome, declarations, muted, bytes)| ProbeRecord {
            component: format!("file:{name}.wasm"),
            name,
            sha256: "ab".repeat(32),
            version: "1.0.0".to_owned(),
            results: None,
            options_sha256: "cd".repeat(32),
            collections: vec![CollectionGrant { name: "orders".to_owned(), role: "parent".to_owned() }],
            severity: if muted { Severity::Warn } else { Severity::Fail },
            muted,
            declarations,
            outcome,
            usage: Usage { bytes, ..Usage::default() },
            limits: None,
        },
    )
}

fn server() -> impl Strategy<Value = ServerFacts> {
    (any::<String>(), option::of(any::<String>()), option::of("[0-9]{1,10}\\.[0-9]{1,3}")).prop_map(
        |(database, replica_set, read_at)| ServerFacts {
            version: "6.0.5".to_owned(),
            topology: if replica_set.is_some() { Topology::ReplicaSet } else { Topology::Standalone },
            replica_set,
            process_id: None,
            clock: read_at.as_ref().map(|_| Timestamp::UNIX_EPOCH),
            hosts: read_at.clone(),
            volumes: read_at.iter().map(|at| format!("data={at}")).collect(),
            copied: read_at.iter().cloned().collect(),
            database,
            members: read_at
                .iter()
                .map(|at| ReplicaMember { host: None, process_id: Some(at.clone()), startups: vec![at.clone()] })
                .collect(),
            read_at,
        },
    )
}

fn capture() -> impl Strategy<Value = Capture> {
    (timestamp(), timestamp(), server(), collection::vec(probe(), 0..3), any::<String>()).prop_map(
        |(started, finished, server, probes, collection)| Capture {
            schema: schema::CAPTURE.to_owned(),
            app: "pxbbq".parse().unwrap(),
            run: RunId::generate(),
            side: Side::Pre,
            attempt: AttemptId::generate(),
            taster: "0.1.0".to_owned(),
            started,
            finished,
            probe_clock: started,
            probe_seed: "ef".repeat(32),
            server,
            data: DataKind::Live,
            workloads: vec![WorkloadFacts {
                kind: "Deployment".to_owned(),
                name: "pxbbq-web".to_owned(),
                images: vec![ContainerImage { container: "web".to_owned(), image: collection.clone() }],
            }],
            consistency: Consistency { reading: ReadMode::Ranges, rescans: 1, unstable: vec![collection.clone()] },
            collections: vec![CollectionFacts {
                name: collection,
                kind: CollectionKind::TimeSeries,
                documents: Some(7),
                indexes: vec![serde_json::json!({"key": {"b": 1, "a": 1}})],
                ..CollectionFacts::default()
            }],
            probes,
            censuses: Vec::new(),
            census_key: None,
            revision: None,
            changes: Vec::new(),
            quiet_expectations: None,
            objects: vec![ObjectRef { key: "pre/a/b".to_owned(), length: u64::MAX, sha256: "00".repeat(32) }],
        },
    )
}

fn finding() -> impl Strategy<Value = Finding> {
    let outcome = prop_oneof![
        Just(FindingOutcome::Same),
        Just(FindingOutcome::Expected),
        Just(FindingOutcome::Different),
        Just(FindingOutcome::Unknown),
    ];
    (option::of(metric()), outcome, option::of(rule()), any::<String>(), any::<u64>(), any::<bool>()).prop_map(
        |(metric, outcome, rule, reason, count, muted)| Finding {
            probe: metric.as_ref().map(|metric| metric.name.clone()),
            metric: metric.as_ref().map(|metric| metric.name.clone()),
            labels: metric.as_ref().map(|metric| metric.labels.clone()).unwrap_or_default(),
            unit: metric.as_ref().map(|metric| metric.unit.clone()),
            before: None,
            after: metric.map(|metric| metric.value.plain()).filter(|value| !value.is_null()),
            outcome,
            severity: Severity::Warn,
            muted,
            rule: rule.map(|rule| rule.to_string()),
            code: ReasonCode::Changed,
            reason: reason.clone(),
            declared: Some(reason.clone()),
            documents: Some(DifferingDocuments {
                changed: DocumentSet {
                    count,
                    ids: vec![serde_json::json!({"$oid": "0".repeat(24)})],
                    fields: BTreeMap::from([(reason, count)]),
                    ..DocumentSet::default()
                },
                ..DifferingDocuments::default()
            }),
        },
    )
}

fn verdict() -> impl Strategy<Value = VerdictDocument> {
    let verdict = prop_oneof![Just(Verdict::Same), Just(Verdict::Different), Just(Verdict::Unknown)];
    (verdict, collection::vec(finding(), 0..4), server(), timestamp(), option::of(any::<String>())).prop_map(
        |(verdict, findings, server, at, remedy)| {
            let run = RunId::generate();
            let side = SideSummary {
                run: run.clone(),
                started: at,
                finished: at,
                server,
                revision: None,
                workloads: Vec::new(),
                documents: u64::MAX,
                bytes: 0,
                probes: Vec::new(),
            };
            VerdictDocument {
                schema: schema::VERDICT.to_owned(),
                app: "pxbbq".parse().unwrap(),
                run,
                attempt: AttemptId::generate(),
                verdict,
                taster: "0.1.0".to_owned(),
                before: remedy.as_ref().map(|_| side.clone()),
                added: Vec::new(),
                after: side,
                findings,
                uncovered: remedy.iter().cloned().collect(),
                evidence: Vec::new(),
                remedy,
            }
        },
    )
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(written: &T) -> Result<(), TestCaseError> {
    let text = serde_json::to_string_pretty(written).unwrap();
    let read: T = serde_json::from_str(&text).unwrap();
    prop_assert_eq!(&read, written);
    // the store compares bytes: writing again must give the same ones, also by way of untyped JSON
    prop_assert_eq!(&serde_json::to_string_pretty(&read).unwrap(), &text);
    let untyped: serde_json::Value = serde_json::from_str(&text).unwrap();
    prop_assert_eq!(&serde_json::to_string_pretty(&untyped).unwrap(), &text);
    Ok(())
}

/// `-0` equals `0` as a [`Real`]; the bits must survive all the same.
fn bits(value: &Value) -> Option<u64> {
    match value {
        Value::Real(Real(x)) if !x.is_nan() => Some(x.to_bits()),
        _ => None,
    }
}

proptest! {
    #[test]
    fn captures_read_back(capture in capture()) {
        reads_back(&capture)?;
    }

    #[test]
    fn verdicts_read_back(verdict in verdict()) {
        reads_back(&verdict)?;
    }

    #[test]
    fn values_read_back_to_the_bit(value in value()) {
        let read: Value = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
        prop_assert_eq!(bits(&read), bits(&value));
        prop_assert_eq!(read, value);
    }

    #[test]
    fn rules_read_back(rule in rule()) {
        reads_back(&rule)?;
    }
}
