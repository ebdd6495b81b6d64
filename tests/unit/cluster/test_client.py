"""The client: every answer of the API server and every fault of the connection becomes an error of ours."""

import aiohttp
import pytest

from cronlift import errors
from cronlift.cluster.client import KubernetesClient
from cronlift.cluster.config import ClusterConfig
from tests.unit.cluster.conftest import LAUNCHER
from tests.unit.cluster.fake_api import FakeApi, fault

JOB = {"metadata": {"name": "a", "namespace": "team-demo"}, "spec": {}}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, errors.ApiError), (403, errors.ForbiddenError), (404, errors.NotFoundError), (409, errors.ConflictError),
        (410, errors.WatchExpiredError), (422, errors.ApiError), (429, errors.TooManyRequestsError),
        (500, errors.ApiError), (503, errors.ApiError),
    ],
)  # fmt: skip
async def test_answer_becomes_an_error_that_says_what_was_asked(api, client, code, kind):
    api.faults["get jobs"] = [fault(code, "SomeReason", "some words", Retry_After="7")]
    with pytest.raises(kind) as caught:
        await client.get_job("team-demo", "a")
    assert type(caught.value) is kind
    assert str(caught.value) == f"Cannot get Job team-demo/a: the API server answered {code} SomeReason: some words"
    assert caught.value.retry_after_seconds == 7


async def test_refused_token_is_read_again_once(api, client, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    client._config.read_token = token.read_text
    api.token = "new"
    with pytest.raises(errors.UnauthorizedError):
        await client.list_jobs("team-demo", "")
    assert api.calls["list jobs"] == 2
    token.write_text("new")
    assert await client.list_jobs("team-demo", "") == []


async def test_unknown_fields_are_asked_to_be_refused(api, client):
    await client.create_job("team-demo", dict(JOB))
    assert api.seen[-1][2]["fieldValidation"] == "Strict"


async def test_delete_of_another_job_under_the_same_name_is_refused(api, client):
    job = await client.create_job("team-demo", dict(JOB))
    await client.delete_job("team-demo", "a", "another-uid", foreground=True)
    assert len(api.objects["jobs"]) == 1
    await client.delete_job("team-demo", "a", job["metadata"]["uid"], foreground=True)
    assert api.objects["jobs"] == {}


async def test_delete_of_a_job_that_is_gone_is_no_error(client):
    await client.delete_job("team-demo", "none", "uid", foreground=False)


async def test_server_that_cannot_be_reached_is_a_lost_connection():
    async with aiohttp.ClientSession() as session:
        client = KubernetesClient(session, ClusterConfig("http://127.0.0.1:1"), LAUNCHER)
        with pytest.raises(errors.ConnectionLostError, match="Cannot get Job team-demo/a"):
            await client.get_job("team-demo", "a")
        with pytest.raises(errors.ConnectionLostError):
            async with client.stream("watch jobs", "/x", {}, 1.0):
                pass


async def test_silent_stream_is_a_lost_connection(api, client):
    api.watch_mode = "silent"
    path = "/apis/batch/v1/namespaces/team-demo/jobs"
    with pytest.raises(errors.ConnectionLostError):
        await read_all(client, path)


async def read_all(client: KubernetesClient, path: str) -> list[bytes]:
    async with client.stream("watch jobs", path, {"watch": "1", "resourceVersion": "1"}, 0.1) as chunks:
        return [chunk async for chunk in chunks]


def every_error_of_aiohttp() -> list[type[Exception]]:
    found, pending = [], [aiohttp.ClientError]
    while pending:
        found.append(pending.pop())
        pending += found[-1].__subclasses__()
    return found


@pytest.mark.parametrize("kind", [*every_error_of_aiohttp(), TimeoutError, OSError], ids=lambda kind: kind.__name__)
async def test_every_error_of_the_library_below_is_mapped(client, monkeypatch, kind):
    # The library's errors want its own objects; ours only says something.
    faked = type("Faked", (kind,), {"__init__": lambda self: None, "__str__": lambda self: "away"})

    def fail(*_, **__):
        raise faked

    monkeypatch.setattr(client, "_session", type("Session", (), {"request": fail, "get": fail})())
    with pytest.raises(errors.ConnectionLostError):
        await client.get_job("team-demo", "a")
    with pytest.raises(errors.ConnectionLostError):
        async with client.stream("watch jobs", "/x", {}, None):
            pass


async def test_huge_answer_is_not_quoted_whole(api: FakeApi, client):
    api.faults["get jobs"] = [fault(500, "InternalError", "x" * 100_000)]
    with pytest.raises(errors.ApiError) as caught:
        await client.get_job("team-demo", "a")
    assert len(str(caught.value)) < 1000
