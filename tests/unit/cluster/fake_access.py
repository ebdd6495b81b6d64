"""A Kubernetes API server that answers `cronlift doctor`: who may what is a set that a test fills."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from cronlift.cluster.rights import COMPANION_RULES, DOCTOR_RULES, LAUNCHER_RULES
from tests.unit.cluster.fake_api import status

USER = "system:serviceaccount:cronlift:cronlift-triggerer"


def launcher_of(namespace: str) -> str:
    return f"system:serviceaccount:{namespace}:cronlift-launcher"


class FakeAccess:
    """The server.

    Attributes:
        allowed: (user, namespace, verb, resource), such as (launcher, "team-demo", "create", "jobs").
        may_become: The users that whoever calls may act as.
        namespaces: Those that exist; only asked for as ourselves, and only when `may_look` says so.
        accounts: (namespace, name) of the ServiceAccounts.
        quotas: Namespace -> its ResourceQuotas.
        version: The server's.
    """

    def __init__(self) -> None:
        self.allowed: set[tuple[str, str, str, str]] = set()
        self.may_become: set[str] = set()
        self.may_look = False
        self.namespaces: set[str] = set()
        self.accounts: set[tuple[str, str]] = set()
        self.quotas: dict[str, list[dict[str, Any]]] = {}
        self.version = "v1.34.1"
        self.url = ""

    def add_team(self, namespace: str, *, companions: bool = False) -> None:
        """Set a team up as the chart does."""
        launcher = launcher_of(namespace)
        self.may_become.add(launcher)
        self.namespaces.add(namespace)
        self.accounts.add((namespace, "cronlift-job"))
        for rule in LAUNCHER_RULES + DOCTOR_RULES + (COMPANION_RULES if companions else ()):
            self.allowed |= {(launcher, namespace, right.verb, right.resource) for right in rule.rights()}

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["FakeAccess"]:
        application = web.Application(middlewares=[self._impersonate])
        reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        application.router.add_post(reviews, self._review)
        application.router.add_post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self._who)
        application.router.add_get("/version", self._version)
        application.router.add_get("/api/v1/namespaces/{namespace}", self._get_namespace)
        application.router.add_get("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", self._get_account)
        application.router.add_get("/api/v1/namespaces/{namespace}/resourcequotas", self._list_quotas)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _impersonate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        user = _user(request)
        if user not in {USER, *self.may_become}:
            return status(403, "Forbidden", f'serviceaccounts "{user}" is forbidden: cannot impersonate')
        return await handler(request)

    async def _review(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked["subresource"])))
        allowed = (_user(request), asked["namespace"], asked["verb"], resource) in self.allowed
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    async def _who(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": {"userInfo": {"username": _user(request)}}}, status=201)

    async def _version(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"gitVersion": self.version})

    async def _get_namespace(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["namespace"]
        if not self.may_look:
            return status(403, "Forbidden", "cannot get namespaces")
        return web.json_response({}) if name in self.namespaces else status(404, "NotFound", "no such namespace")

    async def _get_account(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refuse(request, "get", "serviceaccounts"):
            return refused
        key = (request.match_info["namespace"], request.match_info["name"])
        return web.json_response({}) if key in self.accounts else status(404, "NotFound", "no such account")

    async def _list_quotas(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refuse(request, "list", "resourcequotas"):
            return refused
        return web.json_response({"items": self.quotas.get(request.match_info["namespace"], [])})

    def _refuse(self, request: web.Request, verb: str, resource: str) -> web.Response | None:
        allowed = (_user(request), request.match_info["namespace"], verb, resource) in self.allowed
        return None if allowed or self.may_look else status(403, "Forbidden", f"cannot {verb} {resource}")


def _user(request: web.Request) -> str:
    return request.headers.get("Impersonate-User", USER)
