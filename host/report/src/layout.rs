//! The width of the terminal, and tables and lines that fit it.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use console::measure_text_width;

/// Columns if the output is not a terminal but a file, a pipe or a log.
pub const DEFAULT_WIDTH: usize = 100;
/// Lines are at least this wide, even if the terminal is narrower.
const MIN_WIDTH: usize = 20;
/// Lines of sentences are not longer than this, even on a wider terminal: longer lines are hard to read.
pub(crate) const MAX_SENTENCE: usize = 100;
/// Replaces a space at which no line may break; it is a space again in the output. The character is of the Unicode private
/// use area, so texts do not contain it.
const FIXED_SPACE: char = '\u{e000}';
/// Blanks between two columns.
const GAP: usize = 2;

/// Columns of the output: `COLUMNS`, else the terminal's, else [`DEFAULT_WIDTH`].
#[must_use]
pub fn width() -> usize {
    // snapshots must not depend on the terminal in which the tests run
    if cfg!(test) {
        return DEFAULT_WIDTH;
    }
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok()).filter(|n| *n > 0);
    let terminal = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    given.or_else(terminal).unwrap_or(DEFAULT_WIDTH).max(MIN_WIDTH)
}

/// The text with spaces at which no line breaks, for ids, and for labels whose values have several words.
#[must_use]
pub fn unbroken(text: &str) -> String {
    text.replace(' ', &FIXED_SPACE.to_string())
}

/// Keeps the groups of digits of a number such as `200 000` on one line.
fn keep_numbers_whole(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digit = |index: Option<usize>| index.and_then(|i| chars.get(i)).is_some_and(char::is_ascii_digit);
    let keep = |(i, c): (usize, &char)| {
        if *c == ' ' && digit(i.checked_sub(1)) && digit(Some(i + 1)) { FIXED_SPACE } else { *c }
    };
    chars.iter().enumerate().map(keep).collect()
}

fn with_plain_spaces(text: &str) -> String {
    text.replace(FIXED_SPACE, " ")
}

/// The words between which a line may break; a fixed space does not end a word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() && c != FIXED_SPACE).filter(|word| !word.is_empty())
}

/// A sentence, broken between words; later lines are indented by two.
#[must_use]
pub fn wrap(text: &str) -> String {
    wrap_labeled("", text)
}

/// A sentence behind a label (`Next: `), broken between words; later lines are indented by two.
#[must_use]
pub fn wrap_labeled(label: &str, text: &str) -> String {
    wrap_within(width().min(MAX_SENTENCE), label, 2, text)
}

/// `text` behind `lead`, broken between words at `width`; later lines are indented by `indent`. A word that is wider than
/// the line stays whole.
#[must_use]
pub(crate) fn wrap_within(width: usize, lead: &str, indent: usize, text: &str) -> String {
    let mut out = lead.to_owned();
    let mut column = measure_text_width(lead);
    let mut first = true;
    let text = keep_numbers_whole(text);
    for word in words(&text) {
        let length = measure_text_width(word);
        if !first && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        first = false;
    }
    with_plain_spaces(out.trim_end()) + "\n"
}

/// The line unchanged if it fits, else broken between words, with later lines indented by `indent`.
#[must_use]
pub(crate) fn line_within(width: usize, lead: &str, indent: usize, text: &str) -> String {
    if measure_text_width(lead) + measure_text_width(text) <= width {
        return format!("{}\n", with_plain_spaces(&format!("{lead}{text}")).trim_end());
    }
    wrap_within(width, lead, indent, text)
}

/// A table without borders. If the columns do not fit side by side without cutting a word, each row becomes a block of
/// lines.
#[derive(Debug, Default)]
pub struct TextTable {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table whose columns have names; a name may be empty.
    #[must_use]
    pub fn with_header<const N: usize>(header: [&str; N]) -> Self {
        Self { header: header.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn add_row<const N: usize>(&mut self, cells: [impl Into<String>; N]) {
        self.rows.push(cells.map(|cell| keep_numbers_whole(&cell.into())).to_vec());
    }

    /// The table's lines, at the [`width`] of the output.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_within(width())
    }

    /// The table's lines, at most `width` wide unless a single word is wider.
    #[must_use]
    pub(crate) fn render_within(&self, width: usize) -> String {
        let columns = self.rows.iter().chain([&self.header]).map(Vec::len).max().unwrap_or_default();
        let longest_words: Vec<usize> = (0..columns).map(|column| self.longest_word(column)).collect();
        let text = if longest_words.iter().map(|word| word + GAP).sum::<usize>() <= width {
            self.side_by_side(width, &longest_words)
        } else {
            self.stacked(width)
        };
        with_plain_spaces(&text)
    }

    fn longest_word(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain([&self.header]).filter_map(|row| row.get(column));
        cells.flat_map(|cell| words(cell)).map(measure_text_width).max().unwrap_or_default()
    }

    fn side_by_side(&self, width: usize, longest_words: &[usize]) -> String {
        let columns = |columns: usize| u16::try_from(columns).unwrap_or(u16::MAX);
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(columns(width));
        if !self.header.is_empty() {
            table.set_header(&self.header);
        }
        table.add_rows(&self.rows);
        table.set_constraints(
            longest_words.iter().map(|word| ColumnConstraint::LowerBoundary(Width::Fixed(columns(word + GAP)))),
        );
        table.lines().fold(String::new(), |all, line| all + line.trim_end() + "\n")
    }

    /// Each row as a block: the first line is the first cell (with the mark before it, if there is one); each other cell has
    /// its own line that begins with the column's name.
    fn stacked(&self, width: usize) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let mut cells = row.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty());
            let Some((_, first)) = cells.next() else { continue };
            let mut title = format!(" {first}");
            if measure_text_width(first) == 1
                && let Some((_, second)) = cells.next()
            {
                title.push(' ');
                title.push_str(second);
            }
            out.push_str(&line_within(width, "", 4, &title));
            for (column, cell) in cells {
                let name = self.header.get(column).filter(|name| !name.is_empty());
                let lead = name.map_or_else(|| "    ".to_owned(), |name| format!("    {name}: "));
                out.push_str(&line_within(width, &lead, 6, cell));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> TextTable {
        let mut table = TextTable::with_header(["run", "before", "verdict", "bytes", ""]);
        table.add_row(["deploy-2026-11-29", "2026-11-29 10:00 UTC", "different", "1 200 000", "baseline"]);
        table.add_row(["r1", "-", "-", "512", "damaged: the checksum of pre/capture.json does not match"]);
        table
    }

    #[test]
    fn a_wide_terminal_shows_one_line_per_row() {
        assert_eq!(runs().render_within(160).lines().count(), 3);
    }

    #[test]
    fn a_table_that_has_to_wrap_breaks_between_words() {
        let text = runs().render_within(90);
        assert!(text.lines().count() > 3 && text.lines().all(|line| measure_text_width(line) <= 90), "{text}");
        for word in ["deploy-2026-11-29", "1 200 000", "different", "pre/capture.json"] {
            assert!(text.contains(word), "{word}:\n{text}");
        }
    }

    #[test]
    fn a_table_too_wide_for_a_narrow_terminal_becomes_blocks() {
        let text = runs().render_within(40);
        let block = " deploy-2026-11-29\n    before: 2026-11-29 10:00 UTC\n    verdict: different\n    bytes: 1 200 000\n    baseline\n";
        assert!(text.starts_with(block), "{text}");
    }

    #[test]
    fn no_width_cuts_a_word_a_number_or_a_label() {
        let mut table = TextTable::default();
        let label = unbroken("documents{region=North America}");
        table.add_row(["✗", "census", &label, "200 000 → 199 966", "34 missing in the collection"]);
        for width in 20..160 {
            let text = table.render_within(width);
            for whole in ["census", "documents{region=North America}", "200 000", "199 966", "collection"] {
                assert!(text.contains(whole), "{whole} at {width}:\n{text}");
            }
            let longest = "documents{region=North America}".len();
            for line in text.lines() {
                assert!(measure_text_width(line) <= width.max(longest + 6), "at {width}:\n{text}");
            }
        }
    }

    #[test]
    fn sentences_break_between_words_and_long_words_stay_whole() {
        let text = wrap_within(20, "Next: ", 2, "see s3://taster-results/stage/pxbbq/r1 for 1 200 000 ids");
        assert_eq!(text, "Next: see\n  s3://taster-results/stage/pxbbq/r1\n  for 1 200 000 ids\n");
    }
}
