{# The column, or null where its value is not one of `values`. #}
{% macro allowed(column, values) -%}
case when {{ column }} in ('{{ values | join("', '") }}') then {{ column }} end
{%- endmacro %}


{# Whether a bronze column is null because its text did not convert, and not because it was empty. #}
{% macro was_rescued(column) -%}
coalesce(contains(_rescued, '"{{ column }}":'), false)
{%- endmacro %}


{# What is wrong with a duration; `ok` if nothing is. #}
{% macro duration_status(column) -%}
case
    when {{ column }} is null then 'null'
    when {{ column }} < 0 then 'negative'
    when {{ column }} > {{ var('longest_duration_ms') }} then 'too_long'
    else 'ok'
end
{%- endmacro %}
