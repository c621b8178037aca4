//! What the documents promise: the help, the list of errors, the schemas, and that secrets stay secret.

use std::{collections::BTreeSet, fs, path::Path};

use taster_model::ReasonCode;

use crate::support::{Ended, Kitchen, SHOP, Table};

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            // only code: documentation and unit tests speak of codes that nobody gives
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (at, _) in line.match_indices("\"T0") {
                    let word: String = line[at + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
                    if word.len() == 5 {
                        found.insert(word);
                    }
                }
            }
        }
    }
}

#[test]
fn every_error_code_stands_in_the_list_and_the_list_has_no_other() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/");
    let mut given = BTreeSet::new();
    sources(host, &mut given);
    let list = fs::read_to_string(host.join("ERRORS.md")).expect("host/ERRORS.md");
    let listed: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| `T0"))
        .filter_map(|rest| rest.split('`').next())
        .map(|rest| format!("T0{rest}"))
        .collect();
    let missing: Vec<_> = given.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&given).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in ERRORS.md: {missing:?}; only there: {stale:?}");
}

#[test]
fn every_reason_is_in_the_list_of_reasons_and_the_list_has_no_other() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/");
    let list = fs::read_to_string(host.join("ERRORS.md")).expect("host/ERRORS.md");
    let (_, section) = list.split_once("\n| reason | meaning | what to do |\n").expect("a table of reasons");
    let rows = section.lines().skip(1).take_while(|line| line.starts_with('|'));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let reasons: BTreeSet<&str> = ReasonCode::ALL.map(ReasonCode::as_str).into();
    let missing: Vec<_> = reasons.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&reasons).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in the list: {missing:?}; only in the list: {stale:?}");
}

#[test]
fn the_help_names_every_command_and_the_exit_codes() {
    let table = Table::new("");
    let help = table.taster(&["--help"]);
    assert_eq!(help.code, 0);
    for command in
        ["init", "pre", "post", "compare", "accept", "runs", "show", "demo", "probe", "config", "completions"]
    {
        assert!(help.out.contains(&format!("\n  {command}")), "{command}: {}", help.out);
    }
    assert!(help.out.contains("Exit codes: 0 same"), "{}", help.out);
    assert!(help.out.lines().all(|line| line.chars().count() <= 100), "{}", help.out);
    for shell in ["bash", "zsh", "fish"] {
        assert!(table.taster(&["completions", shell]).out.contains("taster"));
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = include_str!("../../../../README.md");
    let tree = taster::cli::command_tree();
    for line in readme.lines().filter_map(|line| line.strip_prefix("taster ")) {
        let words: Vec<&str> =
            line.split_whitespace().take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase())).collect();
        let mut command = &tree;
        for word in &words {
            let Some(next) = command.find_subcommand(word) else { break };
            command = next;
        }
        assert_ne!(command.get_name(), "taster", "README shows `taster {line}`");
        for flag in line.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
            let known = command.get_arguments().chain(tree.get_arguments()).any(|a| a.get_long() == Some(flag));
            assert!(known, "README shows --{flag} in `taster {line}`");
        }
    }
}

#[test]
fn the_schema_of_the_configuration_is_valid_and_closed() {
    let table = Table::new("");
    let schema = table.taster(&["config", "schema"]).json();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["probes"].is_object(), "{schema}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_stored_or_said() {
    let kitchen = Kitchen::open(false, 200).await;
    // the throwaway server asks for no password, so credentials fail: every text that comes of it is looked at
    let with_secret = kitchen.uri().replacen("mongodb://", "mongodb://joe:hunter2secret@", 1);
    let table = Table::new(&with_secret);
    table.configure(SHOP);
    for arguments in
        [&["pre", "-vv"][..], &["post", "-vv"], &["config", "check", "--live"], &["pre", "--log-format", "json"]]
    {
        let ended = table.taster(arguments);
        assert!(!ended.all().contains("hunter2secret"), "{}", ended.all());
    }
    let table = Table::new(&kitchen.uri());
    table.configure(SHOP);
    assert_eq!(table.taster(&["pre", "-v"]).code, 0);
    assert_eq!(table.taster(&["post", "-v"]).code, 0);
    let mut stack = vec![table.path().join("results")];
    let mut files = 0;
    while let Some(folder) = stack.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                stack.push(path);
            } else {
                files += 1;
                let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
                assert!(!text.contains("mongodb://"), "{} names the server", path.display());
            }
        }
    }
    assert!(files >= 5, "{files} files");
}

#[test]
fn every_configuration_of_the_readme_is_one() {
    let readme = include_str!("../../../../README.md");
    let blocks: Vec<&str> = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "{} blocks", blocks.len());
    let table = Table::new("mongodb://127.0.0.1:27017/shop");
    for block in blocks {
        // a part of one begins without the app
        let app = if block.contains("app:") { "" } else { "app: shop\n" };
        table.configure(&format!("{app}{block}"));
        let mut check = table.command(&["config", "check"]);
        let output = check.env("WEBHOOK_SECRET", "secret").env("GITHUB_TOKEN", "token").output().expect("it runs");
        let checked = Ended::of(&output);
        assert_eq!(checked.code, 0, "{block}\n{}", checked.all());
    }
}
