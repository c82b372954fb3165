//! What holds for every template.

use proptest::prelude::*;

use super::*;

#[test]
fn rendered_bytes_lead_back_to_what_was_typed() {
    let template = "{{ config(tags=['a']) }}\n{% set xs = ['ä', 'b'] -%}\nselect ä, {{ cents('amount') }} {% for x in xs %}{{ x }}, {% endfor %}from t\n";
    let macros = ("macros/a.sql", "{% macro cents(x) %}({{ x }} / 100){% endmacro %}");
    let (models, files) = rendered(&[("models/gold/m.sql", template), macros]);
    let full = &model(&models, "m").full;
    assert_eq!(full.text, "\nselect ä, (amount / 100) ä, b, from t\n");
    let typed = |word: &str| {
        let at = full.text.find(word).unwrap();
        files.slice(full.map.span(at..at + word.len()))
    };
    assert_eq!(typed("select ä"), "select ä");
    assert_eq!(typed("amount"), "cents('amount')");
    assert_eq!(typed("b,"), "x }},");
    assert_eq!(typed("from t"), "from t");
}

/// Pieces of templates that can stand in any order.
fn template() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "select 1\n",
        "ä, ",
        "{{ ref('fct_notes') }}",
        "{{- ref('fct_notes', lookback='1 day') -}}",
        " \n ",
        "{% set x = [1, [2]] %}",
        "{# note #}",
        "{%- if is_incremental() -%} inc {%- else %} all {% endif %}",
        "{% for i in range(2) %}{{ i }} ü {% endfor %}",
        "{{ cents('x') }}",
        "{% raw %}{{ raw }}{% endraw %}",
        "{{ config(tags=['a']) }}",
        "{% call wrap() %} body {% endcall %}",
        "{{ this }}",
        "\r\n",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_rendered_byte_maps_inside_its_file(template in template()) {
        let macros = ("macros/a.sql", "{% macro cents(x) %}({{ x }}){% endmacro %}{% macro wrap() %}<{{ caller() }}>{% endmacro %}");
        let (models, files) = rendered(&[("models/gold/m.sql", &template), NOTES, macros]);
        let full = &model(&models, "m").full;
        for (at, letter) in full.text.char_indices() {
            let span = full.map.span(at..at + letter.len_utf8());
            prop_assert_eq!(files.path(span.file), "models/gold/m.sql");
            prop_assert!(span.start <= span.end && span.end as usize <= template.len());
            prop_assert!(!files.slice(span).is_empty());
        }
        for reference in &full.references {
            prop_assert!(!files.slice(reference.span).is_empty());
        }
    }

    #[test]
    fn no_text_makes_the_scanner_or_the_engine_panic(template in "[{}%#a-c()'\"\\[\\],:. \n-]{0,40}") {
        let _ = said(&[("models/gold/m.sql", &template)]);
    }
}
