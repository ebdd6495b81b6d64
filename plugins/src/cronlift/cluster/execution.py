"""Run a program in a container of a Pod, as `kubectl exec` does: what `cronlift where` asks the release's Pods by.

Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#-strong-misc-operations-pod-v1-core-strong-
and k8s.io/apimachinery `remotecommand` (v4.channel.k8s.io): the first byte of a message names its channel.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote

import aiohttp

from cronlift import errors
from cronlift.cluster.client import CONNECT_TIMEOUT_SECONDS, KubernetesClient

FORBIDDEN = 403
PROTOCOL = "v4.channel.k8s.io"
_OUT, _ERR, _STATUS = 1, 2, 3


class ExecutionClient(KubernetesClient):
    """A client that runs programs in Pods; made as `KubernetesClient` is."""

    async def run(
        self, namespace: str, pod: str, container: str, command: Sequence[str], timeout_seconds: float
    ) -> str:
        """Run a program to its end and return what it printed.

        Raises:
            ApiError: The API server refused (the right is create on pods/exec), or the program failed; with its words.
            ConnectionLostError: It could not be reached, or was silent for too long.
        """
        call = f"run {command[0]} in {namespace}/{pod}, container {container}"
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec"
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", w) for w in command)]
        channels: dict[int, bytearray] = {_OUT: bytearray(), _ERR: bytearray(), _STATUS: bytearray()}
        self._count("POST", path, {})
        try:
            async with self._session.ws_connect(
                self._config.host + path,
                params=query,
                protocols=(PROTOCOL,),
                # Asked for JSON, as by all other calls, the API server answers 406.
                headers={**await self._headers(), "Accept": "*/*"},
                **self._way(),
                timeout=aiohttp.ClientWSTimeout(ws_receive=timeout_seconds, ws_close=CONNECT_TIMEOUT_SECONDS),
                max_msg_size=0,
            ) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY and message.data:
                        channels.setdefault(message.data[0], bytearray()).extend(message.data[1:])
        except aiohttp.WSServerHandshakeError as error:
            if error.status == FORBIDDEN:
                words = "the right is create on pods/exec"
                raise errors.ForbiddenError(call, error.status, "Forbidden", words) from error
            raise errors.ApiError(call, error.status, "", error.message) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.ConnectionLostError(f"Cannot {call}: {error or type(error).__name__}") from error
        _check(call, bytes(channels[_STATUS]), bytes(channels[_ERR]))
        return channels[_OUT].decode("utf-8", "replace")


def _check(call: str, status: bytes, words: bytes) -> None:
    """Raise unless the program ended well; its last words say more than its exit code."""
    try:
        answer = json.loads(status)
    except ValueError as error:
        raise errors.ConnectionLostError(f"Cannot {call}: the connection ended before the program did") from error
    if answer.get("status") != "Success":
        last = words.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise errors.ApiError(call, 500, answer.get("reason", ""), ": ".join([answer.get("message", ""), *last]))
