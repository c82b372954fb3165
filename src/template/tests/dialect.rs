//! What templates may do.

use super::*;

#[test]
fn a_reference_becomes_a_table_and_the_line_break_at_the_end_stays() {
    assert_eq!(text_with("select * from {{ ref('fct_notes') }}\n", &[NOTES]), "select * from silver.fct_notes\n");
    assert_eq!(text("{{ source('raw', 'notes') }}"), "raw.notes");
    assert_eq!(text_with("{{ ref('notes', 'fct_notes').schema }}", &[NOTES]), "silver");
    assert_eq!(text_with("{{ ref('order') }}", &[("models/silver/order.sql", "select 1")]), "silver.\"order\"");
}

#[test]
fn every_call_for_one_table_has_a_relation_and_a_window_of_its_own() {
    let template =
        "{{ ref('fct_notes') }} {{ ref('fct_notes', lookback='29 days') }} {{ ref('fct_notes', lookahead='1 day') }}";
    let (models, files) = rendered(&[("models/gold/m.sql", template), NOTES]);
    let full = &model(&models, "m").full;
    assert_eq!(full.text, "silver.fct_notes silver.fct_notes silver.fct_notes");
    let ends = [16, 33, 50];
    assert_eq!(ends.map(|end| full.places.nth_before(end)), [1, 2, 3]);
    let told: Vec<String> = full
        .references
        .iter()
        .map(|reference| {
            let window = reference.window.map(|window| window.to_string()).unwrap_or_default();
            format!("{} [{window}] {}", reference.name, files.slice(reference.span))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    silver.fct_notes [] ref('fct_notes')
    silver.fct_notes (reference 2) [29 days back, 0 days ahead] ref('fct_notes', lookback='29 days')
    silver.fct_notes (reference 3) [0 days back, 1 day ahead] ref('fct_notes', lookahead='1 day')
    ");
}

#[test]
fn every_reference_reads_the_same_to_the_author() {
    let others = [NOTES, ("models/silver/order.sql", "select 1")];
    let check = |template: &str, text: &str| assert_eq!(text_with(template, &others), text, "{template}");
    check(
        "-- depends_on: {{ ref('fct_notes') }}\n{{ ref('fct_notes') }}",
        "-- depends_on: silver.fct_notes\nsilver.fct_notes",
    );
    check("{{ ref('order') }} {{ ref('order') }}.id", "silver.\"order\" silver.\"order\".id");
    check("{{ ref('order') }} {{ ref('order').identifier }}", "silver.\"order\" order");
    check("{{ ref('order') }} {{ ref('order') | upper }} x", "silver.\"order\" SILVER.\"ORDER\" x");
    check("{{ ref('fct_notes') }} {{ ref('fct_notes') ~ '_2' }}", "silver.fct_notes silver.fct_notes_2");
}

#[test]
fn a_place_behind_a_reference_leads_back_to_the_template() {
    let template = "select {{ ref('fct_notes') }}.a, {{ ref('fct_notes') }}.b, c from {{ ref('fct_notes') }}";
    let (models, files) = rendered(&[("models/gold/m.sql", template), NOTES]);
    let full = &model(&models, "m").full;
    let start = full.text.find("c from").unwrap();
    assert_eq!(files.slice(full.map.span(start..start + 6)), "c from");
    let second = full.text.find(".b").unwrap();
    assert_eq!(files.slice(full.map.span(second..second + 2)), ".b");
}

#[test]
fn messages_of_a_template_name_tables_plainly() {
    let template = "{{ ref('fct_notes') }}{{ log('reads ' ~ ref('fct_notes')) }}";
    let (models, _) = rendered(&[("models/gold/m.sql", template), NOTES]);
    assert_eq!(model(&models, "m").messages, ["reads silver.fct_notes"]);
}

#[test]
fn a_model_that_moves_itself_is_found_where_it_is() {
    let moved = ("models/silver/fct_notes.sql", "{{ config(schema='mart') }}select * from {{ this }}");
    let (models, _) = rendered(&[("models/gold/m.sql", "{{ ref('fct_notes') }}"), moved]);
    assert_eq!(model(&models, "m").full.text, "mart.fct_notes");
    assert_eq!(model(&models, "fct_notes").full.text, "select * from mart.fct_notes");
    assert_eq!(model(&models, "fct_notes").table.to_string(), "mart.fct_notes");
}

#[test]
fn a_disabled_model_is_left_out_with_its_faults() {
    let (models, _) = rendered(&[("models/gold/m.sql", "{{ config(enabled=false) }}{{ ref('nothing') }}")]);
    assert!(models.is_empty());
    insta::assert_snapshot!(said(&[
        ("models/gold/m.sql", "select * from {{ ref('off') }}"),
        ("models/gold/off.sql", "{{ config(enabled=false) }}"),
    ]), @r"
    error[unknown-ref]: the model `off` is disabled
     --> models/gold/m.sql:1:22
      |
    1 | select * from {{ ref('off') }}
      |                      ^^^^^
      |
      = help: set `enabled: true` for `off`, or leave the reference out
    ");
}

#[test]
fn an_incremental_model_that_asks_has_two_texts() {
    let ask = "{% if is_incremental() %}{{ this }}{% else %}all{% endif %}";
    let (models, files) = rendered(&[
        ("models/gold/m.sql", &format!("{{{{ config(materialized='incremental', event_time='day') }}}}{ask}")),
        ("models/gold/plain.sql", ask),
    ]);
    let asked = model(&models, "m");
    assert_eq!(asked.full.text, "all");
    assert!(asked.full.references.is_empty());
    let sliced = asked.sliced.as_ref().unwrap();
    assert_eq!(sliced.text, "gold.m");
    assert_eq!(sliced.references[0].target, ReferenceTarget::This);
    assert_eq!(files.slice(sliced.references[0].span), "this");
    assert!(model(&models, "plain").sliced.is_none());
}

#[test]
fn variables_come_from_the_project_and_the_environment() {
    assert_eq!(text("{{ var('limit') + 1 }} {{ var('other', 'x') }} {{ target.name }}"), "11 x dev");
    assert_eq!(text("{{ env_var('KARAT_REGION') }} {{ env_var('NOWHERE', 'us') }}"), "eu us");
}

#[test]
fn macros_call_each_other_across_files_and_take_a_caller() {
    let macros = [
        (
            "macros/a.sql",
            "{% macro twice(x) %}{{ add(x, x) }}{% endmacro %}{% macro wrap() %}({{ caller() }}){% endmacro %}",
        ),
        (
            "macros/b.sql",
            "{% macro add(x, y=1) %}{{ x }} + {{ y }}{% endmacro %}{% macro both(x) %}{{ twice(x) }}{% endmacro %}",
        ),
    ];
    assert_eq!(text_with("{{ both('n') }} {{ notes.add('z') }}", &macros), "n + n z + 1");
    assert_eq!(text_with("{% call wrap() %}{{ twice(1) }}{% endcall %}", &macros), "(1 + 1)");
    assert_eq!(text_with("{% macro own(x) %}{{ add(x, 2) }}{% endmacro %}{{ own(1) }}", &macros), "1 + 2");
}

#[test]
fn a_macro_that_mentions_varargs_or_kwargs_takes_the_rest() {
    let macros = [(
        "macros/a.sql",
        "{% macro pick(first) %}{{ first }}{{ varargs | join('') }}{% endmacro %}
         {% macro opts(col, scale=1) %}{{ col }}{{ scale }}{{ kwargs.get('unit', '') }}{{ kwargs | length }}{% endmacro %}
         {% macro all() %}{{ varargs | length }}/{{ kwargs.items() | list | length }}{% endmacro %}
         {% macro outer() %}{{ pick('<', varargs[0], '>') }}{% endmacro %}
         {% macro strict(x) %}{{ x }}{% endmacro %}",
    )];
    let check = |call: &str| text_with(call, &macros);
    assert_eq!(check("{{ pick('a', 'b', 'c') }} {{ pick('a') }} {{ pick(first='z') }}"), "abc a z");
    assert_eq!(check("{{ opts('a', scale=2, unit='m', more=3) }} {{ opts('a', 5) }}"), "a2m2 a50");
    assert_eq!(check("{{ all(1, 2, x=3) }} {{ all() }} {{ notes.all(1) }}"), "2/1 0/0 1/0");
    assert_eq!(check("{{ outer('o') }}"), "<o>");
    let files = [macros[0], ("models/m.sql", "{{ strict(1, 2) }}")];
    assert!(said(&files).contains("`strict()` was given 2 arguments, and takes 1"), "{}", said(&files));
}

#[test]
fn a_macro_returns_any_value_and_is_dispatched_by_name() {
    let macros = [(
        "macros/a.sql",
        "{% macro numbers() %}junk{{ return([1, 2]) }}{% endmacro %}
         {% macro outer() %}{% set n = numbers() %}{{ return(n + [3]) }}{% endmacro %}
         {% macro hash(x) %}{{ return(adapter.dispatch('hash', 'notes')(x)) }}{% endmacro %}
         {% macro default__hash(x) %}md5({{ x }}){% endmacro %}
         {% macro snowflake__hash(x) %}no{% endmacro %}
         {% macro late() %}{{ adapter.dispatch('ha' ~ 'sh')('z') }}{% endmacro %}",
    )];
    assert_eq!(text_with("{% for n in outer() %}{{ n }},{% endfor %}", &macros), "1,2,3,");
    assert_eq!(text_with("{{ hash('a') }}", &macros), "md5(a)");
    assert_eq!(text_with("{{ late() }}", &macros), "md5(z)");
}

#[test]
fn lists_and_dicts_of_a_set_change() {
    assert_eq!(text("{% set x = [] %}{% do x.append(1) %}{% do x.extend([2, 3]) %}{{ x | join(',') }}"), "1,2,3");
    assert_eq!(text("{% set x = {'a': 1} %}{% do x.update({'b': 2}) %}{{ x.b }}{{ x.keys() | list | length }}"), "22");
    assert_eq!(text("{% set x = {'a': []} %}{% do x.a.append(1) %}{{ x.a[0] }}{{ x['a'] | length }}"), "11");
    assert_eq!(
        text("{% set x = [1, 2] %}{{ x + [3] }} {{ 2 in x }} {{ x == [1, 2] }} {{ x[-1] }}"),
        "[1, 2, 3] True True 2"
    );
}

#[test]
fn python_methods_and_functions_over_values_work() {
    assert_eq!(text("{{ 'a-b'.upper().split('-') | join('+') }}"), "A+B");
    assert_eq!(text("{% for a, b in zip([1, 2], ['x', 'y']) %}{{ a }}{{ b }} {% endfor %}"), "1x 2y ");
    assert_eq!(
        text(
            "{{ fromjson('{\"a\": [1]}').a[0] }} {{ tojson([1, 'x']) }} {{ set([2, 1, 2]) | join(',') }} {{ set([2, 1]) == set([1, 2]) }}"
        ),
        "1 [1, \"x\"] 2,1 True"
    );
    assert_eq!(text("{{ 'y' if execute else 'n' }}{{ model.name }}{{ should_full_refresh() }}"), "ymFalse");
}

#[test]
fn messages_are_kept_and_warnings_are_said_in_place() {
    let (models, _) = rendered(&[("models/gold/m.sql", "{{ log('hello', info=true) }}{% do print(1) %}x")]);
    assert_eq!(model(&models, "m").messages, ["hello", "1"]);
    insta::assert_snapshot!(fault("a\n{% do exceptions.warn('old') %}"), @r"
    warning[template-error]: old
     --> models/gold/m.sql:2:7
      |
    2 | {% do exceptions.warn('old') %}
      |       ^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn config_is_read_back_and_wrong_keys_are_told_at_the_call() {
    assert_eq!(
        text("{{ config({'tags': ['a']}, meta={'x': 1}) }}{{ config.get('meta').x }}{{ config.get('no', 2) }}"),
        "12"
    );
    insta::assert_snapshot!(fault("select 1\n{{ config(materialised='table') }}"), @r"
    error[unknown-key]: no config is called `materialised`
     --> models/gold/m.sql:2:11
      |
    2 | {{ config(materialised='table') }}
      |           ^^^^^^^^^^^^
      |
      = help: did you mean `materialized`?
    ");
}

#[test]
fn a_text_has_the_functions_of_a_model_and_a_config_of_its_own() {
    let (mut project, mut files) = project(&[NOTES]);
    let mut check = |template: &str| {
        let file = files.add("tests/t.sql", template);
        project.singular_tests.clear();
        let mut sink = Sink::default();
        let rendered = render_models(&project, &files, &host(), &mut NoCompiler, &mut sink).unwrap();
        let host = host();
        let inputs =
            TextInputs { project: &project, rendered: &rendered, files: &files, host: &host, answers: &|_| None };
        match render_text(inputs, file, &mut sink) {
            Ok(sql) if sql.test_config.is_empty() => sql.text,
            Ok(sql) => format!("{:?}", sql.test_config.keys().collect::<Vec<_>>()),
            Err(_) => render_all(&sink.take(), &files, Style::Plain),
        }
    };
    assert_eq!(
        check("select * from {{ ref('fct_notes') }} limit {{ var('limit') }}"),
        "select * from silver.fct_notes limit 10"
    );
    assert_eq!(check("{{ config(severity='warn', enabled=true) }}"), "[\"enabled\", \"severity\"]");
    assert!(check("{{ this }}").contains("`this` is only for models"));
}

#[test]
fn packages_are_name_spaces_and_dispatch_searches_them() {
    let project_file = "name: notes\nvars: {unit: root, utils: {only: here}}\ndispatch: [{macro_namespace: other, search_order: [notes, other]}]";
    let host = MemoryHost::with_files([
        ("project.yml", project_file),
        (
            "macros/m.sql",
            "{% macro name() %}own{% endmacro %}{% macro default__from_other() %}overridden{% endmacro %}\
          {% macro default__dateadd(part, n, at) %}shifted{% endmacro %}",
        ),
        (
            "dbt_packages/utils/dbt_project.yml",
            "name: utils\nversion: 1.2\nvars: {unit: package, mine: 1}\nmodels: {utils: {+materialized: table}}",
        ),
        (
            "dbt_packages/utils/macros/u.sql",
            "{% macro name() %}utils{% endmacro %}\
          {% macro both() %}{{ name() }} {{ helper() }} {{ var('unit') }}{% endmacro %}{% macro helper() %}helped{% endmacro %}\
          {% macro made() %}{{ return(adapter.dispatch('made', 'utils')()) }}{% endmacro %}\
          {% macro default__made() %}default{% endmacro %}{% macro postgres__made() %}postgres{% endmacro %}",
        ),
        (
            "dbt_packages/utils/models/core/of_package.sql",
            "select '{{ name() }} {{ var('unit') }} {{ var('mine') }} {{ var('only') }}' as t",
        ),
        ("dbt_packages/other/dbt_project.yml", "name: other"),
        (
            "dbt_packages/other/macros/o.sql",
            "{% macro from_other() %}{{ return(adapter.dispatch('from_other', 'other')()) }}{% endmacro %}\
          {% macro default__from_other() %}not this{% endmacro %}",
        ),
        (
            "models/a.sql",
            "{{ name() }}|{{ utils.name() }}|{{ utils.both() }}|{{ utils.made() }}|{{ other.from_other() }}|\
          {{ dbt.type_string() }}|{{ type_timestamp() }}|{{ dbt.dateadd('day', 1, 'x') }}|{{ ref('utils', 'of_package') }}|\
          {{ dbt.concat(['a', 'b']) }}|{{ adapter.dispatch('from_other', 'macros')() }}|\
          {{ context.get('utils', {}).get('helper')() }}|{{ context['utils'].get('nobody', 'none') }}|\
          {{ builtins.ref.config.dependencies['utils'].version }}|{{ builtins.ref.config.project_name }}",
        ),
    ]);
    let mut files = SourceFiles::default();
    let mut sink = Sink::default();
    let found = crate::project::read(&host, &mut files, &mut sink).unwrap();
    let project = crate::project::load(&found, &mut files, &Default::default(), &mut sink).unwrap();
    let rendered = render_models(&project, &files, &host, &mut NoCompiler, &mut sink).unwrap().whole(&mut sink);
    let rendered = rendered.unwrap_or_else(|_| panic!("{}", render_all(&sink.take(), &files, Style::Plain)));
    assert_eq!(
        model(&rendered, "a").full.text,
        "own|utils|utils helped root|postgres|overridden|text|timestamp|shifted|core.of_package|a || b|overridden|\
         helped|none|1.2|notes"
    );
    let of_package = model(&rendered, "of_package");
    assert_eq!(of_package.full.text, "select 'utils root 1 here' as t");
    assert_eq!(of_package.config.materialized.word(), "table");
}

#[test]
fn relations_are_what_macros_of_packages_take_them_for() {
    let text = text_with(
        "{% set r = ref('fct_notes') %}{% set found = {} %}{% do found.update({r: []}) %}{% do found[r].append(1) %}\
         {{ r }} {{ r.include(database=false) }} {{ r.include(schema=false) }} {{ r.schema }} {{ r.identifier }} \
         {{ r is mapping and r.get('metadata', {}).get('type', '').endswith('Relation') }} {{ found[ref('fct_notes')] }} \
         {{ r.render() }} {{ adapter.quote('a b') }} {{ api.Column.translate_type('string') }} {{ 'true' | as_bool }} \
         {{ api.Relation.create(schema='s', identifier='t') }} {{ target.schema }} {{ flags.FULL_REFRESH }} \
         {{ builtins.ref('fct_notes') }} {{ 'x' if r else 'y' }} {{ ref('fct_notes', version=none) }} \
         {{ adapter.type == 'fabric' }} {% set quote = adapter.quote %}{{ quote('c') }}",
        &[NOTES],
    );
    assert_eq!(
        text,
        "silver.fct_notes silver.fct_notes fct_notes silver fct_notes True [1] silver.fct_notes \"a b\" text true \
         s.t notes False silver.fct_notes x silver.fct_notes False \"c\""
    );
}

#[test]
fn regular_expressions_are_pythons() {
    let expressions = "{{ modules.re.sub('[^a-z0-9_]+', '', 'Col 1$!') }} {{ modules.re.sub('(a)(b)', '\\\\2$\\\\1', 'ab') }} \
        {{ modules.re.match('b', 'ab') is none }} {{ modules.re.search('(b)', 'ab').group(1) }} \
        {{ modules.re.findall('[0-9]', 'a1b2') }} {{ modules.re.split(',', 'a,b') }} \
        {{ modules.re.match('AB', 'abc', flags=modules.re.IGNORECASE).group() }}";
    assert_eq!(text(expressions), "ol1 b$a True b ['1', '2'] ['a', 'b'] ab");
}

#[test]
fn a_name_that_is_set_only_sometimes_prints_as_nothing() {
    let template = "{% if false %}{% set x = 1 %}{% endif %}[{{ x }}]{{ x is defined }}{{ x | default('d') }}{{ m() }}";
    let macros = ("macros/m.sql", "{% macro m() %}{% if false %}{% set y = 1 %}{% endif %}[{{ y }}]{% endmacro %}");
    assert_eq!(text_with(template, &[macros]), "[]Falsed[]");
    let told = said(&[("models/gold/m.sql", "{{ y }}"), macros]);
    assert!(told.contains("`y` is undefined"), "{told}");
}
