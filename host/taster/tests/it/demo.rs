//! The demo: each upgrade is caught and named.

use crate::support::{CommandOutput, Workspace};

fn demo(upgrade: &str) -> CommandOutput {
    demo_in(upgrade, "human")
}

fn demo_in(upgrade: &str, format: &str) -> CommandOutput {
    let workspace = Workspace::new("");
    workspace.taster(&["demo", "--upgrade", upgrade, "--orders", "3000", "--format", format])
}

/// The findings that are `different`, each with its collection and, of a census, what became of how many documents.
fn different(ended: &CommandOutput) -> Vec<String> {
    let verdict = ended.json();
    let findings = verdict["findings"].as_array().unwrap_or_else(|| panic!("{}", ended.all()));
    let tell = |finding: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let documents = ["missing", "extra", "changed"].map(|kind| {
            let count = finding["documents"][kind]["count"].as_u64().unwrap_or_default();
            if count == 0 { String::new() } else { format!(", {count} {kind}") }
        });
        let fields = finding["documents"]["changed"]["fields"].as_object();
        let fields: Vec<&str> = fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
        format!(
            "{} {} of {}{} {}",
            text(&finding["probe"]),
            text(&finding["metric"]),
            text(&finding["labels"]["collection"]),
            documents.concat(),
            fields.join(" ")
        )
    };
    let different = findings.iter().filter(|finding| finding["outcome"] == "different");
    different.map(|finding| tell(finding).trim_end().to_owned()).collect()
}

/// The `Report:` line names a file that is there.
fn report(ended: &CommandOutput) -> String {
    let path =
        ended.out.lines().find_map(|line| line.strip_prefix("Report: ")).unwrap_or_else(|| panic!("{}", ended.all()));
    std::fs::read_to_string(path.trim_start_matches("file://")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn clean_ends_in_same_and_says_where_the_report_lies() {
    let ended = demo("clean");
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.out.contains("SAME"), "{}", ended.out);
    assert!(report(&ended).contains("same"));
}

#[test]
fn lossy_says_by_how_much_which_group_shrank() {
    let ended = demo("lossy");
    assert_eq!(ended.code, 1, "{}", ended.all());
    let line = ended
        .out
        .lines()
        .find(|line| line.contains("orders.count{status=open}"))
        .unwrap_or_else(|| panic!("{}", ended.all()));
    assert!(line.contains("34 fewer"), "{line}");
    assert!(report(&ended).contains("34 fewer"));
}

#[test]
fn retype_names_the_field_and_both_types() {
    let ended = demo("retype");
    assert_eq!(ended.code, 1, "{}", ended.all());
    let report = report(&ended);
    assert!(report.contains("total") && report.contains("decimal") && report.contains("double"), "{report}");
}

#[test]
fn index_names_the_indexes() {
    let ended = demo("index");
    assert_eq!(ended.code, 1, "{}", ended.all());
    let report = report(&ended).replace('\\', "");
    assert!(report.contains("number_1") && report.contains("status_1"), "{report}");
}

#[test]
fn swap_is_seen_by_the_census_alone() {
    let ended = demo_in("swap", "json");
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert_eq!(different(&ended), ["census documents of orders, 2 changed customer"]);
}

#[test]
fn duplicate_is_an_extra_document_and_a_key_that_occurs_twice() {
    let ended = demo_in("duplicate", "json");
    assert_eq!(ended.code, 1, "{}", ended.all());
    let different = different(&ended);
    for expected in ["census documents of orders, 1 extra", "duplicates duplicates of orders"] {
        assert!(different.iter().any(|finding| finding == expected), "{expected}: {different:#?}");
    }
}

#[test]
fn declared_is_proven_and_ends_in_same() {
    let ended = demo("declared");
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(report(&ended).contains("archived"));
}

#[test]
fn half_declared_differs_from_declared_by_three_documents() {
    let ended = demo("half-declared");
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(report(&ended).contains("missing in 3 documents"), "{}", ended.out);
}

#[test]
fn an_unknown_upgrade_is_refused_with_the_known_ones() {
    let ended = demo("lossi");
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("lossy"), "{}", ended.err);
}
