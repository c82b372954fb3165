//! What a reference reads, in lines for people.

use super::words::formula;
use super::{Mention, Read, ReadClass};
use crate::analyze::lineage::TimeStep;
use crate::incremental::reach::Reach;
use crate::template::OnChange;

impl ReadClass {
    pub fn word(self) -> &'static str {
        match self {
            ReadClass::Aligned => "aligned",
            ReadClass::Shifted => "shifted",
            ReadClass::Window => "window",
            ReadClass::Declared => "declared",
            ReadClass::Dimension => "dimension",
            ReadClass::Unbounded => "unbounded",
        }
    }
}

impl Read {
    /// The class and the window, then why. `place` says where in the author's files a part of the SQL stands.
    pub fn told(&self, place: impl Fn(&Mention) -> Option<String>) -> String {
        let mut text = format!("{}\n  {}: {}\n", self.scan, self.class.word(), self.reads());
        if let Some(blocker) = &self.blocker {
            let place =
                blocker.mention.as_ref().and_then(place).map(|place| format!(", at {place}")).unwrap_or_default();
            text.push_str(&format!("  why:  {}{place}\n  help: {}\n", blocker.what, blocker.help));
        } else if !self.evidence.is_empty() {
            text.push_str(&format!("  why:  {}\n", self.evidence));
        }
        text
    }

    /// Where the rows lie that a slice reads.
    pub fn reads(&self) -> String {
        let steps = match &self.reach {
            Reach::Everything if self.class == ReadClass::Dimension => {
                return match self.on_change {
                    OnChange::Ignore => "all rows, as they are now; a change leaves finished slices alone".to_owned(),
                    OnChange::Rebuild => "all rows, as they are now; a change makes every slice stale".to_owned(),
                };
            }
            Reach::Everything => return "all rows".to_owned(),
            Reach::Steps(steps) => steps,
        };
        match steps.as_slice() {
            [] => "the same slice".to_owned(),
            [TimeStep::Widen(window)] => format!("the slice with {window}"),
            [TimeStep::UnitOf(unit)] => format!("the {} that contains the slice", unit.word()),
            steps => format!("the rows whose {} falls in the slice", formula(steps, "time")),
        }
    }
}
