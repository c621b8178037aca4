//! Every block of code has a language, and a test that handles this language. What a shell would run is at least valid, and the
//! files that it names are in the tree.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use super::blocks::blocks;

/// Whether a test handles blocks of this language on this page.
fn is_checked(page: &Path, language: &str) -> bool {
    match language {
        // `blocks`: valid configurations, lines that clap parses, and `sh,run` blocks that run; here: valid shell, and why a
        // block is not run;
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

const BUILD: &str = "it builds and tests this repository, as CI does; `.ci/docs/check.py` checks the targets of make";
const CLUSTER: &str = "it needs a cluster; `make test-cluster` and `make story` play such steps";
const SERVER: &str = "it needs a server that runs; the tests of `serve` send such requests";
const OWN_STEP: &str = "it deploys what the reader has";
const OWN_PROBE: &str = "`own_probe` compares its files with those that are compiled";

/// Blocks that nothing runs: page, beginning, reason. Their shell is valid, and their calls of `taster` are parsed.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "make demo", BUILD),
    ("README.md", "make build", BUILD),
    ("README.md", "set -e", OWN_STEP),
    ("CONTRIBUTING.md", "make setup", BUILD),
    ("CONTRIBUTING.md", "cargo clippy", BUILD),
    ("CONTRIBUTING.md", "cargo install", BUILD),
    ("CONTRIBUTING.md", "TASTER_TEST_SEED", BUILD),
    ("CONTRIBUTING.md", "UPDATE_DOCS", BUILD),
    ("manifests/README.md", "kubectl apply", CLUSTER),
    ("manifests/README.md", "kubectl --namespace", CLUSTER),
    ("manifests/local/README.md", "export KUBECONFIG", CLUSTER),
    ("docs/src/getting-started.md", "make demo", BUILD),
    ("docs/src/getting-started.md", "make build", BUILD),
    ("docs/src/guides/argocd.md", "kubectl create secret", CLUSTER),
    ("docs/src/guides/argocd.md", "kubectl apply", CLUSTER),
    ("docs/src/guides/argocd.md", "kubectl exec", CLUSTER),
    ("docs/src/guides/ci-job.md", "curl", SERVER),
    ("docs/src/guides/hooks.md", "make cluster", CLUSTER),
    ("docs/src/guides/notifications.md", "kubectl apply", CLUSTER),
    ("docs/src/guides/probes.md", "mkdir", OWN_PROBE),
    ("docs/src/guides/server.md", "taster serve", SERVER),
    ("docs/src/guides/server.md", "openssl", SERVER),
    ("docs/src/operations/unstuck.md", "kubectl get", CLUSTER),
];

#[test]
fn every_shell_block_is_run_or_parsed_or_says_why_it_cannot_be() {
    let mut found = BTreeSet::new();
    for (path, page) in super::pages() {
        let page_name = path.strip_prefix(super::repository()).expect("in the repository").display().to_string();
        for block in blocks(&page).iter().filter(|block| block.info == "sh") {
            let joined = block.text.replace("\\\n", " ");
            let mut lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            // `blocks` parses these
            if lines.all(|line| line.starts_with("taster ")) {
                continue;
            }
            let listed = NOT_RUN.iter().find(|(name, begin, _)| *name == page_name && block.text.starts_with(*begin));
            let (name, begin, _) = listed.unwrap_or_else(|| panic!("{page_name}: nothing runs this:\n{}", block.text));
            found.insert((*name, *begin));
        }
    }
    let stale: Vec<_> = NOT_RUN.iter().filter(|(name, begin, _)| !found.contains(&(*name, *begin))).collect();
    assert!(stale.is_empty(), "no such block: {stale:?}");
}
