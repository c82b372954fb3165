{#- What dbt calls its cross-database macros, in PostgreSQL's spelling. A project replaces any of them by a macro
    `datafusion__…`, `postgres__…` or `default__…` of its own. -#}

{% macro type_string() %}{{ return(adapter.dispatch('type_string', 'dbt')()) }}{% endmacro %}
{% macro default__type_string() %}text{% endmacro %}

{% macro type_timestamp() %}{{ return(adapter.dispatch('type_timestamp', 'dbt')()) }}{% endmacro %}
{% macro default__type_timestamp() %}timestamp{% endmacro %}

{% macro type_int() %}{{ return(adapter.dispatch('type_int', 'dbt')()) }}{% endmacro %}
{% macro default__type_int() %}integer{% endmacro %}

{% macro type_bigint() %}{{ return(adapter.dispatch('type_bigint', 'dbt')()) }}{% endmacro %}
{% macro default__type_bigint() %}bigint{% endmacro %}

{% macro type_float() %}{{ return(adapter.dispatch('type_float', 'dbt')()) }}{% endmacro %}
{% macro default__type_float() %}double precision{% endmacro %}

{% macro type_numeric() %}{{ return(adapter.dispatch('type_numeric', 'dbt')()) }}{% endmacro %}
{% macro default__type_numeric() %}numeric(28, 6){% endmacro %}

{% macro type_boolean() %}{{ return(adapter.dispatch('type_boolean', 'dbt')()) }}{% endmacro %}
{% macro default__type_boolean() %}boolean{% endmacro %}

{% macro cast(field, type) %}{{ return(adapter.dispatch('cast', 'dbt')(field, type)) }}{% endmacro %}
{% macro default__cast(field, type) %}cast({{ field }} as {{ type }}){% endmacro %}

{% macro safe_cast(field, type) %}{{ return(adapter.dispatch('safe_cast', 'dbt')(field, type)) }}{% endmacro %}
{% macro default__safe_cast(field, type) %}cast({{ field }} as {{ type }}){% endmacro %}

{% macro cast_bool_to_text(field) %}{{ return(adapter.dispatch('cast_bool_to_text', 'dbt')(field)) }}{% endmacro %}
{% macro default__cast_bool_to_text(field) %}cast({{ field }} as text){% endmacro %}

{% macro concat(fields) %}{{ return(adapter.dispatch('concat', 'dbt')(fields)) }}{% endmacro %}
{% macro default__concat(fields) %}{{ fields | join(' || ') }}{% endmacro %}

{% macro hash(field) %}{{ return(adapter.dispatch('hash', 'dbt')(field)) }}{% endmacro %}
{% macro default__hash(field) %}md5(cast({{ field }} as text)){% endmacro %}

{% macro length(expression) %}{{ return(adapter.dispatch('length', 'dbt')(expression)) }}{% endmacro %}
{% macro default__length(expression) %}length({{ expression }}){% endmacro %}

{% macro position(substring_text, string_text) %}{{ return(adapter.dispatch('position', 'dbt')(substring_text, string_text)) }}{% endmacro %}
{% macro default__position(substring_text, string_text) %}position({{ substring_text }} in {{ string_text }}){% endmacro %}

{% macro replace(field, old_chars, new_chars) %}{{ return(adapter.dispatch('replace', 'dbt')(field, old_chars, new_chars)) }}{% endmacro %}
{% macro default__replace(field, old_chars, new_chars) %}replace({{ field }}, {{ old_chars }}, {{ new_chars }}){% endmacro %}

{% macro right(string_text, length_expression) %}{{ return(adapter.dispatch('right', 'dbt')(string_text, length_expression)) }}{% endmacro %}
{% macro default__right(string_text, length_expression) %}right({{ string_text }}, {{ length_expression }}){% endmacro %}

{% macro split_part(string_text, delimiter_text, part_number) %}{{ return(adapter.dispatch('split_part', 'dbt')(string_text, delimiter_text, part_number)) }}{% endmacro %}
{% macro default__split_part(string_text, delimiter_text, part_number) %}split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }}){% endmacro %}

{% macro string_literal(value) %}{{ return(adapter.dispatch('string_literal', 'dbt')(value)) }}{% endmacro %}
{% macro default__string_literal(value) %}'{{ value }}'{% endmacro %}

{% macro escape_single_quotes(expression) %}{{ return(adapter.dispatch('escape_single_quotes', 'dbt')(expression)) }}{% endmacro %}
{% macro default__escape_single_quotes(expression) %}{{ expression | replace("'", "''") }}{% endmacro %}

{% macro any_value(expression) %}{{ return(adapter.dispatch('any_value', 'dbt')(expression)) }}{% endmacro %}
{% macro default__any_value(expression) %}any_value({{ expression }}){% endmacro %}

{% macro bool_or(expression) %}{{ return(adapter.dispatch('bool_or', 'dbt')(expression)) }}{% endmacro %}
{% macro default__bool_or(expression) %}bool_or({{ expression }}){% endmacro %}

{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) %}{{ return(adapter.dispatch('listagg', 'dbt')(measure, delimiter_text, order_by_clause, limit_num)) }}{% endmacro %}
{% macro default__listagg(measure, delimiter_text, order_by_clause, limit_num) %}
  {%- if limit_num -%}
    array_to_string((array_agg({{ measure }} {{ order_by_clause or '' }}))[1:{{ limit_num }}], {{ delimiter_text }})
  {%- else -%}
    string_agg({{ measure }}, {{ delimiter_text }} {{ order_by_clause or '' }})
  {%- endif -%}
{% endmacro %}

{% macro array_construct(inputs=[], data_type='integer') %}{{ return(adapter.dispatch('array_construct', 'dbt')(inputs, data_type)) }}{% endmacro %}
{% macro default__array_construct(inputs, data_type) %}
  {%- if inputs | length > 0 -%}array[{{ inputs | join(', ') }}]{%- else -%}cast(array[] as {{ data_type }}[]){%- endif -%}
{% endmacro %}

{% macro array_append(array, new_element) %}{{ return(adapter.dispatch('array_append', 'dbt')(array, new_element)) }}{% endmacro %}
{% macro default__array_append(array, new_element) %}array_append({{ array }}, {{ new_element }}){% endmacro %}

{% macro array_concat(array_1, array_2) %}{{ return(adapter.dispatch('array_concat', 'dbt')(array_1, array_2)) }}{% endmacro %}
{% macro default__array_concat(array_1, array_2) %}array_cat({{ array_1 }}, {{ array_2 }}){% endmacro %}

{% macro except() %}{{ return(adapter.dispatch('except', 'dbt')()) }}{% endmacro %}
{% macro default__except() %}except{% endmacro %}

{% macro intersect() %}{{ return(adapter.dispatch('intersect', 'dbt')()) }}{% endmacro %}
{% macro default__intersect() %}intersect{% endmacro %}

{% macro equals(expr1, expr2) %}{{ return(adapter.dispatch('equals', 'dbt')(expr1, expr2)) }}{% endmacro %}
{% macro default__equals(expr1, expr2) %}({{ expr1 }} = {{ expr2 }}){% endmacro %}

{% macro date_trunc(datepart, date) %}{{ return(adapter.dispatch('date_trunc', 'dbt')(datepart, date)) }}{% endmacro %}
{% macro default__date_trunc(datepart, date) %}date_trunc('{{ datepart }}', {{ date }}){% endmacro %}

{% macro date(year, month, day) %}{{ return(adapter.dispatch('date', 'dbt')(year, month, day)) }}{% endmacro %}
{% macro default__date(year, month, day) %}make_date({{ year }}, {{ month }}, {{ day }}){% endmacro %}

{% macro dateadd(datepart, interval, from_date_or_timestamp) %}{{ return(adapter.dispatch('dateadd', 'dbt')(datepart, interval, from_date_or_timestamp)) }}{% endmacro %}
{% macro default__dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- if datepart == 'quarter' -%}
    (cast({{ from_date_or_timestamp }} as timestamp) + (interval '3 month' * ({{ interval }})))
  {%- else -%}
    (cast({{ from_date_or_timestamp }} as timestamp) + (interval '1 {{ datepart }}' * ({{ interval }})))
  {%- endif -%}
{%- endmacro %}

{% macro last_day(date, datepart) %}{{ return(adapter.dispatch('last_day', 'dbt')(date, datepart)) }}{% endmacro %}
{% macro default__last_day(date, datepart) -%}
  {%- set step = '3 month' if datepart == 'quarter' else '1 ' ~ datepart -%}
  cast(date_trunc('{{ datepart }}', {{ date }}) + interval '{{ step }}' - interval '1 day' as date)
{%- endmacro %}

{% macro datediff(first_date, second_date, datepart) %}{{ return(adapter.dispatch('datediff', 'dbt')(first_date, second_date, datepart)) }}{% endmacro %}
{% macro default__datediff(first_date, second_date, datepart) -%}
  {%- set first = 'cast(' ~ first_date ~ ' as timestamp)' -%}
  {%- set second = 'cast(' ~ second_date ~ ' as timestamp)' -%}
  {%- set unit = datepart | lower -%}
  {%- set years = '(extract(year from ' ~ second ~ ') - extract(year from ' ~ first ~ '))' -%}
  {%- set days = 'cast(cast(' ~ second_date ~ ' as date) - cast(' ~ first_date ~ ' as date) as bigint)' -%}
  {#- `extract` is exact, unlike `date_part`. -#}
  {%- set seconds = {'hour': 3600, 'minute': 60, 'second': 1} -%}
  {%- set parts = {'millisecond': 1000, 'microsecond': 1000000} -%}
  {%- if unit == 'year' -%}
    cast({{ years }} as bigint)
  {%- elif unit == 'quarter' -%}
    cast({{ years }} * 4 + (extract(quarter from {{ second }}) - extract(quarter from {{ first }})) as bigint)
  {%- elif unit == 'month' -%}
    cast({{ years }} * 12 + (extract(month from {{ second }}) - extract(month from {{ first }})) as bigint)
  {%- elif unit == 'week' -%}
    {#- How often a week begins, on Sunday, as dbt counts on PostgreSQL and DuckDB. -#}
    (cast(trunc({{ days }} / 7.0) as bigint) + case when extract(dow from {{ first }}) <= extract(dow from {{ second }})
      then case when {{ first }} <= {{ second }} then 0 else -1 end
      else case when {{ first }} <= {{ second }} then 1 else 0 end end)
  {%- elif unit == 'day' -%}
    {{ days }}
  {%- elif unit in seconds -%}
    cast((extract(epoch from date_trunc('{{ unit }}', {{ second }})) - extract(epoch from date_trunc('{{ unit }}', {{ first }}))) / {{ seconds[unit] }} as bigint)
  {%- elif unit in parts -%}
    {#- The microseconds of a minute are exact where the seconds of an epoch are in double precision. -#}
    {%- set counts = [] -%}
    {%- for time in [second, first] -%}
      {%- do counts.append('(cast(extract(epoch from date_trunc(\'minute\', ' ~ time ~ ')) as bigint) * ' ~ parts[unit] ~ ' + cast(floor(extract(microseconds from ' ~ time ~ ') / ' ~ 1000000 // parts[unit] ~ '.0) as bigint))') -%}
    {%- endfor -%}
    ({{ counts[0] }} - {{ counts[1] }})
  {%- else -%}
    {{ exceptions.raise_compiler_error("`datediff` has no unit `" ~ datepart ~ "`") }}
  {%- endif -%}
{%- endmacro %}

{% macro current_timestamp() %}{{ return(adapter.dispatch('current_timestamp', 'dbt')()) }}{% endmacro %}
{#- The run's time, so that all models of a run agree on it. -#}
{% macro default__current_timestamp() %}cast('{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}+00' as timestamp with time zone){% endmacro %}

{% macro current_timestamp_backcompat() %}{{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}{% endmacro %}
{% macro default__current_timestamp_backcompat() %}cast('{{ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') }}' as timestamp){% endmacro %}

{% macro current_timestamp_in_utc_backcompat() %}{{ return(adapter.dispatch('current_timestamp_in_utc_backcompat', 'dbt')()) }}{% endmacro %}
{% macro default__current_timestamp_in_utc_backcompat() %}{{ return(adapter.dispatch('current_timestamp_backcompat', 'dbt')()) }}{% endmacro %}

{% macro snapshot_get_time() %}{{ return(adapter.dispatch('snapshot_get_time', 'dbt')()) }}{% endmacro %}
{% macro default__snapshot_get_time() %}{{ return(adapter.dispatch('current_timestamp', 'dbt')()) }}{% endmacro %}

{% macro py_current_timestring() %}{{ return(run_started_at.strftime('%Y%m%d%H%M%S%f')) }}{% endmacro %}

{% macro date_spine(datepart, start_date, end_date) %}{{ return(adapter.dispatch('date_spine', 'dbt')(datepart, start_date, end_date)) }}{% endmacro %}
{% macro default__date_spine(datepart, start_date, end_date) -%}
  select date_{{ datepart }} from (
    select {{ dbt.dateadd(datepart, 'n', start_date) }} as date_{{ datepart }}
    from (select unnest(range(0, {{ dbt.datediff(start_date, end_date, datepart) }})) as n) as counted
  ) as spine
  where date_{{ datepart }} <= {{ end_date }}
{%- endmacro %}

{% macro generate_series(upper_bound) %}{{ return(adapter.dispatch('generate_series', 'dbt')(upper_bound)) }}{% endmacro %}
{% macro default__generate_series(upper_bound) %}select unnest(range(1, {{ upper_bound }} + 1)) as generated_number{% endmacro %}

{% macro get_powers_of_two(upper_bound) %}{{ return(adapter.dispatch('get_powers_of_two', 'dbt')(upper_bound)) }}{% endmacro %}
{% macro default__get_powers_of_two(upper_bound) -%}
  {%- for power in range(1, 100) if 2 ** power >= upper_bound %}{% if loop.first %}{{ return(power) }}{% endif %}{% endfor -%}
{%- endmacro %}

{#- As far as the config of the test says it: `--store-failures` does not change texts. -#}
{% macro should_store_failures() %}
  {%- set kept_as = config.get('store_failures_as') -%}
  {{ return(kept_as in ['table', 'view'] if kept_as is not none else config.get('store_failures', false)) }}
{% endmacro %}

{% macro get_where_subquery(relation) %}{{ return(relation) }}{% endmacro %}
{% macro get_intervals_between(start_date, end_date, datepart) %}{{ return(adapter.dispatch('get_intervals_between', 'dbt')(start_date, end_date, datepart)) }}{% endmacro %}
{% macro default__get_intervals_between(start_date, end_date, datepart) -%}
  {%- set counted = run_query('select ' ~ dbt.datediff(start_date, end_date, datepart) ~ ' as intervals') -%}
  {{ return(counted.columns[0].values()[0]) }}
{%- endmacro %}

{#- What a project's own macros of these names call for all but a few models. Nobody else asks for them: without such a macro, a table
    stands where its folder and its config say. -#}
{% macro generate_schema_name(custom_schema_name=none, node=none) %}{{ return(adapter.dispatch('generate_schema_name', 'dbt')(custom_schema_name, node)) }}{% endmacro %}
{% macro default__generate_schema_name(custom_schema_name, node) -%}
  {{ target.schema if custom_schema_name is none else target.schema ~ '_' ~ custom_schema_name | trim }}
{%- endmacro %}

{% macro generate_schema_name_for_env(custom_schema_name, node) -%}
  {{ custom_schema_name | trim if target.name == 'prod' and custom_schema_name is not none else target.schema }}
{%- endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) %}{{ return(adapter.dispatch('generate_alias_name', 'dbt')(custom_alias_name, node)) }}{% endmacro %}
{% macro default__generate_alias_name(custom_alias_name=none, node=none) -%}
  {%- if custom_alias_name -%} {{ custom_alias_name | trim }}
  {%- elif node.version -%} {{ node.name ~ '_v' ~ (node.version | replace('.', '_')) }}
  {%- else -%} {{ node.name }}
  {%- endif -%}
{%- endmacro %}

{% macro generate_database_name(custom_database_name=none, node=none) %}{{ return(adapter.dispatch('generate_database_name', 'dbt')(custom_database_name, node)) }}{% endmacro %}
{% macro default__generate_database_name(custom_database_name=none, node=none) -%}
  {{ target.database if custom_database_name is none else custom_database_name | trim }}
{%- endmacro %}

{#- The tests that are built in, for tests of the project that call them. -#}
{% macro test_not_null(model, column_name) %}{{ return(adapter.dispatch('test_not_null', 'dbt')(model, column_name)) }}{% endmacro %}
{% macro default__test_not_null(model, column_name) %}select {{ '*' if should_store_failures() else column_name }} from {{ model }} where {{ column_name }} is null{% endmacro %}

{% macro test_unique(model, column_name) %}{{ return(adapter.dispatch('test_unique', 'dbt')(model, column_name)) }}{% endmacro %}
{% macro default__test_unique(model, column_name) -%}
  select {{ column_name }} as unique_field, count(*) as n_records from {{ model }}
  where {{ column_name }} is not null group by {{ column_name }} having count(*) > 1
{%- endmacro %}

{% macro test_accepted_values(model, column_name, values, quote=true) %}{{ return(adapter.dispatch('test_accepted_values', 'dbt')(model, column_name, values, quote)) }}{% endmacro %}
{% macro default__test_accepted_values(model, column_name, values, quote=true) -%}
  {%- set accepted = [] -%}
  {%- for value in values %}{% do accepted.append("'" ~ value ~ "'" if quote else value) %}{% endfor -%}
  select value_field, n_records
  from (select {{ column_name }} as value_field, count(*) as n_records from {{ model }} group by {{ column_name }}) as counted
  where value_field not in ({{ accepted | join(', ') }})
{%- endmacro %}

{% macro test_relationships(model, column_name, to, field) %}{{ return(adapter.dispatch('test_relationships', 'dbt')(model, column_name, to, field)) }}{% endmacro %}
{% macro default__test_relationships(model, column_name, to, field) -%}
  select from_field
  from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null) as child
  left join (select {{ field }} as to_field from {{ to }}) as parent on child.from_field = parent.to_field
  where parent.to_field is null
{%- endmacro %}

{#- `{% call set_sql_header(config) %} … {% endcall %}` -#}
{% macro set_sql_header(config) %}{% do config(sql_header=caller()) %}{% endmacro %}
