//! The documentation is checked: the reference pages are generated, every command line exists, every configuration is valid, and
//! every other block of code is run, compiled or compared with what it shows.

mod blocks;
mod command_line;
mod configuration;
mod fences;
mod mongosh;
mod outputs;
mod own_probe;
mod probe_interface;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("host/taster lies two folders below the top")
}

/// Compares a generated page with the one in the tree, or writes it where `UPDATE_DOCS` is set.
fn assert_page(name: &str, generated: &str) {
    let path = repository().join("docs/src/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, generated).expect("the page can be written");
        return;
    }
    let committed = committed(name);
    if committed != generated {
        let line = generated.lines().zip(committed.lines()).take_while(|(new, old)| new == old).count() + 1;
        panic!("{} is out of date from line {line} on: run this test with UPDATE_DOCS=1", path.display());
    }
}

/// A generated page as it is in the tree.
fn committed(name: &str) -> String {
    fs::read_to_string(repository().join("docs/src/reference").join(name)).unwrap_or_default()
}

/// Every page of the documentation: README and its neighbours, and the book.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "manifests/README.md",
        "manifests/local/README.md",
    ]
    .iter()
    .map(|name| repository().join(name))
    .collect();
    let mut folders = vec![repository().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the book") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, text)
        })
        .collect()
}

/// Text for the cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
