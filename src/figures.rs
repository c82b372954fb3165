//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 model`, `2 models`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A number of bytes as people write it, at least one: `800MB`, `1.5 GiB`, or `60%` of a whole, if there is one.
///
/// # Errors
///
/// What is wrong with the text, as the end of a sentence.
pub fn parse_bytes(text: &str, whole: Option<usize>) -> Result<usize, String> {
    let text = text.trim();
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "%" => whole.ok_or("it is not known what that is a part of")? as f64 / 100.0,
        other => return Err(format!("`{other}` is not a unit: use MB, GB, MiB, GiB or %")),
    };
    match number * factor {
        ..1.0 => Err("it must be at least one byte".to_owned()),
        bytes => Ok(bytes as usize),
    }
}

/// A length of time for people.
pub fn seconds(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{:.0} m {:02.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        assert_eq!(parse_bytes("1.5GiB", None), Ok(1_610_612_736));
        assert_eq!(parse_bytes("800 MB", None), Ok(800_000_000));
        assert_eq!(parse_bytes("50%", Some(1000)), Ok(500));
        for wrong in ["many", "5 parsecs", "0 MB", "10%"] {
            assert!(parse_bytes(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(12), "12");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(seconds(Duration::from_millis(1234)), "1.23 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 m 05 s");
    }
}
