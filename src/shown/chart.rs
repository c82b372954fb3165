//! A small chart of text: a line of columns, eight steps high each.

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns as high as their values, two lines of text per row of `height`; the largest value fills it.
pub(crate) fn columns(values: &[f64], height: usize) -> Vec<String> {
    let top = values.iter().copied().fold(0.0_f64, f64::max);
    if top <= 0.0 || height == 0 {
        return Vec::new();
    }
    // Heights in eighths of a line, which is what the block characters can show.
    let steps = STEPS.len() * height;
    let filled: Vec<usize> =
        values.iter().map(|value| (value.max(0.0) / top * steps as f64).round() as usize).collect();
    (0..height)
        .rev()
        .map(|row| filled.iter().map(|filled| cell(filled.saturating_sub(row * STEPS.len()))).collect())
        .collect()
}

fn cell(filled: usize) -> char {
    match filled {
        0 => ' ',
        some => STEPS.get(some - 1).copied().unwrap_or('█'),
    }
}

/// Fewer values: the mean of each of `count` equal parts.
pub(crate) fn thinned(values: &[f64], count: usize) -> Vec<f64> {
    if values.len() <= count || count == 0 {
        return values.to_vec();
    }
    (0..count)
        .filter_map(|part| values.get(part * values.len() / count..(part + 1) * values.len() / count))
        .filter(|part| !part.is_empty())
        .map(|part| part.iter().sum::<f64>() / part.len() as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_grow_from_the_bottom() {
        assert_eq!(columns(&[0.0, 4.0, 8.0, 16.0], 2), ["   █", " ▄██"]);
        assert!(columns(&[0.0], 3).is_empty());
    }

    #[test]
    fn thinning_keeps_the_mean() {
        assert_eq!(thinned(&[1.0, 3.0, 5.0, 7.0], 2), [2.0, 6.0]);
        assert_eq!(thinned(&[1.0], 5), [1.0]);
    }
}
