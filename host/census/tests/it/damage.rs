//! A damaged census is an error and never passes.

use bson::rawdoc;
use taster_census::{Census, CensusError, CensusKey, TtlIndex};
use taster_model::Side;

use crate::fixture::{CensusFixture, bytes};

fn orders(count: i32) -> Vec<Vec<u8>> {
    bytes((0..count).map(|n| rawdoc! {"_id": n, "total": n * 7, "status": "open"}))
}

/// Opens and reads everything.
fn check_all(bytes: Vec<u8>) -> Result<(), CensusError> {
    Census::open(bytes)?.check()
}

#[test]
fn any_flipped_bit_is_an_error() {
    let census = CensusFixture::new().census(Side::Pre, &orders(40));
    check_all(census.clone()).unwrap();
    for place in 0..census.len() {
        for bit in [1, 0x80] {
            let mut damaged = census.clone();
            damaged[place] ^= bit;
            assert!(check_all(damaged).is_err(), "byte {place}, bit {bit:x}");
        }
    }
}

#[test]
fn any_truncation_and_any_trailing_byte_is_an_error() {
    let census = CensusFixture::new().census(Side::Pre, &orders(40));
    for length in 0..census.len() {
        assert!(check_all(census[..length].to_vec()).is_err(), "{length} bytes");
    }
    let mut longer = census;
    longer.push(0);
    assert!(check_all(longer).is_err());
}

#[test]
fn comparing_a_damaged_census_is_an_error_or_gives_the_true_result() {
    let mut fixture = CensusFixture::new();
    // it expires in an hour: the deleted document is missing, even if the damaged census has another expiry
    fixture.options.expiries = vec![TtlIndex { field: "until".to_owned(), seconds: 3600, filter: None }];
    let until = bson::DateTime::from_millis(0);
    let due = || bytes([rawdoc! {"_id": 39, "until": until}]).remove(0);
    let (mut before, after) = (orders(39), orders(39));
    before.push(due());
    let (old, new) = (fixture.census(Side::Pre, &before), fixture.census(Side::Post, &after));
    let truth = fixture.compare(old.clone(), new.clone()).unwrap();
    assert_eq!(truth.documents.missing.count, 1);
    for place in 0..old.len() {
        let mut damaged = old.clone();
        damaged[place] ^= 4;
        // a comparison does not read every byte; the store checks the whole object before it
        if let Ok(difference) = fixture.compare(damaged, new.clone()) {
            assert_eq!(difference, truth, "byte {place}");
        }
    }
}

#[test]
fn censuses_with_different_keys_options_or_sides_are_not_compared() {
    let fixture = CensusFixture::new();
    let one = || fixture.census(Side::Pre, &orders(3));
    let error = |before, after| fixture.compare(before, after).unwrap_err().to_string();
    let other = CensusFixture { key: CensusKey::random().unwrap(), ..CensusFixture::new() };
    let mut ignoring = CensusFixture { key: fixture.key.clone(), ..CensusFixture::new() };
    ignoring.options.ignored = vec!["status".to_owned()];
    let errors = [
        error(one(), other.census(Side::Post, &orders(3))),
        error(one(), ignoring.census(Side::Post, &orders(3))),
        error(one(), one()),
    ];
    insta::assert_snapshot!(errors.join("\n"), @"
        the two censuses cannot be compared: their keys differ
        the two censuses cannot be compared: their options differ
        the two censuses cannot be compared: one must be taken by `pre` and the other by `post`
    ");
}
