//! The demo: each upgrade is caught and named.

use crate::support::{Ended, Table};

fn demo(upgrade: &str) -> Ended {
    let table = Table::new("");
    table.taster(&["demo", "--upgrade", upgrade, "--orders", "3000"])
}

/// The `Report:` line names a file that is there.
fn report(ended: &Ended) -> String {
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
fn an_unknown_upgrade_is_told_the_known_ones() {
    let ended = demo("lossi");
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("lossy"), "{}", ended.err);
}
