"""decisions.yaml: read with every fault, added to without changing a byte."""

from datetime import UTC, datetime

import pytest

from cronlift.crontab.decisions import LineDecision, User, new_text, read_decisions
from cronlift.crontab.decisions_edit import add_entries, group_entry, line_entry, set_group
from cronlift.errors import CrontabError

START = datetime(2026, 12, 1, tzinfo=UTC)
FULL = """\
# ours
host: web1
users:
  mara: {uid: 1004, gid: 1005, home: /home/mara}
defaults:
  mail: "off"
volumes: {/var/log/shop: shop-log}
groups:
  backup:
    state: shadow  # until Monday
    start: "2026-12-01T00:00:00+00:00"
lines:
  # why
  web__x:
    action: import
    ok_exit_codes: [0, 1]
    secrets:
      DB: {name: db, key: password}
  # the end
"""


def test_everything_is_read():
    found = read_decisions(FULL)
    assert found.host == "web1"
    assert found.users == {"mara": User(1004, 1005, "/home/mara")}
    assert found.groups["backup"].start == START
    line = found.of("web__x")
    assert (line.action, line.mail, line.ok_exit_codes) == ("import", "off", (0, 1))
    assert line.secrets == {"DB": ("db", "password")}
    assert line.volumes == {"/var/log/shop": "shop-log"}
    assert found.of("web__other") == LineDecision(mail="off", volumes={"/var/log/shop": "shop-log"})


def test_empty_file_decides_nothing():
    assert read_decisions("").lines == {}
    assert read_decisions(new_text("web", "h")).host == "h"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lines:\n  x:\n    acton: import\n",
            r"decisions.yaml:3: lines.x.acton: 'acton' is not known here. Did you mean",
        ),
        ("lines:\n  x: {action: maybe}\n", r"action is 'maybe'. Use one of undecided, import, manual, host, drop"),
        ("lines:\n  x: import\n", r"x is 'import'. Write its keys below it"),
        ("lines:\n  x: {max_active_runs: 0}\n", r"max_active_runs is below 1"),
        ("lines:\n  x: {ok_exit_codes: [0, 300]}\n", r"ok_exit_codes is \[0, 300\]"),
        ("lines:\n  x: {secrets: {A: {name: UPPER, key: k}}}\n", r"A refers to no Secret"),
        ("groups:\n  g: {state: live, start: soon}\n", r"start is 'soon', which is no time"),
        ("users:\n  mara: {home: /x}\n", r"the user has no uid"),
        ("volumes: {relative: x}\n", r"'x' is no volume"),
        ("nothing: 1\n", r"'nothing' is not known here"),
        ("volumes: {/data: Bad Name}\n", r"'Bad Name' is no volume"),
        ("lines:\n  x: {resources: {limit: {cpu: 1}}}\n", r"'limit' is not known here. Did you mean 'limits'"),
        ("lines:\n  x: {resources: {limits: {cpu: [1]}}}\n", r"lines.x.resources.limits.cpu: cpu is \[1\]"),
        ("lines: [\n", r"YAML syntax error"),
        ("drop everything\n", r"decisions.yaml:1: the file is no mapping. Write its keys"),
        ("- a\n", r"the file is no mapping"),
        ("host: a\n---\nhost: b\n", r"the file has several documents"),
    ],
)
def test_faults_are_named_with_place_and_cure(text, message):
    with pytest.raises(CrontabError, match=message):
        read_decisions(text)


def test_all_faults_come_at_once():
    with pytest.raises(CrontabError) as caught:
        read_decisions("host: 1\nlines:\n  x: {action: no}\n")
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("text", [FULL, new_text("web", "h"), "", "lines:\n", "host: x", "groups: {}\n# end\n"])
def test_entries_are_added_and_nothing_else_changes(text):
    grown = add_entries(text, "lines", [line_entry("web__new", ["why: it is new"], {"redirect": "keep"})])
    grown = add_entries(grown, "groups", [group_entry("fresh", "live", START)])
    found, before = read_decisions(grown), read_decisions(text)
    assert found.lines == {**before.lines, "web__new": LineDecision(redirect="keep")}
    assert found.groups.keys() == {*before.groups, "fresh"}
    kept = [line for line in text.splitlines() if line and line not in ("lines: {}", "groups: {}")]
    rest = iter(grown.splitlines())
    assert all(line in rest for line in kept)  # all of them, in order


def test_entry_in_braces_takes_no_line():
    with pytest.raises(CrontabError, match="written in braces"):
        add_entries("lines: {x: {action: host}}\n", "lines", ["  y: {}\n"])


def test_state_is_changed_in_its_place():
    text = set_group(FULL, "backup", "live", datetime(2027, 1, 2, 3, tzinfo=UTC))
    assert text == FULL.replace("state: shadow  #", "state: live  #").replace("2026-12-01T00", "2027-01-02T03")
    with pytest.raises(CrontabError, match=r"has no groups\.none\.state"):
        set_group(FULL, "none", "live", START)
