//! The report on a slice in an analyst's words.

use super::slice_report::{
    ChangeReport, FileReport, InputReport, MadeOf, SliceReport, SliceState, VersionOf, VersionReport,
};
use crate::figures::{bytes, counted, grouped};

/// More lines of one kind are only in the JSON.
const MOST_LINES: usize = 10;

impl SliceReport {
    /// What `karat plan --why` prints.
    pub fn to_text(&self) -> String {
        let subject = self.subject();
        let mut lines = vec![match self.state {
            SliceState::UpToDate => format!("{subject} is up to date: {}", self.why),
            SliceState::Empty => format!("{subject} has no rows, and is up to date: {}", self.why),
            SliceState::Stale => format!("{subject} is not up to date: {}", self.why),
            SliceState::Unknown => format!("{subject} {}", self.why),
        }];
        match &self.made_of {
            Some(made_of) => lines.extend(made(made_of)),
            None => lines.push("there is no record of what it was built from".to_owned()),
        }
        for input in &self.inputs {
            push_input(&mut lines, input);
        }
        if !self.files.is_empty() {
            lines.push(format!("its rows are in {} of {}:", counted(self.files.len(), "file"), self.table));
            push_files(&mut lines, &self.files, "  ");
        }
        lines.extend(self.versions.iter().map(written));
        if self.versions.is_empty() && !self.files.is_empty() {
            lines.push("the log no longer says which run wrote them".to_owned());
        }
        lines.join("\n") + "\n"
    }

    fn subject(&self) -> String {
        match self.slice.as_str() {
            "all" => self.table.clone(),
            "null" => format!("{}, rows without a time,", self.table),
            slice => format!("{} {slice}", self.table),
        }
    }
}

fn made(made_of: &MadeOf) -> Vec<String> {
    let code = if made_of.same_code {
        "its SQL and config have not changed since it was built"
    } else {
        "its SQL or config has changed since it was built"
    };
    let rows = made_of.changed_at.map(|version| {
        format!("it has {}, which last changed in version {version}", counted(made_of.rows as usize, "row"))
    });
    std::iter::once(code.to_owned()).chain(rows).collect()
}

fn push_input(lines: &mut Vec<String>, input: &InputReport) {
    let InputReport { name, then, now, .. } = input;
    let versions = match (then, now) {
        (None, _) => "it was built without it".to_owned(),
        (Some(VersionOf::Version(then)), now) if input.then_target != input.target => {
            let place = input.then_target.as_ref().map(|target| format!("of target `{target}`"));
            let there = if *now == VersionOf::Missing { "it is not here" } else { "it is another table now" };
            format!("built from version {then} {}; {there}", place.unwrap_or_else(|| "in this target".to_owned()))
        }
        (Some(then), now) if then == now => match now {
            VersionOf::Version(version) => format!("built from version {version}, the newest"),
            VersionOf::Files(_) => "the files are those that it was built from".to_owned(),
            VersionOf::Missing => "not built yet".to_owned(),
        },
        (Some(VersionOf::Version(then)), VersionOf::Version(now)) => {
            format!("built from version {then}; the newest is {now}")
        }
        (Some(VersionOf::Files(_)), VersionOf::Files(_)) => "its files changed since".to_owned(),
        (Some(_), VersionOf::Missing) => "it is gone".to_owned(),
        (Some(_), _) => "it is another table now".to_owned(),
    };
    let rebuilt = if input.rebuilt { "; a run builds it first" } else { "" };
    let target = input.target.as_ref().map(|target| format!(" in target `{target}`")).unwrap_or_default();
    lines.push(format!("reads {} of {name}{target}: {versions}{rebuilt}", input.reads_text));
    // A newer version alone makes nothing stale: only a change in what the slice reads does.
    let is_behind = matches!((then, now), (Some(VersionOf::Version(then)), VersionOf::Version(now)) if then < now);
    if is_behind && input.changed.is_empty() {
        lines.push("  what it reads did not change in between".to_owned());
    }
    push_some(lines, &input.changed, changed);
    if input.is_dimension && !input.changed.is_empty() {
        let help = "on_change='rebuild' does";
        lines.push(format!("  it has no event time, so a change in it restates nothing ({help})"));
    }
    if !input.source_files.is_empty() {
        lines.push(format!("  its rows may come from {}:", counted(input.source_files.len(), "source file")));
        push_files(lines, &input.source_files, "    ");
    }
}

fn changed(change: &ChangeReport) -> String {
    let slice = match change.slice.as_str() {
        "all" => "the whole table",
        "null" => "rows without a time",
        slice => slice,
    };
    let now = counted(change.rows_now as usize, "row");
    let rows = match change.rows_then {
        Some(then) if then == change.rows_now => format!("{now} as before, with other values"),
        Some(then) => format!("{} then, {} now", counted(then as usize, "row"), grouped(change.rows_now)),
        None => format!("{now} now"),
    };
    match change.version {
        Some(version) => format!("  {slice} changed in version {version}: {rows}"),
        None => format!("  {slice} was changed by something other than karat"),
    }
}

fn push_files(lines: &mut Vec<String>, files: &[FileReport], indent: &str) {
    push_some(lines, files, |file| {
        let rows = file.rows.map(|rows| format!(", {}", counted(rows as usize, "row"))).unwrap_or_default();
        format!("{indent}{}  {}{rows}", file.path, bytes(file.bytes))
    });
}

fn push_some<T>(lines: &mut Vec<String>, all: &[T], line: impl Fn(&T) -> String) {
    lines.extend(all.iter().take(MOST_LINES).map(line));
    if all.len() > MOST_LINES {
        let more = grouped((all.len() - MOST_LINES) as u64);
        lines.push(format!("  … and {more} more; `--output json` has all"));
    }
}

fn written(version: &VersionReport) -> String {
    let git = version.git.as_ref().map(|git| format!(" of revision {}", git.chars().take(12).collect::<String>()));
    let git = git.unwrap_or_default();
    let files = counted(version.files as usize, "file");
    format!("version {} wrote {files}, run {}{git}: {}", version.version, version.run, version.why)
}
