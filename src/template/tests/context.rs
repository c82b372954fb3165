//! What templates may know of the project, of its relations and of dbt.

use super::*;

#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(text_with(template, &[NOTES, ORDER]), expected, "{template}");
}

const ORDER: (&str, &str) = ("models/silver/order.sql", "select 1");

/// As dbt's packages find out whether something is a relation.
const IS_RELATION: &str = "{% macro is_relation(obj) %}{{ obj is mapping and obj.get('metadata', {}).get('type', '').endswith('Relation') }}{% endmacro %}";

#[test]
fn relations_have_dbts_attributes() {
    check("{{ ref('order').schema }}.{{ ref('order').identifier }} {{ ref('order').name }}", "silver.order order");
    check(
        "{{ ref('order').include(schema=false) }} {{ ref('fct_notes').include(database=false) }}",
        "\"order\" silver.fct_notes",
    );
    check("{{ ref('fct_notes').quote() }} {{ ref('fct_notes').render() }}", "silver.fct_notes silver.fct_notes");
    check("{{ ref('fct_notes').quote(identifier=true) }}", "\"silver\".\"fct_notes\"");
    check(
        "{{ ref('order').is_table }} {{ ref('order').is_view }} {{ ref('order').is_cte }} {{ ref('order').type }}",
        "True False False table",
    );
    check("{{ this.schema }} {{ this.identifier }} {{ this.database }} {{ this }}", "gold m lake gold.m");
    let others = [NOTES, ("macros/a.sql", IS_RELATION)];
    assert_eq!(
        text_with("{{ is_relation(ref('fct_notes')) }} {{ is_relation('a') }} {{ is_relation({}) }}", &others),
        "True False False"
    );
}

#[test]
fn relations_are_keys_and_are_compared() {
    check(
        "{% set d = {} %}{% do d.update({ref('fct_notes'): 1}) %}{{ d[ref('fct_notes')] }} {{ d[ref('order')] is defined }}",
        "1 False",
    );
    check(
        "{{ ref('order') == ref('order') }} {{ ref('order') == ref('fct_notes') }} {{ ref('order') in [ref('order')] }}",
        "True False True",
    );
    check("{{ ref('order') is mapping }} {{ ref('order') is string }}", "True False");
}

#[test]
fn relations_and_columns_can_be_made() {
    check("{{ api.Relation.create(database='d', schema='silver', identifier='x') }}", "silver.x");
    check("{{ api.Relation.create(identifier='x') }} {{ api.Relation.create(schema='s') }}", "x s");
    check("{{ api.Column.translate_type('string') }} {{ api.Column.translate_type('varchar(9)') }}", "text varchar(9)");
    check(
        "{% set c = api.Column('a', 'numeric', none, 10, 2) %}{{ c.name }} {{ c.data_type }} {{ c.is_numeric() }}",
        "a numeric(10,2) True",
    );
    check(
        "{{ api.Column.numeric_type('numeric', 28, 6) }} {{ adapter.quote('a b') }} {{ adapter.type() }}",
        "numeric(28,6) \"a b\" datafusion",
    );
}

#[test]
fn the_surroundings_are_known() {
    check(
        "{{ target.name }} {{ target.schema }} {{ target.database }} {{ target.type }} {{ target.threads }}",
        "dev notes lake datafusion 1",
    );
    check(
        "{{ flags.WHICH }} {{ flags.FULL_REFRESH }} {{ project_name }} {{ dbt_version.split('.')[0] }}",
        "run False notes 1",
    );
    check(
        "{{ model.unique_id }} {{ model.name }} {{ model.schema }} {{ model.package_name }}",
        "model.notes.m m gold notes",
    );
    check("{{ config(tags=['a']) }}{{ model.tags }} {{ model.config.tags }}", "['a'] ['a']");
    check(
        "{{ graph.nodes.values() | map(attribute='name') | join(' ') }} {{ graph.sources | length }}",
        "fct_notes m order 1",
    );
    check("{% if execute %}{{ graph.nodes['model.notes.order'].alias }}{% endif %}", "order");
    check("{{ context['target'].name }} {{ context.get('nothing', 'no') }}", "dev no");
    check("{{ config(meta={'a': 1}) }}{{ config.meta_get('a') }} {{ config.meta_get('b', 2) }}", "1 2");
}

#[test]
fn a_macro_takes_the_place_of_a_function() {
    let own = "{% macro ref() %}{{ return(builtins.ref(*varargs).include(schema=false)) }}{% endmacro %}";
    assert_eq!(text_with("{{ ref('fct_notes') }}", &[NOTES, ("macros/a.sql", own)]), "fct_notes");
}
