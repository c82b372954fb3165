//! A Markdown document with files and transcripts: read, and written again with other answers.

/// A part of a document, in its order.
#[derive(Debug)]
pub(crate) enum Part {
    /// Kept as it is.
    Text(Vec<String>),
    /// A file to be written: "`path`:" and then a fenced block.
    File {
        path: String,
        content: String,
        lines: Vec<String>,
    },
    Console(Console),
}

/// A fenced block of command lines and answers.
#[derive(Debug)]
pub(crate) struct Console {
    /// The line in the document, from 1.
    pub(crate) line: usize,
    /// `console`, or with more after a comma.
    pub(crate) info: String,
    fence: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    /// As it stands there, with `$ ` and `> ` in front.
    pub(crate) typed: Vec<String>,
    /// Without empty lines at the end.
    pub(crate) answer: Vec<String>,
}

impl Step {
    /// The command line, its lines joined.
    pub(crate) fn command(&self) -> String {
        let lines: Vec<&str> = self.typed.iter().map(|line| line.get(2..).unwrap_or("")).collect();
        lines.join("\n")
    }
}

/// Reads a document; the error says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain: Vec<String> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some((fence, info)) = opening(line) else {
            plain.push(line.to_owned());
            continue;
        };
        let block: Vec<String> =
            lines.by_ref().map(|(_, line)| line.to_owned()).take_while(|line| line.trim_end() != fence).collect();
        if info == "console" || info.starts_with("console,") {
            parts.push(Part::Text(std::mem::take(&mut plain)));
            let steps = steps(&block).map_err(|message| format!("line {}: {message}", number + 1))?;
            parts.push(Part::Console(Console { line: number + 1, info, fence, steps }));
            continue;
        }
        let path = plain.iter().rev().find(|line| !line.trim().is_empty()).and_then(|line| file_path(line));
        let whole = [vec![line.to_owned()], block.clone(), vec![fence]].concat();
        match path {
            Some(path) => {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                let content = block.iter().map(|line| format!("{line}\n")).collect();
                parts.push(Part::File { path, content, lines: whole });
            }
            None => plain.extend(whole),
        }
    }
    parts.push(Part::Text(plain));
    Ok(parts)
}

/// The document as text.
pub(crate) fn print(parts: &[Part]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => lines.extend(text.iter().cloned()),
            Part::File { lines: written, .. } => lines.extend(written.iter().cloned()),
            Part::Console(console) => print_console(console, &mut lines),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn print_console(console: &Console, lines: &mut Vec<String>) {
    lines.push(format!("{}{}", console.fence, console.info));
    for (index, step) in console.steps.iter().enumerate() {
        lines.extend(step.typed.iter().cloned());
        lines.extend(step.answer.iter().cloned());
        let is_last = index + 1 == console.steps.len();
        if !is_last && !step.answer.is_empty() {
            lines.push(String::new());
        }
    }
    lines.push(console.fence.clone());
}

/// The lines of an answer as they can stand in a document: none looks like a command or the end of the block.
pub(crate) fn answer_lines(text: &str) -> Vec<String> {
    let looks_special = |line: &str| line.starts_with("$ ") || line.starts_with("```") || line.trim() == "...";
    let shown = |line: &str| {
        if looks_special(line) { format!(" {line}") } else { line.trim_end().to_owned() }
    };
    let mut lines: Vec<String> = text.lines().map(shown).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// The fence that opens a block, and what stands behind it.
fn opening(line: &str) -> Option<(String, String)> {
    let length = line.len() - line.trim_start_matches('`').len();
    let (fence, info) = line.split_at(length);
    (length >= 3 && !info.contains('`')).then(|| (fence.to_owned(), info.trim().to_owned()))
}

/// "`path`:"
fn file_path(line: &str) -> Option<String> {
    let path = line.trim().strip_prefix('`')?.strip_suffix("`:")?;
    (!path.contains('`')).then(|| path.to_owned())
}

fn steps(block: &[String]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block {
        match steps.last_mut() {
            _ if line.starts_with("$ ") => steps.push(Step { typed: vec![line.clone()], answer: Vec::new() }),
            Some(step) if line.starts_with("> ") && step.answer.is_empty() => step.typed.push(line.clone()),
            Some(step) => step.answer.push(line.clone()),
            None if line.is_empty() => {}
            None => return Err("a console block begins with a command line, `$ karat …`".to_owned()),
        }
    }
    for step in &mut steps {
        while step.answer.last().is_some_and(|line| line.trim().is_empty()) {
            step.answer.pop();
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\n`a/b.sql`:\n```sql\nselect 1\n```\n\n```console\n$ karat query \"a\n> b\"\nx\n\ny\n\n$ rm c\n```\nend\n";

    #[test]
    fn a_document_is_files_and_transcripts_and_prints_as_it_was() {
        let parts = parse(TEXT).unwrap();
        assert_eq!(print(&parts), TEXT);
        let Part::File { path, content, .. } = &parts[1] else { panic!("{parts:?}") };
        assert_eq!((path.as_str(), content.as_str()), ("a/b.sql", "select 1\n"));
        let Part::Console(console) = &parts[3] else { panic!("{parts:?}") };
        let commands: Vec<String> = console.steps.iter().map(Step::command).collect();
        assert_eq!(commands, ["karat query \"a\nb\"", "rm c"]);
        assert_eq!(console.steps[0].answer, ["x", "", "y"]);
    }

    #[test]
    fn an_answer_cannot_be_taken_for_a_command() {
        assert_eq!(answer_lines("$ karat run\n```\nx  \n\n"), [" $ karat run", " ```", "x"]);
    }
}
