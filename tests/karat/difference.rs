//! What is expected and what was found, line by line.

/// Whether the lines are as expected; a line `...` stands for any number of lines.
pub(crate) fn matches(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first.trim() == "..." => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => {
            found.first().is_some_and(|line| line.trim_end() == first.trim_end()) && matches(rest, &found[1..])
        }
    }
}

/// All lines: `-` before those that are only expected, `+` before those that are only found.
pub(crate) fn difference(expected: &[String], found: &[String]) -> String {
    // How many lines the rests have in common, from each pair of places on.
    let mut common = vec![vec![0_usize; found.len() + 1]; expected.len() + 1];
    for left in (0..expected.len()).rev() {
        for right in (0..found.len()).rev() {
            common[left][right] = if expected[left].trim_end() == found[right].trim_end() {
                common[left + 1][right + 1] + 1
            } else {
                common[left + 1][right].max(common[left][right + 1])
            };
        }
    }
    let (mut left, mut right, mut text) = (0, 0, String::new());
    while left < expected.len() || right < found.len() {
        let both = left < expected.len() && right < found.len();
        if both && expected[left].trim_end() == found[right].trim_end() {
            text.push_str(&format!("    {}\n", found[right]));
            (left, right) = (left + 1, right + 1);
        } else if right == found.len() || (left < expected.len() && common[left + 1][right] >= common[left][right + 1])
        {
            text.push_str(&format!("  - {}\n", expected[left]));
            left += 1;
        } else {
            text.push_str(&format!("  + {}\n", found[right]));
            right += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn three_dots_stand_for_any_lines() {
        assert!(matches(&lines("a ... d"), &lines("a b c d")));
        assert!(matches(&lines("a ..."), &lines("a")));
        assert!(!matches(&lines("a ... d"), &lines("a b c")));
        assert!(!matches(&lines("a"), &lines("a b")));
    }

    #[test]
    fn a_difference_shows_what_is_missing_and_what_is_new() {
        assert_eq!(difference(&lines("a b c"), &lines("a x c")), "    a\n  - b\n  + x\n    c\n");
    }
}
