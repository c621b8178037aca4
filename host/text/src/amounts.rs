//! Numbers, sizes and durations as text, formatted in one way everywhere.

use std::time::Duration;

/// The number with its digits grouped in threes: `200 000`.
#[must_use]
pub fn grouped(n: u64) -> String {
    group_digits(&n.to_string())
}

/// The number with its noun, singular or plural: `34 documents`, `1 document`.
#[must_use]
pub fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Groups a string of digits in threes. The number may be larger than `u64::MAX`.
#[must_use]
pub fn group_digits(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A duration in the unit that fits: `850 ms`, `12.3 s`, `4 min 05 s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        secs => format!("{} min {:02} s", secs / 60, secs % 60),
    }
}

/// A number of bytes in the binary unit that fits: `190.7 MiB`.
#[must_use]
pub fn size(n: u64) -> String {
    bytesize::ByteSize(n).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1 000", "1 234 567"]);
        assert_eq!([counted(1, "document"), counted(2000, "document")], ["1 document", "2 000 documents"]);
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let times = [850, 12_300, 245_000].map(Duration::from_millis).map(duration);
        assert_eq!(times, ["850 ms", "12.3 s", "4 min 05 s"]);
    }
}
