//! Objects that grow with their table are kept in layers: a complete one at the bottom, and above it what changed since.
//!
//! A new layer is put together with those below it that it is not small beside, as a log-structured merge tree does (O'Neil
//! and others, 1996): so there are few of them, each several times as large as the one above it, and what a commit writes is
//! in proportion to what it changed.

/// How many times as large as a layer the one below it is at least.
const TIMES_LARGER: usize = 4;

/// The objects of which something is put together, the complete one first. Empty if it was never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers<N, C>(Vec<Layer<N, C>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer<N, C> {
    pub name: N,
    /// Its size in the store.
    pub bytes: usize,
    /// What it says otherwise than those below it; nothing of the lowest one, which is complete.
    pub changes: Option<C>,
}

/// What a layer says otherwise than those below it.
pub(crate) trait LayerChanges {
    /// The changes of two layers in one, of which `above` is the upper one.
    fn followed_by(self, above: &Self) -> Self;
}

/// An object with the name that is made of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentObject<N> {
    pub name: N,
    pub bytes: Vec<u8>,
}

impl<N, C> Default for Layers<N, C> {
    fn default() -> Layers<N, C> {
        Layers(Vec::new())
    }
}

impl<N, C> FromIterator<Layer<N, C>> for Layers<N, C> {
    fn from_iter<I: IntoIterator<Item = Layer<N, C>>>(layers: I) -> Layers<N, C> {
        Layers(layers.into_iter().collect())
    }
}

impl<N: Clone, C: LayerChanges + Clone> Layers<N, C> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> Vec<N> {
        self.0.iter().map(|layer| layer.name.clone()).collect()
    }

    /// These layers, or the lowest of them, with one more on top. `write` makes an object of the names of those that it lies
    /// on and of the changes, or of everything if there are none.
    pub fn with(
        &self,
        mut changes: C,
        write: impl Fn(&[N], Option<&C>) -> ContentObject<N>,
    ) -> (Layers<N, C>, ContentObject<N>) {
        let mut below = self.clone();
        while let Some(top) = below.0.last() {
            let object = write(&below.names(), Some(&changes));
            if object.bytes.len().saturating_mul(TIMES_LARGER) <= top.bytes {
                return (below.under(&object, Some(changes)), object);
            }
            let Some(of_top) = below.0.pop().and_then(|top| top.changes) else { break };
            changes = of_top.followed_by(&changes);
        }
        let object = write(&[], None);
        (Layers::default().under(&object, None), object)
    }

    fn under(mut self, object: &ContentObject<N>, changes: Option<C>) -> Layers<N, C> {
        self.0.push(Layer { name: object.name.clone(), bytes: object.bytes.len(), changes });
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    impl LayerChanges for BTreeSet<u32> {
        fn followed_by(mut self, above: &BTreeSet<u32>) -> BTreeSet<u32> {
            self.extend(above);
            self
        }
    }

    #[test]
    fn layers_are_few_and_what_is_written_is_in_proportion_to_the_changes() {
        const ENTRIES: u32 = 4_096;
        let mut layers: Layers<u32, BTreeSet<u32>> = Layers::default();
        let mut written = 0;
        for number in 0..ENTRIES {
            let write = |_: &[u32], changes: Option<&BTreeSet<u32>>| {
                let entries = changes.map_or(number as usize + 1, BTreeSet::len);
                ContentObject { name: number, bytes: vec![0; entries] }
            };
            let (next, object) = layers.with(BTreeSet::from([number]), write);
            written += object.bytes.len();
            layers = next;
            assert!(layers.0.len() <= 7, "{} layers after {number}", layers.0.len());
            assert!(layers.0.windows(2).all(|two| two[1].bytes * TIMES_LARGER <= two[0].bytes));
            let covered: usize = layers.0.iter().map(|layer| layer.bytes).sum();
            assert_eq!(covered, number as usize + 1, "each entry stands in one layer");
        }
        // Each layer is written anew three times at most before it sinks to the one below.
        assert!(written < ENTRIES as usize * 3 * 7, "{written} entries were written");
    }

    #[test]
    fn changes_that_come_again_and_again_do_not_pile_up() {
        let mut layers: Layers<u32, BTreeSet<u32>> = Layers::default();
        for number in 0..1_000 {
            let write = |_: &[u32], changes: Option<&BTreeSet<u32>>| ContentObject {
                name: number,
                bytes: vec![0; changes.map_or(10_000, |changes| changes.len() * 10)],
            };
            layers = layers.with((0..30).collect(), write).0;
            assert_eq!(layers.0.len(), if number == 0 { 1 } else { 2 });
        }
        assert_eq!(layers.0[0].name, 0, "the complete one is never written again");
    }
}
