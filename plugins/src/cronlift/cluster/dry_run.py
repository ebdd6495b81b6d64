"""The call by which `cronlift validate --server` asks what the API server thinks of an object."""

from urllib.parse import quote

from cronlift.cluster.client import FIELD_MANAGER, Json, KubernetesClient

_PATHS = {
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
}


class DryRunClient(KubernetesClient):
    """A client that creates nothing; made as `KubernetesClient` is."""

    async def dry_run(self, namespace: str, body: Json) -> None:
        """Let an object go through validation and admission, as if it were created.

        Raises:
            ApiError: It would be refused.
            ConnectionLostError: The API server does not answer.
        """
        parameters = {"dryRun": "All", "fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        call = f"try {body['kind']} {namespace}/{body['metadata']['name']}"
        path = _PATHS[body["kind"]].format(namespace=quote(namespace))
        await self._call(call, "POST", path, params=parameters, body=body)
