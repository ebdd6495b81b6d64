"""A small asynchronous client of the Kubernetes API: the calls that a task needs, and nothing else.

aiohttp does the HTTP. Measured on 2 cores (see plugins/README.md): it imports in 0.3-0.4 s and 4 MiB, and one session
keeps its connections, where the generated clients cost seconds, 60 MiB, and a TLS handshake a poll.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypedDict
from urllib.parse import quote

import aiohttp

from cronlift import errors
from cronlift.cluster.buffers import shrink_tls_buffer
from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.metrics import API_REQUESTS, Metrics, NullMetrics

CONNECT_TIMEOUT_SECONDS = 10.0
CALL_TIMEOUT_SECONDS = 30.0
# Tasks come in hundreds. All at once, 500 calls opened as many connections, and an API server on 2 cores answered 429.
CALLS_AT_ONCE = 32
# 10,000 warnings: a namespace with more has another problem than that some task is not told its reason.
WARNING_PAGES = 20
FIELD_MANAGER = "cronlift"
_MESSAGE_LIMIT = 600

_ERRORS: dict[int, type[errors.ApiError]] = {
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    410: errors.WatchExpiredError,
    429: errors.TooManyRequestsError,
}

# What a manifest may bring beside its Job; all are of apiVersion v1.
_RESOURCES = {"ConfigMap": "configmaps", "Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims"}

Json = dict[str, Any]


class _Way(TypedDict):
    """How a request gets to the API server, as aiohttp takes it."""

    ssl: ssl.SSLContext | bool
    proxy: str | None
    server_hostname: str | None


class KubernetesClient:
    """The API server as one user sees it.

    Args:
        session: Shared by all clients of the same cluster and credentials; whoever made it closes it.
        config: The cluster and our credentials.
        impersonate: The user to act as, such as `system:serviceaccount:team-demo:cronlift-launcher`; None for
            ourselves.
        metrics: Where requests are counted; None for nowhere.
        slots: Shared by all clients of the same cluster: how many calls there are at once. None for its own.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        config: ClusterConfig,
        impersonate: str | None = None,
        metrics: Metrics | None = None,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        self._session, self._config, self.impersonate = session, config, impersonate
        self._metrics = metrics or NullMetrics()
        self._slots = slots or asyncio.Semaphore(CALLS_AT_ONCE)

    async def create_job(self, namespace: str, job: Json) -> Json:
        """Create a Job; unknown fields are an error, so that a misspelt one does not vanish silently.

        Raises:
            ConflictError: A Job of that name exists.
            ApiError: Anything else that the API server says.
        """
        name = job["metadata"]["name"]
        parameters = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._call(
            f"create Job {namespace}/{name}", "POST", f"{_jobs(namespace)}", params=parameters, body=job
        )

    async def get_job(self, namespace: str, name: str) -> Json:
        """Read a Job.

        Raises:
            NotFoundError: There is none.
        """
        return await self._call(f"get Job {namespace}/{name}", "GET", f"{_jobs(namespace)}/{quote(name)}")

    async def list_jobs(self, namespace: str, selector: str) -> list[Json]:
        """List Jobs by label selector."""
        listed = await self._call(
            f"list Jobs in {namespace}", "GET", _jobs(namespace), params={"labelSelector": selector}
        )
        return list(listed.get("items") or [])

    async def patch_job(self, namespace: str, name: str, patch: Json) -> Json:
        """Apply a JSON merge patch to a Job."""
        return await self._call(
            f"patch Job {namespace}/{name}",
            "PATCH",
            f"{_jobs(namespace)}/{quote(name)}",
            params={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type="application/merge-patch+json",
        )

    async def delete_job(self, namespace: str, name: str, uid: str, *, foreground: bool) -> None:
        """Delete a Job with its Pods, unless it is gone or another one has taken its name.

        Args:
            namespace: Its namespace.
            name: Its name.
            uid: Its uid, sent as a precondition.
            foreground: Keep the Job, marked for deletion, until its Pods are gone.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if foreground else "Background",
            "preconditions": {"uid": uid},
        }
        try:
            path = f"{_jobs(namespace)}/{quote(name)}"
            # A user waits for it, and Airflow gives on_kill half a minute.
            await self._call(f"delete Job {namespace}/{name}", "DELETE", path, body=options, queued=False)
        except (errors.NotFoundError, errors.ConflictError):
            return

    async def create_object(self, namespace: str, body: Json) -> Json:
        """Create a ConfigMap, Secret or PersistentVolumeClaim.

        Raises:
            ConflictError: One of that name exists.
            ApiError: Anything else; without the server's message for a Secret, which may quote it.
        """
        kind, parameters = body["kind"], {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        call = f"create {kind} {namespace}/{body['metadata']['name']}"
        path = _objects(namespace, kind)
        return await self._call(call, "POST", path, params=parameters, body=body, private=kind == "Secret")

    async def get_object(self, namespace: str, kind: str, name: str) -> Json:
        """Read a ConfigMap, Secret or PersistentVolumeClaim.

        Raises:
            NotFoundError: There is none.
        """
        path = f"{_objects(namespace, kind)}/{quote(name)}"
        return await self._call(f"get {kind} {namespace}/{name}", "GET", path, private=kind == "Secret")

    async def apply_object(self, namespace: str, body: Json) -> Json:
        """Create or change a ConfigMap, Secret or PersistentVolumeClaim by server-side apply.

        Raises:
            ConflictError: Another field manager has set a field to another value.
        """
        kind, name = body["kind"], body["metadata"]["name"]
        return await self._call(
            f"apply {kind} {namespace}/{name}",
            "PATCH",
            f"{_objects(namespace, kind)}/{quote(name)}",
            params={"fieldManager": FIELD_MANAGER, "force": "false", "fieldValidation": "Strict"},
            body=body,
            content_type="application/apply-patch+yaml",
            private=kind == "Secret",
        )

    async def list_pods(self, namespace: str, selector: str) -> list[Json]:
        """List Pods by label selector, a page of them at most."""
        params = {"labelSelector": selector, "limit": "500"}
        path = f"/api/v1/namespaces/{quote(namespace)}/pods"
        listed = await self._call(f"list Pods in {namespace}", "GET", path, params=params)
        return list(listed.get("items") or [])

    async def read_log(self, namespace: str, pod: str, container: str, *, lines: int, limit_bytes: int) -> bytes:
        """Read the last lines of a container's log, with timestamps.

        Raises:
            NotFoundError: The Pod or its log is gone.
        """
        params = {"container": container, "timestamps": "true", "tailLines": str(lines), "limitBytes": str(limit_bytes)}
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        return await self._request(f"read the log of {namespace}/{pod}, container {container}", "GET", path, params)

    async def list_events(self, namespace: str, kind: str, name: str) -> list[Json]:
        """List the events of one object, oldest first."""
        listed = await self._call(
            f"list events of {kind} {namespace}/{name}",
            "GET",
            f"/api/v1/namespaces/{quote(namespace)}/events",
            params={"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}", "limit": "50"},
        )
        return list(listed.get("items") or [])

    async def list_job_warnings(self, namespace: str) -> list[Json]:
        """List the warnings about all Jobs of a namespace, oldest first for each Job."""
        path = f"/api/v1/namespaces/{quote(namespace)}/events"
        params = {"fieldSelector": "involvedObject.kind=Job,type=Warning", "limit": "500"}
        found: list[Json] = []
        for _ in range(WARNING_PAGES):
            page = await self._call(f"list events of Jobs in {namespace}", "GET", path, params=params)
            found += page.get("items") or []
            if not (following := page["metadata"].get("continue")):
                break
            params["continue"] = following
        return found

    async def list_page(self, path: str, params: Mapping[str, str]) -> Json:
        """Read one page of a collection, with its metadata; at once, because every task waits for the watch."""
        return await self._call(f"list {path}", "GET", path, params=params, queued=False)

    @asynccontextmanager
    async def stream(
        self, call: str, path: str, params: Mapping[str, str], silence_seconds: float | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a streaming answer: a watch or a log.

        Args:
            call: What is asked, for messages.
            path: Path of the API.
            params: Query.
            silence_seconds: Give up when nothing arrives for so long; None to wait for ever.

        Yields:
            The body, in chunks as they arrive.

        Raises:
            ApiError: The API server refused.
            ConnectionLostError: It could not be reached, cut the connection, or was silent too long.
        """
        self._count("GET", path, params)
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=silence_seconds)
        try:
            async with self._session.get(
                self._config.host + path,
                params=params,
                headers=await self._headers(),
                timeout=timeout,
                **self._way(),
            ) as response:
                if response.status >= 400:
                    raise _api_error(call, response, await response.read())
                if response.connection is not None:
                    shrink_tls_buffer(response.connection.transport)
                yield _chunks(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.ConnectionLostError(f"Cannot {call}: {_words(error)}") from error

    async def reload_credentials(self) -> None:
        """Read the token again, because the API server answered 401."""
        await asyncio.to_thread(self._config.token, fresh=True)

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        private: bool = False,
        queued: bool = True,
    ) -> Json:
        """Make one call; `private` keeps the server's words out of errors."""
        data = json.dumps(body) if body is not None else None
        content = await self._request(call, method, path, params, data, content_type, private=private, queued=queued)
        answer: Json = json.loads(content)
        return answer

    async def _request(
        self,
        call: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        data: str | None = None,
        content_type: str = "application/json",
        *,
        private: bool = False,
        queued: bool = True,
    ) -> bytes:
        """Make one request, when there is a slot for it if `queued`; a refused token is read again once."""
        async with self._slots if queued else nullcontext():
            try:
                return await self._once(call, method, path, params, data, content_type, private)
            except errors.UnauthorizedError:
                await self.reload_credentials()
                return await self._once(call, method, path, params, data, content_type, private)

    async def _once(
        self,
        call: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        data: str | None,
        content_type: str,
        private: bool,
    ) -> bytes:
        headers = await self._headers()
        if data is not None:
            headers["Content-Type"] = content_type
        self._count(method, path, params or {})
        try:
            async with self._session.request(
                method,
                self._config.host + path,
                params=params,
                data=data,
                headers=headers,
                **self._way(),
                timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS),
            ) as response:
                content = await response.read()
                if response.status >= 400:
                    raise _api_error(call, response, content, private=private)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.ConnectionLostError(f"Cannot {call}: {_words(error)}") from error

    def _count(self, method: str, path: str, params: Mapping[str, str]) -> None:
        verb, resource = request_kind(method, path, params)
        self._metrics.count(API_REQUESTS, verb=verb, resource=resource)

    async def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        config = self._config
        # A thread costs more than all else of a request.
        token = config.token() if config.has_token() else await asyncio.to_thread(config.token)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.impersonate:
            headers["Impersonate-User"] = self.impersonate
        return headers

    def _way(self) -> "_Way":
        config = self._config
        return {"ssl": config.ssl_context or True, "proxy": config.proxy, "server_hostname": config.server_name}


def request_kind(method: str, path: str, params: Mapping[str, str]) -> tuple[str, str]:
    """Return verb and resource of a request as Kubernetes names them, for counting; `log` is a verb of its own."""
    parts = path.strip("/").split("/")
    after = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts[-1:]
    resource, name, subresource = (*after, "", "", "")[:3]
    if subresource == "log":
        return "log", resource
    if method == "GET":
        return ("watch" if "watch" in params else "get" if name else "list"), resource
    return ("create" if method == "POST" else method.lower()), resource


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for chunk in response.content.iter_any():
        yield chunk


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{quote(namespace)}/jobs"


def _objects(namespace: str, kind: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/{_RESOURCES[kind]}"


def _api_error(
    call: str, response: aiohttp.ClientResponse, content: bytes, *, private: bool = False
) -> errors.ApiError:
    """Make the error from a Status object, or from the first words of anything else."""
    reason, message = response.reason or "", content[:_MESSAGE_LIMIT].decode("utf-8", "replace").strip()
    try:
        status = json.loads(content)
        reason, message = status.get("reason") or reason, str(status.get("message") or message)[:_MESSAGE_LIMIT]
        if private:
            message = _without_values(status)
    except (ValueError, AttributeError):
        message = "(an answer that is no Status)" if private else message
    try:
        pause: float | None = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        pause = None
    return _ERRORS.get(response.status, errors.ApiError)(call, response.status, reason, message, pause)


def _without_values(status: Json) -> str:
    """Say which fields a Status complains about; its message may quote what they hold."""
    causes = (status.get("details") or {}).get("causes") or []
    fields = ", ".join(f"{each.get('field')} ({each.get('reason')})" for each in causes)
    return (f"{fields}; " if fields else "") + "the server's message is not shown, because it may quote the Secret"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
