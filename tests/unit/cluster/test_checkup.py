"""What is found out about a cluster and a team's namespace, and what would put it right."""

from dataclasses import replace

import aiohttp
import pytest

from cronlift.cluster.access import AccessClient
from cronlift.cluster.checkup import Mark, TeamPlace, check_cluster, check_team
from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.rights import impersonator_role, launcher_role
from tests.unit.cluster.fake_access import USER, FakeAccess, launcher_of

DEMO = launcher_of("team-demo")


@pytest.fixture
async def api():
    async with FakeAccess().serve() as served:
        served.add_team("team-demo")
        yield served


@pytest.fixture
async def place(api):
    async with aiohttp.ClientSession() as session:
        config = ClusterConfig(api.url)
        yield TeamPlace(
            "team demo",
            "team-demo",
            "cronlift-job",
            AccessClient(session, config),
            AccessClient(session, config, DEMO),
            strangers=("team-billing", "cronlift"),
        )


async def faults(place):
    return [each for each in await check_team(place, USER) if each.mark is Mark.BAD]


async def test_a_cluster_that_answers_tells_its_version_and_who_we_are(api, place):
    findings, user = await check_cluster(place.ourselves, api.url, "cluster")
    assert user == USER
    assert [(each.mark, each.what) for each in findings] == [
        (Mark.GOOD, f"{api.url} answers: Kubernetes v1.34.1"),
        (Mark.GOOD, f"we are {USER}"),
    ]


@pytest.mark.parametrize(
    ("version", "mark"),
    [("v1.29.0", Mark.GOOD), ("v1.28.9", Mark.BAD), ("v1.34.1-eks-abc", Mark.GOOD), ("devel", Mark.NOTE)],
)
async def test_an_old_cluster_is_a_fault(api, place, version, mark):
    api.version = version
    findings, _ = await check_cluster(place.ourselves, api.url, "cluster")
    assert findings[0].mark is mark


async def test_a_cluster_that_does_not_answer_is_a_fault_with_a_cure():
    async with aiohttp.ClientSession() as session:
        client = AccessClient(session, ClusterConfig("http://127.0.0.1:1"))
        [finding], user = await check_cluster(client, "http://127.0.0.1:1", "cluster")
    assert (finding.mark, user) == (Mark.BAD, "")
    assert "Cannot read the version" in finding.what
    assert "kubernetesApiPorts" in finding.cure


async def test_a_team_as_the_chart_makes_it_is_well(place):
    findings = await check_team(place, USER)
    assert [each.what for each in findings if each.mark is Mark.GOOD] == [
        f"{USER} may act as its launcher",
        "the launcher may create, get, list, watch, patch, delete jobs.batch",
        "the launcher may get, list, watch pods",
        "the launcher may get pods/log",
        "the launcher may list, watch events",
        "ServiceAccount cronlift-job, as which Jobs run, exists",
        "the launcher has no rights in team-billing, cronlift",
    ]
    [note] = [each for each in findings if each.mark is not Mark.GOOD]
    assert (note.mark, note.apply) == (Mark.NOTE, ())
    assert "manifestObjects: true" in note.cure


@pytest.mark.parametrize(
    ("verb", "resource", "words"),
    [("patch", "jobs", "patch jobs.batch"), ("get", "pods/log", "get pods/log"), ("list", "events", "list events")],
)
async def test_a_missing_verb_is_named_with_the_whole_role_that_gives_it(api, place, verb, resource, words):
    api.allowed.remove((DEMO, "team-demo", verb, resource))
    [fault] = await faults(place)
    assert fault.what == f"the launcher may not {words}"
    assert list(fault.apply) == launcher_role("team-demo", companions=False)


async def test_a_launcher_that_we_may_not_become_is_named_with_the_role_for_us(api, place):
    api.may_become.clear()
    [fault] = await faults(place)
    assert fault.what == f"{USER} may not act as the launcher {DEMO}"
    assert list(fault.apply) == impersonator_role("team-demo", USER)


async def test_companions_are_checked_when_some_of_their_rights_are_there(api, place):
    api.add_team("team-demo", companions=True)
    assert await faults(place) == []
    api.allowed.remove((DEMO, "team-demo", "create", "secrets"))
    [fault] = await faults(place)
    assert fault.what == "the launcher may not create secrets"
    assert list(fault.apply) == launcher_role("team-demo", companions=True)


async def test_companions_are_checked_when_the_team_is_said_to_use_them(place):
    [fault] = await faults(replace(place, companions=True))
    assert fault.what.startswith("the launcher may not create, get, patch configmaps; ")


async def test_a_missing_account_is_printed_to_be_applied(api, place):
    api.accounts.clear()
    [fault] = await faults(place)
    assert "ServiceAccount cronlift-job" in fault.what
    [account] = fault.apply
    assert account["metadata"] == {"name": "cronlift-job", "namespace": "team-demo"}
    assert account["automountServiceAccountToken"] is False


async def test_a_namespace_that_does_not_exist_is_said_where_we_may_look(api, place):
    api.may_look = True
    api.namespaces.clear()
    [finding] = await check_team(place, USER)
    assert finding.what == "namespace team-demo does not exist"


async def test_what_nobody_may_look_at_is_a_note(api, place):
    api.allowed -= {(DEMO, "team-demo", "get", "serviceaccounts"), (DEMO, "team-demo", "list", "resourcequotas")}
    notes = [each.what for each in await check_team(place, USER) if each.mark is Mark.NOTE]
    assert notes[1:] == ["ServiceAccount cronlift-job could not be looked at", "its quota could not be looked at"]


async def test_on_a_laptop_our_own_rights_make_up_for_the_launchers(api, place):
    api.allowed -= {(DEMO, "team-demo", "get", "serviceaccounts"), (DEMO, "team-demo", "list", "resourcequotas")}
    api.may_look = True
    whats = [each.what for each in await check_team(place, USER)]
    assert "ServiceAccount cronlift-job, as which Jobs run, exists" in whats


@pytest.mark.parametrize(
    ("used", "mark", "words"),
    [("1", Mark.GOOD, "pods 1 of 10"), ("9", Mark.NOTE, "nearly used up"), ("10", Mark.BAD, "used up, so new Jobs")],
)
async def test_a_quota_is_told_by_how_much_is_left(api, place, used, mark, words):
    quota = {"metadata": {"name": "cronlift"}, "status": {"hard": {"pods": "10"}, "used": {"pods": used}}}
    api.quotas["team-demo"] = [quota]
    [finding] = [each for each in await check_team(place, USER) if each.what.startswith("quota cronlift")]
    assert finding.mark is mark
    assert words in finding.what


async def test_a_right_in_another_teams_namespace_is_a_fault(api, place):
    api.allowed.add((DEMO, "team-billing", "get", "secrets"))
    [fault] = await faults(place)
    assert fault.what == "the launcher may get secrets in team-billing, which is not its team's"
    assert "rolebindings" in fault.cure


async def test_an_api_server_that_fails_in_between_is_told(api, place):
    async def fail(*_):
        from cronlift.errors import ConnectionLostError

        raise ConnectionLostError("Cannot ask: it went away")

    place.launcher.may = fail
    [fault] = await faults(place)
    assert fault.what == "Cannot ask: it went away"
