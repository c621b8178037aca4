//! Numbers, sizes and durations as people read them: in one way everywhere.

use std::time::Duration;

/// `200 000`: digits in threes, with a thin gap that every terminal shows.
#[must_use]
pub fn number(n: u64) -> String {
    group(&n.to_string())
}

/// `34 documents`, `1 document`.
#[must_use]
pub fn count(n: u64, one: &str) -> String {
    format!("{} {one}{}", number(n), if n == 1 { "" } else { "s" })
}

/// Digits in threes: of a number too long for `u64`, too.
#[must_use]
pub fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `850 ms`, `12.3 s`, `4 min 05 s`.
#[must_use]
pub fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        secs => format!("{} min {:02} s", secs / 60, secs % 60),
    }
}

/// `190.7 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    bytesize::ByteSize(n).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(number), ["0", "7", "999", "1 000", "1 234 567"]);
        assert_eq!([count(1, "document"), count(2000, "document")], ["1 document", "2 000 documents"]);
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let times = [850, 12_300, 245_000].map(Duration::from_millis).map(elapsed);
        assert_eq!(times, ["850 ms", "12.3 s", "4 min 05 s"]);
    }
}
