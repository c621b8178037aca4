//! Keyed hashes: XXH3 with the baseline's secret, combined with the id of the document that contains the value.

use xxhash_rust::xxh3::{xxh3_64_with_secret, xxh3_128_with_secret};

use crate::CensusKey;

/// Computes hashes with one key.
#[derive(Clone)]
pub(crate) struct Hasher {
    secret: [u8; 192],
    salts: [u64; 4],
}

impl Hasher {
    pub(crate) fn new(key: &CensusKey) -> Self {
        let secret = *key.secret();
        let salt = |number: u8| xxh3_64_with_secret(&[b's', number], &secret);
        Self { secret, salts: [salt(0), salt(1), salt(2), salt(3)] }
    }

    /// Hash of bytes.
    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        xxh3_64_with_secret(bytes, &self.secret)
    }

    /// Hash of bytes with 128 bits, for sums over a whole collection.
    #[inline]
    pub(crate) fn hash128(&self, bytes: &[u8]) -> u128 {
        xxh3_128_with_secret(bytes, &self.secret)
    }

    /// Hash of an `_id`. It covers the type, because an int64, a date, a timestamp and a double may have the same bits.
    #[inline]
    pub(crate) fn id_hash(&self, kind: u8, value: &[u8]) -> u64 {
        self.mix(self.hash(value), u64::from(kind), 0)
    }

    /// Hash of a field. `element` is its type, name, NUL and value as in BSON; `number` distinguishes fields of the same name.
    /// `id_hash` is the hash of the document's id: the same value has another hash in another document, so that values that
    /// were swapped between documents change the sum.
    #[inline]
    pub(crate) fn field_hash(&self, id_hash: u64, element: &[u8], number: u64) -> u64 {
        self.mix(self.hash(element), id_hash, number)
    }

    /// Two rounds of a folded 128-bit product, as in wyhash.
    #[inline]
    pub(crate) fn mix(&self, hash: u64, id_hash: u64, number: u64) -> u64 {
        let once = fold(hash ^ self.salts[0], id_hash ^ self.salts[1]);
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
    fn the_hash_of_a_value_covers_document_type_and_repetition() {
        let hasher = Hasher::new(&CensusKey::random().unwrap());
        let field = |id_hash, element: &[u8], number| hasher.field_hash(id_hash, element, number);
        let one = field(1, b"\x10a\0\x01\0\0\0", 0);
        assert_ne!(one, field(2, b"\x10a\0\x01\0\0\0", 0));
        assert_ne!(one, field(1, b"\x10a\0\x01\0\0\0", 1));
        assert_ne!(one, field(1, b"\x12a\0\x01\0\0\0", 0));
        assert_ne!(hasher.id_hash(0x12, &[7; 8]), hasher.id_hash(0x01, &[7; 8]));
    }

    #[test]
    fn hashes_depend_on_the_key() {
        let [one, two] = [(); 2].map(|()| Hasher::new(&CensusKey::random().unwrap()));
        assert_ne!(one.hash(b"total"), two.hash(b"total"));
        assert_ne!(one.hash128(b"total"), two.hash128(b"total"));
    }
}
