//! The files of the sample project, which the program contains.

/// Each with its text, as it stands at the top of this repository.
macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))),*]
    };
}

/// A test compares the list with the folders.
pub(crate) const PROJECT_FILES: &[(&str, &str)] = embedded![
    "macros/active_users.sql",
    "macros/cleaning.sql",
    "macros/sessions.sql",
    "macros/statistics.sql",
    "models/bronze/bronze.yml",
    "models/bronze/interactions.sql",
    "models/bronze/sources.yml",
    "models/bronze/users.sql",
    "models/gold/active_users.yml",
    "models/gold/daily_active_users.sql",
    "models/gold/daily_session_metrics.sql",
    "models/gold/daily_session_metrics_midnight.sql",
    "models/gold/dau_by_country.sql",
    "models/gold/dau_by_device.sql",
    "models/gold/dau_by_subscription.sql",
    "models/gold/mau_trailing_30d.sql",
    "models/gold/monthly_active_users.sql",
    "models/gold/reporting_days.sql",
    "models/gold/sessions.sql",
    "models/gold/sessions.yml",
    "models/gold/sessions_midnight.sql",
    "models/gold/users_by_month.sql",
    "models/gold/users_trailing_30d.sql",
    "models/silver/dim_users.sql",
    "models/silver/fct_interactions.sql",
    "models/silver/rejected_interactions.sql",
    "models/silver/silver.yml",
    "models/silver/stg_interactions.sql",
    "models/silver/user_days.sql",
    "project.yml",
    "tests/data/daily_users_within_monthly_users.sql",
    "tests/data/every_day_is_reported.sql",
    "tests/data/interactions_are_unique.sql",
    "tests/data/sessions_are_a_gap_apart.sql",
    "tests/data/sessions_hold_every_valid_interaction.sql",
    "tests/data/sessions_midnight_end_on_their_day.sql",
    "tests/data/splits_add_up_to_daily_users.sql",
    "tests/data/valid_interactions_are_all_counted.sql",
];
