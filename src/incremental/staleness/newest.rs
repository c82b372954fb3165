//! The newest version within a range of places, in O(log n).

/// An implicit segment tree of maxima: 1-based, its leaves at `n..2n`, node `i` the newer of `2i` and `2i + 1`. A model with a
/// year of hours asks it 8 760 times, so a scan of each range would be quadratic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NewestTree {
    nodes: Vec<u64>,
    /// The number of leaves; any number will do, not only powers of two.
    leaves: usize,
}

impl NewestTree {
    pub fn new(versions: impl ExactSizeIterator<Item = u64>) -> NewestTree {
        let leaves = versions.len();
        let mut nodes = vec![0; leaves];
        nodes.extend(versions);
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

    /// Returns the newest version at the places `from..to`; 0 if there are none.
    pub fn between(&self, from: usize, to: usize) -> u64 {
        let mut left = from + self.leaves;
        let mut right = to + self.leaves;
        let mut newest = 0;
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

    fn node(&self, place: usize) -> u64 {
        self.nodes.get(place).copied().unwrap_or(0)
    }
}
