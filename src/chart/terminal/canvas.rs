//! A picture of dots, shown as characters: eight dots in a character of braille, or one mark.

use super::{TerminalStyle, mark};

/// Where a dot is: columns from the left, rows from the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dot {
    pub column: usize,
    pub row: usize,
}

/// The dots of a character and the series that was drawn there last.
#[derive(Debug, Clone, Copy, Default)]
struct CanvasCell {
    dots: u8,
    series: usize,
}

pub(super) struct Canvas {
    width: usize,
    height: usize,
    style: TerminalStyle,
    cells: Vec<CanvasCell>,
}

/// The bits of a character of braille: rows from the top, two dots each.
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    /// A canvas of so many characters.
    pub fn new(width: usize, height: usize, style: TerminalStyle) -> Self {
        Self { width, height, style, cells: vec![CanvasCell::default(); width * height] }
    }

    /// Dots in a character: those of a series without a colour would look like those of any other.
    fn dots_across(&self) -> usize {
        if self.style.has_colours { 2 } else { 1 }
    }

    fn dots_down(&self) -> usize {
        if self.style.has_colours { 4 } else { 1 }
    }

    /// The dot at a share of the width and of the height.
    pub fn dot_at(&self, across: f64, up: f64) -> Dot {
        let last_column = (self.width * self.dots_across()).saturating_sub(1);
        let last_row = (self.height * self.dots_down()).saturating_sub(1);
        Dot { column: (across * last_column as f64).round() as usize, row: (up * last_row as f64).round() as usize }
    }

    /// The line of text, from the top, that a share of the height falls into.
    pub fn line_at(&self, up: f64) -> usize {
        self.height.saturating_sub(1).saturating_sub(self.dot_at(0.0, up).row / self.dots_down())
    }

    /// The character, from the left, that a share of the width falls into.
    pub fn column_at(&self, across: f64) -> usize {
        self.dot_at(across, 0.0).column / self.dots_across()
    }

    pub fn mark(&mut self, dot: Dot, series: usize) {
        let from_top = (self.height * self.dots_down()).saturating_sub(1).saturating_sub(dot.row);
        let place = from_top / self.dots_down() * self.width + dot.column / self.dots_across();
        let bit = BRAILLE.get(from_top % self.dots_down()).and_then(|row| row.get(dot.column % self.dots_across()));
        if let Some(cell) = self.cells.get_mut(place) {
            if cell.dots != 0 && cell.series != series {
                cell.dots = 0;
            }
            cell.dots |= bit.copied().unwrap_or_default();
            cell.series = series;
        }
    }

    /// Marks every dot of a straight line.
    pub fn line(&mut self, from: Dot, to: Dot, series: usize) {
        let across = to.column as f64 - from.column as f64;
        let up = to.row as f64 - from.row as f64;
        let steps = across.abs().max(up.abs()).max(1.0);
        for step in 0..=steps as usize {
            let share = step as f64 / steps;
            let column = (from.column as f64 + across * share).round() as usize;
            let row = (from.row as f64 + up * share).round() as usize;
            self.mark(Dot { column, row }, series);
        }
    }

    /// The lines of text, from the top.
    pub fn lines(&self) -> Vec<String> {
        self.cells.chunks(self.width.max(1)).map(|row| row.iter().map(|cell| self.shown(*cell)).collect()).collect()
    }

    fn shown(&self, cell: CanvasCell) -> String {
        if cell.dots == 0 {
            return " ".to_owned();
        }
        if !self.style.has_colours {
            return mark(cell.series).to_string();
        }
        let letter = char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or('•');
        self.style.of_series(cell.series, &letter.to_string())
    }
}
