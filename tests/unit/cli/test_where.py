"""`cronlift where` against an API server that runs programs as Kubernetes does, and a real git repository."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import web
from click.testing import CliRunner

from cronlift.cli.main import main
from cronlift.cluster import config
from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.execution import PROTOCOL
from cronlift.errors import ClusterConfigError
from tests.unit.bundle.conftest import Repository


class Release:
    """Two pods of a release; each answers a program with a text, or fails."""

    def __init__(self, url):
        self.url_of_git, self.outputs, self.commands, self.refused = url, {}, [], False
        self.failure, self.state = None, {"running": {}}

    @contextlib.asynccontextmanager
    async def serve(self):
        application = web.Application()
        application.router.add_get("/api/v1/namespaces/{namespace}/pods", self._list)
        application.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/exec", self._exec)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _list(self, request):
        self.selector = request.query["labelSelector"]
        if request.match_info["namespace"] != "cronlift":
            return web.json_response({"items": []})
        arguments = [f"--repo={self.url_of_git}", "--ref=main", "--root=/git", "--link=current"]
        pods = [
            {
                "metadata": {"name": f"{component}-1", "labels": {"app.kubernetes.io/component": component}},
                "status": {"containerStatuses": [{"name": component, "state": self.state}]},
                "spec": {"initContainers": [{"name": "git-sync", "args": arguments}]},
            }
            for component in self.outputs
        ]
        return web.json_response({"items": pods})

    async def _exec(self, request):
        if self.refused:
            return web.json_response({"message": "no"}, status=403)
        # As the API server does: a client that asks for JSON cannot have a stream.
        if request.headers["Accept"] == "application/json":
            return web.json_response({"message": "not acceptable"}, status=406)
        self.commands.append(request.query.getall("command"))
        assert request.headers["Sec-WebSocket-Protocol"] == PROTOCOL
        socket = web.WebSocketResponse(protocols=(PROTOCOL,))
        await socket.prepare(request)
        if self.failure:
            await socket.send_bytes(b"\x02" + self.failure.encode())
            await socket.send_bytes(b'\x03{"status": "Failure", "message": "exit code 1", "reason": "NonZeroExitCode"}')
        else:
            output = json.dumps(self.outputs[request.query["container"]]).encode()
            for at in range(0, len(output), 50):
                await socket.send_bytes(b"\x01" + output[at : at + 50])
            await socket.send_bytes(b'\x03{"status": "Success"}')
        await socket.close()
        return socket


def answer(commit, **more):
    links = {"/git/current": {"commit": commit, "problem": None, "synced_seconds_ago": 1.0}}
    return {"links": links, "bundles": {}, **more}


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path)
    made.write("dags/demo/a.py", "1")
    made.commit()
    made.write("dags/demo/a.py", "2")
    made.commit()
    return made


@pytest.fixture
async def release(repository, monkeypatch):
    monkeypatch.chdir(repository.work)
    head = repository.git("rev-parse", "HEAD")
    async with Release(str(repository.work)).serve() as served:
        state = {"link": "/git/current", "version": "v1", "commit": head, "refusal": "", "checked_seconds_ago": 1.0}
        state |= {"synced_seconds_ago": 1.0}
        database = {"bundles": {"demo": {"version": "v1", "dags": 4}}, "import_errors": []}
        served.outputs["dag-processor"] = answer(head, database=database) | {"bundles": {"demo": state}}
        served.outputs["scheduler"] = answer(head)
        monkeypatch.setattr(config, "load_config", lambda: ClusterConfig(served.url))
        yield served


async def run(*words):
    return await asyncio.to_thread(CliRunner().invoke, main, ["where", *words])


async def test_head_that_is_everywhere_is_told_with_exit_code_0(release, repository):
    done = await run()
    head = repository.git("rev-parse", "HEAD")[:10]
    assert done.exit_code == 0, done.output
    assert f"✓ head is {head}" in done.output
    assert f"✓ dag-processor-1 has {head}, synced 1 s ago" in done.output
    assert f"✓ version v1 of commit {head}, 4 DAGs" in done.output
    assert done.output.strip().endswith("What is merged has arrived.")
    assert ["python", "/opt/cronlift/where.py", "database"] in release.commands
    assert ["python", "/opt/cronlift/where.py"] in release.commands


async def test_older_commit_has_arrived_with_its_successor(release, repository):
    assert (await run(repository.git("rev-parse", "HEAD~1"))).exit_code == 0
    assert (await run("HEAD~1")).exit_code == 0


async def test_commit_that_is_not_there_yet_is_exit_code_1(release, repository):
    release.outputs["scheduler"] = answer(repository.git("rev-parse", "HEAD~1"))
    done = await run("HEAD")
    assert done.exit_code == 1
    assert "✗ scheduler-1 has" in done.output
    assert "not yet" in done.output


async def test_json_has_every_fact_and_what_the_pods_said(release, repository):
    report = json.loads((await run("--json")).stdout)
    assert report["arrived"] is True
    assert {fact["mark"] for fact in report["facts"]} == {"good"}
    assert report["pods"]["dag-processor-1"]["database"]["bundles"]["demo"]["dags"] == 4


async def test_missing_right_to_exec_is_told(release):
    release.refused = True
    done = await run()
    assert done.exit_code == 1
    assert "403 Forbidden: the right is create on pods/exec" in done.output


async def test_program_that_fails_is_told_with_its_last_words(release):
    release.failure = "Traceback\nKeyError: 'x'"
    done = await run()
    assert done.exit_code == 1
    assert "exit code 1: KeyError: 'x'" in done.output


async def test_release_that_is_not_there_is_told_with_the_cure(release):
    done = await run("--namespace", "elsewhere")
    assert done.exit_code == 1
    assert "Namespace elsewhere has no running dag-processor or scheduler of release cronlift" in done.output


async def test_pods_that_do_not_run_yet_are_not_asked(release):
    release.state = {"waiting": {"reason": "PodInitializing"}}
    assert "has no running dag-processor" in (await run()).output


@pytest.mark.parametrize("text", ["nonsense", "abc12", "--upload-pack=x"])
async def test_what_is_no_commit_is_wrong_usage(release, text):
    assert (await run("--", text)).exit_code == 2


async def test_no_cluster_is_told(monkeypatch):
    def load():
        raise ClusterConfigError("No Kubernetes cluster: set KUBECONFIG")

    monkeypatch.setattr(config, "load_config", load)
    done = await run()
    assert (done.exit_code, "✗ No Kubernetes cluster" in done.output) == (1, True)
