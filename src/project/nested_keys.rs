//! The keys within semantic models, metrics, saved queries and groups: none of them is passed over, however deep it stands.

use super::node::{Node, YamlFields, YamlKind};
use super::resource::ResourceKind;
use super::schema::Keys;
use crate::diag::{Code, Diagnostic, Sink, any_of};

/// What may stand in a mapping, or in each mapping of a list, below a key.
pub(super) struct NestedKeys {
    key: &'static str,
    keys: Keys,
    /// The keys whose values are one of a few words.
    words: &'static [(&'static str, &'static [&'static str])],
    inner: &'static [NestedKeys],
}

const CONFIG: NestedKeys = NestedKeys::new("config", Keys::nested("the config of an element", &["meta"]));

const DEFAULTS: NestedKeys =
    NestedKeys::new("defaults", Keys::nested("the defaults of a semantic model", &["agg_time_dimension"]));

const ENTITIES: NestedKeys = NestedKeys {
    words: &[("type", &["primary", "unique", "foreign", "natural"])],
    inner: &[CONFIG],
    ..NestedKeys::new(
        "entities",
        Keys::nested("an entity", &["name", "type", "description", "label", "role", "expr", "config", "entity"]),
    )
};

const GRAINS: [&str; 11] =
    ["nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];

const VALIDITY: NestedKeys =
    NestedKeys::new("validity_params", Keys::nested("`validity_params`", &["is_start", "is_end"]));

const DIMENSIONS: NestedKeys = NestedKeys {
    words: &[("type", &["categorical", "time"])],
    inner: &[
        CONFIG,
        NestedKeys {
            words: &[("time_granularity", &GRAINS)],
            inner: &[VALIDITY],
            ..NestedKeys::new(
                "type_params",
                Keys::nested("the `type_params` of a dimension", &["time_granularity", "validity_params"]),
            )
        },
    ],
    ..NestedKeys::new(
        "dimensions",
        Keys::nested(
            "a dimension",
            &["name", "type", "description", "label", "is_partition", "type_params", "expr", "config"],
        ),
    )
};

const MEASURES: NestedKeys = NestedKeys {
    words: &[(
        "agg",
        &["sum", "min", "max", "count_distinct", "sum_boolean", "average", "percentile", "median", "count"],
    )],
    inner: &[
        CONFIG,
        NestedKeys::new(
            "agg_params",
            Keys::nested("`agg_params`", &["percentile", "use_discrete_percentile", "use_approximate_percentile"]),
        ),
        NestedKeys::new(
            "non_additive_dimension",
            Keys::nested("`non_additive_dimension`", &["name", "window_choice", "window_groupings"]),
        ),
    ],
    ..NestedKeys::new(
        "measures",
        Keys::nested(
            "a measure",
            &[
                "name",
                "agg",
                "description",
                "label",
                "expr",
                "agg_params",
                "non_additive_dimension",
                "agg_time_dimension",
                "create_metric",
                "config",
            ],
        ),
    )
};

const INPUT_MEASURE: Keys =
    Keys::nested("the measure of a metric", &["name", "filter", "alias", "join_to_timespine", "fill_nulls_with"]);
const INPUT_METRIC: Keys =
    Keys::nested("a metric in a metric", &["name", "filter", "alias", "offset_window", "offset_to_grain"]);

const TYPE_PARAMS: NestedKeys = NestedKeys {
    inner: &[
        NestedKeys::new("measure", INPUT_MEASURE),
        NestedKeys::new("numerator", INPUT_METRIC),
        NestedKeys::new("denominator", INPUT_METRIC),
        NestedKeys::new("metrics", INPUT_METRIC),
        NestedKeys {
            inner: &[
                NestedKeys::new("base_measure", INPUT_MEASURE),
                NestedKeys::new("conversion_measure", INPUT_MEASURE),
                NestedKeys::new(
                    "constant_properties",
                    Keys::nested("a constant property", &["base_property", "conversion_property"]),
                ),
            ],
            words: &[("calculation", &["conversions", "conversion_rate"])],
            ..NestedKeys::new(
                "conversion_type_params",
                Keys::nested(
                    "`conversion_type_params`",
                    &["base_measure", "conversion_measure", "entity", "calculation", "window", "constant_properties"],
                ),
            )
        },
        NestedKeys {
            words: &[("period_agg", &["first", "last", "average"])],
            ..NestedKeys::new(
                "cumulative_type_params",
                Keys::nested("`cumulative_type_params`", &["window", "grain_to_date", "period_agg"]),
            )
        },
    ],
    ..NestedKeys::new(
        "type_params",
        Keys::nested(
            "the `type_params` of a metric",
            &[
                "measure",
                "numerator",
                "denominator",
                "expr",
                "window",
                "grain_to_date",
                "metrics",
                "conversion_type_params",
                "cumulative_type_params",
            ],
        ),
    )
};

const QUERY_PARAMS: NestedKeys = NestedKeys::new(
    "query_params",
    Keys::nested("`query_params`", &["metrics", "group_by", "where", "order_by", "limit"]),
);

const EXPORTS: NestedKeys = NestedKeys {
    inner: &[NestedKeys {
        words: &[("export_as", &["table", "view"])],
        ..NestedKeys::new(
            "config",
            Keys::nested("the config of an export", &["export_as", "schema", "schema_name", "alias", "database"]),
        )
    }],
    ..NestedKeys::new("exports", Keys::nested("an export", &["name", "config"]))
};

const GROUP_CONFIG: NestedKeys = NestedKeys::new("config", Keys::nested("the config of a group", &["meta"]));

impl NestedKeys {
    const fn new(key: &'static str, keys: Keys) -> NestedKeys {
        NestedKeys { key, keys, words: &[], inner: &[] }
    }

    /// Reports what does not belong here, and in all that is below.
    fn check(&self, outer: &YamlFields<'_>, sink: &mut Sink) {
        let Some(node) = outer.get(self.key) else { return };
        match &node.kind {
            YamlKind::Mapping(_) => self.check_mapping(node, sink),
            YamlKind::Sequence(items) => {
                let mappings = items.iter().filter(|item| matches!(item.kind, YamlKind::Mapping(_)));
                mappings.for_each(|item| self.check_mapping(item, sink));
            }
            // A name in the place of a mapping.
            YamlKind::Scalar(_) => {}
        }
    }

    fn check_mapping(&self, node: &Node, sink: &mut Sink) {
        let Ok(fields) = YamlFields::of(node, self.key, sink) else { return };
        self.keys.check(&fields, sink);
        for (key, words) in self.words {
            // What is no text is nobody's word.
            let Some(written) = fields.get(key).and_then(|node| node.expect_any_text(key, sink).ok()) else { continue };
            if !words.iter().any(|word| word.eq_ignore_ascii_case(&written.value)) {
                let message = format!("`{key}` of {} cannot be `{}`", self.keys.place(), written.value);
                let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(written.span);
                let help = format!("it can be {}", any_of(words.iter().copied()));
                sink.error(diagnostic.suggest(&written.value, words.iter().copied()).help(help));
            }
        }
        self.inner.iter().for_each(|inner| inner.check(&fields, sink));
    }
}

/// Reports every key within something that is declared that does not belong there.
pub(super) fn check_resource(kind: ResourceKind, fields: &YamlFields<'_>, sink: &mut Sink) {
    let nested: &[NestedKeys] = match kind {
        ResourceKind::SemanticModel => &[DEFAULTS, ENTITIES, DIMENSIONS, MEASURES],
        ResourceKind::Metric => &[TYPE_PARAMS],
        ResourceKind::SavedQuery => &[QUERY_PARAMS, EXPORTS],
        // The owner of an exposure may have any keys.
        ResourceKind::Exposure | ResourceKind::Analysis => &[],
    };
    nested.iter().for_each(|nested| nested.check(fields, sink));
}

/// The same for a group, whose owner may have any keys.
pub(super) fn check_group(fields: &YamlFields<'_>, sink: &mut Sink) {
    GROUP_CONFIG.check(fields, sink);
}

#[cfg(test)]
mod tests {
    use crate::project::testing::said;

    #[test]
    fn a_key_that_does_nothing_is_said_at_any_depth() {
        let yaml = "
groups: [{name: g, owner: {name: ann, pager: 1}, config: {metta: {}}}]
semantic_models:
- name: orders
  model: ref('a')
  entities: [{name: id, type: primery}]
  dimensions: [{name: day, type: time, type_params: {time_granularity: fortnight, zone: utc}}]
  measures: [{name: amount, agg: SUM, exprs: amount}]
metrics:
- name: revenue
  type: simple
  type_params: {measure: {name: amount, fill_null_with: 0}}
saved_queries:
- name: report
  query_params: {metrics: [revenue], colour: red}
  exports: [{name: report, config: {export_as: table}}]
";
        let said = said("name: p", &[("models/a.sql", "select 1"), ("models/a.yml", yaml)]);
        let messages: Vec<&str> = said.lines().filter(|line| line.contains('[') && line.contains("]: ")).collect();
        assert_eq!(
            messages,
            [
                "error[unknown-key]: `metta` is not a key of the config of a group",
                "error[invalid-config]: `type` of an entity cannot be `primery`",
                "error[invalid-config]: `time_granularity` of the `type_params` of a dimension cannot be `fortnight`",
                "warning[unknown-key]: `zone` is not a key of the `type_params` of a dimension, and does nothing",
                "error[unknown-key]: `exprs` is not a key of a measure",
                "error[unknown-key]: `fill_null_with` is not a key of the measure of a metric",
                "warning[unknown-key]: `colour` is not a key of `query_params`, and does nothing",
            ]
        );
    }
}
