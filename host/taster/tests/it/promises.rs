//! What the documents promise: the help, the list of errors, the schemas, and that secrets stay secret.

use std::{collections::BTreeSet, fs, path::Path};

use taster_model::ReasonCode;

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

/// The literals in the sources of `folder` that begin with `prefix`, each up to the end of its first word.
fn literals(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                literals(&path, prefix, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            // only code: documentation and unit tests name codes that no error has
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (at, _) in line.match_indices(&format!("\"{prefix}")) {
                    let of_word = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
                    found.insert(line[at + 1..].chars().take_while(of_word).collect());
                }
            }
        }
    }
}

#[test]
fn every_error_code_is_in_the_list_and_the_list_has_no_other() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/");
    let mut given = BTreeSet::new();
    literals(host, "T0", &mut given);
    given.retain(|code| code.len() == 5);
    let list = fs::read_to_string(host.join("../docs/src/reference/errors.md")).expect("the page of errors");
    let listed: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| `T0"))
        .filter_map(|rest| rest.split('`').next())
        .map(|rest| format!("T0{rest}"))
        .collect();
    let missing: Vec<_> = given.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&given).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in errors.md: {missing:?}; only there: {stale:?}");
}

#[test]
fn every_environment_variable_is_on_the_page_of_the_command_line() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/");
    let mut read = BTreeSet::new();
    for entry in fs::read_dir(host).expect("a folder") {
        let folder = entry.expect("an entry").path();
        // the testkit is for tests only
        if folder.join("src").is_dir() && !folder.ends_with("testkit") {
            literals(&folder.join("src"), "TASTER_", &mut read);
        }
    }
    // faults are for tests; the scripts that `taster completions` prints set the other one
    read.retain(|name| !name.starts_with("TASTER_FAULT") && name != "TASTER_COMPLETE");
    assert!(read.len() >= 12, "{read:?}");
    let page = fs::read_to_string(host.join("../docs/src/reference/command-line.md")).expect("the page of commands");
    let missing: Vec<_> = read.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in command-line.md: {missing:?}");
}

#[test]
fn every_reason_is_in_the_list_of_reasons_and_the_list_has_no_other() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host/");
    let list = fs::read_to_string(host.join("../docs/src/reference/errors.md")).expect("the page of errors");
    let (_, section) = list.split_once("\n| reason | meaning | what to do |\n").expect("a table of reasons");
    let rows = section.lines().skip(1).take_while(|line| line.starts_with('|'));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let reasons: BTreeSet<&str> = ReasonCode::ALL.map(ReasonCode::as_str).into();
    let missing: Vec<_> = reasons.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&reasons).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in the list: {missing:?}; only in the list: {stale:?}");
}

/// Every command of the tree below `command`, by its words.
fn paths(command: &clap::Command, path: &[String]) -> Vec<(Vec<String>, clap::Command)> {
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
    let below = visible.flat_map(|command| paths(command, &[path, &[command.get_name().to_owned()]].concat()));
    [(path.to_vec(), command.clone())].into_iter().chain(below).collect()
}

/// Every command of a tree by its words (`probe run`), without the root.
fn commands(tree: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
    for command in tree.get_subcommands() {
        let path = format!("{words} {}", command.get_name()).trim().to_owned();
        found.push((path.clone(), command.clone()));
        commands(command, &path, found);
    }
}

fn all_commands() -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    commands(&taster::cli::command_tree(), "", &mut found);
    found
}

#[test]
fn the_help_of_every_command_names_its_subcommands_and_flags() {
    let workspace = Workspace::new("");
    let commands = paths(&taster::cli::command_tree(), &[]);
    assert!(commands.len() > 12, "{} commands", commands.len());
    for (path, command) in commands {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = workspace.taster(&words);
        assert_eq!(help.code, 0, "{words:?}: {}", help.all());
        for name in command.get_subcommands().filter(|one| !one.is_hide_set()).map(clap::Command::get_name) {
            assert!(help.out.contains(&format!("\n  {name}")), "{words:?} without {name}: {}", help.out);
        }
        for flag in command.get_arguments().filter(|one| !one.is_hide_set()).filter_map(clap::Arg::get_long) {
            assert!(help.out.contains(&format!("--{flag}")), "{words:?} without --{flag}: {}", help.out);
        }
    }
}

#[test]
fn the_help_names_the_exit_codes_and_fits_a_terminal() {
    let workspace = Workspace::new("");
    let help = workspace.taster(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Exit codes: 0 same"), "{}", help.out);
    assert!(help.out.lines().all(|line| line.chars().count() <= 100), "{}", help.out);
    for shell in ["bash", "zsh", "fish"] {
        assert!(workspace.taster(&["completions", shell]).out.contains("taster"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_know_runs_probes_and_codes() {
    let shop = ShopDatabase::standalone(200).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    for run in ["deploy-1", "deploy-2"] {
        assert_eq!(workspace.taster(&["pre", "--run", run]).code, 0);
        assert_eq!(workspace.taster(&["post", "--run", run]).code, 0);
    }
    let offered = |folder: &Workspace, words: &[&str]| {
        let mut command = folder.command(&["--"]);
        let place = words.len() - 1;
        command.args(words).env("TASTER_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", place.to_string());
        let output = command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true").output();
        let output = CommandOutput::read(&output.expect("the binary runs"));
        assert_eq!((output.code, output.err.as_str()), (0, ""));
        output.out.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered(&workspace, &["taster", "show", "deploy-"]), ["deploy-2", "deploy-1"]);
    assert!(
        offered(&workspace, &["taster", "accept", ""]).starts_with(&["deploy-2".to_owned(), "deploy-1".to_owned()])
    );
    assert_eq!(offered(&workspace, &["taster", "post", "--run", "deploy-1"]), ["deploy-1"]);
    assert_eq!(offered(&workspace, &["taster", "probe", "run", "doc"]), ["document-count"]);
    assert_eq!(offered(&workspace, &["taster", "explain", "T011"])[0], "T0110");
    assert!(offered(&workspace, &["taster", "pr"]).contains(&"probe".to_owned()));
    // nothing is stored here, and nothing is said of it
    let empty = Workspace::new("");
    assert!(offered(&empty, &["taster", "show", "d"]).is_empty());
    let elsewhere = workspace.path().join("store-of-nobody");
    let there = elsewhere.display().to_string();
    assert!(offered(&workspace, &["taster", "show", "--store", &there, "d"]).is_empty());
    assert!(!elsewhere.exists(), "asking creates nothing");
}

#[test]
fn each_command_has_only_the_flags_that_it_uses() {
    let shared = "config store run format output";
    let flags = |command: &clap::Command| {
        let longs = command.get_arguments().filter_map(clap::Arg::get_long).filter(|long| shared.contains(long));
        longs.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    let workspace: Vec<String> =
        all_commands().iter().map(|(name, command)| format!("{name}: {}", flags(command)).trim().to_owned()).collect();
    insta::assert_snapshot!(workspace.join("\n"), @r"
    init: config store
    pre: config format output run store
    post: config format output run store
    restore: config run store
    compare: config format output run store
    accept: config store
    baseline:
    baseline show: config format output store
    baseline drop: config format output store
    baseline new: config format output run store
    runs: config format output store
    gc: config format output store
    show: config format output run store
    serve: config store
    demo: format output run
    probe:
    probe check: format output
    probe inspect: format output
    probe run: config format output
    probe precompile:
    config:
    config check: config store
    config schema:
    explain:
    completions:
    man:
    ");
    let tree = taster::cli::command_tree();
    let global: Vec<&str> = tree.get_arguments().filter_map(clap::Arg::get_long).collect();
    assert_eq!(global, ["log-format", "quiet", "verbose"]);
}

#[test]
fn the_long_help_of_the_main_commands_has_examples() {
    let workspace = Workspace::new("");
    for command in ["init", "pre", "post", "accept", "serve", "probe"] {
        let help = workspace.taster(&[command, "--help"]).out;
        assert!(help.contains("Examples:") && help.contains("\n  taster "), "{help}");
        assert!(!workspace.taster(&[command, "-h"]).out.contains("Examples:"), "{command}");
    }
}

#[test]
fn man_writes_a_page_for_every_command() {
    let workspace = Workspace::new("");
    let folder = workspace.path().join("share/man/man1");
    let written = workspace.taster(&["man", "share/man/man1"]);
    assert_eq!(written.code, 0, "{}", written.all());
    for (command, _) in all_commands() {
        let page = folder.join(format!("taster-{}.1", command.replace(' ', "-")));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH SYNOPSIS"), "{command}: {text}");
    }
    assert!(folder.join("taster.1").exists());
    fs::write(workspace.path().join("file"), "").expect("a file");
    let failed = workspace.taster(&["man", "file/man"]);
    assert_eq!(failed.code, 4, "{}", failed.all());
    assert!(failed.err.contains("error[T0602]: cannot write man pages to file/man: "), "{}", failed.err);
}

#[test]
fn the_schema_of_the_configuration_is_valid_and_closed() {
    let workspace = Workspace::new("");
    let schema = workspace.taster(&["config", "schema"]).json();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["probes"].is_object(), "{schema}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_stored_or_printed() {
    let shop = ShopDatabase::standalone(200).await;
    // the throwaway server asks for no password, so credentials fail: every text that comes of it is looked at
    let with_secret = shop.uri().replacen("mongodb://", "mongodb://joe:hunter2secret@", 1);
    let workspace = Workspace::new(&with_secret);
    workspace.configure(SHOP);
    for arguments in
        [&["pre", "-vv"][..], &["post", "-vv"], &["config", "check", "--live"], &["pre", "--log-format", "json"]]
    {
        let ended = workspace.taster(arguments);
        assert!(!ended.all().contains("hunter2secret"), "{}", ended.all());
    }
    let workspace = Workspace::new(&shop.uri());
    workspace.configure(SHOP);
    assert_eq!(workspace.taster(&["pre", "-v"]).code, 0);
    assert_eq!(workspace.taster(&["post", "-v"]).code, 0);
    let mut stack = vec![workspace.path().join("results")];
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
fn explain_prints_what_the_page_of_errors_says() {
    let workspace = Workspace::new("");
    let one = workspace.taster(&["explain", "T0113"]);
    assert_eq!(one.code, 0, "{}", one.all());
    insta::assert_snapshot!(one.out, @r"
    T0113: a required role has no collection
      help: name one under `collections`
    ");
    let several = workspace.taster(&["explain", "t0204", "T0712", "zero-against-zero"]);
    assert_eq!(several.code, 0, "{}", several.all());
    for text in [
        "T0204: no server answers",
        "T0712: another process holds the lock",
        "see The lock is held",
        "zero-against-zero: nothing",
    ] {
        assert!(several.out.contains(text), "{text}: {}", several.out);
    }
    for (unknown, near) in
        [("T0113x", "did you mean T0113?"), ("zero-against-zer", "zero-against-zero"), ("xyzzy-of-no-use", "--list")]
    {
        let ended = workspace.taster(&["explain", "T0101", unknown]);
        assert_eq!(ended.code, 2, "{}", ended.all());
        assert!(ended.out.contains("T0101: the configuration cannot be read"), "{}", ended.all());
        assert!(ended.err.contains(&format!("error[T0639]: there is no code `{unknown}`")), "{}", ended.all());
        assert!(ended.err.contains(near), "{}", ended.all());
    }
    let list = workspace.taster(&["explain", "--list"]).out;
    assert!(
        list.lines().any(|line| line.trim_start().starts_with("T0101 ")) && list.contains("census-unreadable"),
        "{list}"
    );
    assert_eq!(workspace.taster(&["explain"]).code, 2, "it needs a code");
}
