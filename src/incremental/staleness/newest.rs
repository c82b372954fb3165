//! The newest change within a range of places, in O(log n).

use super::last_change::LastChange;

/// An implicit segment tree of maxima: 1-based, its leaves at `n..2n`, node `i` the newer of `2i` and `2i + 1`. A model with a
/// year of hours asks it 8 760 times, so a scan of each range would be quadratic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NewestTree {
    /// `None` where there is nothing below.
    nodes: Vec<Option<LastChange>>,
    /// The number of leaves; any number will do, not only powers of two.
    leaves: usize,
}

impl NewestTree {
    pub fn new(changes: impl ExactSizeIterator<Item = LastChange>) -> NewestTree {
        let leaves = changes.len();
        let mut nodes = vec![None; leaves];
        nodes.extend(changes.map(Some));
        let mut tree = NewestTree { nodes, leaves };
        // From the leaves to the root, so that both children are there.
        for place in (1..leaves).rev() {
            let newer = tree.node(2 * place).max(tree.node(2 * place + 1));
            if let Some(node) = tree.nodes.get_mut(place) {
                *node = newer;
            }
        }
        tree
    }

    /// The newest change at the places `from..to`. Returns `None` if there are no places.
    pub fn between(&self, from: usize, to: usize) -> Option<LastChange> {
        let mut left = from + self.leaves;
        let mut right = to + self.leaves;
        let mut newest = None;
        // Climbs from both ends. A right child at the left end, and a left child at the right end, stand below a parent
        // that covers more than the range: so they count here, and the parent does not.
        while left < right {
            if left % 2 == 1 {
                newest = newest.max(self.node(left));
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                newest = newest.max(self.node(right));
            }
            left /= 2;
            right /= 2;
        }
        newest
    }

    fn node(&self, place: usize) -> Option<LastChange> {
        self.nodes.get(place).copied().flatten()
    }
}
