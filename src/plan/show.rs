//! A plan in an analyst's words: what `karat plan` prints, and what `karat run` says before it begins.

use std::collections::BTreeMap;

use super::RunPlan;
use super::estimate::Amount;
use super::preview::{Action, InputPreview, ModelPreview, PlanTotals, Preview, ReasonPreview};
use super::windows::{BlockerPreview, WindowPreview};
use crate::figures::{bytes, counted, grouped};
use crate::incremental::BuildKind;
use crate::name::TableKey;

/// More reasons of one model are only in the JSON.
const MOST_REASONS: usize = 10;

/// How many models are built and why, a line for each reason.
pub(crate) fn announcement(plan: &RunPlan) -> Vec<String> {
    let building: Vec<_> = plan.steps.iter().filter(|step| step.decision.may_build()).collect();
    if building.is_empty() {
        return Vec::new();
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &building {
        *reasons.entry(step.decision.why.as_str()).or_default() += 1;
        if let Some(why) = step.decision.bad_records.as_ref().filter(|why| **why != step.decision.why) {
            *reasons.entry(why.as_str()).or_default() += 1;
        }
    }
    let reasons = reasons.into_iter().map(|(why, count)| format!("  {count:>3}  {why}"));
    std::iter::once(to_build(building.len(), plan.steps.len())).chain(reasons).collect()
}

fn to_build(building: usize, all: usize) -> String {
    format!("{} of {} to build:", grouped(building as u64), counted(all, "model"))
}

impl Preview {
    /// What `karat plan` prints; `windows`: of each model too how its slices read inputs.
    pub fn to_text(&self, windows: bool) -> String {
        let mut lines = Vec::new();
        let building = self.models.iter().filter(|model| matches!(model.action, Action::Build | Action::Unknown));
        let building: Vec<&ModelPreview> = building.collect();
        if !building.is_empty() {
            lines.push(to_build(building.len(), self.models.len()));
        }
        for model in building {
            push_model(&mut lines, model, windows);
        }
        if windows {
            for model in self.models.iter().filter(|model| model.action == Action::None && !model.windows.is_empty()) {
                lines.push(format!("{}  {}", model.table, model.why));
                push_windows(&mut lines, &model.windows);
            }
        }
        let bad = self.models.iter().filter_map(|model| Some((&model.table, model.bad_records.as_ref()?)));
        lines.extend(bad.map(|(table, why)| format!("{table}: bad records are read again, because {why}")));
        let blocked = self.models.iter().filter(|model| model.action == Action::Blocked);
        lines.extend(blocked.map(|model| format!("{} cannot be built: {}", model.table, model.why)));
        for model in &self.models {
            lines.extend(model.older.iter().map(|(input, slices)| older(&model.name, input, *slices)));
        }
        for model in &self.models {
            lines
                .extend(model.rescued.iter().map(|rescued| format!("{} was built with {}", model.table, rescued.text)));
        }
        if self.totals.up_to_date > 0 {
            lines.push(format!("up to date: {}", counted(self.totals.up_to_date as usize, "model")));
        }
        lines.push(total(&self.totals));
        lines.join("\n") + "\n"
    }
}

fn push_model(lines: &mut Vec<String>, model: &ModelPreview, windows: bool) {
    if model.action == Action::Unknown {
        lines.push(format!("{}  {}", model.table, model.why));
    } else {
        lines.push(format!("{}  {}", model.table, what(model)));
        lines.extend(model.built_here.map(|why| format!("  built on this machine, not on the cluster: {why}")));
        push_reasons(lines, &model.reasons);
        let elsewhere = model.inputs.iter().filter_map(|input| Some((input, input.target.as_ref()?)));
        lines.extend(elsewhere.map(|(input, target)| read_elsewhere(input, target)));
    }
    if windows {
        push_windows(lines, &model.windows);
    } else if model.is_whole() {
        let spoiling = model.windows.iter().filter(|window| window.spoils_all);
        for (window, blocker) in spoiling.filter_map(|window| Some((window, window.blocker.as_ref()?))) {
            lines.push(format!("  any slice may read any row of `{}`: {}", window.input, blocked_by(blocker)));
        }
    }
}

/// `2 slices, 1.2 MB to read (40 312 rows)`.
fn what(model: &ModelPreview) -> String {
    let what = match (model.builds, &model.slices) {
        (_, Some(slices)) => counted(slices.count as usize, "slice"),
        (Some(BuildKind::Batch), None) => "a batch of rows".to_owned(),
        (Some(BuildKind::Files), None) => "the rows of files".to_owned(),
        (_, None) => "whole table".to_owned(),
    };
    // Nobody knows how much there is in a table that is still to be built; of one that is there, today's size is told.
    let absent = names(model.inputs.iter().filter(|input| !input.exists)).join(" and ");
    let rebuilt = names(model.inputs.iter().filter(|input| input.rebuilt && input.exists));
    let amount = model.amount();
    let there = match (amount.files, rebuilt.as_slice()) {
        (0, _) => None,
        (_, []) => Some(to_read(&amount)),
        (_, [one]) => Some(format!("{} as {one} is now", to_read(&amount))),
        (_, several) => Some(format!("{} as {} are now", to_read(&amount), several.join(" and "))),
    };
    match (there, absent.as_str()) {
        (None, "") => format!("{what}, nothing to read"),
        (None, absent) => format!("{what}, all of {absent} to read"),
        (Some(there), "") => format!("{what}, {there}"),
        (Some(there), absent) => format!("{what}, {there}, and all of {absent}"),
    }
}

/// ``  reads silver.sessions@3 from target `prod` ``.
fn read_elsewhere(input: &InputPreview, target: &str) -> String {
    let version = input.version.map(|version| format!("@{version}")).unwrap_or_default();
    format!("  reads {}{version} from target `{target}`", input.name)
}

fn names<'i>(inputs: impl Iterator<Item = &'i InputPreview>) -> Vec<String> {
    inputs.map(|input| format!("`{}`", input.name)).collect()
}

/// `1.2 MB to read (40 312 rows)`.
fn to_read(amount: &Amount) -> String {
    let rows = amount.rows.map(|rows| format!(" ({})", counted(rows as usize, "row"))).unwrap_or_default();
    format!("{} to read{rows}", bytes(amount.bytes))
}

fn push_reasons(lines: &mut Vec<String>, reasons: &[ReasonPreview]) {
    let shown = reasons.iter().take(MOST_REASONS);
    // The reasons stand in one column behind the longest slice.
    let labels = shown.clone().filter_map(|reason| reason.slices.as_ref());
    let width = labels.map(|slices| slices.text.chars().count()).max().unwrap_or(0);
    for reason in shown {
        lines.push(match &reason.slices {
            Some(slices) => format!("  {:width$}  {}", slices.text, reason.why),
            None => format!("  {}", reason.why),
        });
    }
    if reasons.len() > MOST_REASONS {
        let more = grouped((reasons.len() - MOST_REASONS) as u64);
        lines.push(format!("  … and {more} more; `--output json` has all"));
    }
}

fn push_windows(lines: &mut Vec<String>, windows: &[WindowPreview]) {
    for window in windows {
        let evidence = if window.evidence.is_empty() { String::new() } else { format!(" ({})", window.evidence) };
        lines.push(format!("  reads {}  {}: {}{evidence}", window.input, window.class, window.window));
        lines.extend(window.blocker.iter().map(|blocker| format!("    {}", blocked_by(blocker))));
    }
}

/// `lag() per user looks across days, at models/sessions.sql:12; declare a lookback`.
fn blocked_by(blocker: &BlockerPreview) -> String {
    let place = blocker.place.as_ref().map(|place| format!(", at {place}")).unwrap_or_default();
    format!("{}{place}; {}", blocker.what, blocker.help)
}

fn older(model: &str, input: &TableKey, slices: u64) -> String {
    let (slices, stay) = match slices {
        1 => ("1 slice was".to_owned(), "stays"),
        several => (format!("{} slices were", grouped(several)), "stay"),
    };
    format!("{model}: {slices} built on an older `{input}`, and {stay} (on_change='rebuild' restates them)")
}

fn total(totals: &PlanTotals) -> String {
    let PlanTotals { build, unknown, whole, slices, batches, amount, .. } = totals;
    if build + unknown == 0 {
        return "nothing to build".to_owned();
    }
    let mut parts = Vec::new();
    if *whole > 0 {
        parts.push(counted(*whole as usize, "whole table"));
    }
    if *slices > 0 {
        parts.push(counted(*slices as usize, "slice"));
    }
    if *batches > 0 {
        let batches = if *batches == 1 { "1 batch".to_owned() } else { format!("{} batches", grouped(*batches)) };
        parts.push(batches);
    }
    if *unknown > 0 {
        parts.push(format!("{} not decided yet", counted(*unknown as usize, "model")));
    }
    format!("in all: {}, {}", parts.join(" and "), to_read(amount))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::delta::Version;
    use crate::plan::preview::SlicesPreview;

    fn slices(count: u64, text: &str) -> SlicesPreview {
        SlicesPreview { count, ranges: Vec::new(), timeless: false, text: text.to_owned() }
    }

    fn model(name: &str, action: Action) -> ModelPreview {
        ModelPreview {
            name: name.to_owned(),
            table: format!("gold.{name}"),
            action,
            builds: (action == Action::Build).then_some(BuildKind::Whole),
            grain: Some("day"),
            slices: None,
            why: "nothing changed since it was built".to_owned(),
            reasons: Vec::new(),
            waits_for: None,
            bad_records: None,
            built_here: None,
            inputs: Vec::new(),
            rescued: None,
            older: BTreeMap::new(),
            windows: Vec::new(),
        }
    }

    fn input(name: &str, rows: Option<u64>) -> InputPreview {
        let amount = Amount { files: 2, bytes: 1_200_000, rows };
        let (name, version) = (name.to_owned(), Some(Version::new(3)));
        InputPreview { name, version, target: None, exists: true, rebuilt: false, of_files: 5, amount }
    }

    fn text(models: Vec<ModelPreview>) -> String {
        let totals = PlanTotals::new(&models);
        Preview { format: 1, models, totals }.to_text(false)
    }

    #[test]
    fn many_reasons_are_cut_and_old_dimensions_are_told() {
        let reason = |day: usize| ReasonPreview {
            slices: Some(slices(1, &format!("2023-05-{day:02}"))),
            why: format!("{day} late rows for 2023-05-{day:02} in silver.events@3"),
        };
        let built = ModelPreview {
            builds: Some(BuildKind::Slices),
            slices: Some(slices(24, "")),
            reasons: (1..=12).map(|day| reason(2 * day)).collect(),
            inputs: vec![input("silver.events", Some(40_312)), input("silver.dim_users", Some(20))],
            ..model("visits", Action::Build)
        };
        let old = ModelPreview {
            older: BTreeMap::from([("silver.dim_users".into(), 365)]),
            ..model("by_country", Action::None)
        };
        insta::assert_snapshot!(text(vec![built, old]));
    }

    #[test]
    fn what_cannot_be_said_yet_is_not_guessed() {
        let waiting = ModelPreview {
            why: "depends on the contents of the new files of `events`".to_owned(),
            waits_for: Some("events".to_owned()),
            ..model("visits", Action::Unknown)
        };
        let first = ModelPreview {
            reasons: vec![ReasonPreview { slices: None, why: "`raw.events` changed".to_owned() }],
            inputs: vec![input("raw.events", None)],
            ..model("events", Action::Build)
        };
        let rebuilt = ModelPreview {
            inputs: vec![
                InputPreview { rebuilt: true, ..input("gold.events", Some(5)) },
                InputPreview { exists: false, amount: Amount::default(), ..input("gold.users", None) },
            ],
            ..model("both", Action::Build)
        };
        insta::assert_snapshot!(text(vec![first, waiting, rebuilt]));
    }

    #[test]
    fn what_stands_in_the_way_is_told_with_its_line_and_a_way_out() {
        let blocker = BlockerPreview {
            what: "`lag()` per user looks across days".to_owned(),
            place: Some("models/visits.sql:12".to_owned()),
            help: "declare how far it looks: ref('events', lookback='1 day')".to_owned(),
        };
        let (input, window) = ("silver.events".to_owned(), "rows of any time".to_owned());
        let blocker = Some(blocker);
        let (class, evidence, spoils_all) = ("unbounded", String::new(), true);
        let window = WindowPreview { input, class, window, evidence, blocker, spoils_all };
        let built = ModelPreview { windows: vec![window], ..model("visits", Action::Build) };
        let lines = text(vec![built]);
        let expected = "  any slice may read any row of `silver.events`: `lag()` per user looks across days, at models/visits.sql:12; \
                        declare how far it looks: ref('events', lookback='1 day')\n";
        assert!(lines.contains(expected), "{lines}");
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert_eq!(text(vec![model("a", Action::None)]), "up to date: 1 model\nnothing to build\n");
    }
}
