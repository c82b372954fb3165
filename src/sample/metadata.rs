//! `user_metadata.csv`: a row for every user, and the dirt of it.

use super::calendar::COUNTRIES;
use super::dirt::Lottery;
use super::manifest::{FileManifest, SourceManifest};
use super::output::SampleFile;
use super::people::{DEVICES, Person, SUBSCRIPTIONS};
use super::random::{Purpose, Random};
use super::row::write_user;
use super::{SampleDestination, World};
use chrono::{Days, NaiveDate};
use std::io;

/// What is wrong with a user. Some of it is a further row at the end of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UserDirt {
    UnknownCountry,
    UnknownDevice,
    UnknownSubscription,
    EmptyAttribute,
    BadJoinDate,
    /// One more row with other attributes and a later join date.
    Changed,
    /// One more row with other attributes and the same join date.
    Tied,
    EmptyUserId,
    BrokenLine,
}

/// The kinds with their names in the manifest and how many users in ten thousand have them.
const KINDS: [(UserDirt, &str, u64); 7] = [
    (UserDirt::Changed, "changed_users", 300),
    (UserDirt::Tied, "join_date_ties", 50),
    (UserDirt::EmptyAttribute, "empty_attributes", 150),
    (UserDirt::UnknownCountry, "unknown_countries", 100),
    (UserDirt::UnknownDevice, "unknown_devices", 100),
    (UserDirt::UnknownSubscription, "unknown_subscriptions", 100),
    (UserDirt::BadJoinDate, "bad_join_dates", 50),
];

/// Writes the file. Every user has a readable row in it, however dirty the file is.
pub(super) fn write(world: &World, destination: &dyn SampleDestination) -> io::Result<SourceManifest> {
    let name = "user_metadata.csv";
    let mut out = SampleFile::to_file(destination.create(name)?);
    let mut source = SourceManifest::default();
    let users = u64::from(world.options.users);
    let dirty = world.options.dirty;
    let at_least = u64::from(users >= 50);
    let planned = KINDS.iter().map(|(dirt, _, frequency)| (*dirt, (users * frequency / 10_000).max(at_least)));
    let mut lottery = Lottery::new(if dirty { users / 2 } else { 0 }, planned);
    for (dirt, times) in lottery.prizes() {
        let name = KINDS.iter().find(|(kind, ..)| kind == dirt).map_or("", |(_, name, _)| *name);
        source.count(name, *times);
    }
    let mut random = Random::stream(world.options.seed, Purpose::Metadata, 0);
    let mut further = Vec::new();
    let mut records = users;
    out.buffer.extend_from_slice(b"user_id,join_date,country,device_type,subscription_type\n");
    for (index, person) in (0_u64..).zip(&world.people.all) {
        let row = UserRow::new(world, index, person);
        let dirt = lottery.draw(users - index, &mut random);
        if matches!(dirt, Some(UserDirt::Changed | UserDirt::Tied)) {
            row.changed(dirt, &mut random).write(None, &mut random, &mut further);
            records += 1;
        }
        row.write(dirt, &mut random, &mut out.buffer);
        out.emit_full()?;
    }
    if let (true, Some(person)) = (dirty, world.people.all.first()) {
        for (dirt, name) in [(UserDirt::EmptyUserId, "empty_user_ids"), (UserDirt::BrokenLine, "broken_lines")] {
            UserRow::new(world, 0, person).write(Some(dirt), &mut random, &mut further);
            source.count(name, 1);
            records += 1;
        }
        source.quarantine("bad_quoting", 1);
    }
    out.buffer.append(&mut further);
    out.finish()?;
    let quarantined = u64::from(dirty);
    source.add_file(FileManifest { name: name.to_owned(), lines: 1 + records, records, quarantined, bronze_rows: 0 });
    Ok(source)
}

/// A user's row.
struct UserRow {
    user: u64,
    join_date: NaiveDate,
    country: &'static str,
    device: &'static str,
    subscription: &'static str,
}

impl UserRow {
    fn new(world: &World, user: u64, person: &Person) -> Self {
        let start = world.options.start;
        let days = Days::new(u64::from(person.join_day.unsigned_abs()));
        let join_date = if person.join_day < 0 { start.checked_sub_days(days) } else { start.checked_add_days(days) };
        Self {
            user,
            join_date: join_date.unwrap_or(start),
            country: COUNTRIES.get(usize::from(person.country)).map_or("", |country| country.code),
            device: DEVICES.get(usize::from(person.device)).map_or("", |device| device.0),
            subscription: SUBSCRIPTIONS.get(usize::from(person.subscription)).map_or("", |kind| kind.0),
        }
    }

    /// The user after a move, with a new device and plan.
    fn changed(&self, dirt: Option<UserDirt>, random: &mut Random) -> Self {
        let days = if dirt == Some(UserDirt::Changed) { random.between(1, 90) } else { 0 };
        Self {
            user: self.user,
            join_date: self.join_date.checked_add_days(Days::new(days)).unwrap_or(self.join_date),
            country: random.pick(&COUNTRIES).code,
            device: random.pick(&DEVICES).0,
            subscription: random.pick(&SUBSCRIPTIONS).0,
        }
    }

    fn write(&self, dirt: Option<UserDirt>, random: &mut Random, out: &mut Vec<u8>) {
        let mut join_date = self.join_date.to_string();
        let [mut country, mut device, mut subscription] = [self.country, self.device, self.subscription];
        match dirt {
            Some(UserDirt::UnknownCountry) => country = random.pick(&["Germany", "us", "U1", "USA"]),
            Some(UserDirt::UnknownDevice) => device = random.pick(&["Windows Phone", "iphone", "Fridge"]),
            Some(UserDirt::UnknownSubscription) => subscription = random.pick(&["gold", "Free", "trial"]),
            Some(UserDirt::EmptyAttribute) => match random.below(3) {
                0 => country = "",
                1 => device = "",
                _ => subscription = "",
            },
            Some(UserDirt::BadJoinDate) => join_date = random.pick(&["2023-02-30", "01/02/2023", "soon"]).to_string(),
            _ => (),
        }
        match dirt {
            Some(UserDirt::EmptyUserId) => (),
            Some(UserDirt::BrokenLine) => out.extend_from_slice(b"\"U000001\"?"),
            _ => write_user(out, self.user),
        }
        for field in [&join_date, country, device, subscription] {
            out.push(b',');
            out.extend_from_slice(field.as_bytes());
        }
        out.push(b'\n');
    }
}
