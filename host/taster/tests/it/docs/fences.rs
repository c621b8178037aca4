//! Every block of code has a language, and a test that handles this language. What a shell would run is at least valid, and the
//! files that it names are in the tree.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::blocks::blocks;

/// Whether a test handles blocks of this language on this page.
fn is_checked(page: &Path, language: &str) -> bool {
    match language {
        // `blocks`: valid configurations, lines that clap parses, and `sh,run` blocks that run; here: valid shell;
        // `mongosh`: run against a server; `outputs`: compared with what they show
        "yaml" | "sh" | "sh,run" | "js" | "text" => true,
        // generated, and compared with what they are generated from
        "wit" => page.ends_with("docs/src/reference/wit.md"),
        "usage" => page.ends_with("docs/src/reference/command-line.md"),
        _ => false,
    }
}

#[test]
fn every_block_has_a_language_that_a_test_checks() {
    let mut checked = 0;
    for (path, page) in super::pages() {
        let mut open = false;
        for (line, fence) in page.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("```")) {
            let (place, language) = (format!("{}:{}", path.display(), line + 1), fence.trim().trim_start_matches('`'));
            if open {
                assert_eq!(language, "", "{place}: a block begins inside of a block");
            } else {
                assert!(is_checked(&path, language), "{place}: no test checks blocks of the language `{language}`");
                checked += 1;
            }
            open = !open;
        }
        assert!(!open, "{}: the last block does not end", path.display());
        assert!(!page.lines().any(|line| line.trim_start().starts_with("~~~")), "{}: a block of ~~~", path.display());
    }
    assert!(checked > 100, "{checked} blocks");
}

/// The blocks that a shell would run, with their pages.
fn shell_blocks() -> Vec<(String, String)> {
    let of_page = |(path, page): &(PathBuf, String)| {
        let shell = blocks(page).into_iter().filter(|block| block.info.split(',').next() == Some("sh"));
        shell.map(|block| (path.display().to_string(), block.text)).collect::<Vec<_>>()
    };
    super::pages().iter().flat_map(of_page).collect()
}

#[test]
fn every_shell_block_is_valid_shell() {
    let blocks = shell_blocks();
    assert!(blocks.len() > 25, "{} blocks", blocks.len());
    for (page, block) in blocks {
        let output = Command::new("bash").args(["-n", "-c", &block]).output().expect("bash runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}:\n{block}\n{said}");
    }
}

#[test]
fn every_manifest_that_a_command_names_is_in_the_tree() {
    let manifests = super::repository().join("manifests");
    let mut named = 0;
    for (page, block) in shell_blocks() {
        for line in block.lines().filter(|line| line.trim_start().starts_with("kubectl ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2).filter(|pair| matches!(pair[0], "-f" | "-k")) {
                assert!(manifests.join(pair[1]).exists(), "{page}: no {} in manifests/: {line}", pair[1]);
                named += 1;
            }
        }
    }
    assert!(named > 12, "{named} files");
}
