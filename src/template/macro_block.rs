//! Macros as blocks of text, for those who list them.

use super::definition::macro_definitions;
use super::own_tags::TEST_PREFIX;
use crate::project::Project;
use crate::span::{FileId, SourceFiles};

/// A macro with its tags.
#[derive(Debug, Clone)]
pub struct MacroBlock<'a> {
    pub package: &'a str,
    /// As it is called: that of a test begins with `test_`.
    pub name: String,
    pub file: FileId,
    pub text: &'a str,
}

/// All macros of the project, of its packages and of dbt, in the order of the files.
pub fn macro_blocks<'a>(project: &'a Project, files: &'a SourceFiles) -> Vec<MacroBlock<'a>> {
    let mut blocks = Vec::new();
    for source in &project.macro_files {
        let text = files.text(source.file);
        for definition in macro_definitions(text) {
            let name = text.get(definition.name.clone()).unwrap_or_default();
            let end =
                if definition.prefix == TEST_PREFIX { ["endtest", "enddata_test"] } else { ["endmacro", "endmacro"] };
            let start = text.get(..definition.name.start).and_then(|before| before.rfind("{%")).unwrap_or(0);
            let block = text.get(start..end_of_block(text, definition.name.end, end)).unwrap_or_default();
            let name = format!("{}{name}", definition.prefix);
            blocks.push(MacroBlock { package: &source.package, name, file: source.file, text: block });
        }
    }
    blocks
}

/// The end of the first tag that is one of these words; that of the text if there is none.
fn end_of_block(text: &str, from: usize, words: [&str; 2]) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let tags = rest.match_indices("{%").filter(|(start, _)| {
        let inside = rest.get(start + 2..).unwrap_or_default().trim_start_matches(['-', '+']).trim_start();
        words.iter().any(|word| {
            inside
                .strip_prefix(word)
                .is_some_and(|after| !after.starts_with(|letter: char| letter.is_ascii_alphanumeric()))
        })
    });
    let end = tags.map(|(start, _)| start).next().and_then(|start| Some(start + rest.get(start..)?.find("%}")? + 2));
    end.map_or(text.len(), |end| from + end)
}
