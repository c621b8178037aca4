//! Mistakes that are named before the sync: by `config check` without a database, with one, and by `pre`.

// the mistakes are made on purpose. typos:off

use mongodb::bson::{Document, doc};

use crate::{
    new_baseline::in_one_line,
    support::{FLAVOURS, SHOP, ShopDatabase, Workspace},
};

const OFFLINE: &str = "app: shop\nmongodb: {uri: \"mongodb://127.0.0.1:1/shop\"}\n";

/// Both streams of a `config check` that fails.
fn checked(yaml: &str) -> String {
    let workspace = Workspace::new("");
    let ended = workspace.configure(&format!("{OFFLINE}{yaml}")).taster(&["config", "check"]);
    assert_eq!(ended.code, 4, "{yaml}\n{}", ended.all());
    format!("{}{}", ended.out, ended.err)
}

/// Checks that each text has its message.
fn assert_named(cases: &[(&str, &str)]) {
    for (yaml, message) in cases {
        let text = checked(yaml);
        assert!(text.contains(message), "{yaml}\nlacks: {message}\n{text}");
    }
}

#[test]
fn options_are_checked_without_a_database() {
    let probe = |component: &str, options: &str| {
        format!("probes:\n  - {{name: a, component: {component}, config: {options}}}\n")
    };
    let report = "reports: [{name: r, collection: orders";
    let cases = [
        ("group-report", "{}".to_owned(), "probes[a].config: missing field `reports`"),
        ("group-report", format!("{{{report}, gruopBy: [status]}}]}}"), "unknown field `gruopBy`"),
        ("group-report", format!("{{{report}, sums: {{count: n}}}}]}}"), "`count` is reserved"),
        ("census", "{ignored: [seen]}".to_owned(), "unknown field `ignored`"),
        ("census", "{detail: feilds}".to_owned(), "unknown variant `feilds`"),
        ("document-count", "{grupBy: {}}".to_owned(), "unknown field `grupBy`"),
        ("index-inventory", "{a: 1}".to_owned(), "unknown field `a`"),
    ];
    for (component, options, message) in &cases {
        assert_named(&[(&probe(component, options), message)]);
    }
    // what is right stays right, also where "every collection" is not known
    let right = format!("{OFFLINE}{}", probe("group-report", &format!("{{{report}, sums: {{revenue: total}}}}]}}")));
    let ended = Workspace::new("").configure(&right).taster(&["config", "check"]);
    assert_eq!(ended.code, 0, "{}", ended.all());
}

#[test]
fn a_probe_of_ones_own_checks_its_options_as_well() {
    let evil = crate::support::component("evil");
    let probe = format!("probes:\n  - {{name: own, component: \"{}\", config: {{atack: loop}}}}\n", evil.display());
    assert_named(&[(&probe, "probes[own].config")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_refuses_a_probe_of_ones_own_with_wrong_options_or_a_misfit_rule() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    let own = |component: &str, more: &str| {
        let component = crate::support::component(component);
        format!("{SHOP}probes:\n  - {{name: own, component: \"{}\"{more}\n", component.display())
    };
    let menu = ", collections: [orders]}\nexpect:\n  - {metric: ordered, rule: ";
    for (run, yaml, message) in [
        ("options", own("evil", ", config: {atack: loop}}"), "probes[own].config"),
        (
            "rule",
            own("shop-menu", &format!("{menu}superset}}")),
            "expect[ordered]: the rule `superset` does not apply to",
        ),
    ] {
        let pre = workspace.configure(&yaml).taster(&["pre", "--run", run]);
        assert!(pre.code == 4 && pre.err.contains("error[T0637]") && pre.err.contains(message), "{}", pre.all());
        assert!(!workspace.path().join(format!("results/v1/pxbbq/{run}")).exists(), "nothing is stored");
    }
    let right = own("shop-menu", &format!("{menu}never-decreases}}"));
    let pre = workspace.configure(&right).taster(&["pre", "--run", "right"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
}

#[test]
fn all_mistakes_are_named_at_once() {
    let text = checked(
        "store: s4://x\nprobes:\n  - name: counts\n    component: document-count\n    colections: [orders]\n  - name: sums\n    \
         component: group-report\n    limits: {deadline: soon}\n    config:\n      report: []\n      reports:\n        - {name: r, \
         collection: orders, gruopBy: [a], filtr: {}}\n  - {name: census, component: census, config: {ignored: [a], detail: \
         feilds}}\n  - {name: census, component: schema-shape}\n",
    );
    for mistake in [
        "unknown key `colections`",
        "`soon` is not a duration",
        "`gruopBy`",
        "`filtr`",
        "unknown field `report`",
        "unknown field `ignored`",
        "unknown variant `feilds`",
        "the name is used twice",
        "scheme `s4:`",
    ] {
        assert_eq!(text.matches(mistake).count(), 1, "{mistake}:\n{text}");
    }
}

#[test]
fn expectations_that_can_match_nothing_name_what_exists() {
    let sums = "probes:\n  - name: sums\n    component: group-report\n    collections: [orders]\n    config: {reports: [{name: \
                orders, collection: orders, groupBy: [status], sums: {revenue: total}}]}\n  - {name: counts, component: \
                document-count, collections: [orders]}\n  - {name: indexes, component: index-inventory, collections: [orders]}\n";
    let expect = |entry: &str| format!("{sums}expect:\n  - {{{entry}}}\n");
    let metric = expect("metric: orders.revenu, rule: equal");
    assert_named(&[
        (&metric, "did you mean `orders.revenue`?"),
        (&metric, "T0116: no probe returns a metric `orders.revenu`"),
    ]);
    assert_named(&[
        (&expect("probe: counts, metric: orders.revenue, rule: equal"), "no probe returns a metric `orders.revenue`"),
        (&expect("metric: indexes, labels: {colection: orders}, rule: equal"), "has a label `colection` (its labels: "),
        (
            &expect("metric: documents, labels: {collection: order}, rule: equal"),
            "reads the collection `order` (they read: orders)",
        ),
        (&expect("metric: orders.revenue, rule: superset"), "`superset` does not apply to a decimal"),
        (&expect("metric: orders.groups, rule: {within: 1%}"), "does not apply to a set"),
    ]);
    for right in [
        "metric: orders.revenue, labels: {status: open}, rule: {within: 1%}",
        "metric: \"orders.*\", rule: never-decreases",
        "metric: documents, labels: {collection: orders}, rule: never-decreases",
    ] {
        let ended = Workspace::new("").configure(&format!("{OFFLINE}{}", expect(right))).taster(&["config", "check"]);
        assert_eq!(ended.code, 0, "{right}: {}", ended.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_lacks_is_named_before_the_sync() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 50).await;
        let workspace = shop.workspace();
        let checked = |yaml: &str| workspace.configure(yaml).taster(&["config", "check", "--live"]);
        let counts = |names: &str| {
            format!("{SHOP}probes:\n  - {{name: counts, component: document-count, collections: [{names}]}}\n")
        };
        for (names, message) in [
            ("order", "did you mean `orders`? There are: "),
            ("orders, nothing_like_it", "there is no collection `nothing_like_it` in `pxbbq`. There are: "),
        ] {
            let ended = checked(&counts(names));
            assert!(ended.code == 4 && ended.out.contains(message), "{}", ended.all());
            let pre = workspace.taster(&["pre", "--run", &names.replace(", ", "-")]);
            assert!(pre.code == 3 && pre.all().contains("which does not exist"), "{}", pre.all());
        }
        for (entry, message) in [
            ("changes: [{collection: ordres, addedIndex: number_1}]", "there is no collection `ordres`"),
            ("changes: [{removedCollection: crats}]", "there is no collection `crats`"),
            ("changes: [{renamedCollection: ordres, to: archive}]", "did you mean `orders`?"),
            (
                "expect: [{metric: documents, labels: {collection: ordres}, rule: never-decreases}]",
                "there is no collection `ordres`",
            ),
        ] {
            let ended = checked(&format!("{SHOP}{entry}\n"));
            assert!(ended.code == 4 && ended.out.contains(message), "{entry}: {}", ended.all());
        }
        let declared = format!("{}changes: [{{addedCollection: archive}}]\n", counts("orders, archive"));
        assert_eq!(checked(&declared).code, 0, "a declared change adds it");

        // an app of its own: this one has an open baseline of the other database
        let typo = SHOP.replace("database: pxbbq", "database: pxbq").replace("app: pxbbq", "app: typo");
        let ended = checked(&typo);
        assert!(
            ended.code == 4 && ended.out.contains("database `pxbq` has no collections; there are: "),
            "{}",
            ended.all()
        );
        assert!(ended.out.contains("did you mean `pxbbq`?"), "{}", ended.all());
        let pre = workspace.taster(&["pre", "--run", "typo"]);
        assert!(pre.code == 4 && pre.err.contains("error[T0638]: database `pxbq` has no collections"), "{}", pre.all());
        assert!(workspace.path().join("results/v1/pxbbq/order/pre/capture.json").exists());
        assert!(!workspace.path().join("results/v1/typo").exists(), "nothing is stored");
    }
}

const DOCUMENTS: &str = "expect:\n  - {metric: documents, rule: never-decreases, labels: {collection: ";

#[tokio::test(flavor = "multi_thread")]
async fn pre_names_the_absent_collections_of_changes_and_expectations() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 200).await;
        let expected = format!("{DOCUMENTS}ordres}}}}");
        for (entry, message) in [
            ("changes: [{collection: ordres, addedIndex: number_1}]", "`ordres`, which does not exist"),
            ("changes: [{collection: ordres, addedIndex: number_1}]", "did you mean `orders`? There are: "),
            ("changes: [{removedCollection: crats}]", "`crats`, which does not exist"),
            ("changes: [{renamedCollection: ordres, to: archive}]", "did you mean `orders`?"),
            (expected.as_str(), "expect[documents] names the collection `ordres`, which does not exist"),
        ] {
            let workspace = shop.workspace();
            workspace.configure(&format!("{SHOP}{entry}\n"));
            for attempt in ["first", "retried", "another run"] {
                let run = if attempt == "another run" { "b" } else { "a" };
                let pre = workspace.taster(&["pre", "--run", run]);
                assert!(
                    pre.code == 3 && in_one_line(&pre.all()).contains(message),
                    "{attempt}: {entry}: {}",
                    pre.all()
                );
            }
            let corrected = workspace.configure(SHOP).taster(&["pre", "--run", "a"]);
            assert_eq!(corrected.code, 0, "{}", corrected.all());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_lets_changes_and_expectations_name_what_the_upgrade_adds() {
    let shop = ShopDatabase::standalone(200).await;
    let pre = |entries: &str| {
        let ended = shop.workspace().configure(&format!("{SHOP}{entries}\n")).taster(&["pre", "--run", "a"]);
        assert_eq!(ended.code, 0, "{entries}: {}", ended.all());
        ended.err
    };
    for declared in [
        format!(
            "changes: [{{addedCollection: ordres}}, {{collection: ordres, addedIndex: n_1}}]\n{DOCUMENTS}ordres}}}}"
        ),
        format!("changes: [{{renamedCollection: menu, to: dishes}}]\n{DOCUMENTS}dishes}}}}"),
    ] {
        let log = pre(&declared);
        assert!(!log.contains("does not exist") && !log.contains("matches no metric"), "{declared}: {log}");
    }
    // it may be new, or it cannot decide
    for (doubtful, name) in [
        ("changes: [{collection: nothing_like_it, addedIndex: n_1}]".to_owned(), "nothing_like_it"),
        (format!("{DOCUMENTS}nothing_like_it}}}}"), "nothing_like_it"),
        (format!("{DOCUMENTS}ordres}}, severity: warn}}"), "ordres"),
        ("expect: [{metric: documents, labels: {collection: ordres}, rule: ignore}]".to_owned(), "ordres"),
    ] {
        let log = pre(&doubtful);
        assert!(log.contains(&format!("names the collection `{name}`, which does not exist")), "{doubtful}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_warns_of_a_change_that_an_earlier_sync_has_made() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let carts = shop.database.collection::<Document>("carts");
        carts.insert_many((0..20).map(|n| doc! {"_id": n})).await.expect("documents");
        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census}}\nchanges:\n  - {{removedCollection: carts}}\n"
        ));
        let absent = "names the collection `carts`, which does not exist";
        let first = workspace.taster(&["pre", "--run", "a"]);
        assert!(first.code == 0 && !first.err.contains(absent), "{}", first.all());
        carts.drop().await.expect("a drop");
        let post = workspace.taster(&["post", "--run", "a"]);
        assert_eq!(post.code, 0, "{}", post.all());
        let next = workspace.taster(&["pre", "--run", "b"]);
        assert!(next.code == 0 && next.err.contains(absent), "{}", next.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_warns_of_labels_that_no_metric_has_yet() {
    let shop = ShopDatabase::standalone(50).await;
    let pre = |status: &str| {
        let yaml = format!(
            "{SHOP}probes:\n  - name: sums\n    component: group-report\n    config: {{reports: [{{name: orders, collection: \
             orders, groupBy: [status]}}]}}\nexpect:\n  - {{metric: orders.count, labels: {{status: {status}}}, rule: \
             never-decreases}}\n"
        );
        // the group may come with the upgrade
        let ended = shop.workspace().configure(&yaml).taster(&["pre", "--run", "a"]);
        assert_eq!(ended.code, 0, "{status}: {}", ended.all());
        ended.err
    };
    let log = pre("opne");
    let warning = "expect[orders.count]{status: opne} matches no metric yet; did you mean `open`? Values of `status`: ";
    assert!(log.contains(warning), "{log}");
    let log = pre("open");
    assert!(!log.contains("matches no metric"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extreme_or_a_nested_path_that_no_document_has_is_named_before_the_sync() {
    let shop = ShopDatabase::standalone(50).await;
    for (fields, metric) in [
        ("min: {first: creatd}", "orders.first.values"),
        ("max: {last: creatd}", "orders.last.values"),
        ("min: {cheapest: items.prise}", "orders.cheapest.values"),
        ("sums: {revenue: items.prise}", "orders.revenue.numbers"),
    ] {
        let workspace = shop.workspace();
        workspace.configure(&format!(
            "{SHOP}probes:\n  - name: sums\n    component: group-report\n    config: {{reports: [{{name: orders, collection: \
             orders, {fields}}}]}}\n"
        ));
        let live = workspace.taster(&["config", "check", "--live"]);
        assert!(live.out.contains(&format!("`{metric}` is 0 in the first 1 000 documents")), "{}", live.all());
        let pre = workspace.taster(&["pre", "--run", "a"]);
        let said = in_one_line(&pre.all());
        assert!(pre.code == 3 && said.contains(&format!("{metric} is 0 or empty")), "{}", pre.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_over_a_field_that_no_document_has_is_named_before_the_sync() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 50).await;
        let workspace = shop.workspace();
        let sums = |path: &str, more: &str| {
            format!(
                "{SHOP}probes:\n  - name: sums\n    component: group-report\n    config: {{reports: [{{name: orders, collection: orders, \
             sums: {{revenue: {path}}}}}]}}\n{more}"
            )
        };
        let live = workspace.configure(&sums("totl", "")).taster(&["config", "check", "--live"]);
        assert!(live.out.contains("`orders.revenue.numbers` is 0 in the first 1 000 documents"), "{}", live.all());
        let pre = workspace.taster(&["pre", "--run", "wrong"]);
        assert_eq!(pre.code, 3, "{}", pre.all());
        assert!(pre.out.contains("orders.revenue.numbers is 0 or empty"), "{}", pre.all());

        for (run, path, more) in [
            ("right", "total", ""),
            ("expected", "totl", "expect:\n  - {metric: orders.revenue.numbers, rule: equal}\n"),
            ("added", "totl", "changes:\n  - {collection: orders, addedField: totl, type: int}\n"),
        ] {
            let live = workspace.configure(&sums(path, more)).taster(&["config", "check", "--live"]);
            assert!(run == "added" || !live.out.contains("is 0 in the first"), "{run}: {}", live.all());
            let pre = workspace.taster(&["pre", "--run", run]);
            assert_eq!(pre.code, 0, "{run}: {}", pre.all());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_refuses_a_hopeless_configuration_before_it_stores_anything() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 50).await;
        let workspace = shop.workspace();
        for (index, (yaml, message)) in [
            ("probes:\n  - {name: a, component: group-report}\n", "probe a: probes[a].config: missing field `reports`"),
            ("probes:\n  - {name: a, component: census, config: {ignored: [x]}}\n", "unknown field `ignored`"),
            (
                "expect:\n  - {metric: document, rule: equal}\n",
                "expect[document]: no probe returns a metric `document` (did you mean `documents`?",
            ),
            (
                "probes:\n  - {name: a, component: document-count, collections: {parent: orders}}\n",
                "T0112: the probe has no role `parent`",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let run = format!("run{index}");
            let pre = workspace.configure(&format!("{SHOP}{yaml}")).taster(&["pre", "--run", &run]);
            assert!(pre.code == 4 && pre.err.contains("error[T0637]") && pre.err.contains(message), "{}", pre.all());
            assert!(!workspace.path().join(format!("results/v1/pxbbq/{run}")).exists(), "nothing is stored");
        }
        // what decides nothing stops nothing
        let muted =
            "probes:\n  - {name: a, component: group-report, muted: true}\n  - {name: b, component: document-count}\n";
        let pre = workspace.configure(&format!("{SHOP}{muted}")).taster(&["pre", "--run", "muted"]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        assert!(workspace.path().join("results/v1/pxbbq/muted/pre/capture.json").exists());
    }
}
// typos:on
