//! "Did you mean": the known word closest to the one that was given.

/// The closest known word, if it is close enough to be a typing error.
#[must_use]
pub fn closest_match<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = given.to_lowercase();
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), *word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
