//! The probe that the guide writes: its code is an example of the SDK, which is compiled with the tests, and its manifest is that of
//! a probe which is built.

use std::fs;

use super::blocks::blocks;

/// What a command writes into a file up to the word `end`.
fn heredoc(block: &str, end: &str) -> String {
    let (_, rest) = block.split_once(&format!("<<'{end}'\n")).unwrap_or_else(|| panic!("no {end} in {block}"));
    let (text, _) = rest.split_once(&format!("\n{end}\n")).unwrap_or_else(|| panic!("no end of {end} in {block}"));
    format!("{text}\n")
}

/// A manifest without the lines that are about one probe, and without lints.
fn comparable(manifest: &str) -> Vec<&str> {
    let (manifest, _) = manifest.split_once("[lints]").unwrap_or((manifest, ""));
    let own = |line: &&str| !line.starts_with("name = ") && !line.starts_with("description = ");
    manifest.trim().lines().filter(own).collect()
}

fn file(name: &str) -> String {
    fs::read_to_string(super::repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_probe_of_the_guide_is_one_that_is_compiled() {
    let page = file("docs/src/guides/probes.md");
    let blocks = blocks(&page);
    let block = blocks.iter().find(|block| block.text.contains("<<'RUST'")).expect("the guide writes a probe");
    let code = "probes/sdk/examples/newest.rs";
    assert_eq!(heredoc(&block.text, "RUST"), file(code), "docs/src/guides/probes.md differs from {code}");
    let manifest = heredoc(&block.text, "TOML");
    assert_eq!(
        comparable(&manifest),
        comparable(&file("probes/shop-menu/Cargo.toml")),
        "another manifest than shop-menu's"
    );
    assert!(manifest.contains("name = \"newest\"\n") && block.text.contains("mkdir -p probes/newest/src\n"));
}

#[test]
fn no_other_block_writes_code_that_nothing_checks() {
    for (path, page) in super::pages() {
        for block in blocks(&page).iter().filter(|block| block.info == "sh" && block.text.contains("<<")) {
            let files = block.text.matches("<<").count();
            let known = ["<<'RUST'", "<<'TOML'"].iter().filter(|known| block.text.contains(**known)).count();
            assert_eq!(files, known, "{}:\n{}", path.display(), block.text);
        }
    }
}
