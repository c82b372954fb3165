//! Something for each slice of a table, in order.

use std::fmt;

use super::{SliceKey, SliceRows};

/// A map by slice that is read, copied and dropped as one piece of memory: tables have thousands of slices, and a run goes
/// through those of every table several times.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SliceMap<V> {
    /// In order, each slice once.
    entries: Vec<(SliceKey, V)>,
}

impl<V> SliceMap<V> {
    pub fn new() -> SliceMap<V> {
        SliceMap { entries: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, slice: &SliceKey) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| known.cmp(slice))
    }

    pub fn get(&self, slice: &SliceKey) -> Option<&V> {
        let place = self.place(slice).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    pub fn contains_key(&self, slice: &SliceKey) -> bool {
        self.place(slice).is_ok()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SliceKey, &V)> {
        self.into_iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&SliceKey, &mut V)> {
        self.entries.iter_mut().map(|(slice, value)| (&*slice, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &SliceKey> {
        self.entries.iter().map(|(slice, _)| slice)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub fn retain(&mut self, mut stays: impl FnMut(&SliceKey, &V) -> bool) {
        self.entries.retain(|(slice, value)| stays(slice, value));
    }

    /// What both have; where they have the same slice, it is the other's.
    pub fn overlaid(self, other: SliceMap<V>) -> SliceMap<V> {
        let mut entries = self.entries;
        entries.extend(other.entries);
        entries.into_iter().collect()
    }
}

impl SliceMap<SliceRows> {
    /// The rows of each slice, where a slice may come several times.
    pub fn summed(rows: impl IntoIterator<Item = (SliceKey, SliceRows)>) -> SliceMap<SliceRows> {
        let mut entries: Vec<(SliceKey, SliceRows)> = rows.into_iter().collect();
        entries.sort_unstable_by_key(|(slice, _)| *slice);
        entries.dedup_by(|more, sum| {
            let is_same = more.0 == sum.0;
            if is_same {
                sum.1 += more.1;
            }
            is_same
        });
        SliceMap { entries }
    }
}

impl<V> Default for SliceMap<V> {
    fn default() -> SliceMap<V> {
        SliceMap::new()
    }
}

impl<V> FromIterator<(SliceKey, V)> for SliceMap<V> {
    /// The last of what comes for a slice stays.
    fn from_iter<I: IntoIterator<Item = (SliceKey, V)>>(entries: I) -> SliceMap<V> {
        let mut entries: Vec<(SliceKey, V)> = entries.into_iter().collect();
        if !entries.is_sorted_by(|(before, _), (after, _)| before < after) {
            entries.sort_by_key(|(slice, _)| *slice);
            entries.dedup_by(|after, kept| {
                let is_same = after.0 == kept.0;
                if is_same {
                    std::mem::swap(after, kept);
                }
                is_same
            });
        }
        SliceMap { entries }
    }
}

impl<V> IntoIterator for SliceMap<V> {
    type Item = (SliceKey, V);
    type IntoIter = std::vec::IntoIter<(SliceKey, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// The reference of an entry as its two parts.
type Parts<'m, V> = fn(&'m (SliceKey, V)) -> (&'m SliceKey, &'m V);

impl<'m, V> IntoIterator for &'m SliceMap<V> {
    type Item = (&'m SliceKey, &'m V);
    type IntoIter = std::iter::Map<std::slice::Iter<'m, (SliceKey, V)>, Parts<'m, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter().map(|(slice, value)| (slice, value))
    }
}

impl<V: fmt::Debug> fmt::Debug for SliceMap<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn slice(number: u8) -> SliceKey {
        match number {
            0 => SliceKey::All,
            1 => SliceKey::NullTime,
            day => SliceKey::At(chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0).unwrap().naive_utc()),
        }
    }

    fn keyed(entries: &[(u8, u32)]) -> impl Iterator<Item = (SliceKey, u32)> {
        entries.iter().map(|(key, value)| (slice(*key), *value))
    }

    proptest! {
        #[test]
        fn it_is_a_map(
            first in prop::collection::vec((0_u8..20, any::<u32>()), 0..30),
            second in prop::collection::vec((0_u8..20, any::<u32>()), 0..30),
        ) {
            let mut expected: BTreeMap<SliceKey, u32> = keyed(&first).collect();
            let map: SliceMap<u32> = keyed(&first).collect();
            prop_assert!(map.iter().eq(expected.iter()));
            expected.extend(keyed(&second));
            let map = map.overlaid(keyed(&second).collect());
            prop_assert!(map.keys().eq(expected.keys()) && map.values().eq(expected.values()));
            for slice in (0..20).map(slice) {
                prop_assert_eq!(map.get(&slice), expected.get(&slice));
                prop_assert_eq!(map.contains_key(&slice), expected.contains_key(&slice));
            }
            prop_assert!(map.into_iter().eq(expected));
        }

        #[test]
        fn rows_of_a_slice_are_summed(rows in prop::collection::vec((0_u8..20, any::<u32>()), 0..30)) {
            let rows = || keyed(&rows).map(|(slice, hash)| (slice, SliceRows { rows: 1, hash: u128::from(hash) }));
            let mut expected: BTreeMap<SliceKey, SliceRows> = BTreeMap::new();
            rows().for_each(|(slice, rows)| *expected.entry(slice).or_default() += rows);
            prop_assert!(SliceMap::summed(rows()).into_iter().eq(expected));
        }
    }
}
