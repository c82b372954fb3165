//! The law on the real engine: whatever happened before, one plain run leaves every table as a fresh project has it, and
//! a second run leaves every object of the lake as it is.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder::Folder;

/// How many histories a test run lives through; `KARAT_HISTORIES` asks for another number.
const HISTORIES: u64 = 25;

/// Models that a project may have beside its events and prices: which ones, the seed says.
const SHAPES: [(&str, &str); 16] = [
    ("cleaned", "select day, item, amount from {{ ref('events') }} where amount % 5 <> 4"),
    (
        "daily",
        "{{ config(partition_by='day') }}\nselect day, sum(amount) as amount from {{ ref('events') }} group by day",
    ),
    (
        "shifted",
        "{{ config(partition_by='day') }}\nselect cast(day + interval '2 days' as date) as day, amount from {{ ref('cleaned') }}",
    ),
    (
        "months",
        "{{ config(batch_size='month') }}\nselect cast(date_trunc('month', day) as date) as day, sum(amount) as amount\n\
         from {{ ref('events') }} group by 1",
    ),
    (
        "rolling",
        "select day, sum(amount) over (order by day range between interval '3 days' preceding and current row) as amount\n\
         from {{ ref('daily') }}",
    ),
    (
        "window_join",
        "{{ config(partition_by='day') }}\nselect a.day, sum(b.amount) as amount from {{ ref('daily') }} as a\n\
         join {{ ref('daily', lookback='2 days') }} as b on b.day between a.day - interval '2 days' and a.day group by a.day",
    ),
    (
        "both",
        "select coalesce(a.day, b.day) as day, a.amount as daily, b.amount as shifted\nfrom {{ ref('daily') }} as a\n\
         full join (select day, sum(amount) as amount from {{ ref('shifted') }} group by day) as b on a.day = b.day",
    ),
    (
        "priced",
        "{{ config(partition_by='day') }}\nselect e.day, e.item, e.amount * coalesce(p.price, 1) as amount\n\
         from {{ ref('cleaned') }} as e left join {{ ref('prices', on_change='rebuild') }} as p on p.item = e.item",
    ),
    // A running sum that is right from one range of days that holds the window, and not from two with a hole between them.
    (
        "steps",
        "with changes as (\n    select day, sum(amount) as amount from (\n\
         select day, amount from {{ ref('daily', lookback='1 day') }}\n\
         union all select cast(day + interval '2 days' as date) as day, -amount as amount from {{ ref('daily', lookback='1 day') }}\n\
         ) as both group by day\n)\nselect c.day, sum(coalesce(x.amount, 0)) over (order by c.day) as amount\n\
         from {{ ref('calendar', lookback='1 day') }} as c left join changes as x on x.day = c.day",
    ),
    (
        "carried",
        "{{ config(partition_by='day') }}\nselect c.day, last_value(d.amount) ignore nulls over (order by c.day rows between 2 preceding and current row) as amount\n\
         from {{ ref('calendar', lookback='2 days') }} as c left join {{ ref('daily', lookback='2 days') }} as d on d.day = c.day",
    ),
    // A value holds until a mark behind its window takes it back: on the days of a calendar, which must all be read for that.
    (
        "held",
        "{{ config(partition_by='day') }}\nwith marks as (\n    select day, max(opens) as opens, max(value) as value from (\n\
         select day, 1 as opens, amount as value from {{ ref('daily', lookback='2 days') }}\n\
         union all select least(cast(day + interval '3 days' as date), lead(day) over (order by day)) as day, 0 as opens, 0 as value\n\
         from {{ ref('daily', lookback='2 days') }}\n\
         ) as both group by day\n)\nselect c.day, coalesce(last_value(case when m.opens = 1 then m.value when m.opens = 0 then -1 end) ignore nulls\n\
         over (order by c.day), -1) as amount\nfrom {{ ref('calendar', lookback='2 days') }} as c left join marks as m on m.day = c.day",
    ),
    // A sub-query that looks two days back, a look-up of the last value before each day, and one of the last of four days.
    (
        "two_days_ago",
        "select c.day, coalesce((select max(d.amount) from {{ ref('daily') }} as d where d.day = cast(c.day - interval '2 days' as date)), -1) as amount\n\
         from {{ ref('calendar') }} as c",
    ),
    (
        "previous",
        "{{ config(partition_by='day') }}\nselect c.day, d.day as at, d.amount as amount from {{ ref('calendar') }} as c\n\
         left join {{ ref('daily') }} as d on d.day < c.day\n\
         qualify row_number() over (partition by c.day order by d.day desc nulls last) = 1",
    ),
    (
        "recent",
        "select e.day, e.item, max(d.amount) as amount from {{ ref('events') }} as e\n\
         left join {{ ref('daily') }} as d on d.day between e.day - interval '4 days' and e.day - interval '1 day'\n\
         group by e.day, e.item",
    ),
    (
        "filled",
        "{{ config(partition_by='day') }}\nselect c.day, coalesce(x.amount, 0) as amount, count(x.amount) over (order by c.day) as weeks\n\
         from {{ ref('calendar') }} as c left join {{ ref('daily') }} as x on x.day = c.day",
    ),
    (
        "total",
        "{{ config(materialized='table') }}\nselect count(*) as days, sum(amount) as amount from {{ ref('rolling') }}",
    ),
];

const SOURCES: &str = "sources:
  - name: raw
    tables:
      - name: events
        location: data/events/*.csv
        columns:
          - { name: day, type: date }
          - { name: item, type: text }
          - { name: amount, type: integer }
      - name: calendar
        location: data/calendar.csv
        columns:
          - { name: day, type: date }
      - name: prices
        location: data/prices.csv
        columns:
          - { name: item, type: text }
          - { name: price, type: integer }
";

const PROJECT: &str = "name: shop\nmodels:\n  +schema: shop\n  +materialized: incremental\n  +event_time: day\n";

/// Decides by the seed alone.
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// A history that is going on.
struct History {
    folder: Folder,
    dice: Dice,
    /// What happened, for people.
    story: String,
    models: Vec<&'static str>,
    /// How often the code of each model changed.
    codes: BTreeMap<&'static str, u64>,
}

/// A day around the end of a month.
fn day(number: u64) -> String {
    match number {
        0..=4 => format!("2023-01-{}", 27 + number),
        later => format!("2023-02-{:02}", later - 4),
    }
}

const DAYS: u64 = 9;

impl History {
    fn new(seed: u64) -> History {
        let folder = Folder::new();
        folder.write("project.yml", PROJECT);
        folder.write("models/sources.yml", SOURCES);
        let dice = Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let (story, codes) = (String::new(), BTreeMap::new());
        let mut history = History { folder, dice, story, models: vec!["events", "prices", "calendar"], codes };
        // Without a model nothing that reads it can be there.
        let needs: BTreeMap<&str, &[&str]> = BTreeMap::from([
            ("shifted", &["cleaned"][..]),
            ("rolling", &["daily"]),
            ("steps", &["daily"]),
            ("carried", &["daily"]),
            ("held", &["daily"]),
            ("two_days_ago", &["daily"]),
            ("previous", &["daily"]),
            ("recent", &["daily"]),
            ("filled", &["daily"]),
            ("window_join", &["daily"]),
            ("both", &["daily", "shifted"]),
            ("priced", &["cleaned"]),
            ("total", &["rolling"]),
        ]);
        for (name, _) in SHAPES {
            let is_possible =
                needs.get(name).is_none_or(|needs| needs.iter().all(|need| history.models.contains(need)));
            if is_possible && history.dice.below(4) > 0 {
                history.models.push(name);
            }
        }
        for _ in 0..1 + history.dice.below(4) {
            history.write_file();
        }
        history.write_prices();
        let calendar: String =
            (0..31).map(|number| format!("2023-01-{:02}\n2023-02-{:02}\n", number + 1, number % 28 + 1)).collect();
        history.folder.write("data/calendar.csv", format!("day\n{calendar}"));
        let models = history.models.clone();
        models.iter().for_each(|model| history.write_model(model));
        history
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.story, "  {line}").unwrap();
    }

    /// A file of events is there for the first time, or with other rows.
    fn write_file(&mut self) {
        let name = format!("data/events/{}.csv", self.dice.below(6));
        let mut text = "day,item,amount\n".to_owned();
        for _ in 0..1 + self.dice.below(5) {
            let when = if self.dice.below(12) == 0 { String::new() } else { day(self.dice.below(DAYS)) };
            writeln!(text, "{when},{},{}", self.dice.one_of(&["pen", "ink"]), self.dice.below(20)).unwrap();
        }
        self.tell(&format!("`{name}` holds {:?}", text.lines().skip(1).collect::<Vec<_>>()));
        self.folder.write(&name, text);
    }

    fn write_prices(&mut self) {
        let price = 1 + self.dice.below(3);
        self.tell(&format!("a pen costs {price}"));
        self.folder.write("data/prices.csv", format!("item,price\npen,{price}\n"));
    }

    fn write_model(&mut self, model: &'static str) {
        let sql = match model {
            "events" => {
                "{{ config(partition_by='day') }}\nselect day, item, amount from {{ source('raw', 'events') }}".to_owned()
            }
            "calendar" => "select distinct day from {{ source('raw', 'calendar') }}".to_owned(),
            "prices" => {
                "{{ config(materialized='table', event_time=none) }}\nselect item, price from {{ source('raw', 'prices') }}"
                    .to_owned()
            }
            other => {
                let shape = SHAPES.iter().find(|(name, _)| *name == other).unwrap().1;
                shape.to_owned()
            }
        };
        let code = self.codes.get(model).copied().unwrap_or(0);
        // Some codes say something else of some rows only, and some only look different.
        let sql = match (model, code) {
            (_, 0) | ("prices" | "calendar", _) => sql,
            ("total", code) => format!("{sql} having count(*) >= {}", code % 2),
            ("both", code) => sql.replace("a.amount as daily", &format!("a.amount + {code} as daily")),
            (_, code) if code % 3 == 2 => format!("{sql}\n-- {code}"),
            ("events" | "cleaned" | "shifted", code) => sql.replacen(
                "amount from",
                &format!("case when amount > 15 then amount + {code} else amount end as amount from"),
                1,
            ),
            ("held" | "two_days_ago", code) => sql.replacen(", -1) as amount", &format!(", {code}) as amount"), 1),
            ("filled", code) => sql.replacen(", 0) as amount", &format!(", {code}) as amount"), 1),
            ("steps", code) => sql.replacen("(order by c.day) as", &format!("(order by c.day) + {code} as"), 1),
            (_, code) => sql.replacen(" as amount", &format!(" + {code} as amount"), 1),
        };
        self.folder.write(&format!("models/{model}.sql"), sql);
    }

    fn change_code(&mut self) {
        let model = *self.dice.one_of(&self.models.clone());
        *self.codes.entry(model).or_default() += 1;
        self.write_model(model);
        self.tell(&format!("the code of `{model}` changes"));
    }

    fn remove_file(&mut self) {
        let files = self.folder.files("data/events");
        if files.len() > 1 {
            let file = self.dice.one_of(&files).clone();
            fs::remove_file(self.folder.root().join(&file)).unwrap();
            self.tell(&format!("`{file}` goes"));
        }
    }

    /// Runs karat with these words, which must succeed.
    fn karat(&mut self, words: &[&str]) -> Result<String, String> {
        self.tell(&format!("karat {}", words.join(" ")));
        let answer = self.folder.try_karat(words);
        if answer.code == 0 {
            Ok(answer.printed)
        } else {
            Err(format!("exit code {}\n{}", answer.code, answer.printed))
        }
    }

    fn happen(&mut self) -> Result<(), String> {
        match self.dice.below(12) {
            0..=3 => self.write_file(),
            4 => self.remove_file(),
            5 => self.write_prices(),
            6 => self.change_code(),
            7 => {
                let model = *self.dice.one_of(&self.models.clone());
                self.karat(&["run", "--quiet", "--select", &format!("+{model}")])?;
            }
            8 | 9 => {
                let first = self.dice.below(DAYS);
                let last = (first + self.dice.below(3)).min(DAYS - 1);
                self.karat(&["run", "--quiet", "--start", &day(first), "--end", &day(last)])?;
            }
            _ => {
                self.karat(&["run", "--quiet"])?;
            }
        }
        Ok(())
    }

    /// The rows of every table, in order.
    fn rows(folder: &Folder, models: &[&str]) -> BTreeMap<String, Vec<String>> {
        let of = |model: &&str| {
            let rows = folder.query(&format!("select * from shop.{model}"));
            let mut rows: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
            rows.sort();
            ((*model).to_owned(), rows)
        };
        models.iter().map(of).collect()
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..2 + self.dice.below(6) {
            self.happen()?;
        }
        self.karat(&["run"])?;
        let fresh = Folder::new();
        for part in ["project.yml", "models", "data"] {
            crate::folder::copy(&self.folder.root().join(part), &fresh.root().join(part));
        }
        fresh.karat(&["run", "--quiet"]);
        let (expected, found) = (Self::rows(&fresh, &self.models), Self::rows(&self.folder, &self.models));
        for (model, expected) in &expected {
            if &found[model] != expected {
                return Err(format!("`{model}` holds\n  {:?}\nand not\n  {expected:?}", found[model]));
            }
        }
        // Each slice of one model made again alone, and slices that nothing is known of looked for.
        let model = *self.dice.one_of(&self.models.clone());
        self.karat(&["verify", "--sample", "all", "--windows", "--quiet", "--select", model])?;
        let before = self.folder.files("lake");
        let told = self.karat(&["run"])?;
        let after = self.folder.files("lake");
        let new: Vec<&String> = after.iter().filter(|path| !before.contains(path)).collect();
        if before == after { Ok(()) } else { Err(format!("a second run writes {new:#?}\n{told}")) }
    }
}

fn numbers(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `KARAT_SEED=17 cargo test --test karat -- law` lives through history 17 alone.
#[test]
fn one_run_makes_every_table_equal_to_a_fresh_project_and_a_second_writes_nothing() {
    let seeds = match numbers("KARAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..numbers("KARAT_HISTORIES").unwrap_or(HISTORIES),
    };
    let next = AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wrong = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| first_wrong(&next, seeds.end))).collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap())
    });
    if let Some(told) = wrong {
        panic!("{told}");
    }
}

/// Lives through histories that nobody else does, until one goes wrong: then tells it.
fn first_wrong(next: &AtomicU64, end: u64) -> Option<String> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return None;
        }
        let mut history = History::new(seed);
        if let Err(reason) = history.live() {
            next.store(end, Ordering::Relaxed);
            let text = |model: &&str| {
                let path = history.folder.root().join(format!("models/{model}.sql"));
                format!("-- {model}\n{}", fs::read_to_string(path).unwrap())
            };
            let models: Vec<String> = history.models.iter().map(text).collect();
            return Some(format!(
                "history {seed} went wrong; `KARAT_SEED={seed} cargo test --test karat -- law` lives through it alone:\n\
                 {reason}\nthis is how it came:\n{}\nwith these models in the end:\n{}",
                history.story,
                models.join("\n")
            ));
        }
    }
}
