//! The checksum of a commit or a release, which it carries itself: a bit that flips in a log must not move rows into another
//! day.
//!
//! It stands in a field that other programs pass over, in a commit within its `commitInfo`, and its own digits count as
//! zeros. Commits of other programs have none.

use flate2::Crc;

/// The name of the field. Within a text its quotes would be escaped, so nothing else in a commit reads like this.
pub(crate) const FIELD: &str = "karatCrc32";
/// What stands for the checksum until it is known.
pub(crate) const UNKNOWN: &str = "00000000";

/// Writes its checksum into an object whose field says [`UNKNOWN`].
pub(crate) fn seal(object: &mut [u8]) {
    if let Some((place, sum)) = sum_of(object)
        && let Some(digits) = object.get_mut(place..place + UNKNOWN.len())
    {
        digits.copy_from_slice(format!("{sum:08x}").as_bytes());
    }
}

/// Holds an object against its checksum, if it has one; the error says what is wrong.
pub(crate) fn check(object: &[u8]) -> Result<(), String> {
    let Some((place, sum)) = sum_of(object) else { return Ok(()) };
    match object.get(place..place + UNKNOWN.len()) {
        Some(digits) if digits == format!("{sum:08x}").as_bytes() => Ok(()),
        Some(_) | None => Err("its bytes are not what was written".to_owned()),
    }
}

/// Where the checksum stands, and what it must be.
fn sum_of(object: &[u8]) -> Option<(usize, u32)> {
    let field = format!("\"{FIELD}\"");
    let behind = memchr::memmem::find(object, field.as_bytes())? + field.len();
    let between = object.get(behind..)?.iter().take_while(|byte| matches!(byte, b':' | b' ' | b'"')).count();
    let place = behind + between;
    let mut sum = Crc::new();
    sum.update(object.get(..place)?);
    sum.update(UNKNOWN.as_bytes());
    sum.update(object.get(place + UNKNOWN.len()..)?);
    Some((place, sum.sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_whose_bits_turned_is_told() {
        let mut commit =
            format!("{{\"commitInfo\":{{\"{FIELD}\":\"{UNKNOWN}\"}}}}\n{{\"add\":{{\"size\":70}}}}\n").into_bytes();
        seal(&mut commit);
        check(&commit).unwrap();
        let field = commit.windows(FIELD.len()).position(|window| window == FIELD.as_bytes()).unwrap();
        for place in 0..commit.len() {
            for bit in 0..8 {
                commit[place] ^= 1 << bit;
                // Without the field's name nobody knows of a checksum, and all that is said is still right.
                let is_name = (field - 1..field + FIELD.len() + 1).contains(&place);
                assert_eq!(check(&commit).is_err(), !is_name, "bit {bit} of {place}");
                commit[place] ^= 1 << bit;
            }
        }
        check(b"{\"commitInfo\":{\"engineInfo\":\"other\"}}").unwrap();
    }
}
