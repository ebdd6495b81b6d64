"""What a change can affect."""

import pytest

from cronlift.checks.affected import Scope, affected
from cronlift.teams.model import TeamEntry

TEAMS = {
    name: TeamEntry(name, f"team-{name}", f"dags/{name}", ("@x",), settings={"path": f"dags/{name}"})
    for name in (f"team{number:02}" for number in range(50))
} | {"own": TeamEntry("own", "team-own", "dags", ("@x",), repo="own")}
ALL = None


@pytest.mark.parametrize(
    ("changed", "teams"),
    [
        ([], set()),
        (["README.md", "docs/teams.md", "tests/unit/x.py", "images/legacy/Dockerfile"], set()),
        (["dags/team07/report.py"], {"team07"}),
        (["dags/team07/jobs/report.yaml", "docs/x.md"], {"team07"}),
        (["dags/team07/shared/words.py", "dags/team11/x.py"], {"team07", "team11"}),
        (["dags/team1/x.py", "dags/nobody/x.py"], set()),
        (["plugins/src/cronlift/airflow/operator.py"], ALL),
        (["uv.lock", "dags/team07/report.py"], ALL),
        (["charts/environments/production.yaml"], ALL),
        (["charts/cronlift/values.yaml"], set()),
        (["images/airflow/Dockerfile"], ALL),
        (["versions.env"], ALL),
    ],
)
def test_a_change_affects_whom_its_files_belong_to(changed: list[str], teams: set[str] | None) -> None:
    found = affected(changed, TEAMS, TEAMS)
    assert found.teams == teams
    assert all(found.holds(name) == (teams is None or name in teams) for name in TEAMS)


def test_an_entry_of_the_teams_file_affects_its_team_alone() -> None:
    before = dict(TEAMS)
    del before["team03"]
    before["team04"] = TeamEntry("team04", "ns", "dags/team04", ("@x",), settings={"path": "dags/team04", "quota": {}})
    before["gone"] = TEAMS["team05"]
    found = affected(["teams.yaml"], before, TEAMS)
    assert found.teams == {"team03", "team04"}
    assert found.reasons == {"team03": "teams.yaml", "team04": "teams.yaml"}


def test_a_teams_file_that_could_not_be_read_affects_all() -> None:
    assert affected(["teams.yaml"], None, TEAMS) == Scope(None, {"": "teams.yaml"})


def test_a_team_of_another_repository_is_affected_by_no_file_here() -> None:
    assert affected(["dags/own.py"], TEAMS, TEAMS).teams == set()
