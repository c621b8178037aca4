//! The blocks of code in the documentation: configurations are valid, command lines exist, `sh,run` blocks run.

use std::{fs, path::Path, process::Command};

use clap::error::ErrorKind;

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

#[test]
fn every_command_line_in_the_documentation_exists() {
    let mut checked = 0;
    for (path, page) in super::pages() {
        let mut lines = Vec::new();
        for block in blocks(&page) {
            if block.info.starts_with("sh") || block.info == "text" {
                lines.extend(command_lines(&block.text));
            }
        }
        lines.extend(inline(&page));
        for line in lines {
            if let Err(error) = parse(&line) {
                panic!("{}: `{line}`\n{error}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} command lines");
}

/// Lines that begin with the name of the binary, continued where they end in a backslash.
pub(super) fn command_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ "));
    lines.filter(|line| line.starts_with("taster ")).map(ToOwned::to_owned).collect()
}

/// Code within a sentence, outside of blocks.
fn inline(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            found.extend(line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("taster ")));
        }
    }
    found.into_iter().map(ToOwned::to_owned).collect()
}

/// Whether clap knows command and flags. Placeholders (`RUN`, `…`) need not be valid values.
fn parse(line: &str) -> Result<(), clap::Error> {
    let words = words(line);
    match taster::cli::command_tree().try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ValueValidation
                    | ErrorKind::InvalidValue
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::MissingRequiredArgument
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The words of a command line up to a comment or an operator of the shell.
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
    let end = words.iter().position(|word| matches!(&**word, "#" | "|" | "||" | "&&" | ";" | ">" | "·"));
    words.truncate(end.unwrap_or(words.len()));
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
