//! A few examples out of many texts, for people.

use std::collections::BTreeSet;

/// Characters of one text that are kept.
const LONGEST: usize = 200;

/// The first few different texts in the order of their bytes. The result does not depend on the order in which they are added, and
/// only these texts are in memory.
#[derive(Debug, Clone)]
pub struct Examples {
    most: usize,
    texts: BTreeSet<String>,
}

impl Examples {
    /// No examples yet, and `most` at most.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self { most, texts: BTreeSet::new() }
    }

    /// Adds a text, if it is among the first ones. A long one is cut.
    pub fn add(&mut self, mut text: String) {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
        if self.texts.len() == self.most && self.texts.last().is_none_or(|last| *last <= text) {
            return;
        }
        self.texts.insert(text);
        if self.texts.len() > self.most {
            self.texts.pop_last();
        }
    }

    /// The examples, sorted.
    #[must_use]
    pub fn into_texts(self) -> Vec<String> {
        self.texts.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(most: usize, texts: &[&str]) -> Vec<String> {
        let mut examples = Examples::at_most(most);
        for text in texts {
            examples.add((*text).to_owned());
        }
        examples.into_texts()
    }

    #[test]
    fn the_same_ones_are_kept_in_whatever_order_they_come() {
        assert_eq!(examples(2, &["d", "b", "c", "b", "a"]), ["a", "b"]);
        assert_eq!(examples(2, &["a", "b", "b", "c", "d"]), ["a", "b"]);
        assert_eq!(examples(5, &["b", "a", "b"]), ["a", "b"]);
        assert!(examples(0, &["a"]).is_empty());
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let long = "ö".repeat(300);
        assert_eq!(examples(1, &[&long]), [format!("{}…", "ö".repeat(200))]);
    }
}
