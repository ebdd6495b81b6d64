"""The calls by which `cronlift doctor` looks at a cluster: what version it is, who we are, and what we may do."""

from urllib.parse import quote

from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.rights import Right


class AccessClient(KubernetesClient):
    """A client that asks about itself; made as `KubernetesClient` is."""

    async def version(self) -> str:
        """Return the API server's version, such as "v1.34.1".

        Raises:
            ConnectionLostError: It does not answer.
        """
        answer = await self._call("read the version", "GET", "/version")
        return str(answer.get("gitVersion", ""))

    async def user(self) -> str:
        """Return the user name by which the API server knows us."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self._call("ask who we are", "POST", path, body=body)
        return str(answer["status"]["userInfo"].get("username", ""))

    async def may(self, right: Right, namespace: str) -> bool:
        """Ask whether we have a right in a namespace.

        Raises:
            ForbiddenError: We may not become the user that we are to ask for.
        """
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "namespace": namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        call = f"ask whether {self.impersonate or 'we'} may {right.verb} {right.resource} in {namespace}"
        answer = await self._call(call, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool(answer.get("status", {}).get("allowed"))

    async def get_namespace(self, name: str) -> Json:
        """Read a namespace."""
        return await self._call(f"get namespace {name}", "GET", f"/api/v1/namespaces/{quote(name)}")

    async def get_service_account(self, namespace: str, name: str) -> Json:
        """Read a ServiceAccount."""
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(name)}"
        return await self._call(f"get ServiceAccount {namespace}/{name}", "GET", path)

    async def list_quotas(self, namespace: str) -> list[Json]:
        """List the ResourceQuotas of a namespace."""
        path = f"/api/v1/namespaces/{quote(namespace)}/resourcequotas"
        answer = await self._call(f"list ResourceQuotas in {namespace}", "GET", path)
        return list(answer.get("items") or [])
