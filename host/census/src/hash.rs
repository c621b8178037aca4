//! Keyed hashes: XXH3 under the baseline's secret, mixed with the document that a value stands in.

use xxhash_rust::xxh3::{xxh3_64_with_secret, xxh3_128_with_secret};

use crate::Key;

/// Hashes under one key.
#[derive(Clone)]
pub(crate) struct Hasher {
    secret: [u8; 192],
    salts: [u64; 4],
}

impl Hasher {
    pub(crate) fn new(key: &Key) -> Self {
        let secret = *key.secret();
        let salt = |number: u8| xxh3_64_with_secret(&[b's', number], &secret);
        Self { secret, salts: [salt(0), salt(1), salt(2), salt(3)] }
    }

    /// Of some bytes.
    #[inline]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> u64 {
        xxh3_64_with_secret(bytes, &self.secret)
    }

    /// Of some bytes, where 64 bits are too few: sums over a whole collection.
    #[inline]
    pub(crate) fn wide(&self, bytes: &[u8]) -> u128 {
        xxh3_128_with_secret(bytes, &self.secret)
    }

    /// Of an `_id`: the type counts, for an int64, a date, a timestamp and a double may have the same bits.
    #[inline]
    pub(crate) fn id(&self, kind: u8, value: &[u8]) -> u64 {
        self.within(self.bytes(value), u64::from(kind), 0)
    }

    /// Of a field within a document: `element` is its type, name, NUL and value as they stand in BSON; `number` tells
    /// several fields of one name apart. `place` is the hash of the document's id: the same value in another document is
    /// another hash, so that values which change places show in the sum.
    #[inline]
    pub(crate) fn field(&self, place: u64, element: &[u8], number: u64) -> u64 {
        self.within(self.bytes(element), place, number)
    }

    /// Two rounds of a folded 128-bit product, as in wyhash.
    #[inline]
    pub(crate) fn within(&self, hash: u64, place: u64, number: u64) -> u64 {
        let once = fold(hash ^ self.salts[0], place ^ self.salts[1]);
        fold(once ^ self.salts[2], number.wrapping_add(self.salts[3]) ^ hash)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_another_document_of_another_type_or_a_second_time_is_another_hash() {
        let hasher = Hasher::new(&Key::random().unwrap());
        let field = |place, element: &[u8], number| hasher.field(place, element, number);
        let one = field(1, b"\x10a\0\x01\0\0\0", 0);
        assert_ne!(one, field(2, b"\x10a\0\x01\0\0\0", 0));
        assert_ne!(one, field(1, b"\x10a\0\x01\0\0\0", 1));
        assert_ne!(one, field(1, b"\x12a\0\x01\0\0\0", 0));
        assert_ne!(hasher.id(0x12, &[7; 8]), hasher.id(0x01, &[7; 8]));
    }

    #[test]
    fn keys_count() {
        let [one, two] = [(); 2].map(|()| Hasher::new(&Key::random().unwrap()));
        assert_ne!(one.bytes(b"total"), two.bytes(b"total"));
        assert_ne!(one.wide(b"total"), two.wide(b"total"));
    }
}
