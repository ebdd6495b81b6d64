"""The local cluster where Docker answers: kind, with its own registry and its own kubeconfig.

Touches only what this clone made: the node carries a mount of this clone's state folder, the registry a label with
its path. Anything else under our names stops the step.
"""

import ipaddress
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from ci import paths
from ci.cluster.docker import (
    Container,
    docker,
    find_container,
    network_gateways,
    network_is_empty,
    require_docker,
    why_docker_is_silent,
)
from ci.cluster.kind_registry import CONTAINER as REGISTRY
from ci.cluster.kind_registry import OWNER_LABEL, KindRegistry
from ci.errors import CiError, CommandError, UserError
from ci.images import Image
from ci.pins import image_reference
from ci.process import run
from ci.stages import Stage, wait_until

CLUSTER = "cronlift"
NODE = f"{CLUSTER}-control-plane"
NETWORK = "kind"
"""kind's one network for all its clusters; removed only when `up` made it and nobody else joined."""

UI_PORT = 30080
REGISTRY_PORT = 5001
OWNER_MOUNT = "/etc/cronlift"
CONFIG = Path(__file__).with_name("kind.yaml")
API_READY_SECONDS = 180.0
"""A stopped node takes 20-60 s to answer on a slow laptop; kind's own wait for a new one gets as long."""


class KindCluster:
    """A one-node kind cluster named `cronlift` and its registry.

    Args:
        root: The clone that owns the cluster; kind runs here.
        kind: The kind program; by default the pinned one, built from its Go module on first use.
        registry_port: The registry's port on 127.0.0.1.
        ui_port: The host port that kind.yaml publishes.
    """

    name = "kind"

    def __init__(
        self,
        root: Path = paths.ROOT,
        *,
        kind: str | Path | None = None,
        registry_port: int = REGISTRY_PORT,
        ui_port: int = UI_PORT,
    ) -> None:
        self._root, self._kind_program, self._ui_port = root, kind, ui_port
        self._kubeconfig = root / paths.KUBECONFIG.relative_to(paths.ROOT)
        self._log = root / paths.LOGS.relative_to(paths.ROOT) / "kind.log"
        self._state = root / ".cronlift" / "kind"
        self._registry = KindRegistry(root, registry_port)

    def up(self) -> None:
        """Bring registry and cluster up or back, and write the kubeconfig."""
        require_docker()
        self._refuse_what_is_in_the_way()
        self._state.mkdir(parents=True, exist_ok=True)
        with Stage("Start the local registry", expected_seconds=10):
            self._registry.up()
        with Stage("Start the kind cluster", log=self._log, expected_seconds=90) as stage:
            stage.note = self._start_node(stage)
            self._write_kubeconfig()
        with Stage("Wire the registry to the cluster"):
            self._registry.wire(NODE)
            self._kubectl("apply", "--filename=-", stdin=_hosting_config_map(self._registry.address))

    def down(self) -> None:
        """Remove our cluster and registry; what others made under these names stays and is named."""
        if reason := why_docker_is_silent():
            if self._state.exists():
                raise UserError(
                    "The kind cluster of this clone cannot be removed while Docker does not answer",
                    [reason],
                    cure="Start Docker, then run make down again.",
                )
            return
        with Stage("Remove the kind cluster", log=self._log) as stage:
            left = [name for name in (NODE, REGISTRY) if self._is_foreign(name, find_container(name))]
            if NODE not in left and find_container(NODE):
                self._kind("delete", "cluster", "--name", CLUSTER, "--kubeconfig", self._kubeconfig)
            if REGISTRY not in left and find_container(REGISTRY):
                docker("rm", "--force", "--volumes", REGISTRY)
            if (self._state / "made-network").exists() and network_is_empty(NETWORK):
                docker("network", "rm", NETWORK)
            self._kubeconfig.unlink(missing_ok=True)
            shutil.rmtree(self._state, ignore_errors=True)
            stage.note = f"left alone, not ours: {', '.join(left)}" if left else ""

    def parts(self) -> dict[str, str]:
        """Return the state of the node and the registry."""
        if reason := why_docker_is_silent():
            return {"docker": f"does not answer: {reason}"}
        return {"docker": "answers", "node": self._describe(NODE), "registry": self._describe(REGISTRY)}

    def load(self, images: Sequence[Image]) -> dict[str, str]:
        """Push the images that the registry lacks; return name -> reference for pods."""
        missing = [image for image in images if not self._registry.has(image)]
        for image in missing:
            with Stage(f"Push image {image.name}:{image.tag}", log=self._log, expected_seconds=20):
                self._registry.push(image, self._log)
        return {image.name: self._registry.reference(image) for image in images}

    def host_address(self) -> str:
        """Return the IPv4 gateway of kind's network: the host as its containers see it."""
        gateways = network_gateways(NETWORK) or []
        for gateway in gateways:
            if ipaddress.ip_address(gateway).version == 4:
                return gateway
        raise CiError(f"Docker network {NETWORK} has no IPv4 gateway (found: {gateways}). Run make down, then make up.")

    def _start_node(self, stage: Stage) -> str:
        node = find_container(NODE)
        if node and not self._is_complete(node):
            stage.say("removing a half-made cluster")
            self._kind("delete", "cluster", "--name", CLUSTER, "--kubeconfig", self._kubeconfig)
            node = None
        if node is None:
            self._create()
            return "new"
        if not node.running:
            docker("start", NODE)
        wait_until(stage, self._why_not_ready, timeout_seconds=API_READY_SECONDS)
        return "already there" if node.running else "started again"

    def _create(self) -> None:
        if network_gateways(NETWORK) is None:
            (self._state / "made-network").touch()
        self._kind(
            "create", "cluster", "--config", CONFIG, "--name", CLUSTER, "--kubeconfig", self._kubeconfig,
            "--image", image_reference("KIND_NODE"), "--wait", f"{API_READY_SECONDS:.0f}s",
        )  # fmt: skip
        node = find_container(NODE)
        if node is None:
            raise CiError(f"kind made no container named {NODE}. See {self._log}.")
        (self._state / "created").write_text(node.id)

    def _is_complete(self, node: Container) -> bool:
        created = self._state / "created"
        return created.is_file() and created.read_text() == node.id

    def _write_kubeconfig(self) -> None:
        text = run(self._kind_path(), "get", "kubeconfig", "--name", CLUSTER, env=_KIND_ENV, cwd=self._root)
        half = self._kubeconfig.with_suffix(".half")
        half.unlink(missing_ok=True)
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        half.replace(self._kubeconfig)

    def _why_not_ready(self) -> str | None:
        try:
            self._kubectl("get", "--raw=/readyz")
        except CommandError:
            return "the API server"
        return None

    def _kubectl(self, *words: str, stdin: str | None = None) -> None:
        # The node brings a kubectl of its own version, so the host needs none.
        kubectl = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
        docker("exec", "--interactive", NODE, *kubectl, *words, stdin=stdin)

    def _kind(self, *words: str | Path) -> None:
        run(self._kind_path(), *words, log=self._log, env=_KIND_ENV, cwd=self._root)

    def _kind_path(self) -> str | Path:
        if self._kind_program is None:
            from ci.tools import tool

            self._kind_program = tool("kind")
        return self._kind_program

    def _refuse_what_is_in_the_way(self) -> None:
        faults = []
        for name, port in ((NODE, self._ui_port), (REGISTRY, self._registry.port)):
            found = find_container(name)
            if self._is_foreign(name, found):
                faults.append(f"Docker container {name} was not made by this clone ({self._root})")
            elif not (found and found.running) and _is_taken(port):
                faults.append(f"Port 127.0.0.1:{port}, needed by {name}, is in use by another program")
        if faults:
            raise UserError(
                "The kind cluster cannot start",
                faults,
                cure="Run make down in the clone that made them, or stop the program that listens (ss -ltnp shows it).",
            )

    def _is_foreign(self, name: str, container: Container | None) -> bool:
        if container is None:
            return False
        if name == REGISTRY:
            return container.labels.get(OWNER_LABEL) != str(self._root)
        return container.mounts.get(OWNER_MOUNT) != str(self._state)

    def _describe(self, name: str) -> str:
        found = find_container(name)
        if found is None:
            return "absent"
        state = f"running, container {found.id[:12]}" if found.running else f"stopped, container {found.id[:12]}"
        return state + (", not ours" if self._is_foreign(name, found) else "")


_KIND_ENV = {"KIND_EXPERIMENTAL_PROVIDER": "docker"}
"""Where podman or nerdctl is also installed, kind must take the engine that we look at."""


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _hosting_config_map(address: str) -> str:
    """Source: KEP-1755, how tools find a cluster's local registry."""
    return f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: local-registry-hosting
  namespace: kube-public
data:
  localRegistryHosting.v1: |
    host: "{address}"
    help: "https://kind.sigs.k8s.io/docs/user/local-registry/"
"""
