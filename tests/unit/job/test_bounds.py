"""One step of a template may not fill the memory of the triggerer, which renders for everybody."""

import time

import pytest

from cronlift.errors import ManifestError
from cronlift.job.bounds import ITEM_LIMIT
from cronlift.job.limits import SIZE_LIMIT_CHARACTERS
from cronlift.job.sources import Sources, collect
from cronlift.job.template import Images, render

LONG = f"{{% set s = 'x' * {SIZE_LIMIT_CHARACTERS - 100} %}}"
MANY = f"{{% set l = [1] * {ITEM_LIMIT} %}}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10 ** 9 }}", "{{ 10 ** 9 * 'x' }}", "{{ [1] * 10 ** 9 }}", LONG + "{{ s + s }}", LONG + "{{ s ~ s }}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set l = [1] %}{% for i in range(60) %}{% do l.extend(l) %}{% endfor %}",
        "{{ (10 ** 1000) ** 1000 }}", "{% set n = 10 ** 999 %}{{ n ** 999 }}", "{{ 2 ** (10 ** 9) }}",
        "{% set ns = namespace(x=10 ** 900) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{{ 'x'.ljust(10 ** 10) }}", "{{ 'x'.center(10 ** 10) }}", "{{ '1'.zfill(10 ** 10) }}",
        "{{ 1 .to_bytes(10 ** 10) }}",
        "{{ ('\t' * 1000).expandtabs(10 ** 6) }}", LONG + "{{ s.join(['a'] * 1000) }}",
        LONG + "{{ s.replace('x', s) }}",
        LONG + "{{ ''.join([s] * 1000) }}", "{{ '{:>9999999999}'.format(1) }}", "{{ '{:>{}}'.format(1, 10 ** 10) }}",
        "{{ '{x:>{w}}'.format(x=1, w=10 ** 10) }}", "{{ '{:>9999999999}'.format_map({}) }}",
        LONG + "{{ ('{0}' * 1000).format(s) }}", LONG + "{{ ('{x}' * 1000).format_map({'x': s}) }}",
        "{{ '%9999999999d' % 1 }}", "{{ '%*d' % (10 ** 10, 1) }}", LONG + "{{ ('%(s)s' * 1000) % {'s': s} }}",
        LONG + "{{ [s] * 1000 }}", LONG + "{{ {'a': [s] * 1000} }}", LONG + "{{ ([s] * 1000) ~ '' }}",
        LONG + "{{ [s] * 1000 | string }}", LONG + "{{ ([s] * 1000) | tojson }}", "{{ [1] | tojson(10 ** 9) }}",
        LONG + "{{ ([s] * 1000) | pprint }}", LONG + "{{ ([s] * 1000) | join }}", LONG + "{{ [1] * 1000 | join(s) }}",
        LONG + "{{ ([1] * 1000) | join(s) }}", LONG + "{{ ([s] * 1000) | map('upper') | join }}",
        "{{ 'x' | center(10 ** 10) }}", "{{ 'x' | indent(10 ** 10) }}", LONG + "{{ ('a\n' * 1000) | indent(s) }}",
        LONG + "{{ s | replace('x', s) }}", "{{ '%9999999999d' | format(1) }}",
        "{{ [1] | batch(10 ** 10, 'x') | list }}",
        "{{ [1] | slice(10 ** 10, 'x') | list }}", MANY + "{{ ([l] * 1000) | sum(start=[]) }}",
        LONG + "{% macro m() %}{% for i in range(1000) %}{{ s }}{% endfor %}{% endmacro %}{% set x = m() %}",
        LONG + "{% set x %}{% for i in range(1000) %}{{ s }}{% endfor %}{% endset %}",
        LONG + "{% filter upper %}{% for i in range(1000) %}{{ s }}{% endfor %}{% endfilter %}",
        "{{ lipsum(10 ** 9) }}", "{{ range(10 ** 9) | list }}",
    ],
)  # fmt: skip
def test_huge_value_is_refused_before_it_is_made(source):
    started = time.monotonic()
    with pytest.raises(ManifestError):
        render(Sources("a", {"a": source}), {}, Images({}))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' | center(10 ** 10) }}\n",
        "{{ '%9999999999d' | format(1) }}\n",
        "{{ 'x' * 10 ** 10 }}\n",
        "{{ 9 ** 9 ** 9 }}\n",
    ],
)  # fmt: skip
def test_nothing_huge_is_made_when_the_template_is_compiled(source):
    """Jinja works constant expressions out while it compiles, and the DAG processor compiles without a time limit."""
    started = time.process_time()
    collect(source, [])
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 2 ** 10 }} {{ 2.5 ** 2 }} {{ 3 * 4 }} {{ 'ab' * 2 }} {{ [1] * 2 }} {{ 7 % 3 }}",
         "1024 6.25 12 abab [1, 1] 1"),
        ("{{ 5000000 * 3 }} {{ 20260101 + 1 }}", "15000000 20260102"),
        ("{{ 'a' ~ 1 ~ none ~ [2] }}", "a1None[2]"),
        ("{{ '%05d %s' % (3, 'x') }} {{ '{:>4}|{x}'.format(1, x=20260101) }}", "00003 x    1|20260101"),
        ("{{ '-'.join(['a', 'b']) }} {{ 'aXb'.replace('X', '-') }} {{ 'a'.ljust(3) }}|", "a-b a-b a  |"),
        ("{{ [1, 2] | join('-') }} {{ ['a'] | map('upper') | join }} {{ [{'n': 1}] | join(',', attribute='n') }}",
         "1-2 A 1"),
        ("{{ {'b': 1, 'a': [2]} | tojson }} {{ 'a' | indent(2, true) }} {{ 'aXb' | replace('X', '-') }}",
         '{"a": [2], "b": 1}   a a-b'),
        ("{{ [1, 2, 3] | sum }} {{ [{'n': 1}] | sum('n') }} {{ 'ab' | list }} {{ [1, 2, 3] | batch(2) | list }}",
         "6 1 ['a', 'b'] [[1, 2], [3]]"),
        ("{% set l = [1] %}{% do l.extend([2]) %}{{ l }} {{ 1700000000 | int }} {{ x | default(1700000000) }}",
         "[1, 2] 1700000000 1700000000"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m('x') ~ m('y') }}{% set b %}z{% endset %}{{ b }}", "<x><y>z"),
    ],
)  # fmt: skip
def test_ordinary_work_goes_on_as_before(source, expected):
    assert render(Sources("a", {"a": source}), {}, Images({})) == expected
