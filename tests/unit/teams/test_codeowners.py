"""CODEOWNERS is generated from teams.yaml, and what people wrote above the mark stays."""

from cronlift.teams.codeowners import MARK, codeowners
from cronlift.teams.model import TeamEntry

TEAMS = {
    "inner": TeamEntry("inner", "i", "dags/outer/inner", ("@i",)),
    "outer": TeamEntry("outer", "o", "dags/outer", ("@o", "o@example.com")),
    "away": TeamEntry("away", "a", "dags/away", ("@a",), repo="finance"),
    "rest": TeamEntry("rest", "r", ".", ("@r",)),
    "jobs": TeamEntry("jobs", "j", "jobs", ("@j",)),
}


def test_every_team_of_this_repository_owns_its_folder_and_inner_folders_come_last() -> None:
    text = codeowners(TEAMS, None)
    assert "* @platform\n" in text.partition(MARK)[0]
    assert text.partition(MARK)[2].splitlines()[1:] == [
        "* @r",
        "/dags/outer/ @o o@example.com",
        "/tests/dags/outer/ @o o@example.com",
        "/dags/outer/inner/ @i",
        "/tests/dags/outer/inner/ @i",
        "/jobs/ @j",
    ]


def test_what_people_wrote_stays_and_writing_twice_changes_nothing() -> None:
    first = codeowners(TEAMS, "# ours\n* @infra\n")
    assert first.startswith(f"# ours\n* @infra\n\n{MARK}\n")
    assert codeowners(TEAMS, first) == first
    assert codeowners({}, first) == f"# ours\n* @infra\n\n{MARK}\n"
