//! Exact sums of decimals, independent of the order of their terms.
//!
//! The server's `$sum` rounds to 34 digits (Decimal128) or adds doubles in the order in which it reads them, so its results cannot
//! be compared between two reads. Here, terms are added by their power of ten, and those sums are added at the end.

use num_bigint::{BigInt, Sign};
use taster_probe::{Decimal, decimal_text};

#[derive(Debug, Default, Clone)]
pub(crate) struct Sum {
    /// One slot for each power of ten; amounts of money have one or two.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone)]
struct Slot {
    exponent: i32,
    near: i128,
    /// The values of `near` when it would have overflowed.
    far: BigInt,
}

impl Sum {
    /// Adds a term. Returns false for NaN and infinities, which would hide all other terms and are not added.
    pub(crate) fn add(&mut self, term: Decimal) -> bool {
        let Decimal::Finite { coefficient, exponent } = term else { return false };
        let at = self.slots.iter().position(|slot| slot.exponent == exponent).unwrap_or_else(|| {
            self.slots.push(Slot { exponent, near: 0, far: BigInt::ZERO });
            self.slots.len() - 1
        });
        let slot = &mut self.slots[at];
        slot.near = slot.near.checked_add(coefficient).unwrap_or_else(|| {
            slot.far += slot.near;
            coefficient
        });
        true
    }

    /// The sum as text, with as many decimals as the most precise term: the sum of amounts in cents is an amount in cents.
    pub(crate) fn text(&self) -> String {
        // a zero with the exponent -6000 would have thousands of digits
        let slots = || self.slots.iter().filter(|slot| slot.near != 0 || slot.far != BigInt::ZERO);
        let Some(finest) = slots().map(|slot| slot.exponent).min() else { return "0".to_owned() };
        let mut total = BigInt::ZERO;
        for slot in slots() {
            let power = BigInt::from(10).pow(slot.exponent.abs_diff(finest));
            total += (&slot.far + slot.near) * power;
        }
        let sign = if total.sign() == Sign::Minus { "-" } else { "" };
        if total.sign() == Sign::NoSign {
            "0".to_owned()
        } else {
            decimal_text(sign, &total.magnitude().to_string(), finest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum<'a>(terms: impl IntoIterator<Item = &'a str>) -> String {
        let mut sum = Sum::default();
        for term in terms {
            let term = Decimal::parse(term).unwrap();
            assert_eq!(sum.add(term), matches!(term, Decimal::Finite { .. }));
        }
        sum.text()
    }

    #[test]
    fn sums_are_exact() {
        for (terms, text) in [
            (&["12.50", "0.05", "-2.55"][..], "10.00"),
            (&[], "0"),
            (&["1", "-1"], "0"),
            (&["9999999999999999999999999999999999", "1"], "10000000000000000000000000000000000"),
            (&["1E+40", "0.01", "-1E+40"], "0.01"),
            (&["1E+6000", "1", "-1E+6000"], "1"),
            (&["0E-6000", "5"], "5"),
            (&["1", "NaN", "2"], "3"),
            (&["1", "Infinity"], "1"),
            (&["-Infinity", "Infinity"], "0"),
        ] {
            assert_eq!(sum(terms.iter().copied()), text, "{terms:?}");
        }
    }

    #[test]
    fn no_number_of_terms_overflows() {
        let largest = "9999999999999999999999999999999999E+10";
        let text = sum(std::iter::repeat_n(largest, 100_000));
        assert_eq!(text, "9.99999999999999999999999999999999900000E+48");
    }

    #[test]
    fn the_sum_does_not_depend_on_the_order_of_terms() {
        let doubles = [0.1, 1e16, -1e16, 0.2, 3.3, 1e-7, 7e22];
        let text = |order: &[usize]| {
            let mut sum = Sum::default();
            for at in order {
                sum.add(Decimal::from_double(doubles[*at]));
            }
            sum.text()
        };
        let forth = text(&[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(forth, text(&[6, 4, 2, 0, 5, 3, 1]));
        assert_eq!(forth, "70000000000000000000003.6000001");
    }
}
