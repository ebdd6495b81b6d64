"""The client: every answer of the API server and every fault of the connection becomes an error of ours."""

import aiohttp
import pytest
from aiohttp import web

from cronlift import errors
from cronlift.cluster.client import KubernetesClient, request_kind
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


BATCH, CORE = "/apis/batch/v1/namespaces/team-demo", "/api/v1/namespaces/team-demo"


@pytest.mark.parametrize(
    ("method", "path", "params", "expected"),
    [
        ("POST", f"{BATCH}/jobs", {}, ("create", "jobs")),
        ("GET", f"{BATCH}/jobs/a", {}, ("get", "jobs")),
        ("GET", f"{BATCH}/jobs", {"limit": "500"}, ("list", "jobs")),
        ("GET", f"{BATCH}/jobs", {"watch": "1"}, ("watch", "jobs")),
        ("PATCH", f"{BATCH}/jobs/a", {}, ("patch", "jobs")),
        ("DELETE", f"{BATCH}/jobs/a", {}, ("delete", "jobs")),
        ("GET", f"{CORE}/pods/a/log", {"follow": "true"}, ("log", "pods")),
        ("GET", f"{CORE}/events", {}, ("list", "events")),
        ("POST", f"{CORE}/configmaps", {}, ("create", "configmaps")),
        ("GET", "/version", {}, ("list", "version")),
    ],
    ids=lambda value: value if isinstance(value, str) and not value.startswith("/") else None,
)
def test_request_is_counted_by_verb_and_resource(method, path, params, expected):
    assert request_kind(method, path, params) == expected


async def test_each_request_is_counted_also_the_second_one_after_401(api, client, metrics):
    api.token = "another"
    with pytest.raises(errors.UnauthorizedError):
        await client.get_job("team-demo", "a")
    assert metrics.counts == {"cronlift.api.requests get jobs": 2}


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "PersistentVolumeClaim"])
async def test_companion_is_created_read_and_applied(client, kind):
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}
    created = await client.create_object("team-demo", body)
    assert (await client.get_object("team-demo", kind, "a"))["metadata"]["uid"] == created["metadata"]["uid"]
    assert (await client.apply_object("team-demo", body))["metadata"]["uid"] == created["metadata"]["uid"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("call", ["create", "get", "patch"])
async def test_only_words_about_a_secret_are_withheld(api, client, kind, call):
    api.faults[f"{call} {kind.lower()}s"] = [fault(422, "Invalid", "data[a]: Invalid value: hunter2")]
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}
    calls = {
        "create": lambda: client.create_object("team-demo", body),
        "get": lambda: client.get_object("team-demo", kind, "a"),
        "patch": lambda: client.apply_object("team-demo", body),
    }
    with pytest.raises(errors.ApiError) as caught:
        await calls[call]()
    assert ("hunter2" in f"{caught.value} {vars(caught.value)}") is (kind == "ConfigMap")
    assert "422 Invalid" in str(caught.value)


async def test_fields_that_a_secret_is_refused_for_are_named(api, client):
    def answer() -> web.Response:
        causes = [{"field": "data[.dockerconfigjson]", "reason": "FieldValueInvalid", "message": "hunter2"}]
        status = {"kind": "Status", "reason": "Invalid", "message": "hunter2", "details": {"causes": causes}}
        return web.json_response(status, status=422)

    api.faults["create secrets"] = [answer]
    with pytest.raises(errors.ApiError, match=r"data\[\.dockerconfigjson\] \(FieldValueInvalid\)") as caught:
        await client.create_object("team-demo", {"kind": "Secret", "metadata": {"name": "a"}})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", ["hunter2", '["hunter2"]', '"hunter2"'], ids=["text", "list", "string"])
async def test_answer_about_a_secret_that_is_no_status_is_withheld_too(api, client, content):
    """A proxy between us and the API server may answer anything."""
    api.faults["create secrets"] = [lambda: web.Response(text=content, status=502)]
    with pytest.raises(errors.ApiError) as caught:
        await client.create_object("team-demo", {"kind": "Secret", "metadata": {"name": "a"}})
    assert "hunter2" not in str(caught.value)


async def test_last_lines_of_a_log_are_read_within_bounds(api, client):
    api.say("p", "main", "one", "two", "three")
    content = await client.read_log("team-demo", "p", "main", lines=2, limit_bytes=1000)
    assert [line.split(b" ", 1)[1] for line in content.splitlines()] == [b"two", b"three"]
    assert api.seen[-1][2]["limitBytes"] == "1000"


async def test_proxy_of_the_cluster_is_used(api, metrics):
    async with aiohttp.ClientSession() as session:
        behind = KubernetesClient(session, ClusterConfig("http://behind.invalid", proxy=api.url), LAUNCHER, metrics)
        assert await behind.list_jobs("team-demo", "") == []
    assert api.seen[0][1]["Host"] == "behind.invalid"
