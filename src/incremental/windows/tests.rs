//! What is proved of the shapes that analysts write, and what is not.

use std::collections::BTreeMap;

use super::words::formula;
use super::*;
use crate::analyze::lineage::TimeStep;
use crate::analyze::{Planner, TypedModel};
use crate::diag::{Sink, Style, render_all};
use crate::host::MemoryHost;
use crate::incremental::reach::Reach;
use crate::name::ModelName;
use crate::project::LoadRequest;
use crate::span::SourceFiles;

mod meaning;
mod shapes;

const EVENTS: &str = "{{ config(materialized='incremental', event_time='event_date', partition_by='event_date') }}
select date '2023-01-01' as event_date, 1 as user_id, timestamp '2023-01-01 10:00:00' as ts, 'a' as kind, 1 as n";
const DAYS: &str = "{{ config(materialized='incremental', event_time='event_date') }}
select date '2023-01-01' as event_date, 1 as users";
const MONTHS: &str = "{{ config(materialized='incremental', event_time='month', batch_size='month') }}
select date '2023-01-01' as month, 1 as users";
const STAMPED: &str = "{{ config(materialized='incremental', event_time='event_date') }}
select cast(ts as date) as event_date, ts, user_id from {{ ref('events') }}";
const CALENDAR: &str = "{{ config(materialized='table') }} select date '2023-01-01' as event_date, true as is_holiday";
const USERS: &str = "{{ config(materialized='table') }} select 1 as user_id, 'ch' as country";
const EVENTS_VIEW: &str = "{{ config(materialized='view', event_time='event_date') }}
select event_date, user_id, n + 1 as n from {{ ref('events') }} where n > 0";

/// The typed models of a project that has the tables above and the model `m`.
fn typed(sql: &str) -> Result<BTreeMap<ModelName, TypedModel>, String> {
    let settings = match sql.contains("config(") {
        true => String::new(),
        false => "{{ config(materialized='incremental', event_time='event_date') }}\n".to_owned(),
    };
    let model = format!("{settings}{sql}");
    let files = [
        ("project.yml", "name: notes\nversion: '1'\nmodels:\n  notes: {}\n"),
        ("models/events.sql", EVENTS),
        ("models/days.sql", DAYS),
        ("models/months.sql", MONTHS),
        ("models/stamped.sql", STAMPED),
        ("models/calendar.sql", CALENDAR),
        ("models/users.sql", USERS),
        ("models/events_view.sql", EVENTS_VIEW),
        ("models/m.sql", &model),
    ];
    let host = MemoryHost::with_files(files);
    let (mut texts, mut sink) = (SourceFiles::default(), Sink::default());
    let planned = crate::project::read(&host, &mut texts, &mut sink).and_then(|files| {
        let project = crate::project::load(&files, &mut texts, &LoadRequest::default(), &mut sink)?;
        let rendered =
            crate::template::render_models(&project, &texts, &host, &mut crate::template::NoCompiler, &mut sink)?;
        let dag = crate::graph::build(&project, &rendered, &mut sink)?;
        let rendered = rendered.whole(&mut sink)?;
        Planner::new(&project, &rendered).models(&dag, &mut sink).whole(&mut sink)
    });
    planned.map_err(|_| render_all(&sink.take(), &texts, Style::Plain))
}

/// What `m` reads.
fn derived(sql: &str) -> Reads {
    let typed = typed(sql).unwrap_or_else(|said| panic!("{sql}\n{said}"));
    Windows::new(&typed).of(&typed[&ModelName::parse("m").unwrap()]).as_ref().clone()
}

fn shown(reads: &Reads) -> String {
    let told = |read: &Read| {
        let name = read.scan.to_string();
        format!("{}: {}", name.rsplit('.').next().unwrap_or_default(), show(read))
    };
    reads.scans.iter().map(told).collect::<Vec<_>>().join("; ")
}

fn show(read: &Read) -> String {
    let word = read.class.word();
    let steps = match &read.reach {
        Reach::Everything => String::new(),
        Reach::Steps(steps) if steps.is_empty() => String::new(),
        Reach::Steps(steps) => match steps.as_slice() {
            [TimeStep::Widen(window)] => format!(" {window}"),
            steps => format!(" {}", formula(steps, "t")),
        },
    };
    let proved = read.proved.map(|window| format!(" [{window}]")).unwrap_or_default();
    let timeless = match read.timeless {
        NullTime::Same => " null=null",
        NullTime::Nothing => " null=none",
        NullTime::Anything => "",
    };
    let blocker = read.blocker.as_ref().map(|blocker| format!(" ({})", blocker.what)).unwrap_or_default();
    format!("{word}{steps}{proved}{timeless}{blocker}")
}
