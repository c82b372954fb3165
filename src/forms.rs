//! How values are written in text files, where that differs from the usual form.

/// Later years cannot be read by every engine.
const LAST_YEAR: i32 = 9999;

/// The forms of one source. The default is strict: nothing is trimmed or guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forms {
    /// Blanks around a value and around a column's name do not belong to it.
    pub trim: bool,
    /// A whole number may be written `12.0` or `1e3`, and a number may have a plus.
    pub lenient_numbers: bool,
    /// Decimals have a comma and no point.
    pub decimal_comma: bool,
    /// Words for true and false besides the usual ones, `None` if there are none.
    pub booleans: Option<[String; 2]>,
    /// `None`: `2023-05-03`.
    pub date: Option<TimeForm>,
    /// `None`: ISO 8601.
    pub timestamp: Option<TimeForm>,
    /// JSON: texts are converted to other types, and other values to texts.
    pub coerce: bool,
}

/// A pattern of `strftime` for dates and timestamps: digits stand where it says, and nothing else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeForm {
    pattern: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Exactly this many digits, or with a dash in the pattern at most so many.
    Number {
        part: Part,
        most: usize,
        padded: bool,
    },
    /// One to six digits behind the point.
    Fraction,
    /// `Z`, `+02`, `+02:00` or `+0200`.
    Zone,
    Literal(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// What a text says, in the units of the calendar.
#[derive(Debug, Clone, Copy, Default)]
struct CalendarTime {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    /// Seconds east of Greenwich.
    offset: i64,
}

impl TimeForm {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(pattern: &str) -> Result<TimeForm, String> {
        let long = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
        let mut pieces = Vec::new();
        let mut letters = long.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                let literal = u8::try_from(letter).ok().filter(u8::is_ascii);
                pieces.push(Piece::Literal(literal.ok_or_else(|| format!("`{letter}` is not ASCII"))?));
                continue;
            }
            let mut field = letters.next();
            let padded = field != Some('-');
            if !padded {
                field = letters.next();
            }
            pieces.push(piece(field, padded)?);
        }
        let form = TimeForm { pattern: pattern.to_owned(), pieces };
        for part in [Part::Year, Part::Month, Part::Day] {
            if form.count(part) != 1 {
                return Err("it must have the year, the month and the day once each, like `%d.%m.%Y`".to_owned());
            }
        }
        Ok(form)
    }

    fn count(&self, wanted: Part) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Number { part, .. } if *part == wanted)).count()
    }

    /// Whether the pattern tells a time of the day.
    pub fn has_time(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Number { part, .. } => matches!(part, Part::Hour | Part::Minute | Part::Second),
            Piece::Fraction | Piece::Zone => true,
            Piece::Literal(_) => false,
        })
    }

    /// Whether every text of this form is `2023-05-03 13:00:00`.
    pub fn is_plain(&self) -> bool {
        matches!(self.pattern.as_str(), "%Y-%m-%d %H:%M:%S" | "%F %T")
    }

    /// Days since 1970-01-01; `None` if the text is not of this form or the day is not real.
    pub fn date(&self, text: &[u8]) -> Option<i32> {
        Some(self.read(text)?.day()?.to_epoch_days())
    }

    /// Microseconds since 1970-01-01 00:00 UTC; `None` if the text is not of this form or the instant is not real.
    pub fn timestamp(&self, text: &[u8]) -> Option<i64> {
        let read = self.read(text)?;
        let time = chrono::NaiveTime::from_hms_micro_opt(read.hour, read.minute, read.second, read.micros)?;
        let instant = read.day()?.and_time(time).checked_sub_signed(chrono::TimeDelta::seconds(read.offset))?;
        in_years(chrono::Datelike::year(&instant)).then(|| instant.and_utc().timestamp_micros())
    }

    fn read(&self, mut text: &[u8]) -> Option<CalendarTime> {
        let mut read = CalendarTime::default();
        for piece in &self.pieces {
            match *piece {
                Piece::Literal(byte) => text = text.strip_prefix(&[byte])?,
                Piece::Number { part, most, padded } => {
                    let (value, length) = number(text, most)?;
                    if padded && length != most {
                        return None;
                    }
                    read.set(part, value);
                    text = text.get(length..)?;
                }
                Piece::Fraction => {
                    let (value, length) = number(text, 6)?;
                    read.micros = value * 10_u32.pow(6 - length as u32);
                    text = text.get(length..)?;
                }
                Piece::Zone => {
                    let (offset, rest) = zone(text)?;
                    read.offset = offset;
                    text = rest;
                }
            }
        }
        text.is_empty().then_some(read)
    }
}

impl CalendarTime {
    fn set(&mut self, part: Part, value: u32) {
        match part {
            Part::Year => self.year = value.cast_signed(),
            Part::Month => self.month = value,
            Part::Day => self.day = value,
            Part::Hour => self.hour = value,
            Part::Minute => self.minute = value,
            Part::Second => self.second = value,
        }
    }

    fn day(&self) -> Option<chrono::NaiveDate> {
        chrono::NaiveDate::from_ymd_opt(self.year, self.month, self.day).filter(|_| in_years(self.year))
    }
}

fn in_years(year: i32) -> bool {
    (1..=LAST_YEAR).contains(&year)
}

fn piece(field: Option<char>, padded: bool) -> Result<Piece, String> {
    let (part, most) = match field {
        Some('Y') if padded => (Part::Year, 4),
        Some('m') => (Part::Month, 2),
        Some('d') => (Part::Day, 2),
        Some('H') => (Part::Hour, 2),
        Some('M') => (Part::Minute, 2),
        Some('S') => (Part::Second, 2),
        // The rest are no numbers: `%-f` says nothing.
        Some('f') if padded => return Ok(Piece::Fraction),
        Some('z') if padded => return Ok(Piece::Zone),
        Some('%') if padded => return Ok(Piece::Literal(b'%')),
        _ => {
            return Err("its fields are `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`, `%f` and `%z`, `%F` and `%T`, \
                        and `%-d` for a day without its zero"
                .to_owned());
        }
    };
    Ok(Piece::Number { part, most, padded })
}

/// The number at the beginning of a text, of at most so many digits, and its length.
fn number(text: &[u8], most: usize) -> Option<(u32, usize)> {
    let length = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text.get(..length).filter(|digits| !digits.is_empty())?;
    Some((digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), length))
}

/// Seconds east of Greenwich at the beginning of a text (`Z`, `+02`, `+02:00`, `-0530`), and what follows.
pub fn zone(text: &[u8]) -> Option<(i64, &[u8])> {
    if let [b'Z' | b'z', rest @ ..] = text {
        return Some((0, rest));
    }
    let (sign, text) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, length) = number(text, 2)?;
    let text = text.get(length..).filter(|_| length == 2 && hours <= 15)?;
    let (minutes, rest) = match text {
        [b':', m1, m2, rest @ ..] | [m1, m2, rest @ ..] if m1.is_ascii_digit() && m2.is_ascii_digit() => {
            (u32::from(m1 - b'0') * 10 + u32::from(m2 - b'0'), rest)
        }
        _ => (0, text),
    };
    (minutes <= 59).then(|| (sign * i64::from(hours * 3_600 + minutes * 60), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_reads_exactly_what_it_says() {
        let form = TimeForm::parse("%d.%m.%Y %H:%M").unwrap();
        assert_eq!(form.timestamp(b"02.01.1970 00:01"), Some(86_460_000_000));
        for wrong in ["2.01.1970 00:01", "02.01.1970 00:01 ", "02.01.1970", "30.02.2023 00:00", "02.01.0000 00:00", ""]
        {
            assert_eq!(form.timestamp(wrong.as_bytes()), None, "{wrong}");
        }
        let form = TimeForm::parse("%-m/%-d/%Y").unwrap();
        assert_eq!((form.date(b"1/2/1970"), form.date(b"01/02/1970"), form.date(b"1/2/70")), (Some(1), Some(1), None));
        assert!(!form.has_time());
        let form = TimeForm::parse("%FT%T.%f%z").unwrap();
        assert_eq!(form.timestamp(b"1970-01-01T01:00:00.5+01:00"), Some(500_000));
        assert_eq!(form.timestamp(b"1970-01-01T01:00:00.1234567Z"), None, "nothing is rounded");
        assert_eq!(form.timestamp(b"0001-01-01T00:00:00.0+01"), None, "in the year 0");
        assert!(TimeForm::parse("%F %T").unwrap().is_plain());
    }

    #[test]
    fn a_pattern_without_a_day_or_with_unknown_fields_is_refused() {
        for wrong in ["", "%Y-%m", "%Y-%m-%d %d", "%y-%m-%d", "%Y-%m-%d %", "%Y-%m-%d%-", "%Y–%m-%d"] {
            assert!(TimeForm::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_zone_is_a_distance_from_utc() {
        for (text, seconds) in [("Z", 0), ("+00", 0), ("+02:00", 7_200), ("-0530", -19_800), ("+15:59", 57_540)] {
            assert_eq!(zone(text.as_bytes()), Some((seconds, &b""[..])), "{text}");
        }
        for wrong in ["", "02", "+2", "+16", "+02:60", "CET"] {
            assert_eq!(zone(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
