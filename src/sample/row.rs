//! One row of an interactions file as bytes, clean or dirty.

use super::World;
use super::day::{ACTIONS, Interaction};
use super::dirt::Dirt;
use super::random::{Random, mix};

/// The header line of interaction files, without its end.
pub(super) const HEADER: &[u8] = b"user_id,timestamp,action_type,page_id,duration_ms,app_version";

/// The longest duration that is no outlier: two hours.
const LONGEST: u64 = 7_200_000;

/// What a row is made from.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) world: &'a World,
    /// The day of the file, counted from the first.
    pub(super) day: usize,
    pub(super) event: Interaction,
}

impl Row<'_> {
    /// Writes the row as it should be, without a line end.
    pub(super) fn write_clean(&self, out: &mut Vec<u8>) {
        self.write_key(out);
        write_number(out, self.duration());
        out.push(b',');
        out.extend_from_slice(self.app_version());
    }

    /// Writes the row with another valid duration than it should have.
    pub(super) fn write_near_duplicate(&self, out: &mut Vec<u8>) {
        let duration = self.duration();
        self.write_key(out);
        write_number(out, if duration < 5_000 { duration + 977 } else { duration - 977 });
        out.push(b',');
        out.extend_from_slice(self.app_version());
    }

    /// Writes the row with some dirt, and returns how many line feeds are inside it.
    pub(super) fn write_dirty(&self, dirt: Dirt, random: &mut Random, out: &mut Vec<u8>) -> u64 {
        let mut fields: Vec<Vec<u8>> = self.fields();
        for (index, field) in fields.iter_mut().enumerate() {
            spoil_field(dirt, index, field, random);
        }
        if let (Dirt::UnknownUser, Some(user)) = (dirt, fields.first_mut()) {
            user.clear();
            write_user(user, u64::from(self.event.user) + u64::from(self.world.options.users));
        }
        match dirt {
            Dirt::TooFewColumns => fields.truncate(random.between(1, 5) as usize),
            Dirt::TooManyColumns => fields.extend((0..random.between(1, 2)).map(|_| b"extra".to_vec())),
            _ => (),
        }
        let record = fields.join(&b',');
        out.extend_from_slice(&record);
        record.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    fn write_key(&self, out: &mut Vec<u8>) {
        write_user(out, u64::from(self.event.user));
        out.push(b',');
        self.write_timestamp(out);
        out.push(b',');
        out.extend_from_slice(self.action().0.as_bytes());
        out.push(b',');
        self.write_page(out);
        out.push(b',');
    }

    fn fields(&self) -> Vec<Vec<u8>> {
        let mut fields = vec![Vec::new(); 6];
        if let [user, timestamp, action, page, duration, version] = fields.as_mut_slice() {
            write_user(user, u64::from(self.event.user));
            self.write_timestamp(timestamp);
            action.extend_from_slice(self.action().0.as_bytes());
            self.write_page(page);
            write_number(duration, self.duration());
            version.extend_from_slice(self.app_version());
        }
        fields
    }

    fn write_timestamp(&self, out: &mut Vec<u8>) {
        let day = self.world.days.get(self.happened()).expect("an event happens on a day of the sample");
        out.extend_from_slice(&day.prefix);
        let second = self.event.second;
        let hours = second / 3600;
        let minutes = second / 60 % 60;
        let seconds = second % 60;
        let digit = |number: u32| b'0' + number as u8;
        out.extend_from_slice(&[
            digit(hours / 10),
            digit(hours % 10),
            b':',
            digit(minutes / 10),
            digit(minutes % 10),
            b':',
            digit(seconds / 10),
            digit(seconds % 10),
        ]);
    }

    fn write_page(&self, out: &mut Vec<u8>) {
        out.push(b'P');
        write_padded(out, u64::from(self.event.page));
    }

    fn action(&self) -> &'static (&'static str, u64, u64) {
        ACTIONS.get(usize::from(self.event.action)).expect("an event has one of the actions")
    }

    /// The duration depends on the event alone: a row that is delivered again is the same row.
    fn duration(&self) -> u64 {
        let event = &self.event;
        let when = (self.happened() as u64) << 17 | u64::from(event.second);
        let bits = mix(self.world.options.seed ^ mix(when) ^ mix(u64::from(event.user) << 32 | u64::from(event.page)));
        self.world.powers.log_normal(self.action().2, bits).min(LONGEST)
    }

    fn app_version(&self) -> &[u8] {
        let lag = usize::from(self.world.people.get(self.event.user).update_lag);
        let release = self.happened().saturating_sub(lag) / super::DAYS_TO_A_RELEASE;
        self.world.versions.get(release).expect("there is a release for every day")
    }

    fn happened(&self) -> usize {
        self.day - usize::from(self.event.days_late)
    }
}

/// Writes `U` and the user's number, which counts from one.
pub(super) fn write_user(out: &mut Vec<u8>, index: u64) {
    out.push(b'U');
    write_padded(out, index + 1);
}

/// Puts the dirt into the field at `index`, if it belongs there.
fn spoil_field(dirt: Dirt, index: usize, field: &mut Vec<u8>, random: &mut Random) {
    let replace = |field: &mut Vec<u8>, text: &str| {
        field.clear();
        field.extend_from_slice(text.as_bytes());
    };
    match (dirt, index) {
        (Dirt::EmptyUserId, 0) | (Dirt::EmptyTimestamp, 1) | (Dirt::EmptyActionType, 2) | (Dirt::EmptyPageId, 3) => {
            field.clear();
        }
        (Dirt::QuotedUserId, 0) => wrap(field, b"\"", b", \"\"guest\"\"\""),
        (Dirt::UnreadableTimestamp, 1) => replace(field, random.pick(&UNREADABLE_TIMESTAMPS)),
        (Dirt::UnknownActionType, 2) => replace(field, random.pick(&["scroll", "View", "page view", "EDIT"])),
        (Dirt::BadQuoting, 0) => spoil_quotes(field, random),
        (Dirt::InvalidUtf8, 3) => field.extend_from_slice(random.pick(&[&[0xFF][..], &[0xC3, 0x28], &[0xE2, 0x82]])),
        (Dirt::EmptyDuration, 4) => field.clear(),
        (Dirt::DurationOfHours, 4) => replace(field, &random.between(LONGEST + 1, 20 * HOUR).to_string()),
        (Dirt::DurationOfDays, 4) => replace(field, &random.between(24 * HOUR, 240 * HOUR).to_string()),
        (Dirt::NegativeDuration, 4) => replace(field, &format!("-{}", random.between(1, 90_000))),
        (Dirt::UnreadableDuration, 4) => replace(field, random.pick(&["12s", "1.5", "n/a", "1e4", " 250", "+17"])),
        (Dirt::QuotedAppVersion, 5) => wrap(field, b"\"", b", beta\""),
        (Dirt::QuotedLineEnd, 5) => wrap(field, b"\"", b"\nhotfix\""),
        _ => (),
    }
}

const HOUR: u64 = 3_600_000;

const UNREADABLE_TIMESTAMPS: [&str; 6] = [
    "2023-13-45 10:00:00",
    "2023-02-30 11:30:00",
    "not a time",
    "2023-03-01T09:15:00Z",
    "2023-04-01 24:00:00",
    "2023-05-01 08:59:60",
];

/// Three ways to get quotes wrong, each over at the end of its line.
fn spoil_quotes(field: &mut Vec<u8>, random: &mut Random) {
    match random.below(3) {
        0 => field.insert(2, b'"'),
        1 => wrap(field, b"\"", b"\"x"),
        _ => wrap(field, b"\"", b"\" "),
    }
}

fn wrap(field: &mut Vec<u8>, before: &[u8], after: &[u8]) {
    field.splice(0..0, before.iter().copied());
    field.extend_from_slice(after);
}

/// Writes a number with at least six digits.
fn write_padded(out: &mut Vec<u8>, number: u64) {
    if number >= 1_000_000 {
        return write_number(out, number);
    }
    let mut digits = [b'0'; 6];
    let mut rest = number as u32;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}
