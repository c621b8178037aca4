//! Amounts of money as `Decimal128`.

use bson::Decimal128;

/// An amount of money with two decimals: the coefficient is the number of cents, the exponent -2 (IEEE 754-2008,
/// binary integer significand).
pub(super) fn money(cents: u64) -> Decimal128 {
    const BIASED_EXPONENT: u64 = 6176 - 2;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&cents.to_le_bytes());
    bytes[8..].copy_from_slice(&(BIASED_EXPONENT << 49).to_le_bytes());
    Decimal128::from_bytes(bytes)
}
