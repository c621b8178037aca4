//! Names and email addresses of customers.

use crate::rng::Rng;

/// A random customer: given name, family name, and a number that distinguishes customers of the same name.
pub(super) fn person(rng: &mut Rng) -> (&'static str, &'static str, u32) {
    const GIVEN: [&str; 16] = [
        "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Fatou", "Goran", "Hanna", "Ines", "Jörg", "Kofi", "Lena", "Mei",
        "Noor", "Olaf", "Zoë",
    ];
    const FAMILY: [&str; 16] = [
        "Abara",
        "Becker",
        "Costa",
        "Dupont",
        "Eriksen",
        "Fontana",
        "Gruber",
        "Haddad",
        "Ivanova",
        "Jansen",
        "Kowalski",
        "Lindqvist",
        "Moreau",
        "Novak",
        "Okafor",
        "Yilmaz",
    ];
    (rng.pick(&GIVEN), rng.pick(&FAMILY), rng.below(200))
}

/// The email address of a person, in ASCII.
pub(super) fn email(given: &str, family: &str, number: u32) -> String {
    let given: String = given.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { 'o' }).collect();
    format!("{given}.{}{number}@example.com", family.to_ascii_lowercase())
}
