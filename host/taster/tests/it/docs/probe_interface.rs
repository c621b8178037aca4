//! The page "The probe interface": rendered from the comments of the WIT.

use std::fmt::Write as _;

const WIT: &str = include_str!("../../../../../wit/v1/probe.wit");

const HEAD: &str = "\
<!-- Generated from wit/v1/probe.wit by a test (host/taster/tests/it/docs): UPDATE_DOCS=1 writes it again. -->

# The probe interface

";

#[test]
fn the_page_of_the_probe_interface_is_generated_from_the_wit() {
    super::assert_page("wit.md", &render(WIT));
}

#[test]
fn every_item_of_the_wit_is_in_the_book() {
    let page = super::committed("wit.md").replace('\n', " ");
    for line in WIT.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("@since")) {
        let text = line.trim_start_matches("///").trim().trim_end_matches(['{', '}']).trim();
        // the code keeps its comments line by line, the text is set anew
        assert!(page.contains(text), "not in docs/src/reference/wit.md: {line}");
    }
}

/// Interfaces and worlds become sections, their items code with the comment above as text.
fn render(wit: &str) -> String {
    let mut page = HEAD.to_owned();
    let mut comment = Vec::new();
    let mut item = Vec::new();
    for line in wit.lines() {
        let depth = line.len() - line.trim_start().len();
        let text = line.trim();
        if text.starts_with("@since") || (depth == 0 && text == "}") {
            continue;
        }
        // inside of an item: comments belong to its code
        if !item.is_empty() {
            item.push(line.strip_prefix("  ").unwrap_or(line));
            if depth == 2 && text == "}" {
                code(&mut page, &mut item);
            }
            continue;
        }
        if let Some(words) = text.strip_prefix("///") {
            comment.push(words.trim());
            continue;
        }
        if text.is_empty() {
            continue;
        }
        if depth == 0 {
            if text.starts_with("package") {
                let _ = write!(page, "```wit\n{text}\n```\n\n{}\n", paragraph(&mut comment));
            } else {
                let _ = write!(page, "\n## {}\n", text.trim_end_matches('{').trim());
                let words = paragraph(&mut comment);
                if !words.is_empty() {
                    let _ = write!(page, "\n{words}\n");
                }
            }
            continue;
        }
        let words = paragraph(&mut comment);
        if !words.is_empty() {
            let _ = write!(page, "\n{words}\n");
        }
        item.push(line.strip_prefix("  ").unwrap_or(line));
        if !text.ends_with('{') {
            code(&mut page, &mut item);
        }
    }
    page
}

/// The comment as paragraphs; an empty line separates two.
fn paragraph(comment: &mut Vec<&str>) -> String {
    let paragraphs: Vec<String> = comment.split(|line| line.is_empty()).map(|lines| lines.join(" ")).collect();
    comment.clear();
    paragraphs.join("\n\n")
}

/// One block of code; items without a comment between them share one.
fn code(page: &mut String, item: &mut Vec<&str>) {
    let text = item.join("\n");
    item.clear();
    if let Some(open) = page.strip_suffix("\n```\n") {
        *page = format!("{open}\n{text}\n```\n");
    } else {
        let _ = write!(page, "\n```wit\n{text}\n```\n");
    }
}
