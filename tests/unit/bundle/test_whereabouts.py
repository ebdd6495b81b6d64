"""Where a commit has got to, judged from what is known; every way in which it can be stuck."""

import copy

import pytest

from cronlift.bundle.whereabouts import Mark, Pod, Repository, judge

HEAD, OLD = "b" * 40, "a" * 40
GIT = Repository("/git/current", "https://example.com/dags.git", "main", head=HEAD)
ANSWER = {
    "links": {"/git/current": {"commit": HEAD, "problem": None, "synced_seconds_ago": 2.0}},
    "bundles": {"demo": {"link": "/git/current", "version": "v1", "commit": HEAD, "refusal": "",
                         "checked_seconds_ago": 1.0, "synced_seconds_ago": 3.0}},
    "database": {"bundles": {"demo": {"version": "v1", "refreshed_seconds_ago": 1.0, "dags": 4}}, "import_errors": []},
}  # fmt: skip


def contains(commit, wanted):
    return {(HEAD, OLD): True, (OLD, HEAD): False}.get((commit, wanted))


def bad(answer=ANSWER, repository=GIT, wanted="", scheduler=None):
    pods = [
        Pod("dag-processor-1", answer),
        Pod("scheduler-1", scheduler or {**answer, "bundles": {}, "database": None}),
    ]
    return [fact.what for fact in judge([repository], pods, wanted, contains) if fact.mark is Mark.BAD]


def changed(*path, value):
    answer = copy.deepcopy(ANSWER)
    at = answer
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return answer


@pytest.mark.parametrize("wanted", ["", HEAD, HEAD[:9], OLD])
def test_all_is_well_when_head_or_an_older_commit_is_everywhere(wanted):
    assert bad(wanted=wanted) == []


def test_pod_that_is_behind_is_named_with_its_commit():
    behind = changed("links", "/git/current", "commit", value=OLD)
    (what,) = bad(scheduler={**behind, "bundles": {}, "database": None})
    assert what == "scheduler-1 has aaaaaaaaaa, not yet bbbbbbbbbb, synced 2 s ago"


def test_commit_that_is_not_merged_is_told():
    (what,) = bad(wanted="c" * 40)
    assert what.startswith("is not in main of https://example.com/dags.git")


def test_sync_that_stopped_is_told_though_the_commit_is_right():
    stale = changed("links", "/git/current", "synced_seconds_ago", value=600.0)
    assert bad(stale, scheduler=ANSWER | {"database": None}) == ["dag-processor-1 has bbbbbbbbbb, synced 600 s ago"]


def test_age_comes_from_the_dag_processor_where_nothing_was_seen():
    unseen = changed("links", "/git/current", "synced_seconds_ago", value=None)
    assert bad(unseen, scheduler=ANSWER | {"database": None}) == []


def test_link_that_leads_nowhere_is_told():
    broken = changed("links", "/git/current", "problem", value="it leads nowhere")
    assert "dag-processor-1: /git/current: it leads nowhere" in bad(broken, scheduler=ANSWER | {"database": None})


def test_refusal_is_told_with_what_is_kept():
    refused = changed("bundles", "demo", "refusal", value="4 of 5 Python files are gone")
    assert bad(refused) == [f"stays at version v1 of commit {HEAD[:10]}: 4 of 5 Python files are gone"]


def test_bundle_that_has_not_taken_the_commit_is_told_though_the_link_has_it():
    late = changed("bundles", "demo", "commit", value=OLD)
    assert bad(late) == ["is at version v1 of commit aaaaaaaaaa, which has not bbbbbbbbbb yet"]
    assert bad(late, wanted=OLD) == []


def test_bundle_that_nobody_refreshes_any_more_is_told():
    hanging = changed("bundles", "demo", "checked_seconds_ago", value=7200.0)
    (what,) = bad(hanging)
    assert what.endswith("has not looked at git for 7200 s: see dag-processor-1")


def test_version_that_airflow_has_not_taken_up_is_told():
    late = changed("database", "bundles", "demo", "version", value="v0")
    assert bad(late) == [f"Airflow is at version v0, not yet at version v1 of commit {HEAD[:10]}"]


def test_import_errors_are_told_with_file_and_time():
    error = {"bundle": "demo", "file": "a.py", "at": "2026-01-01T00:00:00", "error": "SyntaxError: invalid syntax"}
    broken = changed("database", "import_errors", value=[error])
    assert bad(broken) == ["a.py: SyntaxError: invalid syntax (since 2026-01-01T00:00:00)"]


def test_pod_that_cannot_be_asked_is_told():
    facts = judge([GIT], [Pod("scheduler-1", problem="Cannot run python: 403 Forbidden")], "", contains)
    assert ("pod scheduler-1", Mark.BAD) in [(fact.subject, fact.mark) for fact in facts]


def test_repository_that_cannot_be_asked_from_here_is_only_a_note():
    unknown = Repository("/git/current", "https://example.com/dags.git", "main", problem="could not read Username")
    assert bad(repository=unknown) == []
