//! What karat says when a template does something else.

use super::*;

#[test]
fn all_unknown_references_are_told_at_once() {
    insta::assert_snapshot!(fault("{{ ref('userz') }} {{ ref('notes') }}\n{{ source('raw', 'note') }}"), @r"
    error[unknown-ref]: no model is called `userz`
     --> models/gold/m.sql:1:8
      |
    1 | {{ ref('userz') }} {{ ref('notes') }}
      |        ^^^^^^^
      |
      = help: did you mean `users`?

    error[unknown-ref]: no model is called `notes`
     --> models/gold/m.sql:1:27
      |
    1 | {{ ref('userz') }} {{ ref('notes') }}
      |                           ^^^^^^^
      |
      = help: use `{{ source('raw', 'notes') }}` for the source

    error[unknown-source]: no source is called `raw.note`
     --> models/gold/m.sql:2:18
      |
    2 | {{ source('raw', 'note') }}
      |                  ^^^^^^
      |
      = help: did you mean `raw.notes`?
    ");
}

#[test]
fn wrong_arguments_of_ref_are_told() {
    insta::assert_snapshot!(fault("{{ ref('users', lookback='3') }}"), @r"
    error[invalid-config]: `3` is not a length of time
     --> models/gold/m.sql:1:4
      |
    1 | {{ ref('users', lookback='3') }}
      |    ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write a number and a unit: `lookback='29 days'`
    ");
    insta::assert_snapshot!(fault("{{ ref('users', lookbak='3 days') }}"), @r"
    error[template-error]: `ref()` has no argument `lookbak`
     --> models/gold/m.sql:1:4
      |
    1 | {{ ref('users', lookbak='3 days') }}
      |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `lookback`?
    ");
}

#[test]
fn syntax_errors_stand_where_they_were_typed() {
    insta::assert_snapshot!(fault("{% set x = [] %}\nselect {{ ref('users' }}"), @r"
    error[template-syntax]: `(` is never closed
     --> models/gold/m.sql:2:14
      |
    2 | select {{ ref('users' }}
      |              ^
      |
      = help: close it with `)` before `}}`
    ");
    insta::assert_snapshot!(said(&[("macros/a.sql", "{% tost unique(x) %}{% endtost %}"), ("models/m.sql", "")]), @"
    warning[template-syntax]: no tag is called `tost`
     --> macros/a.sql:1:4
      |
    1 | {% tost unique(x) %}{% endtost %}
      |    ^^^^
      |
      = note: no model needs this file
      = help: did you mean `test`?
    ");
}

#[test]
fn unknown_names_are_told_with_a_suggestion() {
    let macros = ("macros/a.sql", "{% macro cents(x) %}{{ x }}{% endmacro %}");
    insta::assert_snapshot!(said(&[macros, ("models/m.sql", "select {{ cent('a') }}")]), @r"
    error[unknown-macro]: no macro or function is called `cent`
     --> models/m.sql:1:11
      |
    1 | select {{ cent('a') }}
      |           ^^^^
      |
      = help: did you mean `cents`?
    ");
    insta::assert_snapshot!(fault("{{ dbt_utils.star(1) }}"), @"
    error[unknown-macro]: the package `dbt_utils` is not here
     --> models/gold/m.sql:1:4
      |
    1 | {{ dbt_utils.star(1) }}
      |    ^^^^^^^^^^^^^^
      |
      = help: list it in `packages.yml` and run `karat deps`, or put a copy of it into `dbt_packages/dbt_utils`
    ");
    insta::assert_snapshot!(fault("{% if nothing %}{% endif %}{{ limit }}"), @r"
    error[template-error]: `limit` is undefined
     --> models/gold/m.sql:1:31
      |
    1 | {% if nothing %}{% endif %}{{ limit }}
      |                               ^^^^^
      |
      = help: use `var('limit')`
    ");
    insta::assert_snapshot!(fault("{{ 'a' | uper }}"), @"
    error[template-error]: no filter is called `uper`
     --> models/gold/m.sql:1:10
      |
    1 | {{ 'a' | uper }}
      |          ^^^^
      |
      = help: did you mean `upper`?
    ");
}

#[test]
fn a_fault_in_a_macro_names_both_places() {
    let macros = (
        "macros/a.sql",
        "{% macro cents(x) %}\n  {{ x.y.z }}{{ ref(x) }}\n{% endmacro %}{% macro r(x) %}{{ ref(x) }}{% endmacro %}",
    );
    insta::assert_snapshot!(said(&[macros, ("models/m.sql", "select 1,\n  {{ cents('a') }}")]), @r"
    error[template-error]: `x.y` is undefined
     --> macros/a.sql:2:6
      |
    2 |   {{ x.y.z }}{{ ref(x) }}
      |      ^^^^^
      |
     ::: models/m.sql:2:6
      |
    2 |   {{ cents('a') }}
      |      ---------- called here
    ");
    insta::assert_snapshot!(said(&[macros, ("models/m.sql", "select 1,\n  {{ r('nope') }}")]), @r"
    error[unknown-ref]: no model is called `nope`
     --> macros/a.sql:3:38
      |
    3 | {% endmacro %}{% macro r(x) %}{{ ref(x) }}{% endmacro %}
      |                                      ^
      |
     ::: models/m.sql:2:6
      |
    2 |   {{ r('nope') }}
      |      --------- called here
      |
      = help: models lie in `models`, seeds in `seeds`; `karat ls` lists what there is
    ");
}

#[test]
fn two_macros_of_one_name_are_told_at_both_places() {
    let files = [
        ("macros/a.sql", "{% macro cents(x) %}{% endmacro %}"),
        ("macros/b.sql", "{% macro cents(x) %}{% endmacro %}{% macro return() %}{% endmacro %}"),
    ];
    insta::assert_snapshot!(said(&files), @r"
    error[duplicate-name]: two macros are called `cents`
     --> macros/b.sql:1:10
      |
    1 | {% macro cents(x) %}{% endmacro %}{% macro return() %}{% endmacro %}
      |          ^^^^^ the second one
      |
     ::: macros/a.sql:1:10
      |
    1 | {% macro cents(x) %}{% endmacro %}
      |          ----- the first one
      |
      = help: give one of them another name: all macros of a project share one namespace

    error[duplicate-name]: `return` is a function of karat
     --> macros/b.sql:1:44
      |
    1 | {% macro cents(x) %}{% endmacro %}{% macro return() %}{% endmacro %}
      |                                            ^^^^^^ this macro needs another name
    ");
}

#[test]
fn what_depends_on_the_world_is_refused_with_an_alternative() {
    insta::assert_snapshot!(fault("{% set x = store_result('select 1') %}"), @r"
    error[template-error]: `store_result` is not available: the SQL of a model must not depend on what the lake holds
     --> models/gold/m.sql:1:12
      |
    1 | {% set x = store_result('select 1') %}
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: list the values with `var()` or in the model, or compute them in SQL with a join
    ");
    insta::assert_snapshot!(fault("{{ adapter.get_columns_in_relation(this) }}{{ env_var('KARAT_SECRET_KEY') }}"), @r"
    error[template-error]: the columns of `this` are those that this model selects
     --> models/gold/m.sql:1:4
      |
    1 | {{ adapter.get_columns_in_relation(this) }}{{ env_var('KARAT_SECRET_KEY') }}
      |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name them, or ask for the columns of what the model reads
    ");
    insta::assert_snapshot!(fault("{{ env_var('KARAT_SECRET_KEY') }}"), @r"
    error[env-var-not-allowed]: `KARAT_SECRET_KEY` may hold a secret, which must not end up in the SQL of a model
     --> models/gold/m.sql:1:4
      |
    1 | {{ env_var('KARAT_SECRET_KEY') }}
      |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: if it is not a secret, write `env_vars: [KARAT_SECRET_KEY]` into your profile `/users/me/.config/karat/profile.yml`
    ");
}

#[test]
fn credentials_never_become_text() {
    for name in [
        "AWS_REGION",
        "aws_session_token",
        "KARAT_PROFILE",
        "GITHUB_TOKEN",
        "DbPassword",
        "DBT_ENV_SECRET_X",
        "MY_Private_Key",
    ] {
        let told = fault(&format!("{{{{ env_var('{name}', 'x') }}}}"));
        assert!(told.contains("may hold a secret"), "{name}: {told}");
    }
}

#[test]
fn a_variable_is_read_where_somebody_allowed_it() {
    assert_eq!(
        text("{{ env_var('ZONE') }} {{ env_var('KARAT_REGION') }} {{ env_var('UNSET_KEYS', 'x') }}"),
        "west eu x"
    );
    insta::assert_snapshot!(fault("{{ env_var('REGION', 'x') }}"), @r"
    error[env-var-not-allowed]: templates are not allowed to read the environment variable `REGION`
     --> models/gold/m.sql:1:4
      |
    1 | {{ env_var('REGION', 'x') }}
      |    ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `env_vars: [REGION]` into the target or into your profile `/users/me/.config/karat/profile.yml`; names that begin with `KARAT_` or `DBT_` need no permission
    ");
    let (mut project, sources) = project(&[("models/gold/m.sql", "{{ env_var('REGION') }}{{ env_var('SERVICE') }}")]);
    project.target.env_vars = ["REGION", "SERVICE"].map(str::to_owned).into();
    let mut sink = Sink::default();
    let told = render_models(&project, &sources, &host(), &mut NoCompiler, &mut sink);
    assert!(told.and_then(|rendered| rendered.whole(&mut sink)).is_err());
    let told = render_all(&sink.take(), &sources, Style::Plain);
    assert!(told.contains("`SERVICE` may hold a secret") && !told.contains("hush"), "{told}");
}

#[test]
fn unset_variables_are_told() {
    insta::assert_snapshot!(fault("{{ var('limits') }}"), @r"
    error[unknown-var]: the variable `limits` is not set
     --> models/gold/m.sql:1:4
      |
    1 | {{ var('limits') }}
      |    ^^^^^^^^^^^^^
      |
      = help: did you mean `limit`?
    ");
    insta::assert_snapshot!(fault("{{ env_var('NOWHERE') }}"), @r"
    error[unknown-env-var]: the environment variable `NOWHERE` is not set
     --> models/gold/m.sql:1:4
      |
    1 | {{ env_var('NOWHERE') }}
      |    ^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or give a default: `env_var('NOWHERE', 'value')`
    ");
}

#[test]
fn variables_that_are_templates_are_as_bounded_as_templates() {
    let doubled =
        (0..14).map(|n| (format!("v{n}"), format!("{{{{ var('v{next}') ~ var('v{next}') }}}}", next = n + 1)));
    let deep = (0..40).map(|n| (format!("d{n}"), format!("{{{{ var('d{}') }}}}", n + 1)));
    let loops = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}".to_owned();
    let vars = doubled.chain(deep).chain([("v14".to_owned(), "x".repeat(4096)), ("endless".to_owned(), loops)]);
    let vars: BTreeMap<String, serde_json::Value> = vars.map(|(name, text)| (name, text.into())).collect();
    for (asked, said) in [
        (
            "v0",
            "error[template-fuel]: the variable `v0` holds a template that cannot be rendered: the text of the variable `v1`",
        ),
        (
            "endless",
            "error[template-fuel]: the variable `endless` holds a template that cannot be rendered: engine ran out of fuel",
        ),
        ("d0", "`var('d16')` needs its own value, or too many others"),
    ] {
        let template = format!("{{{{ var('{asked}') }}}}");
        let (project, sources) = project(&[("models/gold/m.sql", &template)]);
        let project = Project { vars: vars.clone(), ..project };
        let mut sink = Sink::default();
        let rendered = render_models(&project, &sources, &host(), &mut NoCompiler, &mut sink);
        let _ = rendered.and_then(|rendered| rendered.whole(&mut sink));
        let told = render_all(&sink.take(), &sources, Style::Plain);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn templates_without_end_stop() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    assert!(fault(endless).contains("error[template-fuel]: the template does not terminate"));
    let macros = ("macros/a.sql", "{% macro down(x) %}{{ down(x) }}{% endmacro %}");
    insta::assert_snapshot!(said(&[macros, ("models/m.sql", "{{ down(1) }}")]), @r"
    error[template-fuel]: macros call each other endlessly
     --> macros/a.sql:1:23
      |
    1 | {% macro down(x) %}{{ down(x) }}{% endmacro %}
      |                       ^^^^^^^
      |
     ::: models/m.sql:1:4
      |
    1 | {{ down(1) }}
      |    ------- called here
      |
      = help: look for a loop that is too long, or for a macro that calls itself
    ");
    let long = "{% set x = 'x' * 1000000 %}{% for a in range(20) %}{{ x }}{% endfor %}";
    assert!(fault(long).contains("error[template-fuel]: the text is longer than 16 MiB"));
    assert!(fault("{% set x = [] %}{% do x.append([x]) %}{{ x }}").contains("cannot hold itself"));
    let deep =
        "{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}";
    assert!(fault(deep).contains("error[template-fuel]"));
    assert!(fault(&deep.replace(", ns.x]", "]")).contains("values can be nested at most 32 deep"));
    assert!(
        fault("{% set x = [1] %}{% for i in range(99) %}{% do x.extend(x) %}{% endfor %}").contains("template-fuel")
    );
}

#[test]
fn one_bad_model_does_not_hide_the_next() {
    let told =
        said(&[("models/a.sql", "{{ nope() }}"), ("models/b.sql", "{% if %}"), ("models/c.sql", "{{ ref('d') }}")]);
    for code in ["unknown-macro", "template-syntax", "unknown-ref"] {
        assert!(told.contains(code), "{told}");
    }
}
