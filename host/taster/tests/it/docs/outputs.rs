//! Blocks of plain text: what commands print and what the store holds is compared with the real thing; of the others it is listed
//! why they cannot be.

use std::{collections::BTreeSet, fs, path::Path};

use taster_model::AttemptId;

use super::blocks::{blocks, command_lines};
use crate::{
    serve::three_runs,
    support::{CommandOutput, Workspace},
};

/// What a block of text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    /// Commands, which `blocks` parses.
    Commands,
    /// The report of a lossy upgrade.
    Report,
    /// The files of a store.
    Layout,
    /// What `make story` prints, shortened. It needs a cluster and minutes; the steps are those of the script.
    Story,
    /// What kubectl prints of the hook Jobs. It needs a cluster: `make test-cluster` plays the hooks on a real node.
    Cluster,
    /// A drawing of the steps, of which nothing can be run.
    Drawing,
    /// Help, generated from clap.
    Help,
}

const SHOWN: [Shows; 7] =
    [Shows::Commands, Shows::Report, Shows::Layout, Shows::Story, Shows::Cluster, Shows::Drawing, Shows::Help];

fn shows(page: &Path, text: &str) -> Option<Shows> {
    let is = |name: &str, begin: &str| page.ends_with(name) && text.trim_start().starts_with(begin);
    [
        ("docs/src/index.md", "taster pre", Shows::Commands),
        ("docs/src/getting-started.md", "DIFFERENT  pxbbq", Shows::Report),
        ("docs/src/guides/census.md", "census documents", Shows::Report),
        ("docs/src/reference/stored.md", "STORE/v1/APP/", Shows::Layout),
        ("docs/src/guides/argocd.md", "== a clean upgrade", Shows::Story),
        ("docs/src/guides/hooks.md", "Container taster for pod", Shows::Cluster),
        ("ARCHITECTURE.md", "pre      config", Shows::Drawing),
        ("docs/src/reference/command-line.md", "", Shows::Help),
    ]
    .into_iter()
    .find_map(|(name, begin, shows)| is(name, begin).then_some(shows))
}

/// The blocks of text that show this.
fn texts(what: Shows) -> Vec<String> {
    let mut found = Vec::new();
    for (path, page) in super::pages() {
        let texts = blocks(&page).into_iter().filter(|block| block.info == "text").map(|block| block.text);
        found.extend(texts.filter(|text| shows(&path, text) == Some(what)));
    }
    assert!(!found.is_empty(), "no block shows {what:?}");
    found
}

#[test]
fn every_block_of_text_is_compared_or_says_why_it_cannot_be() {
    let mut found = BTreeSet::new();
    for (path, page) in super::pages() {
        for block in blocks(&page).iter().filter(|block| block.info == "text") {
            let shows = shows(&path, &block.text);
            found.extend(shows);
            assert!(shows.is_some(), "{}: nothing checks this:\n{}", path.display(), block.text);
        }
    }
    assert_eq!(found, BTreeSet::from(SHOWN), "some kind of block is gone");
    assert!(texts(Shows::Commands).iter().all(|text| command_lines(text).len() == 2));
    let script = super::repository().join("manifests/local/gitops.sh");
    let script = fs::read_to_string(script).expect("the script of the story");
    for story in texts(Shows::Story) {
        let steps: Vec<&str> = story.lines().filter_map(|line| line.strip_prefix("== ")).collect();
        let unknown: Vec<&&str> = steps.iter().filter(|step| !script.contains(**step)).collect();
        assert!(steps.len() > 5 && unknown.is_empty(), "not in manifests/local/gitops.sh: {unknown:?}");
    }
}

/// The words of a line. Numbers, times and ids, whatever has a digit in it, are all the same.
fn shape(line: &str) -> String {
    let is_number = |word: &str| word.contains(|letter: char| letter.is_ascii_digit());
    let mut words: Vec<&str> = line.split_whitespace().map(|word| if is_number(word) { "N" } else { word }).collect();
    words.dedup();
    words.join(" ")
}

#[test]
fn the_reports_of_the_book_have_the_lines_of_real_ones() {
    let workspace = Workspace::new("");
    // as wide as its longest line
    let mut demo = workspace.command(&["demo", "--upgrade", "lossy", "--orders", "2000"]);
    let ended = CommandOutput::read(&demo.env("COLUMNS", "200").output().expect("the binary runs"));
    assert_eq!(ended.code, 1, "{}", ended.all());
    let real: BTreeSet<String> = ended.out.lines().map(shape).collect();
    for report in texts(Shows::Report) {
        // `…` is what the book leaves out
        for line in report.lines().filter(|line| !line.contains('…')) {
            assert!(real.contains(&shape(line)), "no line of the demo is like `{line}`:\n{}", ended.out);
        }
    }
}

/// The files of a folder, with their paths in it, without the locks beside them.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_lock = path.extension().is_some_and(|extension| extension == "lock");
            if path.is_dir() {
                folders.push(path);
            } else if !is_lock {
                found.push(path.strip_prefix(folder).expect("it is in there").display().to_string());
            }
        }
    }
    found
}

/// A file of an app as the book names it: `RUN/post/ATTEMPT/capture.json`.
fn placeholders(file: &str) -> String {
    let parts: Vec<&str> = file.split('/').collect();
    let name = |(index, part): (usize, &&str)| match *part {
        _ if index == 0 && parts.len() > 1 => "RUN".to_owned(),
        part if AttemptId::try_from(part.to_owned()).is_ok() => "ATTEMPT".to_owned(),
        part if part.ends_with(".census") => "DATABASE.COLLECTION.census".to_owned(),
        part => part.to_owned(),
    };
    parts.iter().enumerate().map(name).collect::<Vec<_>>().join("/")
}

/// The files of an app that the book lists.
fn listed(layout: &str) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    for line in layout.lines().skip(1).filter(|line| line.trim() != "RUN/") {
        let run = if line.starts_with("    ") { "RUN/" } else { "" };
        let names = line.trim().split("  ").next().unwrap_or_default();
        let folder = names.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, name) in names.split(", ").enumerate() {
            // only the first name has the folder
            let folder = if index == 0 { String::new() } else { format!("{folder}/") };
            listed.insert(format!("{run}{folder}{name}"));
        }
    }
    listed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_holds_what_the_book_lists() {
    let workspace = three_runs().await;
    let stored: BTreeSet<String> =
        files(&workspace.path().join("results/v1/pxbbq")).iter().map(|file| placeholders(file)).collect();
    let [layout] = &texts(Shows::Layout)[..] else { panic!("several layouts") };
    let mut listed = listed(layout);
    // nothing is scaled without a cluster, and no baseline was dropped
    for other in ["scaled.json", "RUN/dropped.json"] {
        assert!(listed.remove(other), "{other} is not in {layout}");
    }
    assert_eq!(stored, listed);
}
