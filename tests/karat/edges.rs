//! The edge cases of the sample's definitions, written by hand, compared with the oracle and with literal rows.

use crate::folder::Folder;
use crate::sample::check_all;

const USERS: &str = "user_id,join_date,country,device_type,subscription_type
Gap,2023-01-01,DE,Mac,free
Midnight,2023-01-01,FR,iPhone,basic
Chain,2023-01-01,DE,iPad,premium
Ties,2023-01-01,us,Fridge,gold
Ties,2023-01-01,US,Mac,free
Ties,2022-12-31,AA,iPad,basic
Outlier,,,,
\"Quoted, \"\"user\"\"\",2024-02-29,IT,Windows,enterprise
,2023-01-01,DE,Mac,free
Changed,2023-01-01,DE,Mac,free
Changed,2024-01-01,FR,iPad,basic
Changed,soon,ZZ,Mac,free
";

const HEADER: &str = "user_id,timestamp,action_type,page_id,duration_ms,app_version\n";

const GAPS: &str = "Gap,2024-02-28 10:00:00,page_view,P1,1000,5.0.0
Gap,2024-02-28 10:29:59,page_view,P1,1000,5.0.0
Gap,2024-02-28 10:59:59,page_view,P1,1000,5.0.0
Midnight,2024-02-28 23:50:00,edit,P1,1000,5.0.0
Midnight,2024-02-29 00:10:00,edit,P1,1000,5.0.0
Midnight,2024-02-29 23:59:59,edit,P1,1000,5.0.0
Midnight,2024-03-01 00:00:00,edit,P1,1000,5.0.0
";

const TIES: &str = "Ties,2024-03-02 08:00:00,create,P1,7200001,4.0.0
Ties,2024-03-02 08:00:00,create,P1,500,5.0.1
Ties,2024-03-02 08:00:00,create,P1,500,5.0.0
Ties,2024-03-02 08:00:00,create,P1,500,
Ties,2024-03-02 08:00:00,create,P1,900,1.0.0
Ties,2024-03-02 08:00:00,create,P1,-1,1.0.0
Ties,2024-03-02 08:00:00,create,P1,,1.0.0
Ties,2024-03-02 08:00:00,delete,P1,0,5.0.0
Ties,2024-03-02 08:00:00,delete,P2,7200000,5.0.0
Ties,2024-03-02 09:00:00,share,P1,,5.0.0
Ties,2024-03-02 09:00:00,share,P1,-3,5.0.0
Ties,2024-03-02 09:00:00,share,P1,-7,5.0.0
Outlier,2024-03-02 10:00:00,page_view,P1,7200001,5.0.0
Outlier,2024-03-02 10:00:01,page_view,P1,-1,5.0.0
Outlier,2024-03-02 10:00:02,page_view,P1,,5.0.0
Outlier,2024-03-02 10:00:03,page_view,P1,12.5,5.0.0
";

/// Rejected records, and a page view by somebody whom nobody knows.
const REST: &str = ",2024-03-03 00:00:00,page_view,P1,1,5.0.0
\"\",,page_view,P1,1,5.0.0
Gap,,page_view,P1,1,5.0.0
Gap,2024-02-30 00:00:00,page_view,P1,1,5.0.0
Gap,2023-02-29 00:00:00,page_view,P1,1,5.0.0
Gap,2024-03-03 24:00:00,page_view,P1,1,5.0.0
Gap,2024-03-03T00:00:00,page_view,P1,1,5.0.0
Gap,2024-03-03 00:00:00,,P1,1,5.0.0
Gap,2024-03-03 00:00:00,View,P1,1,5.0.0
Gap,2024-03-03 00:00:00,edit,,1,5.0.0
Gap,2024-03-03 00:00:00,edit,P1
Gap,2024-03-03 00:00:00,edit,P1,1,5.0.0,more

\"Quoted, \"\"user\"\"\",2024-03-03 12:00:00,edit,\"P\n1\",1,\"5,0\"
Stranger,2024-03-03 12:00:00,edit,P1,1,5.0.0
Changed,2024-06-15 12:00:00,edit,P1,1,5.0.0
";

/// A chain of 28 hours that touches three days: an action each 28 minutes, 61 of them.
fn chain() -> String {
    let minutes = (0..=60).map(|step| 20 * 60 + step * 28);
    minutes
        .map(|minute| {
            let (day, hour) = (4 + minute / 1440, minute / 60 % 24);
            format!("Chain,2024-03-{day:02} {hour:02}:{:02}:00,page_view,P1,1000,5.0.0\n", minute % 60)
        })
        .collect()
}

#[test]
fn the_edge_cases_give_the_rows_that_were_worked_out_by_hand() {
    let folder = Folder::with_sample();
    folder.write("data/user_metadata.csv", USERS);
    folder.write("data/user_interactions/gaps.csv", format!("\u{feff}{HEADER}{GAPS}").replace('\n', "\r\n"));
    folder.write("data/user_interactions/others.csv", format!("{HEADER}{TIES}{REST}"));
    folder.write("data/user_interactions/chain.csv", format!("{HEADER}{}", chain()));
    folder.write("data/user_interactions/nothing.csv", HEADER);
    folder.karat(&["build", "--quiet"]);
    check_all(&folder);

    let sessions = |user: &str| {
        let columns = "to_char(session_start, 'DD HH24:MI:SS'), n_actions, duration_s, event_date";
        let sql = format!("select {columns} from gold.sessions where user_id = '{user}' order by session_start");
        folder.query(&sql).iter().map(|row| row.join(" | ")).collect::<Vec<_>>()
    };
    assert_eq!(sessions("Gap"), ["28 10:00:00 | 2 | 1799 | 2024-02-28", "28 10:59:59 | 1 | 0 | 2024-02-28"]);
    assert_eq!(sessions("Midnight"), ["28 23:50:00 | 2 | 1200 | 2024-02-28", "29 23:59:59 | 2 | 1 | 2024-02-29"]);
    assert_eq!(sessions("Chain"), ["04 20:00:00 | 61 | 100800 | 2024-03-04"]);
    assert_eq!(sessions("Outlier"), [""; 0]);
    check(&folder, "select count(*) from gold.sessions_midnight where user_id = 'Midnight'", &["4"]);
    check(&folder, "select count(*) from gold.sessions_midnight where user_id = 'Chain'", &["3"]);
    check_users_and_periods(&folder);
}

fn check_users_and_periods(folder: &Folder) {
    let kept = "select action_type, duration_ms, app_version, duration_status from silver.fct_interactions \
                where user_id = 'Ties' order by action_type, page_id";
    let rows = ["create|500|5.0.0|ok", "delete|0|5.0.0|ok", "delete|7200000|5.0.0|ok", "share|-7|5.0.0|negative"];
    check(folder, kept, &rows);
    let users = "select user_id, country, device_type, subscription_type from silver.dim_users \
                 where user_id in ('Ties', 'Changed') order by user_id";
    check(folder, users, &["Changed|FR|iPad|basic", "Ties|US|Mac|free"]);
    check(folder, "select dau, actions from gold.daily_active_users where event_date = '2024-02-29'", &["1|2"]);
    // Nobody was active in April and May, nor in the 30 days before the first of June.
    let empty =
        "select dau, mau_30d, mau_month, stickiness_30d from gold.mau_trailing_30d where event_date = '2024-05-01'";
    check(folder, empty, &["0|0|0|"]);
    let months = "select month, mau, days from gold.monthly_active_users order by month";
    let rows = ["2024-02-01|2|2", "2024-03-01|5|31", "2024-04-01|0|30", "2024-05-01|0|31", "2024-06-01|1|15"];
    check(folder, months, &rows);
}

fn check(folder: &Folder, sql: &str, expected: &[&str]) {
    let found: Vec<String> = folder.query(sql).iter().map(|row| row.join("|")).collect();
    assert_eq!(found, expected, "{sql}");
}
