{# A share of a whole, or null where there is no whole. #}
{% macro ratio(part, whole) -%}
cast({{ part }} as double) / nullif({{ whole }}, 0)
{%- endmacro %}


{#
  The exact percentile of a group's values with linear interpolation: the position 1 + fraction * (size - 1) lies between two
  ranks, and each of their values counts with the share by which the position is near.
#}
{% macro percentile(column, fraction, rank, size) -%}
sum({{ column }} * greatest(0.0, 1.0 - abs({{ rank }} - 1 - {{ fraction }} * ({{ size }} - 1))))
{%- endmacro %}
