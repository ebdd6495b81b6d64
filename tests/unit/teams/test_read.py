"""teams.yaml is read by the chart's own schema, and every fault has its line, its key and its cure."""

import json
from typing import Any

import pytest

from ci.paths import ROOT
from cronlift.errors import TeamsFileError
from cronlift.teams.model import team_of
from cronlift.teams.read import read_teams

SCHEMA: dict[str, Any] = json.loads((ROOT / "charts/cronlift/values.schema.json").read_text())
TWO = """\
teams:
  demo:
    namespace: team-demo
    path: dags/demo
    owners: ["@platform"]
  billing:
    namespace: team-billing
    path: dags/billing
    owners: ["@org/billing", "b@example.com"]
    repo: finance
    pool: {slots: 4}
"""
MANY_FAULTS = """\
teams:
  demo:
    namespace: Team
    path: /x
    owner: ["@a"]
    owners: []
    pool: {slots: -1}
  Bad_Name:
    namespace: a
    path: b
    owners: ["x"]
    podSecurity: open
  c:
    namespace: a
other: 1
"""


def faults(text: str) -> list[str]:
    with pytest.raises(TeamsFileError) as caught:
        read_teams(text, SCHEMA)
    return [str(each) for each in caught.value.faults]


def test_the_repos_own_teams_are_read() -> None:
    assert list(read_teams((ROOT / "teams.yaml").read_text(), SCHEMA)) == ["demo"]


def test_a_team_knows_what_was_written_and_where() -> None:
    team = read_teams(TWO, SCHEMA)["billing"]
    assert (team.namespace, team.path, team.repo, team.line) == ("team-billing", "dags/billing", "finance", 6)
    assert team.owners == ("@org/billing", "b@example.com")
    assert team.settings["pool"] == {"slots": 4}


def test_every_fault_is_told_at_once_with_line_key_and_cure() -> None:
    found = faults(MANY_FAULTS)
    assert [each.split(" ")[:2] for each in found] == [
        ["teams.yaml:3:", "teams.demo.namespace:"],
        ["teams.yaml:4:", "teams.demo.path:"],
        ["teams.yaml:5:", "teams.demo.owner:"],
        ["teams.yaml:6:", "teams.demo.owners:"],
        ["teams.yaml:7:", "teams.demo.pool.slots:"],
        ["teams.yaml:8:", "teams.Bad_Name:"],
        ["teams.yaml:11:", "teams.Bad_Name.owners.0:"],
        ["teams.yaml:12:", "teams.Bad_Name.podSecurity:"],
        ["teams.yaml:13:", "teams.c:"],
        ["teams.yaml:13:", "teams.c:"],
        ["teams.yaml:15:", "other:"],
    ]
    assert found[2].endswith("there is no key 'owner'. Did you mean 'owners'?")
    assert "A user or team with @ in front" in found[6]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "teams.yaml: the file is empty", id="empty"),
        pytest.param("teams: {}\n---\nteams: {}\n", "holds 2 documents", id="two documents"),
        pytest.param("teams: [\n", "teams.yaml:2: YAML syntax error", id="no YAML"),
        pytest.param("teams:\n  a: {}\n  a: {}\n", "teams.yaml:3: key 'a' is given twice", id="a team twice"),
        pytest.param("teams:\n  a: 1\n", "teams.yaml:2: teams.a: 1 is not of type 'object'", id="no mapping"),
        pytest.param("{}\n", "the key 'teams' is missing", id="no teams"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(text: str, words: str) -> None:
    assert words in faults(text)[0]


def test_two_teams_cannot_share_a_namespace_or_a_folder() -> None:
    text = (
        TWO.replace("team-billing", "team-demo").replace("dags/billing", "dags/demo").replace("    repo: finance\n", "")
    )
    assert faults(text) == [
        "teams.yaml:7: teams.billing.namespace: namespace 'team-demo' is also that of team 'demo'. "
        "Give each team its own.",
        "teams.yaml:8: teams.billing.path: path 'dags/demo' is also that of team 'demo'. "
        "Give each team its own folder.",
    ]


def test_a_file_belongs_to_the_innermost_folder_of_this_repository() -> None:
    text = TWO + "  rest: {namespace: rest, path: ., owners: ['@rest']}\n"
    teams = read_teams(text, SCHEMA)
    for file, name in {"dags/demo/x.py": "demo", "dags/demolition/x.py": "rest", "dags/billing/x.py": "rest"}.items():
        team = team_of(file, teams)
        assert team is not None
        assert team.name == name
    assert team_of("docs/x.md", {"demo": teams["demo"]}) is None
