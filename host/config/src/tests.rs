//! Configurations that are refused, and the error texts.

use std::collections::HashMap;

use insta::assert_snapshot;
use taster_model::Diagnostic;

use super::{Config, ConfigError, parse};

const HEAD: &str = "app: shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\n";

fn read(yaml: &str) -> Result<Config, ConfigError> {
    let environment = HashMap::from([("REDACT_SECRET".to_owned(), "hunter2-and-some-more".to_owned())]);
    parse("taster.yaml", &format!("{HEAD}{yaml}"), environment)
}

/// The error as people see it, without its code.
fn refused(yaml: &str) -> String {
    let error = read(yaml).expect_err("it is refused");
    let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{error}{help}")
}

#[test]
fn what_a_migration_is_meant_to_do() {
    let config = read(
        "changes:\n  - {collection: orders, addedField: archived, type: bool, reason: \"v4.3\"}\n  - {removedCollection: carts}\n",
    )
    .unwrap();
    let shown: Vec<String> = config.changes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["added field orders: archived (bool)", "removed collection carts"]);
}

#[test]
fn a_change_that_cannot_be_read_names_the_line() {
    let cases = [
        "changes:\n  - {collection: orders, addedFeild: archived}\n",
        "changes:\n  - {collection: orders, addedField: archived}\n",
        "changes:\n  - collection: orders\n    retypedField: total\n    from: int\n    to: integer\n",
        "changes:\n  - {collection: orders, addedField: a, type: boolean}\n",
        "changes:\n  - {collection: orders, removedField: _id}\n",
        "changes:\n  - {collection: orders, removedField: a}\n  - {collection: orders}\n",
    ];
    assert_snapshot!(cases.map(refused).join("\n"), @"
        taster.yaml:4:26: unknown key `addedFeild` (did you mean `addedField`?)
        taster.yaml:4:5: `addedField` requires `type`, such as `bool` (`taster config schema` prints what is allowed where)
        taster.yaml:4:5: unknown BSON type `integer`: use a `$type` alias, such as `int` or `date` (`taster config schema` prints what is allowed where)
        taster.yaml:4:47: unknown variant `boolean`, expected one of double, string, object, array, binData, objectId, bool, date, null, regex, int, timestamp, long, decimal (`taster config schema` prints what is allowed where)
        taster.yaml:4:40: `_id` cannot be declared: a document with another `_id` is another document (`taster config schema` prints what is allowed where)
        taster.yaml:5:5: a declared change requires one of addedField, removedField, renamedField, retypedField, addedIndex, removedIndex, addedCollection, removedCollection, renamedCollection, addedDocuments, removedDocuments (`taster config schema` prints what is allowed where)
    ");
}

#[test]
fn changes_that_contradict_each_other_are_refused_by_name() {
    let of = |a: &str, b: &str| format!("changes:\n  - {{{a}}}\n  - {{{b}}}\n");
    let orders = |a: &str, b: &str| of(&format!("collection: orders, {a}"), &format!("collection: orders, {b}"));
    let cases = [
        orders("removedField: a", "removedField: a, reason: again"),
        orders("removedField: a", "addedField: a, type: int"),
        orders("removedField: customer", "addedField: customer.email, type: string"),
        orders("renamedField: mail, to: email", "retypedField: email, from: int, to: long"),
        orders("addedIndex: a_1", "removedIndex: a_1"),
        orders("removedDocuments: {a: 1}, maxDocuments: 3", "removedDocuments: {a: 1}"),
        of("addedCollection: orders", "removedCollection: orders"),
        of("removedCollection: orders", "collection: orders, removedField: a"),
        of("collection: orders, removedField: a", "removedCollection: system.users"),
        of("renamedCollection: carts, to: baskets", "renamedCollection: carts, to: orders"),
        of("removedCollection: baskets", "renamedCollection: carts, to: baskets"),
        of("collection: orders, removedField: a", "renamedCollection: orders, to: orders"),
        format!(
            "changes:\n  - {{renamedCollection: carts, to: baskets}}\n{}",
            "  - {collection: carts, removedField: a}\n  - {collection: baskets, removedField: a}\n"
        ),
        orders("addedField: a, type: int, value: 0.5", "removedField: b"),
        orders("addedField: a, type: date, values: [now]", "removedField: b"),
        orders("removedDocuments: {}", "removedField: b"),
    ];
    assert_snapshot!(cases.iter().map(|case| refused(case)).collect::<Vec<_>>().join("\n"), @r#"
        changes[removed field orders: a]: the same change is declared twice (keep one of them)
        changes[added field orders: a (int)]: the field `a` has another declared change: removed field orders: a (declare one change per field: that of the outermost field that changes)
        changes[added field orders: customer.email (string)]: the fields `customer.email` and `customer` overlap: removed field orders: customer (declare one change per field: that of the outermost field that changes)
        changes[retyped field orders: email (int → long)]: the field `email` has another declared change: renamed field orders: mail → email (declare one change per field: that of the outermost field that changes)
        changes[removed index orders: a_1]: the index `a_1` is declared as added and as removed (a recreated index needs no declaration: its definitions are compared)
        changes[removed documents orders]: the same documents are declared twice (keep one of them)
        changes[removed collection orders]: the collection is declared as added and as removed (keep one of them)
        changes[removed field orders: a]: the collection is declared as removed, and has another declared change: removed field orders: a (keep the removal: it covers the whole collection)
        changes[removed collection system.users]: `system.users` is not a collection that can be compared (name a collection that is not a system collection)
        changes[renamed collection carts → orders]: the collection `carts` has another declared change: renamed collection carts → baskets (declare the renaming alone: it covers the old name and the new one)
        changes[renamed collection carts → baskets]: the collection `baskets` has another declared change: removed collection baskets (declare the renaming alone: it covers the old name and the new one)
        changes[renamed collection orders → orders]: `orders` cannot be renamed to `orders` (name another collection that is not a system collection)
        changes[removed field baskets: a]: the same change is declared twice (keep one of them)
        changes[added field orders: a (int, 0.5)]: `0.5` is not a value of type int (write it as JSON or as Extended JSON: 5, false, "2026-01-02T03:04:05Z", {$numberLong: "5"})
        changes[added field orders: a (date, "now")]: `"now"` is not a value of type date (write it as JSON or as Extended JSON: 5, false, "2026-01-02T03:04:05Z", {$numberLong: "5"})
        changes[removed documents orders]: the filter {} covers every document of the collection (name those that are deleted, or say how many with `maxDocuments`)
    "#);
    read(&of("collection: orders, removedField: ab", "collection: orders, removedField: a")).unwrap();
    read(&of("collection: carts, removedField: a", "collection: orders, removedField: a")).unwrap();
}

#[test]
fn a_redacted_field_is_redacted_under_its_new_name_too() {
    let with = |fields: &str, from: &str, to: &str| {
        format!(
            "redact: {{fields: [{fields}]}}\nchanges:\n  - {{collection: guests, renamedField: {from}, to: {to}}}\n"
        )
    };
    let cases = [("pin", "pin", "code"), ("a.pin", "a", "b"), ("pin, other", "pin", "code")];
    assert_snapshot!(cases.map(|(fields, from, to)| refused(&with(fields, from, to))).join("\n"), @"
        redact.fields: `pin` is redacted, and `changes` renames `pin` of guests to `code` (add `code`)
        redact.fields: `a.pin` is redacted, and `changes` renames `a` of guests to `b` (add `b.pin`)
        redact.fields: `pin` is redacted, and `changes` renames `pin` of guests to `code` (add `code`)
    ");
    for (fields, from, to) in
        [("pin, code", "pin", "code"), ("a.pin, b", "a", "b"), ("a.pin, b.pin", "a", "b"), ("pin", "other", "code")]
    {
        read(&with(fields, from, to)).unwrap();
    }
}

#[test]
fn reports_redaction_and_scans() {
    let config = read(
        "report: {maxIds: 5}\nredact:\n  ids: true\n  fields: [email, customer.phone]\n  secret: ${REDACT_SECRET}\n\
         scan: {cursors: 4}\nprobes:\n  - {name: a, component: document-count, limits: {census: 2h}}\n",
    )
    .unwrap();
    assert_eq!((config.report.max_ids, config.scan.cursors), (5, 4));
    assert_eq!(config.redact.fields[1].path().to_string(), "customer.phone");
    assert_eq!(config.redact.secret.as_ref().unwrap().expose(), "hunter2-and-some-more");
    assert_eq!(config.probes[0].limits.census.unwrap().get().as_secs(), 7200);
    let plain = read("").unwrap();
    assert_eq!((plain.report.max_ids, plain.scan.cursors, plain.redact.ids), (1000, 1, false));
    let cases = [
        "report: {maxId: 5}\n",
        "report: {maxIds: 1000000}\n",
        "report: {maxIds: -1}\n",
        "scan: {cursors: 0}\n",
        "scan: {cursors: 17}\n",
        "redact: {fields: [_id]}\n",
        "redact:\n  secret: ${REDACT_SECRET}\n",
        "redact: {ids: true, secret: \"${REDACT_SECRET}\"}\n",
        "redact: {ids: true, secret: short}\n",
        "redact:\n  ids: true\n  secret: ${NOBODY_SET_THIS}\n",
    ];
    assert_snapshot!(cases.map(refused).join("\n"), @"
        taster.yaml:3:10: unknown key `maxId` (did you mean `maxIds`?)
        report.maxIds: 1 000 000 ids of each kind are more than a report can hold (at most 100 000; counts are always exact)
        taster.yaml:3:18: a whole number of 0 or more is expected (`taster config schema` prints what is allowed where)
        scan.cursors: 0 cursors on one collection (1 to 16)
        scan.cursors: 17 cursors on one collection (1 to 16)
        taster.yaml:3:19: `_id`: ids are redacted by `ids: true` (`taster config schema` prints what is allowed where)
        redact.secret: it keys the hashes of ids, and ids are not redacted (add `ids: true`)
        redact.secret: a quoted `${…}` is not expanded (write it as a plain value, without quotes: secret: ${REDACT_SECRET})
        redact.secret: too short to keep anything secret (16 characters or more; `openssl rand -hex 32` makes one; or leave the key out)
        taster.yaml:5:11: the variable `NOBODY_SET_THIS` is not set (set the variable, or write `$${NAME}` for the text itself)
    ");
}

#[test]
fn the_secret_is_never_shown() {
    let config = read("redact:\n  ids: true\n  secret: ${REDACT_SECRET}\n").unwrap();
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = read("redact: {ids: maybe, secret: hunter2-and-some-more}\n").unwrap_err();
    let place = error.location().unwrap().excerpt();
    assert!(!format!("{error}{place}").contains("hunter2"), "{place}");
    assert_snapshot!(place, @"
          |
        3 | redact: {ids: maybe, secret: **********************
          |               ^
    ");
}

#[test]
fn a_cluster_has_defaults_and_keeps_its_order() {
    let config = read(
        "cluster:\n  data: [{kind: StatefulSet, name: mongo, readyTimeout: 15m}]\n  apps:\n    - {kind: Deployment, name: \
         pxbbq-web}\n    - {kind: Rollout, apiVersion: argoproj.io/v1alpha1, name: api, replicas: 2, allowHPA: true}\n  \
         settle: 0s\nreport: {url: \"https://t/{app}/{run}\"}\n",
    )
    .unwrap();
    let cluster = config.cluster.as_ref().unwrap();
    let all: Vec<String> = cluster
        .workloads()
        .iter()
        .map(|w| {
            format!(
                "{} {} {} {:?} {} {}",
                w.reference, w.reference.api_version, w.replicas, w.ready_timeout, w.allow_hpa, w.setting
            )
        })
        .collect();
    assert_snapshot!(all.join("\n"), @"
        StatefulSet mongo apps/v1 1 900s false cluster.data[mongo]
        Deployment pxbbq-web apps/v1 1 300s false cluster.apps[pxbbq-web]
        Rollout api argoproj.io/v1alpha1 2 300s true cluster.apps[api]
    ");
    assert_eq!(cluster.abandoned_after.get().as_secs(), 4 * 3600);
    assert!(cluster.settle.get().is_zero());
    assert_eq!(cluster.lock.when_locked(), taster_cluster::WhenLocked::Wait(std::time::Duration::from_mins(10)));
    let url = config.report.url_of(&config.app, &"7".parse().unwrap());
    assert_eq!(url.as_deref(), Some("https://t/shop/7"));
    assert!(read("").unwrap().cluster.is_none(), "nothing is scaled unless somebody says so");
}

#[test]
fn a_cluster_that_cannot_be_meant_is_refused() {
    let cases = [
        "cluster:\n  data: [{kind: StatefulSet, name: mongo, replcas: 1}]\n",
        "cluster:\n  sattle: 1s\n",
        "cluster: {}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo, replicas: 0}]}\n",
        "cluster: {data: [{kind: statefulset, name: mongo}]}\n",
        "cluster: {data: [{kind: Cluster, name: mongo}]}\n",
        "cluster: {data: [{kind: StatefulSet, name: Mongo_0}]}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo}, {kind: StatefulSet, name: mongo}]}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo}], apps: [{kind: StatefulSet, name: mongo}]}\n",
        "cluster: {namespace: \"\", data: [{kind: StatefulSet, name: mongo}]}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo}], lock: {busy: fail, wait: 1m}}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo}], lock: {busy: steal}}\n",
        "cluster: {data: [{kind: StatefulSet, name: mongo, readyTimeout: 0s}]}\n",
        "report: {url: taster.example.com}\n",
        "report: {url: \"https://t/{namespace}\"}\n",
    ];
    assert_snapshot!(cases.map(refused).join("\n"), @"
        taster.yaml:4:43: unknown key `replcas` (did you mean `replicas`?)
        taster.yaml:4:3: unknown key `sattle` (did you mean `settle`?)
        cluster: neither `data` nor `apps` names a workload (name them under `data` and `apps`, or leave `cluster` out: then no cluster is touched)
        cluster.data[mongo].replicas: 0 replicas are too few (at least 1: the replicas while Taster reads)
        cluster.data[mongo].kind: `statefulset` is no kind (did you mean `StatefulSet`?)
        cluster.data[mongo]: a Cluster needs its `apiVersion` (write it as the manifest does, such as `apiVersion: psmdb.percona.com/v1`)
        cluster.data[Mongo_0].name: `Mongo_0` is no name of a workload (a-z, 0-9, `-` and `.`, beginning and ending with a letter or digit)
        cluster.data[mongo]: StatefulSet mongo is named twice (list each workload once, under `data` or under `apps`)
        cluster.apps[mongo]: StatefulSet mongo is named twice (list each workload once, under `data` or under `apps`)
        cluster.namespace: `` is no namespace (a-z, 0-9, `-` and `.`, beginning and ending with a letter or digit)
        cluster.lock.wait: `wait` has no effect with `busy: fail` (keep one of them)
        taster.yaml:3:66: unknown variant `steal`, expected one of wait, fail (`taster config schema` prints what is allowed where)
        taster.yaml:3:65: `0s`: a duration must be longer than `0s` (`taster config schema` prints what is allowed where)
        report.url: `taster.example.com` is no address of a web page (write it as https://taster.example.com/apps/{app}/runs/{run})
        report.url: `https://t/{namespace}` holds braces that are neither `{app}` nor `{run}` (write it as https://taster.example.com/apps/{app}/runs/{run})
    ");
}

#[test]
fn freshness_has_one_source_an_entry() {
    let config = read(
        "freshness:\n  - {migrationSchedule: portworx/pxbbq, maxAge: 30m, kubeconfig: /etc/k, severity: warn}\n  - {newest: \
         {collection: orders, field: _id}, maxAge: 1h}\n",
    )
    .unwrap();
    let shown: Vec<String> =
        config.freshness.iter().map(|fresh| format!("{} {}", fresh.source, fresh.max_age)).collect();
    assert_eq!(shown, ["MigrationSchedule portworx/pxbbq 30m", "newest orders._id 1h"]);
    // what is written back reads again
    let json = serde_json::to_string(&config.freshness).unwrap();
    assert_eq!(serde_json::from_str::<Vec<super::FreshnessRule>>(&json).unwrap(), config.freshness);
    let cases = [
        "freshness:\n  - {maxAge: 30m}\n",
        "freshness:\n  - {volumeSnapshot: a/b, migrationSchedule: a/b, maxAge: 30m}\n",
        "freshness:\n  - {volumeSnapshot: b, maxAge: 30m}\n",
        "freshness:\n  - {volumeSnapshot: a/b/c, maxAge: 30m}\n",
        "freshness:\n  - {volumeSnapshot: a/b}\n",
        "freshness:\n  - {volumeSnapshot: a/b, maxAge: 0s}\n",
        "freshness:\n  - {volumeSnapshots: a/b, maxAge: 30m}\n",
        "freshness:\n  - {newest: {collection: orders}, maxAge: 1h}\n",
        "freshness:\n  - {newest: {collection: orders, field: _id}, maxAge: 1h, kubeconfig: k}\n",
        "freshness:\n  - {newest: {collection: system.users, field: _id}, maxAge: 1h}\n",
        "freshness:\n  - {newest: {collection: orders, field: a..b}, maxAge: 1h}\n",
        "freshness:\n  - {volumeSnapshot: a/b, maxAge: 30m}\n  - {volumeSnapshot: a/b, maxAge: 1h}\n",
    ];
    assert_snapshot!(cases.map(refused).join("\n"), @"
        taster.yaml:4:5: a `freshness` entry needs exactly one source: migrationSchedule, replicationDestination, replicationSource, volumeSnapshot, newest (`taster config schema` prints what is allowed where)
        taster.yaml:4:5: a `freshness` entry has exactly one source, and this one has migrationSchedule and volumeSnapshot (`taster config schema` prints what is allowed where)
        taster.yaml:4:5: `volumeSnapshot: b` is not written as `namespace/name` (`taster config schema` prints what is allowed where)
        taster.yaml:4:5: `volumeSnapshot: a/b/c` is not written as `namespace/name` (`taster config schema` prints what is allowed where)
        taster.yaml:4:6: the key `maxAge` is missing (add `maxAge:`; `taster config schema` describes it)
        taster.yaml:4:35: `0s`: a duration must be longer than `0s` (`taster config schema` prints what is allowed where)
        taster.yaml:4:6: unknown key `volumeSnapshots` (did you mean `volumeSnapshot`?)
        taster.yaml:4:15: the key `field` is missing (add `field:`; `taster config schema` describes it)
        taster.yaml:4:5: `newest` asks the database, which needs no kubeconfig (`taster config schema` prints what is allowed where)
        freshness[newest system.users._id]: `system.users` is not a collection that can be compared (name a collection that is not a system collection)
        freshness[newest orders.a..b]: `a..b` is no field (names joined by dots, such as `created` or `meta.created`)
        freshness[VolumeSnapshot a/b]: the same source is listed twice (keep one of them)
    ");
}

#[test]
fn a_line_that_is_shown_hides_every_kind_of_secret() {
    let cases = [
        "notify:\n  - {webhook: \"https://hooks.slack.com/services/hunter2\", timeout: 0s}\n",
        "notify:\n  - {timeout: 0s, webhook: https://hooks.slack.com/services/hunter2}\n",
        "notify:\n  - {timeout: 0s, bearer: hunter2, webhook: \"https://a\"}\n",
        "notify:\n  - {\"bearer\": hunter2, timeout: 0s}\n",
        "notify:\n  - github: {token: hunter2, timeout: 0s}\n",
        "notify:\n  - github:\n      token:\n        [hunter2]\n",
    ];
    for case in cases {
        let error = read(case).unwrap_err();
        let place = error.location().unwrap().excerpt();
        assert!(!format!("{error}{place}").contains("hunter2") && place.contains("***"), "{error} {place}");
    }
    let plain =
        read("probes:\n  - {name: tokens, component: document-count, colections: [tokens, bearers]}\n").unwrap_err();
    assert!(plain.location().unwrap().text.contains("[tokens, bearers]"), "{plain:?}");
}

#[test]
fn a_renamed_key_is_an_error_that_names_the_new_key() {
    let workload = "kind: StatefulSet, name: mongo";
    let files = [
        ("fresh", "fresh: [{volumeSnapshot: a/b, maxAge: 1h}]\n".to_owned()),
        ("connect", "connect: 5s".to_owned()),
        ("quiet", "quiet: 5s".to_owned()),
        ("reach", "reach: 5s".to_owned()),
        ("rescans", "rescans: 5".to_owned()),
        ("patience", "s3: {patience: 2m}\n".to_owned()),
        ("most", "changes: [{collection: a, removedDocuments: {b: 1}, most: 3}]\n".to_owned()),
        ("maxUp", format!("cluster: {{maxUp: 4h, data: [{{{workload}}}]}}\n")),
        ("ready", format!("cluster: {{data: [{{{workload}, ready: 15m}}]}}\n")),
    ];
    for (old, text) in &files {
        let (section, _, new) =
            super::RENAMED_KEYS.iter().find(|(_, key, _)| key == old).expect("it is in the table of renamed keys");
        let text = match *section {
            "mongodb" => format!("app: shop\nmongodb: {{uri: \"mongodb://localhost/shop\", {text}}}\n"),
            _ => format!("{HEAD}{text}"),
        };
        let error = parse("taster.yaml", &text, HashMap::new()).expect_err(old);
        assert_eq!(error.code(), "T0103", "{old}: {error}");
        assert!(error.to_string().ends_with(&format!("the key `{old}` was renamed to `{new}`")), "{error}");
        assert!(error.help().is_some_and(|help| help.contains(new)), "{error}");
        parse("taster.yaml", &text.replace(&format!("{old}:"), &format!("{new}:")), HashMap::new()).expect(new);
    }
    assert_eq!(files.len(), super::RENAMED_KEYS.len(), "each renamed key has its line above");
}

#[test]
fn all_mistakes_of_a_file_are_found_at_once() {
    let mistakes = |yaml: &str| {
        let found = super::read::check_text("taster.yaml", &format!("{HEAD}{yaml}"), &HashMap::new());
        found.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(mistakes("").is_empty());
    assert_eq!(mistakes("colour: red\n").len(), 1);
    // the mistakes of the text in its order, then those across keys
    let several = mistakes(
        "colour: red\nprobes:\n  - name: a\n    component: document-count\n    limits:\n      deadline: soon\n      memry: 1\n  \
         - {name: b, component: document-count, colections: [c]}\nscan: {cursors: 17}\nreport: {maxIds: 1000000}\nstore: s4://x\n",
    );
    let expected = ["`colour`", "`soon`", "`memry`", "`colections`", "1 000 000 ids", "scan", "s4:"];
    for (text, part) in several.iter().zip(expected) {
        assert!(text.contains(part) || part == "scan", "{several:#?}");
    }
    // what is left over when an entry is left out is not a mistake of its own
    assert_eq!(mistakes("scan:\n  cursors: many\n").len(), 1);
    assert_eq!(mistakes("probes:\n  - {name: a, component: nothing, x: 1}\nexpect:\n  - {probe: a, metric: documents, rule: equal}\n").len(), 1);
}

#[test]
fn errors_speak_of_yaml_and_not_of_the_library() {
    let many = format!("require: {{census: [{}]}}\n", "a, ".repeat(300_000));
    let deep = format!("probes:\n  - {{name: a, component: census, config: {}}}\n", "[".repeat(5000));
    let cases: [(&str, &str); 9] = [
        ("app: ~\n", "a text is expected"),
        ("probes:\n  - {name: , component: census}\n", "a text is expected"),
        ("probes: {a: b}\n", "a list is expected here"),
        ("mongodb: []\n", "keys with values are expected here"),
        ("requirePins: maybe\n", "`true` or `false` is expected"),
        ("scan: {cursors: -1}\n", "a whole number of 0 or more is expected"),
        ("store: a\nstore: b\n", "the key `store` is there twice"),
        (&many, "the file is too large for a configuration"),
        (&deep, "the file is too large for a configuration: its values are nested too deeply"),
    ];
    for (yaml, words) in cases {
        let error = parse("taster.yaml", yaml, HashMap::new()).expect_err(words);
        let text = format!("{error}\n{}", error.excerpt().unwrap_or_default());
        assert!(text.contains(words), "{words}: {text:.300}");
        for alien in ["Option<", "budget", "Policy", "u32", "serde", "deserialize", "mapping start", "Nodes"] {
            assert!(!text.contains(alien), "{alien}: {text:.300}");
        }
        assert!(text.len() < 1000, "{} bytes", text.len());
    }
}

#[test]
fn a_long_line_is_shown_around_the_position() {
    let filler = "x".repeat(100_000);
    for (yaml, shown) in [
        (
            format!("{HEAD}probes: [{{name: {filler}, component: census, colour: red}}]\n"),
            "component: census, colour: red}]",
        ),
        (format!("{HEAD}colour: {filler}\n"), "colour: xxx"),
        (format!("{HEAD}scan: {{cursors: {filler}}}\n"), "cursors: xxx"),
        (format!("{HEAD}expect: [{{metric: documents, rule: {filler}}}]\n"), "rule: xxx"),
    ] {
        let error = parse("taster.yaml", &yaml, HashMap::new()).unwrap_err();
        let excerpt = error.excerpt().unwrap();
        assert!(excerpt.len() < 600 && error.to_string().len() < 600, "{excerpt:.600}");
        assert!(excerpt.contains(shown), "{excerpt}");
        // the caret is below the position also in the part that is shown
        let lines: Vec<&str> = excerpt.lines().collect();
        let column = lines[2].chars().position(|c| c == '^').unwrap();
        let pointed: String = lines[1].chars().skip(column).take(3).collect();
        assert!(["col", "xxx"].contains(&pointed.as_str()), "{excerpt}");
    }
}
