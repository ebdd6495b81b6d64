"""A Kubernetes API server for tests: Jobs, their companions, Pods, events, logs and watches, with faults on demand.

It has no controllers: a test moves Pods and Jobs along itself, by `run_pod`, `end_pod` and `finish`.
"""

import asyncio
import contextlib
import copy
import itertools
import json
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

Json = dict[str, Any]
COMPANIONS = ("configmaps", "secrets", "persistentvolumeclaims")
STARTED = datetime(2026, 1, 1, 3, 0, 0, tzinfo=UTC)


def status(code: int, reason: str, message: str) -> web.Response:
    """Return a Status object, as the API server answers errors."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return web.json_response(body, status=code)


def fault(code: int, reason: str, message: str, **headers: str) -> Callable[[], web.Response]:
    """Return what makes such an answer, for `FakeApi.faults`; keyword Retry_After becomes Retry-After."""

    def answer() -> web.Response:
        response = status(code, reason, message)
        response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return response

    return answer


@dataclass
class Output:
    """The output of one container, which may still grow, and where its streams are cut.

    Attributes:
        lines: With their stamps.
        ended: Whether there is no more to come.
        cut_after: After how many lines each connection is cut.
        last_piece: What a connection brings without a newline before it ends, once.
        flood: Blocks that are sent first, as they are: more than a test could hold.
        previous: The output of the container's start before.
    """

    lines: list[str] = field(default_factory=list)
    ended: bool = False
    cut_after: list[int] = field(default_factory=list)
    last_piece: str = ""
    flood: Iterator[bytes] = field(default_factory=lambda: iter(()))
    previous: "Output | None" = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class FakeApi:
    """The server and its objects.

    Attributes:
        calls: How often each verb of each resource was called, such as "create jobs".
        seen: The headers and query of every call, oldest first.
        bodies: What was created, changed and deleted, oldest first, such as ("patch jobs", {...}).
        page_size: How many objects a list that asks for pages gets at most; None for all.
        faults: Verb and resource -> answers to give instead, in order.
        answers: Verb and resource -> called each time; returns what to answer instead, or None to answer as usual.
        watch_mode: "normal", "silent" (accepts and never says anything) or "expired" (an ERROR event of 410, once).
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.objects: dict[str, dict[tuple[str, str], Json]] = {each: {} for each in ("jobs", "pods", *COMPANIONS)}
        self.bodies: list[tuple[str, Json]] = []
        self.page_size: int | None = None
        self.events: list[Json] = []
        self.outputs: dict[tuple[str, str], Output] = defaultdict(Output)
        self.calls: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.faults: dict[str, list[Callable[[], web.Response]]] = defaultdict(list)
        self.answers: dict[str, Callable[[], Callable[[], web.Response] | None]] = {}
        self.watch_mode = "normal"
        self.token: str | None = None
        self._versions = itertools.count(101)
        self._version = 100
        self._watchers: set[tuple[str, asyncio.Queue[Json | str | None]]] = set()
        self._history: list[tuple[str, int, Json]] = []
        self._stop = asyncio.Event()
        self.url = ""

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["FakeApi"]:
        application = web.Application()
        add = application.router.add_route
        jobs = "/apis/batch/v1/namespaces/{namespace}/jobs"
        add("POST", jobs, self._create_job_now)
        add("GET", jobs, self._collection("jobs"))
        add("GET", jobs + "/{name}", self._get("jobs"))
        add("PATCH", jobs + "/{name}", self._patch_job)
        add("DELETE", jobs + "/{name}", self._delete_job)
        for resource in COMPANIONS:
            path = f"/api/v1/namespaces/{{namespace}}/{resource}"
            add("POST", path, self._create(resource))
            add("GET", path + "/{name}", self._get(resource))
            add("PATCH", path + "/{name}", self._apply(resource))
        add("GET", "/api/v1/namespaces/{namespace}/pods", self._collection("pods"))
        add("GET", "/api/v1/namespaces/{namespace}/pods/{name}/log", self._log)
        add("GET", "/api/v1/namespaces/{namespace}/events", self._list_events)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        self._runner = runner
        await self.listen()
        try:
            yield self
        finally:
            self._stop.set()
            self.cut_watches()
            for output in self.outputs.values():
                output.changed.set()
            await runner.cleanup()

    async def listen(self) -> None:
        """Accept connections, after `vanish` on the same port as before."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True, ssl_context=self._tls)
        await self._site.start()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def vanish(self) -> None:
        """Refuse connections and cut those there are, as a server that is down does."""
        await self._site.stop()
        assert self._runner.server is not None
        for connection in list(self._runner.server.connections):
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    # What a test does -------------------------------------------------------------------------------------------------

    def put(self, resource: str, item: Json) -> Json:
        """Store an object, new or changed, and tell the watchers."""
        key = (item["metadata"]["namespace"], item["metadata"]["name"])
        kind = "MODIFIED" if key in self.objects[resource] else "ADDED"
        self._store(resource, kind, item)
        self.objects[resource][key] = item
        return item

    def remove(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object and tell the watchers."""
        item = self.objects[resource].pop((namespace, name))
        self._store(resource, "DELETED", item)

    def bookmark(self) -> None:
        """Send a bookmark to every watcher."""
        for resource, queue in self._watchers:
            queue.put_nowait({"type": "BOOKMARK", "object": {"kind": resource, "metadata": self._stamp({})}})

    def send_to_watchers(self, resource: str, event: Json | str) -> None:
        """Send an event, or raw text, to the watchers of a resource."""
        for watched, queue in self._watchers:
            if watched == resource:
                queue.put_nowait(event)

    def cut_watches(self) -> None:
        """End every watch connection, as an API server that restarts does."""
        for _, queue in self._watchers:
            queue.put_nowait(None)

    def job(self, namespace: str = "team-demo") -> Json:
        """Return the one Job of a namespace."""
        (found,) = [job for (space, _), job in self.objects["jobs"].items() if space == namespace]
        return found

    def run_pod(
        self, job: Json, suffix: str = "abcde", containers: tuple[str, ...] = ("main",), index: int | None = None
    ) -> Json:
        """Give a Job a running Pod."""
        name, namespace = f"{job['metadata']['name']}-{suffix}", job["metadata"]["namespace"]
        labels = {**(job["spec"]["template"].get("metadata") or {}).get("labels", {})}
        labels["batch.kubernetes.io/job-name"] = job["metadata"]["name"]
        statuses = [
            {"name": each, "image": "x", "containerID": f"containerd://{name}-{each}", "state": {"running": {}}}
            for each in containers
        ]
        annotations = {"batch.kubernetes.io/job-completion-index": str(index)} if index is not None else {}
        metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
        pod = {
            "metadata": {**metadata, "uid": f"uid-{name}"},
            "spec": {"containers": [{"name": each, "image": "x"} for each in containers], "nodeName": "node"},
            "status": {"phase": "Running", "containerStatuses": statuses},
        }
        return self.put("pods", pod)

    def end_pod(self, pod: Json, exit_code: int = 0, **more: Any) -> None:
        """End a Pod's containers and their outputs."""
        pod = copy.deepcopy(pod)
        pod["status"]["phase"] = "Succeeded" if exit_code == 0 else "Failed"
        for each in pod["status"]["containerStatuses"]:
            reason = "Completed" if exit_code == 0 else "Error"
            each["state"] = {"terminated": {"exitCode": exit_code, "reason": reason, **more}}
            self.end_output(pod["metadata"]["name"], each["name"])
        self.put("pods", pod)

    def finish(self, job: Json, kind: str = "Complete", reason: str = "", message: str = "") -> None:
        """Write a terminal condition and the count that goes with it."""
        job = copy.deepcopy(job)
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": moment}
        pods = [p for p in self.objects["pods"].values() if p["metadata"]["name"].startswith(job["metadata"]["name"])]
        count = {"succeeded" if kind == "Complete" else "failed": len(pods)}
        job["status"] = {"conditions": [condition], **count}
        self.put("jobs", job)

    def say(self, pod: str, container: str, *texts: str) -> None:
        """Let a container print lines, a millisecond apart."""
        output = self.outputs[(pod, container)]
        for text in texts:
            moment = STARTED + timedelta(milliseconds=len(output.lines))
            output.lines.append(f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z {text}")
        output.changed.set()

    def end_output(self, pod: str, container: str) -> None:
        """End a container's output."""
        self.outputs[(pod, container)].ended = True
        self.outputs[(pod, container)].changed.set()

    # What the server does ---------------------------------------------------------------------------------------------

    def _stamp(self, item: Json) -> Json:
        self._version = next(self._versions)
        item.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        return item["metadata"]

    def _store(self, resource: str, kind: str, item: Json) -> None:
        self._stamp(item)
        event = {"type": kind, "object": copy.deepcopy(item)}
        self._history.append((resource, self._version, event))
        for watched, queue in self._watchers:
            if watched == resource:
                queue.put_nowait(event)

    def _note(self, request: web.Request, call: str) -> web.Response | None:
        self.calls[call] += 1
        self.seen.append((call, dict(request.headers), dict(request.query)))
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        if self.faults[call]:
            return self.faults[call].pop(0)()
        answer = self.answers[call]() if call in self.answers else None
        return answer() if answer is not None else None

    async def _create_job_now(self, request: web.Request) -> web.StreamResponse:
        return await self._create_job(request)  # looked up at each call, so that a test may replace it

    async def _create_job(self, request: web.Request) -> web.StreamResponse:
        if fault := self._note(request, "create jobs"):
            return fault
        job, namespace = await request.json(), request.match_info["namespace"]
        self.bodies.append(("create jobs", copy.deepcopy(job)))
        key = (namespace, job["metadata"]["name"])
        if key in self.objects["jobs"]:
            return status(409, "AlreadyExists", f'jobs.batch "{key[1]}" already exists')
        job["metadata"] |= {"uid": f"uid-{next(self._versions)}", "creationTimestamp": "2026-01-01T03:00:00Z"}
        return web.json_response(self.put("jobs", job), status=201)

    def _get(self, resource: str) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            if fault := self._note(request, f"get {resource}"):
                return fault
            item = self.objects[resource].get((request.match_info["namespace"], request.match_info["name"]))
            return web.json_response(item) if item else status(404, "NotFound", "not found")

        return handle

    def _create(self, resource: str) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            item, namespace = await request.json(), request.match_info["namespace"]
            self.bodies.append((f"create {resource}", copy.deepcopy(item)))
            if fault := self._note(request, f"create {resource}"):
                return fault
            key = (namespace, item["metadata"]["name"])
            if key in self.objects[resource]:
                return status(409, "AlreadyExists", f'{resource} "{key[1]}" already exists')
            item["metadata"] |= {"namespace": namespace, "uid": f"uid-{next(self._versions)}"}
            return web.json_response(self.put(resource, item), status=201)

        return handle

    def _apply(self, resource: str) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            item = json.loads(await request.text())
            self.bodies.append((f"apply {resource}", copy.deepcopy(item)))
            if fault := self._note(request, f"patch {resource}"):
                return fault
            held = self.objects[resource].get((request.match_info["namespace"], item["metadata"]["name"]), {})
            item["metadata"] = {"uid": f"uid-{next(self._versions)}", **held.get("metadata", {}), **item["metadata"]}
            item["metadata"]["namespace"] = request.match_info["namespace"]
            return web.json_response(self.put(resource, item))

        return handle

    async def _patch_job(self, request: web.Request) -> web.StreamResponse:
        if fault := self._note(request, "patch jobs"):
            return fault
        job = self.objects["jobs"].get((request.match_info["namespace"], request.match_info["name"]))
        if job is None:
            return status(404, "NotFound", "not found")
        patch = await request.json()
        self.bodies.append(("patch jobs", patch))
        return web.json_response(self.put("jobs", _merged(job, patch)))

    async def _delete_job(self, request: web.Request) -> web.StreamResponse:
        if fault := self._note(request, "delete jobs"):
            return fault
        key = (request.match_info["namespace"], request.match_info["name"])
        job, options = self.objects["jobs"].get(key), await request.json()
        if job is None:
            return status(404, "NotFound", "not found")
        if options["preconditions"]["uid"] != job["metadata"]["uid"]:
            return status(409, "Conflict", "the UID in the precondition does not match")
        self.bodies.append(("delete jobs", options))
        self.remove("jobs", *key)
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _list_events(self, request: web.Request) -> web.StreamResponse:
        if fault := self._note(request, "list events"):
            return fault
        wanted = dict(each.split("=") for each in request.query["fieldSelector"].split(","))
        kind, name = wanted["involvedObject.kind"], wanted.get("involvedObject.name")
        # An event that names nothing is one of each Job.
        jobs = [{"kind": "Job", "name": job} for _, job in self.objects["jobs"]]
        every = [
            {**each, "involvedObject": about}
            for each in self.events
            for about in ([each["involvedObject"]] if "involvedObject" in each else jobs)
        ]
        about = [each for each in every if each["involvedObject"]["kind"] == kind]
        return web.json_response(
            {"items": [each for each in about if name in (None, each["involvedObject"]["name"])], "metadata": {}}
        )

    def _collection(self, resource: str) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.query.get("watch"):
                return await self._watch(request, resource)
            if fault := self._note(request, f"list {resource}"):
                return fault
            items = [
                item
                for (namespace, _), item in self.objects[resource].items()
                if namespace == request.match_info["namespace"] and _selected(item, request.query.get("labelSelector"))
            ]
            metadata = {"resourceVersion": str(self._version)}
            if self.page_size is not None and "limit" in request.query:
                begin = int(request.query.get("continue", 0))
                if begin + self.page_size < len(items):
                    metadata["continue"] = str(begin + self.page_size)
                items = items[begin : begin + self.page_size]
            return web.json_response({"items": items, "metadata": metadata})

        return handle

    async def _watch(self, request: web.Request, resource: str) -> web.StreamResponse:
        if fault := self._note(request, f"watch {resource}"):
            return fault
        response = web.StreamResponse()
        await response.prepare(request)
        if self.watch_mode == "silent":
            await self._stop.wait()
            return response
        if self.watch_mode == "expired":
            self.watch_mode = "normal"
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return response
        queue: asyncio.Queue[Json | str | None] = asyncio.Queue()
        since = int(request.query["resourceVersion"])
        for watched, version, event in self._history:
            if watched == resource and version > since:
                queue.put_nowait(event)
        entry = (resource, queue)
        self._watchers.add(entry)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, str):
                    await response.write(event.encode())
                elif event["type"] in ("BOOKMARK", "ERROR") or _selected(
                    event["object"], request.query.get("labelSelector")
                ):
                    await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self._watchers.discard(entry)
        return response

    async def _log(self, request: web.Request) -> web.StreamResponse:
        if fault := self._note(request, "get logs"):
            return fault
        output = self.outputs[(request.match_info["name"], request.query["container"])]
        if "previous" in request.query:
            output = output.previous or Output(ended=True)
        if "tailLines" in request.query:
            last = output.lines[-int(request.query["tailLines"]) :]
            return web.Response(text="".join(f"{line}\n" for line in last))
        response = web.StreamResponse()
        await response.prepare(request)
        since = request.query.get("sinceTime", "").rstrip("Z")
        limit = output.cut_after.pop(0) if output.cut_after else None
        position = sent = 0
        for block in output.flood:
            await response.write(block)
        while True:
            output.changed.clear()
            for line in output.lines[position:]:
                if line >= since:
                    if limit is not None and sent >= limit:
                        request.transport.abort()
                        return response
                    await response.write(line.encode() + b"\n")
                    sent += 1
            position = len(output.lines)
            if output.ended or self._stop.is_set():
                piece, output.last_piece = output.last_piece, ""
                await response.write(piece.encode())
                return response
            await output.changed.wait()


def _merged(held: Json, patch: Json) -> Json:
    """Apply a JSON merge patch."""
    merged = dict(held)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def _selected(item: Json, selector: str | None) -> bool:
    labels = item["metadata"].get("labels") or {}
    pairs = [each.split("=", 1) for each in (selector or "").split(",") if each]
    return all(labels.get(key) == value for key, value in pairs)
