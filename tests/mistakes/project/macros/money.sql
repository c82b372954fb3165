{% macro in_cents(column) %}cast({{ column }} * 100 as bigint){% endmacro %}
