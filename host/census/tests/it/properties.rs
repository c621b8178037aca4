//! Properties that hold for any documents.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, RawDocumentBuf, doc};
use proptest::prelude::*;
use taster_model::Side;

use crate::fixture::{CensusFixture, Marked};

fn scalar() -> impl Strategy<Value = Bson> {
    prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_map(Bson::Double),
        "[a-c]{0,3}".prop_map(Bson::String),
        any::<bool>().prop_map(Bson::Boolean),
        Just(Bson::Null),
        any::<[u8; 16]>().prop_map(|bytes| Bson::Decimal128(bson::Decimal128::from_bytes(bytes))),
        any::<i64>().prop_map(|ms| Bson::DateTime(bson::DateTime::from_millis(ms))),
    ]
}

fn value() -> impl Strategy<Value = Bson> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Bson::Array),
            prop::collection::btree_map("[a-d]{1,2}", inner, 0..4)
                .prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}

/// Fields of documents by their ids.
type Shop = BTreeMap<i32, BTreeMap<String, Bson>>;

fn shop() -> impl Strategy<Value = Shop> {
    prop::collection::btree_map(0..60_i32, prop::collection::btree_map("[a-f]", value(), 0..5), 0..40)
}

/// Ids of several types that share bits.
fn id(number: i32) -> Bson {
    match number % 5 {
        0 => Bson::Int64(number.into()),
        1 => Bson::DateTime(bson::DateTime::from_millis(number.into())),
        2 => Bson::Double(f64::from_bits(u64::from(number.cast_unsigned()))),
        3 => Bson::String(number.to_string()),
        _ => Bson::Document(doc! {"n": number}),
    }
}

fn documents(shop: &Shop) -> Vec<Vec<u8>> {
    let document = |(number, fields): (&i32, &BTreeMap<String, Bson>)| {
        let mut document = doc! {"_id": id(*number)};
        document.extend(fields.clone());
        RawDocumentBuf::try_from(&document).unwrap().into_bytes()
    };
    shop.iter().map(document).collect()
}

fn ids(numbers: impl IntoIterator<Item = i32>) -> BTreeSet<String> {
    numbers.into_iter().map(|number| id(number).into_canonical_extjson().to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_census_does_not_depend_on_how_documents_were_divided(
        shop in shop(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5), detailed: bool, small: bool,
        order in any::<u64>(),
    ) {
        let fixture = CensusFixture { memory: if small { 1 } else { 1 << 20 }, ..CensusFixture::new() };
        let fixture = if detailed { fixture.detailed() } else { fixture };
        let all: Marked = documents(&shop).into_iter().map(|document| (document, 0)).collect();
        let whole = fixture.parts(Side::Pre, std::slice::from_ref(&all)).unwrap();
        // another order, in parts
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|(document, _)| xx(document, order));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut begin = 0;
        for cut in cuts.into_iter().chain([all.len()]) {
            parts.push(shuffled[begin..cut].to_vec());
            begin = cut;
        }
        prop_assert_eq!(fixture.parts(Side::Pre, &parts).unwrap(), whole);
    }

    #[test]
    fn inserts_deletes_and_edits_are_listed_exactly(
        before in shop(), after in shop(), kept in any::<u64>(), detailed: bool,
    ) {
        // half of the documents stay what they were, or the two sides have nothing in common
        let after: Shop = after
            .into_iter()
            .map(|(number, fields)| match before.get(&number) {
                Some(old) if kept & (1 << number) != 0 => (number, old.clone()),
                _ => (number, fields),
            })
            .collect();
        let fixture = if detailed { CensusFixture::new().detailed() } else { CensusFixture::new() };
        let found = fixture.diff(&documents(&before), &documents(&after));

        let raw = |shop: &Shop| -> BTreeMap<i32, Vec<u8>> {
            shop.keys().copied().zip(documents(shop)).collect()
        };
        let (old, new) = (raw(&before), raw(&after));
        let missing = ids(old.keys().filter(|number| !new.contains_key(number)).copied());
        let extra = ids(new.keys().filter(|number| !old.contains_key(number)).copied());
        let changed: Vec<i32> =
            old.iter().filter(|(n, bytes)| new.get(n).is_some_and(|other| other != *bytes)).map(|(n, _)| *n).collect();
        let listed_ids = |set: &taster_model::DocumentSet| -> BTreeSet<String> { set.ids.iter().map(ToString::to_string).collect() };
        prop_assert_eq!(listed_ids(&found.documents.missing), missing.clone());
        prop_assert_eq!(listed_ids(&found.documents.extra), extra.clone());
        prop_assert_eq!(listed_ids(&found.documents.changed), ids(changed.clone()));
        prop_assert_eq!(found.documents.missing.count, missing.len() as u64);
        prop_assert_eq!(found.documents.changed.count, changed.len() as u64);

        let bytes = |value: &Bson| RawDocumentBuf::try_from(&doc! {"": value.clone()}).unwrap().into_bytes();
        let mut fields: BTreeMap<String, u64> = BTreeMap::new();
        for number in &changed {
            let (old, new) = (&before[number], &after[number]);
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names.into_iter().filter(|name| old.get(*name).map(bytes) != new.get(*name).map(bytes)) {
                *fields.entry(name.clone()).or_default() += 1;
            }
        }
        if !detailed {
            fields.clear();
        }
        prop_assert_eq!(found.documents.changed.fields, fields);
    }
}

fn xx(bytes: &[u8], seed: u64) -> u64 {
    bytes
        .iter()
        .fold(seed | 1, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}
