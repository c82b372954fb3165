//! The axes around a picture of text.

/// A mark on the axis below, at a character from the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnLabel {
    pub column: usize,
    pub text: String,
}

/// The texts of the axis on the left, by the lines of the picture that they belong to.
pub(super) struct LineLabels {
    texts: Vec<Option<String>>,
    width: usize,
}

impl LineLabels {
    /// Labels of a picture with so many lines; of two for one line, the first stays.
    pub fn new(lines: usize, labels: impl IntoIterator<Item = (usize, String)>) -> Self {
        let mut texts: Vec<Option<String>> = vec![None; lines];
        for (line, text) in labels {
            if let Some(place) = texts.get_mut(line) {
                place.get_or_insert(text);
            }
        }
        let width = texts.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0);
        Self { texts, width }
    }

    /// How many characters stand before the picture.
    pub fn indent(&self) -> usize {
        indent(self.width)
    }

    /// The picture with its axes, and the labels below.
    pub fn framed(&self, picture: &[String], below: &[ColumnLabel], width: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (line, drawn) in picture.iter().enumerate() {
            let label = self.texts.get(line).and_then(Option::as_deref);
            let edge = if label.is_some() { '┤' } else { '│' };
            lines.push(format!("  {:>width$} {edge}{drawn}", label.unwrap_or(""), width = self.width));
        }
        let placed = placed(below, width);
        let mut axis: Vec<char> = vec!['─'; width];
        for label in &placed {
            if let Some(place) = axis.get_mut(label.column) {
                *place = '┬';
            }
        }
        let blank = " ".repeat(self.indent() - 1);
        lines.push(format!("{blank}└{}", axis.into_iter().collect::<String>()));
        let mut texts = String::new();
        for label in &placed {
            let start = start(label, width);
            texts.extend(std::iter::repeat_n(' ', start.saturating_sub(texts.chars().count())));
            texts.push_str(&label.text);
        }
        lines.push(format!("{blank} {texts}"));
        lines
    }
}

/// The characters before a picture whose labels have this width.
pub(super) fn indent(labels: usize) -> usize {
    labels + 4
}

/// Where the text of a label begins: it is centred below its mark, and stays within the picture.
fn start(label: &ColumnLabel, width: usize) -> usize {
    let length = label.text.chars().count();
    label.column.saturating_sub(length / 2).min(width.saturating_sub(length))
}

/// The labels for which there is room, from the left.
fn placed(labels: &[ColumnLabel], width: usize) -> Vec<ColumnLabel> {
    let mut placed: Vec<ColumnLabel> = Vec::new();
    let mut end = 0;
    for label in labels {
        let start = start(label, width);
        if placed.is_empty() || start >= end + 2 {
            end = start + label.text.chars().count();
            placed.push(label.clone());
        }
    }
    placed
}
