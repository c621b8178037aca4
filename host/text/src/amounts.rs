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

/// Groups the digits before the point of a number in plain notation: `-12 345.678`. Another text, such as `1E+30` or `NaN`,
/// stays as it is.
#[must_use]
pub fn group_number(number: &str) -> String {
    let (sign, unsigned) = number.split_at(usize::from(number.starts_with('-')));
    let (whole, fraction) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = are_digits(whole) && are_digits(fraction.strip_prefix('.').unwrap_or_default());
    if is_plain { format!("{sign}{}{fraction}", group_digits(whole)) } else { number.to_owned() }
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

/// An exact number of bytes in the largest unit of the configuration that divides it: `256 MiB`, `1 001 bytes`.
#[must_use]
pub fn exact_size(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", grouped(bytes / unit));
        }
    }
    format!("{} bytes", grouped(bytes))
}

/// A duration in the notation of the configuration.
#[must_use]
pub fn exact_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

/// The age of data, or a limit of it, without the small units that do not matter: `40s`, `3m 20s`, `1h 12m`, `2d 3h`.
#[must_use]
pub fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds / 60 % 60, "m")),
        _ => ((seconds / 86_400, "d"), (seconds / 3600 % 24, "h")),
    };
    match small {
        (0, _) => format!("{}{}", large.0, large.1),
        (small, unit) => format!("{}{} {small}{unit}", large.0, large.1),
    }
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
    fn numbers_are_grouped_before_the_point() {
        for (number, shown) in [
            ("12345.678901", "12 345.678901"),
            ("-1234", "-1 234"),
            ("-123456.50", "-123 456.50"),
            ("999.9999", "999.9999"),
            ("0", "0"),
            ("1E+30", "1E+30"),
            ("12345.6e7", "12345.6e7"),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
        ] {
            assert_eq!(group_number(number), shown);
        }
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let times = [850, 12_300, 245_000].map(Duration::from_millis).map(duration);
        assert_eq!(times, ["850 ms", "12.3 s", "4 min 05 s"]);
    }

    #[test]
    fn ages_have_two_units_at_most() {
        let ages = [0, 40, 180, 200, 3600, 4320, 86_400, 183_600].map(Duration::from_secs).map(age);
        assert_eq!(ages, ["0s", "40s", "3m", "3m 20s", "1h", "1h 12m", "1d", "2d 3h"]);
    }

    #[test]
    fn exact_amounts_have_the_notation_of_the_configuration() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 bytes"),
            (1536, "1 536 bytes"),
            (64 << 10, "64 KiB"),
            (1536 << 10, "1 536 KiB"),
            (1 << 20, "1 MiB"),
        ] {
            assert_eq!(exact_size(bytes), text);
        }
        for (ms, text) in [(0, "0s"), (200, "200ms"), (30_000, "30s"), (600_000, "10m")] {
            assert_eq!(exact_duration(Duration::from_millis(ms)), text);
        }
    }
}
