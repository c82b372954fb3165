//! What templates take from Python: methods, operators, and parts of its libraries.

use super::*;
use crate::host::Host;

#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(text(template), expected, "{template}");
}

#[test]
fn filters_for_types_leave_the_text_alone() {
    check("{{ 'true' | as_bool }} {{ '1' | as_number }} {{ 'x' | as_text }} {{ [1] | as_native }}", "true 1 x [1]");
    check("{% if var('limit') | as_bool %}yes{% endif %}", "yes");
}

#[test]
fn formats_with_a_percent_sign_are_pythons() {
    check("{{ '%s-%s' % ('a', 2) }} {{ '%05d' % 42 }} {{ '%s' % 'x' }} {{ '%.2f' % 1.5 }}", "a-2 00042 x 1.50");
    check("{% set f = '%s!' %}{{ f % 'a' }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 1 + 7 % 4 * 2 }}", "a! 1 2 7");
    check("{{ '%(a)s' % {'a': 1} }} {{ '%s' % var('limit') ~ 'x' }}", "1 10x");
    check("{% for i in range(4) %}{% if i % 2 == 0 %}{{ i }}{% endif %}{% endfor %}", "02");
    check("{{- 'a' -}} {%- set x = 5 % 3 -%} {{- x -}}", "a2");
}

#[test]
fn signs_conditions_and_loops_are_jinjas() {
    check("{{ +1 }} {{ [+2, -3] }} {{ 1 + +1 }}", "1 [2, -3] 2");
    check(
        "{% set x = [] %}{% do x.append(1) if true %}{% do x.append(2) if false else x.append(3) %}{{ x }}",
        "[1, 3]",
    );
    check("{% set s = [] %}{% for i in [1, 1, 2] if i not in s %}{% do s.append(i) %}{{ i }}{% endfor %}", "12");
    check("{% for i in [1, 2, 3] if i != 2 %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/2 2/2 ");
    check("{% for i in [1, 2] %}{% if loop.previtem is defined %}{{ loop.previtem }}{% endif %}{% endfor %}", "1");
    check("{% for i in [1, 1, 2] %}{% if loop.previtem != i %}{{ i }}{% endif %}{% endfor %}", "12");
    check(
        "{% for i in [1, 1] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i) }}{{ loop.revindex0 }}{% endfor %}",
        "aTrue1bFalse0",
    );
    check("{% set x | upper %}a{% endset %}{{ x }}{% filter upper %}b{% endfilter %}", "AB");
}

#[test]
fn tuples_sets_and_dicts_are_pythons() {
    check("{{ (1, 2) }} {{ (1,) }} {{ ('a', 'b') }}", "(1, 2) (1,) ('a', 'b')");
    check(
        "{{ set([2, 1, 2]) }} {{ set([]) }} {{ set([1]) == set([1]) }} {{ 1 in set([1]) }}",
        "{2, 1} set() True True",
    );
    check("{% set s = set(['a']) %}{% do s.add('b') %}{{ s | length }} {{ s.difference(['a']) }}", "2 {'b'}");
    check("{{ set(1, 'no') }} {{ zip(1, default='no') }} {{ zip([1], ['a']) }}", "no no [(1, 'a')]");
    check("{{ dict([('a', 1)]) }} {{ dict(a=1).get('b', 2) }}", "{'a': 1} 2");
    check("{% set d = {} %}{% do d.update({(1, 2): 'x'}) %}{{ d[(1, 2)] }}", "x");
}

#[test]
fn methods_of_texts_and_lists_are_pythons() {
    check("{{ 'a.b.c'.rsplit('.', 1) }} {{ 'a b'.rsplit() }}", "['a.b', 'c'] ['a', 'b']");
    check("{{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'a'.center(3, '*') }} {{ 'a'.ljust(2) }}|", "007 -007 *a* a |");
    check("{{ 'a=b'.partition('=') }} {{ 'ab'.removesuffix('b') }} {{ 'aXb'.swapcase() }}", "('a', '=', 'b') a AxB");
    check("{{ [3, 1].index(1) }} {{ ['a', 'b', 'a'].count('a') }} {{ '{} {}'.format(1, 'x') }}", "1 2 1 x");
    check("{% set x = [3, 1, 2] %}{% do x.sort() %}{{ x }}{% do x.sort(reverse=true) %}{{ x.pop(-1) }}", "[1, 2, 3]1");
    check("{% set d = {} %}{% do d.update({'a': []}) %}{% do d.a.append(1) %}{{ d }}", "{'a': [1]}");
    check("{% set x = [1] %}{% do x.insert(0, 2) %}{% do x.extend((3,)) %}{{ x.pop(0) }}{{ x }}", "2[1, 3]");
}

#[test]
fn data_goes_to_yaml_and_back() {
    check("{{ fromyaml('a: [1, x]').a[1] }} {{ fromyaml('a: [', 'bad') }}", "x bad");
    check("{{ toyaml({'a': [1, 2], 'b': 'x'}) }}", "a:\n- 1\n- 2\nb: x\n");
    check("{{ local_md5('a') }}", "0cc175b9c0f1b6a831c399e269772661");
    check("{{ diff_of_two_dicts({'a': ['x', 'y']}, {'a': ['X']}) }}", "{'a': ['y']}");
}

#[test]
fn libraries_of_python_are_here_in_part() {
    check("{{ modules.re.sub('[^a-z]+', '_', 'a-b  c') }} {{ modules.re.match('a(b)', 'abc').group(1) }}", "a_b_c b");
    check(
        "{{ modules.re.findall('[0-9]+', 'a1b22') }} {{ modules.re.search('x', 'abc') is none }}",
        "['1', '22'] True",
    );
    check(
        "{{ modules.re.split(',\\\\s*', 'a, b') }} {{ modules.re.compile('b').search('abc').start() }}",
        "['a', 'b'] 1",
    );
    check(
        "{{ modules.re.sub('(a)(b)', '\\\\2\\\\1', 'ab', 1) }} {{ modules.re.match('A', 'a', modules.re.IGNORECASE) is not none }}",
        "ba True",
    );
    check("{{ modules.itertools.product([1, 2], ['a']) | list }}", "[(1, 'a'), (2, 'a')]");
    check(
        "{{ modules.itertools.combinations([1, 2, 3], 2) | list | length }} {{ modules.itertools.chain([1], [2]) | list }}",
        "3 [1, 2]",
    );
    assert!(fault("{{ modules.re.match('(?=a)', 'a') }}").contains("is not a pattern that karat can use"));
    assert!(fault("{{ modules.os.getcwd() }}").contains("template-error"));
}

#[test]
fn dates_are_counted_and_printed_as_in_python() {
    check("{{ modules.datetime.date(2024, 2, 28) + modules.datetime.timedelta(days=2) }}", "2024-03-01");
    check("{{ modules.datetime.datetime(2024, 1, 2, 3).strftime('%Y/%m/%d %H') }}", "2024/01/02 03");
    check(
        "{% set d = modules.datetime.datetime.strptime('2024-01-02', '%Y-%m-%d') %}{{ d }} {{ d.date() }} {{ d.year }}",
        "2024-01-02 00:00:00 2024-01-02 2024",
    );
    check("{{ (modules.datetime.date(2024, 3, 1) - modules.datetime.date(2024, 2, 1)).days }}", "29");
    check("{{ modules.datetime.date(2024, 3, 1) > modules.datetime.date(2024, 2, 1) }}", "True");
    check(
        "{{ modules.datetime.timedelta(hours=25) }} {{ modules.datetime.timedelta(days=1).total_seconds() }}",
        "1 day, 1:00:00 86400.0",
    );
    check(
        "{{ modules.pytz.timezone('America/New_York').localize(modules.datetime.datetime(2024, 7, 1)).isoformat() }}",
        "2024-07-01T00:00:00-04:00",
    );
    check(
        "{{ modules.datetime.datetime(2024, 1, 1).replace(day=5) }} {{ modules.datetime.date(2024, 1, 1).weekday() }}",
        "2024-01-05 00:00:00 0",
    );
}

#[test]
fn a_run_has_one_time_and_what_reads_it_says_so() {
    let now = host().logical_time();
    check("{{ run_started_at.strftime('%Y-%m-%d') }}", &now.format("%Y-%m-%d").to_string());
    check(
        "{{ (run_started_at - modules.datetime.timedelta(days=1)).date() }}",
        &(now - chrono::TimeDelta::days(1)).format("%Y-%m-%d").to_string(),
    );
    check("{{ run_started_at.date() == modules.datetime.date.today() }} {{ invocation_id | length }}", "True 36");
    let (models, _) = rendered(&[
        ("models/gold/m.sql", "{{ run_started_at.date() }}"),
        ("models/gold/n.sql", "{{ run_started_at }}"),
    ]);
    assert!(model(&models, "m").messages.join("").contains("every day"), "{:?}", model(&models, "m").messages);
    assert!(model(&models, "n").messages.join("").contains("every run"), "{:?}", model(&models, "n").messages);
}
