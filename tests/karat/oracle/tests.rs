//! The oracle against cases that were worked out by hand.

use super::{Table, Tables, compute};

const HEADER: &str = "user_id,timestamp,action_type,page_id,duration_ms,app_version\n";
const USERS: &str = "user_id,join_date,country,device_type,subscription_type\n";

fn of(interactions: &[u8], users: &str) -> Tables {
    let interactions = [HEADER.as_bytes(), interactions].concat();
    compute(&[("i.csv".to_owned(), interactions)], &[("u.csv".to_owned(), format!("{USERS}{users}").into_bytes())])
}

/// The tables of valid page views, each `user timestamp`.
fn views(views: &[&str]) -> Tables {
    let lines = views.iter().map(|view| {
        let (user, time) = view.split_once(' ').unwrap();
        format!("{user},{time},page_view,P1,1000,5.0.0\n")
    });
    of(lines.collect::<String>().as_bytes(), "")
}

fn check(tables: &Tables, name: &str, columns: &[&str], expected: &[&str]) {
    let Table { columns: all, rows } = &tables.by_name[name];
    let places: Vec<usize> = columns.iter().map(|c| all.iter().position(|column| column == c).unwrap()).collect();
    let found: Vec<String> =
        rows.iter().map(|row| places.iter().map(|place| row[*place].as_str()).collect::<Vec<_>>().join("|")).collect();
    assert_eq!(found, expected, "{name}");
}

const SESSION: [&str; 4] = ["session_start", "session_end", "n_actions", "duration_s"];

#[test]
fn a_gap_of_half_an_hour_starts_a_session_and_a_second_less_does_not() {
    let tables = views(&["U1 2023-01-01 10:00:00", "U1 2023-01-01 10:29:59", "U1 2023-01-01 10:59:59"]);
    check(
        &tables,
        "gold.sessions",
        &SESSION,
        &["2023-01-01 10:00:00|2023-01-01 10:29:59|2|1799", "2023-01-01 10:59:59|2023-01-01 10:59:59|1|0"],
    );
}

#[test]
fn sessions_of_different_users_do_not_join() {
    let tables = views(&["U1 2023-01-01 10:00:00", "U2 2023-01-01 10:00:01", "U1 2023-01-01 10:00:02"]);
    check(&tables, "gold.sessions", &["user_id", "n_actions"], &["U1|2", "U2|1"]);
}

#[test]
fn midnight_ends_only_sessions_midnight() {
    let tables = views(&["U1 2023-01-31 23:59:59", "U1 2023-02-01 00:00:00"]);
    check(&tables, "gold.sessions", &SESSION, &["2023-01-31 23:59:59|2023-02-01 00:00:00|2|1"]);
    let both = ["2023-01-31 23:59:59|2023-01-31 23:59:59|1|0", "2023-02-01 00:00:00|2023-02-01 00:00:00|1|0"];
    check(&tables, "gold.sessions_midnight", &SESSION, &both);
    check(&tables, "gold.daily_session_metrics", &["event_date", "total_actions"], &["2023-01-31|2"]);
    check(
        &tables,
        "gold.daily_session_metrics_midnight",
        &["event_date", "sessions"],
        &["2023-01-31|1", "2023-02-01|1"],
    );
}

#[test]
fn a_chain_of_28_hours_is_one_session_of_its_first_day() {
    let start = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap().and_hms_opt(22, 0, 0).unwrap();
    let times = (0..=28 * 4).map(|quarter| start + chrono::TimeDelta::minutes(15 * quarter));
    let lines: Vec<String> = times.map(|time| format!("U1 {}", time.format("%Y-%m-%d %H:%M:%S"))).collect();
    let tables = views(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    check(&tables, "gold.sessions", &SESSION, &["2023-01-01 22:00:00|2023-01-03 02:00:00|113|100800"]);
    let starts = ["2023-01-01 22:00:00", "2023-01-02 00:00:00", "2023-01-03 00:00:00"];
    check(&tables, "gold.sessions_midnight", &["session_start"], &starts);
}

#[test]
fn medians_and_percentiles_are_interpolated() {
    let tables = views(&[
        "U1 2023-01-01 10:00:00",
        "U1 2023-01-01 10:00:10",
        "U2 2023-01-01 10:00:00",
        "U2 2023-01-01 10:00:30",
    ]);
    let columns = ["sessions", "users", "avg_duration_s", "median_duration_s", "p95_duration_s", "avg_actions"];
    check(&tables, "gold.daily_session_metrics", &columns, &["2|2|20.0|20.0|29.0|2.0"]);
}

#[test]
fn a_leap_day_exists_only_in_leap_years() {
    let lines = b"U1,2024-02-29 10:00:00,edit,P1,1,5\nU1,2023-02-29 10:00:00,edit,P1,1,5\n";
    let tables = of(lines, "U1,2024-02-29,US,Mac,free\nU2,2100-02-29,US,Mac,free\n");
    check(&tables, "silver.fct_interactions", &["event_date"], &["2024-02-29"]);
    check(&tables, "silver.rejected_interactions", &["event_date", "reason", "count"], &["∅|bad_timestamp|1"]);
    let rescued = ["∅|∅", "∅|{\"join_date\":\"2100-02-29\"}"];
    check(&tables, "bronze.users", &["_rescued"], &rescued.map(|row| row.split_once('|').unwrap().1));
    check(&tables, "silver.dim_users", &["user_id", "join_date"], &["U1|2024-02-29", "U2|∅"]);
    let month = ["2024-02-01|1|1|1|1.0|1.0"];
    check(&tables, "gold.monthly_active_users", &["month", "mau", "sum_dau", "days", "avg_dau", "stickiness"], &month);
}

#[test]
fn of_duplicates_the_valid_then_the_shortest_then_the_oldest_version_stays() {
    let key = |user: &str, rest: &str| format!("{user},2023-01-01 10:00:00,edit,P1,{rest}\n");
    let lines = [
        key("U1", "-5,5.1.0"),
        key("U1", "900,5.1.0"),
        key("U1", "800,5.2.0"),
        key("U1", "800,5.1.9"),
        key("U1", "800,"),
        key("U2", ",5.1.0"),
        key("U2", "9999999,5.1.0"),
        key("U2", "-1,5.1.0"),
        key("U3", "x,5.1.0"),
        key("U3", ",5.0.0"),
    ];
    let tables = of(lines.concat().as_bytes(), "");
    let kept = ["U1|800|5.1.9|ok|true", "U2|-1|5.1.0|negative|false", "U3|∅|5.0.0|null|false"];
    let columns = ["user_id", "duration_ms", "app_version", "duration_status", "is_valid"];
    check(&tables, "silver.fct_interactions", &columns, &kept);
}

#[test]
fn two_hours_are_valid_and_a_millisecond_more_is_not() {
    let line = |page, duration| format!("U1,2023-01-01 10:00:00,edit,{page},{duration}\n").replace('\n', ",5\n");
    let lines = [line("P1", "0"), line("P2", "7200000"), line("P3", "7200001"), line("P4", "-0")].concat();
    let tables = of(lines.as_bytes(), "");
    check(
        &tables,
        "silver.fct_interactions",
        &["page_id", "duration_status"],
        &["P1|ok", "P2|ok", "P3|too_long", "P4|ok"],
    );
    check(&tables, "gold.daily_active_users", &["dau", "actions", "total_duration_ms"], &["1|3|7200000"]);
}

#[test]
fn a_user_with_only_outliers_is_never_active() {
    let lines = b"U1,2023-01-01 10:00:00,edit,P1,86400000,5\nU2,2023-01-02 10:00:00,edit,P1,5,5\n";
    let tables = of(lines, "U1,2023-01-01,DE,Mac,free\n");
    check(&tables, "gold.daily_active_users", &["event_date", "dau"], &["2023-01-02|1"]);
    check(&tables, "gold.sessions", &["user_id"], &["U2"]);
    check(&tables, "gold.dau_by_country", &["event_date", "country", "dau"], &["2023-01-02|unknown|1"]);
}

#[test]
fn an_empty_month_has_a_row_without_users_and_so_have_its_days() {
    let tables = views(&["U1 2023-01-30 10:00:00", "U2 2023-01-31 10:00:00", "U1 2023-03-02 10:00:00"]);
    let months = ["2023-01-01|2|2|2|1.0|0.5", "2023-02-01|0|0|28|0.0|∅", "2023-03-01|1|1|2|0.5|0.5"];
    check(&tables, "gold.monthly_active_users", &["month", "mau", "sum_dau", "days", "avg_dau", "stickiness"], &months);
    let trailing = &tables.by_name["gold.mau_trailing_30d"];
    assert_eq!(trailing.rows.len(), 32);
    let row = |date: &str| trailing.rows.iter().find(|row| row[0] == date).unwrap().join("|");
    assert_eq!(row("2023-01-31"), "2023-01-31|1|2|2|0.5|0.5");
    // The 30th of January is the first of thirty days that end with the 28th of February.
    assert_eq!(row("2023-02-28"), "2023-02-28|0|2|0|0.0|∅");
    assert_eq!(row("2023-03-01"), "2023-03-01|0|1|1|0.0|0.0");
    assert_eq!(row("2023-03-02"), "2023-03-02|1|1|1|1.0|1.0");
}

#[test]
fn of_a_users_rows_the_latest_join_date_wins_and_attributes_outside_their_lists_are_null() {
    let users = "U1,2023-01-01,AA,Mac,free\nU1,2023-01-02,FR,Mac,free\nU1,2023-01-02,DE,iPad,free\nU1,soon,AA,Mac,free\n\
                 U2,,us,Fridge,gold\nU3,2023-01-01,xx,Mac,free\nU3,2023-01-01,ZZ,Mac,free\n,2023-01-01,DE,Mac,free\n";
    let rows = ["U1|2023-01-02|DE|iPad|free", "U2|∅|∅|∅|∅", "U3|2023-01-01|ZZ|Mac|free"];
    let columns = ["user_id", "join_date", "country", "device_type", "subscription_type"];
    check(&of(b"", users), "silver.dim_users", &columns, &rows);
}

#[test]
fn the_first_reason_to_reject_counts() {
    let lines = b",x,y,,1,5\n,2023-01-01 00:00:00,,,1,5\nU1,,,,1,5\nU1,x,,,1,5\nU1,2023-01-01 00:00:00,,,1,5\n\
                  U1,2023-01-01 00:00:00,View,,1,5\nU1,2023-01-01 00:00:00,edit,\"\",1,5\n";
    let rows = [
        "2023-01-01|null_action_type|1",
        "2023-01-01|null_page_id|1",
        "2023-01-01|null_user_id|1",
        "2023-01-01|unknown_action_type|1",
        "∅|bad_timestamp|1",
        "∅|null_timestamp|1",
        "∅|null_user_id|1",
    ];
    check(&of(lines, ""), "silver.rejected_interactions", &["event_date", "reason", "count"], &rows);
}

#[test]
fn conversion_is_strict_and_what_fails_is_rescued_in_column_order() {
    let lines = b"U1, 2023-01-01 10:00:00,edit,P1,1 \"x,5\nU1, 2023-01-01 10:00:00,edit,P1,+1,5\n\
                  U1,2023-01-01 24:00:00,edit,P1,9223372036854775808,5\nU1,2023-01-01 10:00:60,edit,P1,-007,\"5,\"\"\"\n";
    let rows = [
        "3|∅|∅|{\"timestamp\":\" 2023-01-01 10:00:00\",\"duration_ms\":\"+1\"}|5",
        "4|∅|∅|{\"timestamp\":\"2023-01-01 24:00:00\",\"duration_ms\":\"9223372036854775808\"}|5",
        "5|∅|-7|{\"timestamp\":\"2023-01-01 10:00:60\"}|5,\"",
    ];
    let tables = of(lines, "");
    let mut sorted = tables.clone();
    sorted.by_name.get_mut("bronze.interactions").unwrap().rows.sort_by_key(|row| row[8].clone());
    check(
        &sorted,
        "bronze.interactions",
        &["_source_line", "timestamp", "duration_ms", "_rescued", "app_version"],
        &rows,
    );
    check(&tables, "quarantine.interactions", &["_source_line", "reason"], &["2|bad_quoting"]);
}

#[test]
fn broken_records_end_with_the_line_of_their_fault() {
    let lines =
        b"a,b\n\nU1,2023-01-01 10:00:00,edit,P1,1,\"5\nx\"\n\"U1\nU2\"x,1\na,b,c,d,e,f,g\r\n\r\na,b,c,\xFF,e,f\n\
                  a\"b,\",\",\"\nU1,2023-01-01 10:00:00,edit,P2,1,5";
    let tables = of(lines, "");
    let bad = ["10|invalid_utf8", "11|bad_quoting", "2|too_few_columns", "6|bad_quoting", "8|too_many_columns"];
    check(&tables, "quarantine.interactions", &["_source_line", "reason"], &bad);
    check(&tables, "bronze.interactions", &["_source_line", "app_version"], &["4|5\nx", "12|5"]);
    let counts = ["bad_quoting|2", "invalid_utf8|1", "too_few_columns|1", "too_many_columns|1"];
    check(&tables, "quarantine.counts", &["reason", "records"], &counts);
}

#[test]
fn a_byte_order_mark_and_the_last_line_end_do_not_matter() {
    let plain = format!("{HEADER}U1,2023-01-01 10:00:00,edit,P1,1,5\n").into_bytes();
    let marked = [b"\xEF\xBB\xBF", plain.strip_suffix(b"\n").unwrap()].concat();
    let of = |bytes: &[u8]| compute(&[("i.csv".to_owned(), bytes.to_vec())], &[]);
    assert_eq!(of(&plain), of(&marked));
    check(&of(&plain), "bronze.interactions", &["_source_file", "_source_line"], &["i.csv|2"]);
}

#[test]
fn floats_have_one_to_six_decimals() {
    assert_eq!([1.0, 0.5, 2.0 / 3.0, -0.0, 100.0].map(super::float_text), ["1.0", "0.5", "0.666667", "0.0", "100.0"]);
}
