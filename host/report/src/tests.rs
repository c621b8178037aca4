//! Documents in reports of all formats, with hostile ids too.

use insta::assert_snapshot;
use serde_json::{Value, json};
use taster_model::{Verdict, VerdictDocument};
use taster_text::{counted, grouped, truncate_chars};

use super::{human, images, junit, line, markdown};

/// A verdict with these findings.
fn document(findings: &[Value]) -> VerdictDocument {
    serde_json::from_value(json!({
        "schema": "taster.dev/verdict/v1", "app": "shop", "run": "1", "attempt": "01JZ0000000000000000000000",
        "verdict": "different", "taster": "0.1.0",
        "after": {"run": "1", "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:01Z", "documents": 5,
            "bytes": 100, "server": {"version": "6.0.5", "topology": "standalone", "database": "shop"}},
        "findings": findings,
    }))
    .unwrap()
}

fn census(documents: &Value) -> Value {
    json!({"probe": "documents", "metric": "documents", "labels": {"collection": "orders"}, "unit": "{document}",
        "before": 200_000, "after": 199_966, "outcome": "different", "severity": "fail", "rule": "equal",
        "code": "changed", "reason": "34 missing, 2 changed", "documents": documents})
}

fn none() -> Value {
    json!({"count": 0, "ids": []})
}

pub(crate) fn lossy() -> VerdictDocument {
    let ids: Vec<Value> = (0..34).map(|n| json!({"$oid": format!("665f1f77bcf86cd7994390{n:02}")})).collect();
    let changed = json!({"count": 2, "ids": [7, {"$numberLong": "8"}], "fields": {"status": 1, "total": 2},
        "details": [{"id": {"$numberLong": "8"}, "fields": ["status", "total"], "before": {"total": 1}, "after": {"total": 2}}]});
    let missing = json!({"count": 34, "ids": ids});
    let lacking = json!({"count": 5000, "ids": [1, 2], "paths": ["items[].price"]});
    document(&[
        census(&json!({"missing": missing, "extra": none(), "changed": changed})),
        json!({"probe": "documents", "labels": {"collection": "orders"}, "outcome": "different", "severity": "fail",
            "rule": "added field orders: archived (bool)", "code": "change-missing", "declared": "v4.3",
            "reason": "missing in 5 000 documents; it happened in 3",
            "documents": {"missing": none(), "extra": none(), "changed": lacking}}),
    ])
}

#[test]
fn a_terminal_names_the_first_of_each_kind() {
    assert_snapshot!(human::verdict(&lossy()), @r#"
        DIFFERENT  shop run 1  (2 different)

          before  nothing: there is no capture from before the sync
          after   2026-01-01 00:00:00 UTC  shop on MongoDB 6.0.5, standalone
                  5 documents (100 B read)

         ✗  documents  documents{collection=orders}  200 000 → 199 966  34 missing, 2 changed
         ✗  documents  added field orders: archived                     missing in 5 000 documents; it
                       (bool)                                           happened in 3 (v4.3)

          documents documents{collection=orders}
            34 missing
              {"$oid":"665f1f77bcf86cd799439000"}
              {"$oid":"665f1f77bcf86cd799439001"}
              {"$oid":"665f1f77bcf86cd799439002"}
              {"$oid":"665f1f77bcf86cd799439003"}
              {"$oid":"665f1f77bcf86cd799439004"}
              {"$oid":"665f1f77bcf86cd799439005"}
              {"$oid":"665f1f77bcf86cd799439006"}
              {"$oid":"665f1f77bcf86cd799439007"}
              {"$oid":"665f1f77bcf86cd799439008"}
              {"$oid":"665f1f77bcf86cd799439009"}
              {"$oid":"665f1f77bcf86cd799439010"}
              {"$oid":"665f1f77bcf86cd799439011"}
              {"$oid":"665f1f77bcf86cd799439012"}
              {"$oid":"665f1f77bcf86cd799439013"}
              {"$oid":"665f1f77bcf86cd799439014"}
              {"$oid":"665f1f77bcf86cd799439015"}
              {"$oid":"665f1f77bcf86cd799439016"}
              {"$oid":"665f1f77bcf86cd799439017"}
              {"$oid":"665f1f77bcf86cd799439018"}
              {"$oid":"665f1f77bcf86cd799439019"}
              {"$oid":"665f1f77bcf86cd799439020"}
              {"$oid":"665f1f77bcf86cd799439021"}
              {"$oid":"665f1f77bcf86cd799439022"}
              {"$oid":"665f1f77bcf86cd799439023"}
              {"$oid":"665f1f77bcf86cd799439024"}
              {"$oid":"665f1f77bcf86cd799439025"}
              {"$oid":"665f1f77bcf86cd799439026"}
              {"$oid":"665f1f77bcf86cd799439027"}
              {"$oid":"665f1f77bcf86cd799439028"}
              {"$oid":"665f1f77bcf86cd799439029"}
              {"$oid":"665f1f77bcf86cd799439030"}
              {"$oid":"665f1f77bcf86cd799439031"}
              {"$oid":"665f1f77bcf86cd799439032"}
              {"$oid":"665f1f77bcf86cd799439033"}
            2 changed: total in 2, status in 1
              7
              {"$numberLong":"8"}: status, total

          documents added field orders: archived (bool)
            5 000 without the change; what differs in the collection: items[].price
              1
              2
              … and 4 998 more, which were only counted
    "#);
}

#[test]
fn markdown_names_all_whose_ids_are_known() {
    let text = markdown::verdict(&lossy());
    let lines: Vec<String> = (0..34).map(|n| format!("- `{{\"$oid\":\"665f1f77bcf86cd7994390{n:02}\"}}`")).collect();
    assert!(text.contains(&lines.join("\n")), "{text}");
    // those between the first and the last are not repeated below
    let is_between = |line: &str| lines[1..33].iter().any(|between| between == line);
    let short: Vec<&str> = text.lines().filter(|line| !is_between(line)).collect();
    assert_snapshot!(short.join("\n"), @r#"
        ## ❌ Taster: **different** (shop, run `1`)

        2 different.

        | side | when | server | data |
        | --- | --- | --- | --- |
        | after (run `1`) | 2026-01-01 00:00:00 UTC | shop on MongoDB 6.0.5, standalone | 5 documents (100 B read) |
        | before | - | there is no capture from before the sync | - |

        ### Findings

        | | probe | metric | before → after | why | rule |
        | --- | --- | --- | --- | --- | --- |
        | ✗ | documents | `documents{collection=orders}` | 200 000 → 199 966 | 34 missing, 2 changed | `equal` |
        | ✗ | documents | `added field orders: archived (bool)` |  | missing in 5 000 documents; it happened in 3 (v4.3) | `added field orders: archived (bool)` |

        <details><summary>documents documents{collection=orders}: 34 missing, 2 changed</summary>

        **34 missing**

        - `{"$oid":"665f1f77bcf86cd799439000"}`
        - `{"$oid":"665f1f77bcf86cd799439033"}`

        **2 changed: total in 2, status in 1**

        - `7`
        - `{"$numberLong":"8"}`: `status`, `total`
          - before: `{"total":1}`
          - after: `{"total":2}`

        </details>

        <details><summary>documents added field orders: archived (bool): 5 000 without the change</summary>

        **5 000 without the change; what differs in the collection: items\[\].price**

        - `1`
        - `2`
        - … and 4 998 more, which were only counted

        </details>
    "#);
}

#[test]
fn junit_names_the_first_in_the_text_of_the_failure() {
    let text = junit::verdict(&lossy()).unwrap();
    let short: Vec<&str> = text.lines().filter(|line| !line.contains("665f1f77bcf86cd79943900")).collect();
    assert_snapshot!(short.join("\n"), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="taster shop 1" tests="3" skipped="0" failures="3" errors="0">
            <testsuite name="verdict" tests="1" skipped="0" errors="0" failures="1">
                <testcase name="run 1">
                    <failure message="different"/>
                </testcase>
            </testsuite>
            <testsuite name="documents" tests="2" skipped="0" errors="0" failures="2">
                <testcase name="documents{collection=orders}" classname="documents">
                    <failure message="34 missing, 2 changed">200 000 → 199 966
        34 missing
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439010&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439011&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439012&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439013&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439014&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439015&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439016&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439017&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439018&quot;}
          {&quot;$oid&quot;:&quot;665f1f77bcf86cd799439019&quot;}
          … and 14 more in the report
        2 changed: total in 2, status in 1
          7
          {&quot;$numberLong&quot;:&quot;8&quot;}: status, total</failure>
                </testcase>
                <testcase name="added field orders: archived (bool)" classname="documents">
                    <failure message="missing in 5 000 documents; it happened in 3 (v4.3)">5 000 without the change; what differs in the collection: items[].price
          1
          2
          … and 4 998 more, which were only counted</failure>
                </testcase>
            </testsuite>
        </testsuites>
    "#);
}

#[test]
fn a_census_without_differences_names_nothing() {
    let mut same = document(&[census(&json!({"missing": none(), "extra": none(), "changed": none()}))]);
    same.verdict = Verdict::Same;
    assert!(!human::verdict(&same).contains("0 missing"));
    assert!(!markdown::verdict(&same).contains("<details>"));
}

#[test]
fn hostile_ids_break_no_report() {
    let ids = json!([
        "\u{1b}[2J\u{1b}]0;pwned\u{7}", "a\r\n\n## heading\n\n</details><script>alert(1)</script>", "``` `x` ``",
        "]]></failure><testcase name='x'/>&amp;", "right\u{202e}tfel", "\u{9b}31m", "no char \u{ffff} \u{0} \u{2028}",
        {"$oid": "x\u{1b}[31m"}, "| a | b |", "*bold* _under_ [x](javascript:alert(1)) @everyone"
    ]);
    let name = "f`</details>\u{1b}[1m\n| x";
    let set = json!({"count": 10, "ids": ids, "fields": {name: 3}, "paths": [name],
        "details": [{"id": ids[1], "fields": [name], "before": {"a": "</details>\u{1b}[0m"}}]});
    let mut finding = census(&json!({"missing": set, "extra": set, "changed": set}));
    finding["labels"] = json!({"collection": name});
    finding["declared"] = json!("because\u{1b}[31m\n<b>");
    let mut document = document(&[finding]);
    document.uncovered = vec!["order_items\u{202e}`\n## heading".to_owned()];
    let (terminal, page) = (human::verdict(&document), markdown::verdict(&document));
    assert!(page.contains(r"No probe covers: `` order_items\u{202e}`\n## heading ``"), "{page}");
    let suite = junit::verdict(&document).unwrap();
    for (format, text) in [("terminal", &terminal), ("markdown", &page), ("junit", &suite)] {
        let wild = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2028}\u{ffff}".contains(c);
        assert!(!text.contains(wild), "{format}: {text:?}");
    }
    assert!(terminal.lines().all(|line| line.chars().count() <= 100), "{terminal}");
    assert_eq!(page.matches("\n<details>").count(), page.matches("\n</details>\n").count(), "{page}");
    assert!(page.lines().all(|line| !line.starts_with("## h") && !line.starts_with("<script")), "{page}");
    assert!(!suite.contains("]]>") && suite.matches("<testcase").count() == 2, "{suite}");
    assert_snapshot!(page.lines().skip_while(|line| !line.starts_with("<details>")).take(14).collect::<Vec<_>>().join("\n"), @r#"
        <details><summary>documents documents{collection=f`&lt;/details&gt;\u{1b}[1m\n| x}: 10 missing, 10 extra, 10 changed</summary>

        **10 missing: f\`&lt;/details&gt;\\u{1b}\[1m\\n\| x in 3; what differs in the collection: f\`&lt;/details&gt;\\u{1b}\[1m\\n\| x**

        - `"\u001b[2J\u001b]0;pwned\u0007"`
        - `"a\r\n\n## heading\n\n</details><script>alert(1)</script>"`: `` f`</details>\u{1b}[1m\n| x ``
          - before: `{"a":"</details>\u001b[0m"}`
        - ```` "``` `x` ``" ````
        - `"]]></failure><testcase name='x'/>&amp;"`
        - `"right\u{202e}tfel"`
        - `"\u{9b}31m"`
        - `"no char \u{ffff} \u0000 \u{2028}"`
        - `{"$oid":"x\u001b[31m"}`
        - `"| a | b |"`
    "#);
}

#[test]
fn numbers_are_grouped_and_words_agree_with_them() {
    for (n, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (200_000, "200 000"), (1_234_567, "1 234 567")] {
        assert_eq!(grouped(n), text);
    }
    assert_eq!(counted(1, "document"), "1 document");
    assert_eq!(counted(34, "document"), "34 documents");
    assert_eq!(truncate_chars("abcdef", 4), "abc…");
}

#[test]
fn values_of_metrics_are_grouped_and_names_made_of_digits_are_not() {
    for (value, text) in [
        (json!(2000), "2 000"),
        (json!(-2000), "-2 000"),
        (json!(12_345.5), "12 345.5"),
        (json!("83590.00"), "83 590.00"),
        (json!("20260131"), "20260131"),
        (json!("10.0.2000.1"), "10.0.2000.1"),
    ] {
        assert_eq!(super::value(Some(&value)), text);
    }
}

#[test]
fn a_line_names_counts_and_the_first_ids() {
    assert_snapshot!(line::verdict(&lossy(), 600), @r#"
        different: orders: 34 missing ({"$oid":"665f1f77bcf86cd799439000"}, {"$oid":"665f1f77bcf86cd799439001"}, {"$oid":"665f1f77bcf86cd799439002"}, … 31 more), 2 changed: total in 2, status in 1 (7, {"$numberLong":"8"}); documents added field orders: archived (bool): 5 000 without the change; what differs in the collection: items[].price (1, 2, … 4 998 more)
    "#);
    assert_snapshot!(line::verdict(&lossy(), 60), @r#"
        different: orders: 34 missing ({"$oid":"665f1f77bcf86cd79…
    "#);
    let nothing = VerdictDocument { verdict: Verdict::Same, findings: Vec::new(), ..lossy() };
    assert_snapshot!(line::verdict(&nothing, 1024), @"
        same: 0 findings compared
    ");
    // with enough space, all ids are listed
    let lost = "\"665f1f77bcf86cd7994390";
    assert_eq!([600, 1024, 4096].map(|bytes| line::verdict(&lossy(), bytes).matches(lost).count()), [3, 12, 34]);
    for bytes in 0..400 {
        assert!(line::verdict(&lossy(), bytes).len() <= bytes);
    }
}

pub(crate) fn upgraded() -> VerdictDocument {
    let workloads = |tag: &str| {
        json!([
            {"kind": "StatefulSet", "name": "mongo", "images": [{"container": "mongod", "image": "mongo:6.0.5"}]},
            {"kind": "Deployment", "name": "pxbbq-web", "images": [
                {"container": "web", "image": format!("quay.io/px-tme/pxbbq:{tag}")},
                {"container": "log", "image": "fluent:3\u{1b}"}]},
        ])
    };
    let mut value = serde_json::to_value(document(&[])).unwrap();
    value["after"]["workloads"] = workloads("v4.3");
    value["before"] = value["after"].clone();
    value["before"]["workloads"] = workloads("v4.2");
    serde_json::from_value(value).unwrap()
}

#[test]
fn every_format_says_which_versions_were_tasted() {
    let document = upgraded();
    let said = images::tasted(&document).unwrap();
    assert_snapshot!(said, @r#"
        tasted Deployment pxbbq-web web v4.2 → v4.3; StatefulSet mongo 6.0.5; Deployment pxbbq-web log 3\u{1b}
    "#);
    let human = human::verdict(&document).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(human.contains(&said), "{human}");
    assert!(markdown::verdict(&document).contains("pxbbq-web web v4.2 → v4.3"));
    assert!(junit::verdict(&document).unwrap().contains("pxbbq-web web v4.2 → v4.3"));
    assert_eq!(images::tasted(&lossy()), None, "without a cluster there are no images");
}

#[test]
fn a_same_names_the_collections_whose_documents_are_all_unchanged() {
    let unchanged = |collection: &str, probe: &str, after: u64, reason: &str| {
        json!({"probe": probe, "metric": "documents", "labels": {"collection": collection}, "before": after, "after": after,
            "outcome": "same", "severity": "fail", "code": "unchanged", "reason": reason})
    };
    let same = |findings: &[Value]| {
        let text = human::verdict(&VerdictDocument { verdict: Verdict::Same, ..document(findings) });
        text.lines().find(|line| line.contains("every document")).map(|line| line.trim().to_owned())
    };
    let orders = unchanged("orders", "census", 200_000, "200 000 documents unchanged");
    let one = unchanged("menu", "census", 1, "1 document unchanged");
    let counted_only = unchanged("orders", "document-count", 200_000, "unchanged");
    assert_eq!(same(std::slice::from_ref(&orders)).as_deref(), Some("orders 200 000: every document unchanged"));
    let several = same(&[orders.clone(), counted_only.clone(), one, orders.clone()]);
    assert_eq!(several.as_deref(), Some("menu 1, orders 200 000: every document unchanged"), "each counts once");
    assert_eq!(same(&[counted_only]), None, "a count says nothing of the documents");
    assert!(!human::verdict(&document(&[orders])).contains("every document"), "only of a verdict that is same");
}
