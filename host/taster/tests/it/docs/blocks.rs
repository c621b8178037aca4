//! The blocks of code in the documentation: configurations are valid, command lines exist, `sh,run` blocks run.

use std::{fs, path::Path, process::Command};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::support::{ShopDatabase, component};

/// One block of code.
pub(super) struct Block<'a> {
    /// The text after the fence: `sh,run`.
    pub(super) info: &'a str,
    pub(super) text: String,
}

pub(super) fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => open = Some(Block { info: info.trim(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The binary in an empty folder.
fn taster(folder: &Path, uri: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_taster"));
    let mut command = Command::new("bash");
    command.current_dir(folder).env("MONGODB_URI", uri).env("TASTER_CACHE", binary.with_file_name("taster-test-cache"));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", binary.parent().expect("a folder").display()));
    command.env("WEBHOOK_SECRET", "secret").env("GITHUB_TOKEN", "token").args(["-eu", "-o", "pipefail", "-c"]);
    command
}

#[test]
fn every_configuration_in_the_documentation_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("checks")).expect("a folder");
    fs::copy(component("shop-menu"), folder.path().join("checks/menu.wasm")).expect("the build leaves the component");
    let mut checked = 0;
    for (path, page) in super::pages() {
        for block in blocks(&page).iter().filter(|block| block.info == "yaml") {
            // a part of a configuration begins without the app
            let app = if block.text.contains("app:") { "" } else { "app: shop\n" };
            fs::write(folder.path().join("taster.yaml"), format!("{app}{}", block.text)).expect("a file");
            let mut command = taster(folder.path(), "mongodb://127.0.0.1:27017/shop");
            let output = command.arg("taster config check").output().expect("bash runs");
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{}\n{said}", path.display(), block.text);
            checked += 1;
        }
    }
    assert!(checked >= 12, "{checked} configurations");
}

/// Where a command line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a block: it is copied as it is.
    Block,
    /// Within a sentence, which may name a command without its arguments.
    Sentence,
}

#[test]
fn every_command_line_in_the_documentation_exists() {
    let mut checked = 0;
    for (path, page) in super::pages() {
        let shell = blocks(&page).into_iter().filter(|block| block.info.starts_with("sh") || block.info == "text");
        let in_blocks = shell.flat_map(|block| command_lines(&block.text)).map(|line| (Place::Block, line));
        let in_sentences = inline(&page).into_iter().map(|line| (Place::Sentence, line));
        for (place, words) in in_blocks.chain(in_sentences) {
            if let Err(error) = parse(place, &words) {
                panic!("{}: `{}`\n{error}", path.display(), words.join(" "));
            }
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} command lines");
}

#[test]
fn a_command_line_that_does_not_work_is_found() {
    let of_block = |text: &str| command_lines(text).iter().all(|words| parse(Place::Block, words).is_ok());
    assert!(of_block("code=0; taster post || code=$?\ntaster accept RUN --reason \"on purpose\""));
    for text in ["taster accept one", "taster show --format pdf", "true && taster poste", "true; taster post --no-such"]
    {
        assert!(!of_block(text), "{text}");
    }
    assert!(of_block("taster show --format FORMAT"), "a placeholder");
    let of_sentence = |text: &str| inline(text).iter().all(|words| parse(Place::Sentence, words).is_ok());
    assert!(of_sentence("`taster accept` closes it"));
    assert!(!of_sentence("`taster show --format pdf` prints it"));
}

/// The words of each call of the binary. A line goes on where it ends in a backslash, and may have several commands.
pub(super) fn command_lines(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ "));
    lines.flat_map(commands).filter(|words| words.len() > 1 && words[0] == "taster").collect()
}

/// Code within a sentence, outside of blocks.
fn inline(page: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            found.extend(line.split('`').skip(1).step_by(2).flat_map(command_lines));
        }
    }
    found
}

/// Whether clap knows command and flags, and accepts the values, unless one is a placeholder (`RUN`, `…`).
fn parse(place: Place, words: &[String]) -> Result<(), clap::Error> {
    let Err(error) = taster::cli::command_tree().try_get_matches_from(words) else { return Ok(()) };
    let accepted = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::MissingSubcommand => true,
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => words.iter().any(|word| is_placeholder(word)),
        ErrorKind::MissingRequiredArgument => {
            place == Place::Sentence
                || words.iter().any(|word| is_placeholder(word))
                || may_come_from_variables(&error, words)
        }
        _ => false,
    };
    if accepted { Ok(()) } else { Err(error) }
}

/// Whether each argument that is missing may be given by an environment variable, as the page does before.
fn may_come_from_variables(error: &clap::Error, words: &[String]) -> bool {
    let tree = taster::cli::command_tree();
    let command = words[1..].iter().try_fold(&tree, |command, word| command.find_subcommand(word).ok_or(command));
    let (Ok(command) | Err(command)) = command;
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return false };
    missing.iter().all(|missing| {
        let name = missing.trim_start_matches("--").split(' ').next();
        command.get_arguments().any(|argument| argument.get_long() == name && argument.get_env().is_some())
    })
}

fn is_placeholder(word: &str) -> bool {
    let is_name = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    is_name || word.contains(['…', '|', '$'])
}

/// The words of each command of a line, up to a comment.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut redirected = false;
    for word in words(line) {
        match &*word {
            "#" => break,
            "|" | "||" | "&&" | ";" | "·" => {
                commands.push(Vec::new());
                redirected = false;
            }
            ">" => redirected = true,
            _ if redirected => {}
            word => {
                let (word, ends) = word.strip_suffix(';').map_or((word, false), |word| (word, true));
                commands.last_mut().expect("there is one").push(word.to_owned());
                if ends {
                    commands.push(Vec::new());
                }
            }
        }
    }
    commands
}

/// The words of a line, with their quotes resolved.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// As a new user would: an empty folder, a database, and the commands of the page, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_are_marked_to_run_do_run() {
    let shop = ShopDatabase::standalone(200).await;
    let mut run = 0;
    for (path, page) in super::pages() {
        let folder = tempfile::tempdir().expect("a folder");
        for block in blocks(&page).iter().filter(|block| block.info == "sh,run") {
            let output = taster(folder.path(), &shop.uri()).arg(&block.text).output().expect("bash runs");
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{}\n{said}", path.display(), block.text);
            run += 1;
        }
    }
    assert!(run >= 3, "{run} blocks");
}
