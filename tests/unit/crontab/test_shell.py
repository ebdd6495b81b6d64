"""Commands are read as a shell reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.redirection import final_redirection
from cronlift.crontab.shell import parse_shell
from cronlift.crontab.shell_tree import Group, Script, Simple


def commands(script: Script) -> list[object]:
    """Return every command as its words, groups as their kind."""
    return [
        each.kind if isinstance(each, Group) else [word.shown for word in (*each.assignments, *each.words)]
        for each in script.everything()
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a b 'c d' \"e f\" g\\ h", [["a", "b", "c d", "e f", "g h"]], id="quotes"),
        pytest.param("A=1 B='2 3' c", [["A=1", "B=2 3", "c"]], id="assignments"),
        pytest.param("a && b || c; d & e | f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]], id="lists"),
        pytest.param("( cd / && a ) || b", ["(", ["cd", "/"], ["a"], ["b"]], id="subshell"),
        pytest.param("{ a; b; } 2>/dev/null", ["{", ["a"], ["b"]], id="braces"),
        pytest.param("if a; then b; elif c; then d; else e; fi", ["if", ["a"], ["b"], ["c"], ["d"], ["e"]], id="if"),
        pytest.param("for i in 1 2; do a $i; done", ["for", ["a", "$i"]], id="for"),
        pytest.param("while read x; do a; done < f", ["while", ["read", "x"], ["a"]], id="while"),
        pytest.param("until a; do b; done", ["until", ["a"], ["b"]], id="until"),
        pytest.param("case $x in a|b) c;; (*) d; e;; esac", ["case", ["c"], ["d"], ["e"]], id="case"),
        pytest.param("f() { a; }; f", ["function", "{", ["a"], ["f"]], id="function"),
        pytest.param('a "$(b | c)" `d` ', [["a", '"$(b | c)"', "`d`"], ["b"], ["c"], ["d"]], id="substitutions"),
        pytest.param("a $((1 + (2))) $(( 3 ))", [["a", "$((1 + (2)))", "$(( 3 ))"]], id="arithmetic"),
        pytest.param("a ${x:-$(b)} ${#y}", [["a", "${x:-$(b)}", "${#y}"]], id="parameters"),
        pytest.param("[[ -f x && -d y ]] && a", ["[[", ["a"]], id="test of bash"),
        pytest.param("x=(1 2 $(a)); b", [["x=(1 2 $(a))"], ["a"], ["b"]], id="array"),
        pytest.param("a#b #c; d", [["a#b"]], id="comment"),
        pytest.param("! a", [["a"]], id="negation"),
        pytest.param("a\nb", [["a"], ["b"]], id="line feed"),
        pytest.param("diff <(a) <(b)", [["diff", "<(a)", "<(b)"], ["a"], ["b"]], id="process substitution"),
        pytest.param("echo done", [["echo", "done"]], id="reserved words are words elsewhere"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_commands_are_read(text: str, expected: list[object]) -> None:
    script = parse_shell(text)
    assert script.fault is None
    assert commands(script) == expected


@pytest.mark.parametrize(
    "text",
    ["echo 'a", 'echo "a', "echo `a", "echo $(a", "echo ${a", "a &&", "a |", "( a", "{ a;", "if a; then b", ")", "fi",
     "a > ", "a;; b", "sleep $(( ( RANDOM "],
)  # fmt: skip
def test_what_no_shell_reads_has_a_fault(text: str) -> None:
    assert parse_shell(text).fault


def test_commands_before_a_fault_are_kept() -> None:
    assert commands(parse_shell("a; b; echo 'c")) == [["a"], ["b"]]


def test_known_variables_are_put_in() -> None:
    script = parse_shell("$X/a ${X}/b '$X/c' \"$X/d\" $Y/e", variables={"X": "/srv"})
    assert commands(script) == [["/srv/a", "/srv/b", "$X/c", "/srv/d", "$Y/e"]]
    (command,) = script.everything()
    assert isinstance(command, Simple)
    assert [word.value for word in command.words] == ["/srv/a", "/srv/b", "$X/c", "/srv/d", None]


def test_dash_reads_two_commands_where_bash_redirects_both_streams() -> None:
    assert [item.background for item in parse_shell("a &> f", bash=False).items] == [True, False]
    assert [item.background for item in parse_shell("a &> f", bash=True).items] == [False]


def test_background_is_told_from_the_list() -> None:
    assert [item.background for item in parse_shell("a & b && c; d").items] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "streams", "path", "append", "whole", "cut"),
    [
        ("a > /f", "stdout", "/f", False, True, "a"),
        ("a >> /f 2>&1", "both", "/f", True, True, "a"),
        ("a 1>>/f", "stdout", "/f", True, True, "a"),
        ("a &> /f", "both", "/f", False, True, "a"),
        ("a &>> /f", "both", "/f", True, True, "a"),
        ("a >& /f", "both", "/f", False, True, "a"),
        ("a 2>/f", "stderr", "/f", False, True, "a"),
        ("a 2>&1 >> /f", "stdout", "/f", True, True, "a"),
        ("a >> /f 2>> /f", "both", "/f", True, True, "a"),
        ("a < /in > /f", "stdout", "/f", False, True, "a < /in"),
        ("cd /x && a >> /f 2>&1", "both", "/f", True, False, "cd /x && a"),
        ("a; b > /f", "stdout", "/f", False, False, "a; b"),
        ("a | b > /f", "stdout", "/f", False, False, "a | b"),
        ("( a; b ) > /f", "stdout", "/f", False, True, "( a; b )"),
        ("{ a; } > /f", "stdout", "/f", False, True, "{ a; }"),
        ("a > '/f g' # c", "stdout", "/f g", False, True, "a # c"),
        ("a > /f;", "stdout", "/f", False, True, "a;"),
        ("a>/f", "stdout", "/f", False, True, "a"),
        ("a > /dev/null 2>&1", "both", "/dev/null", False, True, "a"),
    ],
)
def test_final_redirection_is_found_and_cut(
    text: str, streams: str, path: str, append: bool, whole: bool, cut: str
) -> None:
    found = final_redirection(text, parse_shell(text))
    assert found is not None
    assert (found.streams, found.path, found.append, found.whole) == (streams, path, append, whole)
    assert found.cut_from(text) == cut


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a 2>&1",
        "a > /f; b",
        "a > /f && b",
        "a > /f &",
        "a > $F",
        "a > /x/$(date +%F)",
        "a > ~/f",
        "a > /f 2> /g",
        "a 3> /f",
        "a > /f b",
        "> /f a 2>&1",
        "> /f",
        "a > /f < /in",
        "a 'x > /f'",
        'a "> /f"',
        "a \\> /f",
        "a > /f 2>&-",
        "echo 'unclosed > /f",
    ],
)
def test_what_is_no_final_simple_redirection_stays(text: str) -> None:
    assert final_redirection(text, parse_shell(text)) is None


PIECES = st.sampled_from(
    [*"ab $\"'`\\(){}[];&|<>#=!~*?\n0129", "$(", "${", "$((", "))", "&&", "||", ">>", "2>&1", "if ", "then ", "fi",
     "do ", "done", "case ", " in ", "esac", ";;", "for ", "while ", "[[ ", " ]]", "f()", "a=("]
)  # fmt: skip


@given(st.one_of(st.lists(PIECES, max_size=60).map("".join), st.text(max_size=100)), st.booleans())
def test_any_text_is_read_or_has_a_fault(text: str, bash: bool) -> None:
    script = parse_shell(text, bash=bash)
    for command in script.everything():
        assert 0 <= command.start <= command.end
    found = final_redirection(text, script)
    if found is not None:
        assert text[found.start : found.end].lstrip("012")[0] in ">&"


@pytest.mark.parametrize("piece", ["(", "$(", "{ ", "a=(", "f()", '"$(', "if ", "`\\`"])
def test_deep_nesting_has_a_fault_and_no_end_of_the_stack(piece: str) -> None:
    assert parse_shell(piece * 5000).fault
