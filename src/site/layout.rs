//! Lays a graph out in layers, from left to right: the method of Sugiyama, Tagawa and Toda (1981).
//!
//! Nodes get columns, columns get an order in which few edges cross (sweeps by barycenters), and orders become places near
//! the neighbours. A lane is a layer of the project; its nodes stand in one column or more, behind those of the lane before.

/// Sweeps in both directions. More change next to nothing.
const SWEEPS: usize = 8;

/// A node of the graph to be laid out.
#[derive(Debug, Clone)]
pub(super) struct LaidNode {
    pub lane: usize,
    /// The places of its parents, all of which come before it.
    pub parents: Vec<usize>,
}

/// Where a node stands: the column, and the place in it in the height of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NodePlace {
    pub column: usize,
    pub row: f64,
}

/// Lays out nodes, each of which comes after its parents.
#[expect(
    clippy::indexing_slicing,
    reason = "nodes are named by their places, and every list has one entry for each node, column or lane"
)]
pub(super) fn layout(nodes: &[LaidNode]) -> Vec<NodePlace> {
    let columns = columns(nodes);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); columns.iter().max().map_or(0, |last| last + 1)];
    for (node, column) in columns.iter().enumerate() {
        members[*column].push(node);
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (child, node) in nodes.iter().enumerate() {
        for parent in &node.parents {
            children[*parent].push(child);
        }
    }
    let mut rows = vec![0.0; nodes.len()];
    members.iter().for_each(|column| stack(column, &mut rows));
    for sweep in 0..SWEEPS {
        let forwards = sweep % 2 == 0;
        for step in 0..members.len() {
            let column = if forwards { step } else { members.len() - 1 - step };
            let neighbours = |node: usize| if forwards { &nodes[node].parents } else { &children[node] };
            order(&mut members[column], neighbours, &mut rows);
        }
    }
    let lowest = rows.iter().copied().fold(f64::INFINITY, f64::min);
    let place = |(column, row): (usize, f64)| NodePlace { column, row: ((row - lowest) * 100.0).round() / 100.0 };
    columns.into_iter().zip(rows).map(place).collect()
}

/// The column of each node: behind its parents of the same lane, and behind the lanes before.
#[expect(
    clippy::indexing_slicing,
    reason = "nodes are named by their places, and every list has one entry for each node, column or lane"
)]
fn columns(nodes: &[LaidNode]) -> Vec<usize> {
    let lanes = nodes.iter().map(|node| node.lane + 1).max().unwrap_or(0);
    let mut within = vec![0; nodes.len()];
    let mut widths = vec![0; lanes];
    for (number, node) in nodes.iter().enumerate() {
        let same_lane = node.parents.iter().filter(|parent| nodes[**parent].lane == node.lane);
        within[number] = same_lane.map(|parent| within[*parent] + 1).max().unwrap_or(0);
        widths[node.lane] = widths[node.lane].max(within[number] + 1);
    }
    let starts: Vec<usize> = widths
        .iter()
        .scan(0, |next, width| {
            let start = *next;
            *next += width;
            Some(start)
        })
        .collect();
    nodes.iter().zip(within).map(|(node, within)| starts[node.lane] + within).collect()
}

/// Puts a column around 0, in its order.
#[expect(
    clippy::indexing_slicing,
    reason = "nodes are named by their places, and every list has one entry for each node, column or lane"
)]
fn stack(column: &[usize], rows: &mut [f64]) {
    let middle = (column.len() as f64 - 1.0) / 2.0;
    for (place, node) in column.iter().enumerate() {
        rows[*node] = place as f64 - middle;
    }
}

/// Orders a column by the barycenters of its neighbours, and moves each node as near to its own as the others allow.
#[expect(
    clippy::indexing_slicing,
    reason = "nodes are named by their places, and every list has one entry for each node, column or lane"
)]
fn order<'n>(column: &mut [usize], neighbours: impl Fn(usize) -> &'n Vec<usize>, rows: &mut [f64]) {
    let wanted = |node: usize, rows: &[f64]| {
        let around = neighbours(node);
        match around.len() {
            0 => rows[node],
            count => around.iter().map(|other| rows[*other]).sum::<f64>() / count as f64,
        }
    };
    let mut wishes: Vec<(f64, usize)> = column.iter().map(|node| (wanted(*node, rows), *node)).collect();
    // Equal wishes keep their order, so that equal projects give equal pictures.
    wishes.sort_by(|left, right| left.0.total_cmp(&right.0));
    // Blocks of nodes that touch each other stand at the mean of their wishes.
    let mut blocks: Vec<(f64, Vec<usize>)> = Vec::new();
    for (wish, node) in wishes {
        let mut start = wish;
        let mut block = vec![node];
        while let Some((before, others)) = blocks.last()
            && before + others.len() as f64 > start
        {
            let (before, mut others) = (*before, blocks.pop().map(|(_, others)| others).unwrap_or_default());
            let (first, second) = (others.len() as f64, block.len() as f64);
            start = (before * first + (start - first) * second) / (first + second);
            others.append(&mut block);
            block = others;
        }
        blocks.push((start, block));
    }
    let mut place = 0;
    for (start, block) in blocks {
        for (offset, node) in block.into_iter().enumerate() {
            rows[node] = start + offset as f64;
            column[place] = node;
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(lane: usize, parents: &[usize]) -> LaidNode {
        LaidNode { lane, parents: parents.to_vec() }
    }

    #[test]
    fn a_node_stands_behind_its_parents_and_its_lane_behind_the_lanes_before() {
        let places = layout(&[node(0, &[]), node(1, &[0]), node(1, &[1]), node(2, &[0])]);
        let columns: Vec<usize> = places.iter().map(|place| place.column).collect();
        assert_eq!(columns, [0, 1, 2, 3]);
    }

    #[test]
    fn chains_do_not_cross() {
        // Two parents whose children come in the other order.
        let places = layout(&[node(0, &[]), node(0, &[]), node(1, &[1]), node(1, &[0])]);
        assert_eq!(places[0].row < places[1].row, places[3].row < places[2].row, "{places:?}");
    }

    #[test]
    fn no_two_nodes_overlap() {
        let many: Vec<LaidNode> = (0..1300)
            .map(|number: usize| {
                node(number / 260, &if number < 260 { vec![] } else { vec![number - 260, number / 2] })
            })
            .collect();
        let mut places = layout(&many);
        places.sort_by(|one, other| one.column.cmp(&other.column).then(one.row.total_cmp(&other.row)));
        for pair in places.windows(2) {
            let [one, other] = pair else { continue };
            assert!(one.column != other.column || other.row - one.row > 0.98, "{one:?} {other:?}");
        }
    }

    #[test]
    fn nothing_is_laid_out_as_nothing() {
        assert_eq!(layout(&[]), []);
    }
}
