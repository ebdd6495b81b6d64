"""The embedded cluster's whole life in a machine of namespaces: start, work, crash, reboot, end.

The tests run in this order and hand the cluster on, because a start takes 15 s; each leaves it up but for the last.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci import paths
from ci.cluster.embedded.packages import missing
from ci.cluster.embedded.scratch_image import write_scratch_image
from tests.integration.host_snapshot import difference, snapshot
from tests.integration.own_machine import OwnMachine, missing_programs

BUSYBOX = "localhost/cronlift/busybox:test"
NAMESPACE = "life"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the embedded cluster needs root: sudo make test"),
    pytest.mark.skipif(
        bool(missing() + missing_programs()), reason=f"programs are missing: {missing() + missing_programs()}"
    ),
]


@dataclass(frozen=True)
class OwnPod:
    """A Pod of the test: its address is empty, and it does not run, while it has none or no process."""

    name: str
    address: str
    container: str
    runs: bool


class Life:
    """A machine with one clone's cluster on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.machine = OwnMachine(folder)

    def cluster(
        self, action: str, *, state: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        environment = {"CLUSTER": "embedded", "CRONLIFT_STATE": str(state or self.state)}
        return self.machine.run(sys.executable, "-m", "ci.cluster", action, check=check, env=environment)

    def kubectl(self, *words: str, check: bool = True) -> str:
        return self.machine.run(self.state / "bin/kubectl", *words, check=check).stdout

    def in_client(self, script: str) -> str:
        words = ("exec", "--namespace", NAMESPACE, "client", "--", "/busybox", "sh", "-c", script)
        return self.kubectl(*words, check=False)

    def ask_web(self, address: str, port: int) -> bool:
        request = rf"printf 'GET /index.html HTTP/1.0\r\n\r\n' | /busybox nc -w 1 {address} {port}"
        said = self.in_client(f"echo asked; {request}")
        assert "asked" in said, "the client pod could not be reached, which says nothing about the network"
        return "served from a volume" in said

    def own_pods(self) -> list["OwnPod"]:
        """Return the test's own Pods, as the API server has them."""
        items = json.loads(self.kubectl("get", "pod", "--namespace", NAMESPACE, "--output=json"))["items"]
        found = []
        for item in items:
            container = item["status"]["containerStatuses"][0]
            address = item["status"].get("podIP", "")
            runs = bool(address) and "running" in container["state"]
            found.append(OwnPod(item["metadata"]["name"], address, container.get("containerID", ""), runs))
        return found

    def pids(self) -> dict[str, int]:
        script = 'cd /run/cronlift/pids && for file in *.json; do echo "$file $(cat "$file")"; done'
        lines = self.machine.run("sh", "-c", script).stdout.splitlines()
        return {line.split(".json ")[0]: json.loads(line.partition(" ")[2])["pid"] for line in lines}

    def pod_start_times(self) -> dict[str, str]:
        items = json.loads(self.kubectl("get", "pod", "--all-namespaces", "--output=json"))["items"]
        return {
            item["metadata"]["name"]: item["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
            for item in items
        }


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    # The machine has a /run and a /var/lib of its own, so the state lies elsewhere; a deep folder proves that
    # sockets do not depend on its length.
    folder = tmp_path_factory.mktemp("life") / ("deep-" * 12) / ("clone-" * 12)
    folder.mkdir(parents=True)
    life = Life(folder)
    yield life
    life.machine.cut_power()


@pytest.fixture(scope="module")
def before(life: Life) -> dict[str, list[str]]:
    return snapshot(life.machine)


@pytest.fixture(scope="module")
def busybox() -> Path:
    """The archive of an image with busybox alone, from Debian's package, as there is no registry."""
    folder = paths.cache_dir() / "busybox"
    archive = folder / "busybox.tar"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(
            ["apt-get", "download", "--quiet", "busybox-static"], cwd=folder, check=True, capture_output=True
        )
        package = next(folder.glob("busybox-static_*.deb"))
        subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True)
        program = next(path for path in (folder / "root").glob("**/bin/busybox") if path.is_file())
        write_scratch_image(archive, program, BUSYBOX)
    return archive


def wait_for(check, seconds: float) -> float:  # type: ignore[no-untyped-def]
    started = time.monotonic()
    while not check():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not so after {seconds} s")
        time.sleep(0.2)
    return time.monotonic() - started


def test_up_makes_a_ready_node_with_dns(life: Life, before: dict[str, list[str]]) -> None:
    life.cluster("up")
    node = json.loads(life.kubectl("get", "node", "cronlift", "--output=json"))
    ready = next(entry for entry in node["status"]["conditions"] if entry["type"] == "Ready")
    assert ready["status"] == "True"
    assert node["status"]["allocatable"]["pods"] == "250"
    kubeconfig = life.state / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert json.loads(kubeconfig.read_text())["current-context"] == "cronlift-embedded"


def test_up_again_changes_nothing_and_is_quick(life: Life) -> None:
    former, started = life.pids(), time.monotonic()
    life.cluster("up")
    assert time.monotonic() - started < 60
    assert life.pids() == former


def test_every_listener_is_on_loopback_or_the_bridge(life: Life) -> None:
    addresses = life.machine.run("ss", "-Hln", "--tcp", "--udp").stdout.splitlines()
    hosts = {line.split()[4].rpartition(":")[0] for line in addresses}
    gateway = json.loads((life.state / "cluster/ranges.json").read_text())["pods"].replace(".0/22", ".1")
    assert hosts <= {"127.0.0.1", gateway}
    assert hosts == {"127.0.0.1", gateway}


def test_a_pod_serves_from_a_claimed_volume_by_its_service_name(life: Life, busybox: Path) -> None:
    ctr = ("ctr", "--address=/run/cronlift/containerd.sock", "--namespace=k8s.io")
    life.machine.run(*ctr, "images", "import", busybox)
    manifest = life.folder / "pods.yaml"
    manifest.write_text(PODS)
    life.kubectl("create", "namespace", NAMESPACE)
    life.kubectl("apply", "--namespace", NAMESPACE, "--filename", str(manifest))
    life.kubectl("wait", "--namespace", NAMESPACE, "--for=condition=Ready", "pod/web", "pod/client", "--timeout=60s")
    answer = life.in_client(f"/busybox nslookup web.{NAMESPACE}.svc.cluster.local")
    service = json.loads(life.kubectl("get", "service", "web", "--namespace", NAMESPACE, "--output=json"))
    address = service["spec"]["clusterIP"]
    assert f"Address: {address}" in answer
    wait_for(lambda: life.ask_web(address, 80), 15)  # kube-proxy learns of a Pod a second after it is Ready
    curl = ("curl", "--silent", "--noproxy", "*", "--retry", "10", "--retry-connrefused", "--retry-delay", "1")
    page = life.machine.run(*curl, "http://127.0.0.1:30999/index.html").stdout
    assert "served from a volume" in page


def test_a_network_policy_cuts_a_pod_off_until_it_is_deleted(life: Life) -> None:
    web = json.loads(life.kubectl("get", "pod", "web", "--namespace", NAMESPACE, "--output=json"))["status"]["podIP"]
    wait_for(lambda: life.ask_web(web, 8080), 15)
    policy = life.folder / "policy.yaml"
    policy.write_text(DENY)
    life.kubectl("apply", "--namespace", NAMESPACE, "--filename", str(policy))
    wait_for(lambda: not life.ask_web(web, 8080), 15)
    life.kubectl("delete", "--namespace", NAMESPACE, "--filename", str(policy))
    wait_for(lambda: life.ask_web(web, 8080), 15)


@pytest.mark.parametrize(
    "part",
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kube-router",
     "provisioner", "containerd"],
)  # fmt: skip
def test_up_restarts_a_killed_part_alone_and_pods_run_on(life: Life, part: str) -> None:
    former, pods = life.pids(), life.pod_start_times()
    life.machine.run("kill", "-9", str(former[part]))
    said = life.cluster("up").stderr
    assert f"(started {part})" in said
    now = life.pids()
    assert {name for name in now if now[name] != former[name]} == {part}
    assert life.pod_start_times() == pods


def test_up_after_a_reboot_keeps_what_etcd_holds(life: Life) -> None:
    life.kubectl("create", "configmap", "kept", "--namespace", NAMESPACE, "--from-literal=key=value")
    former = {pod.container for pod in life.own_pods()}
    life.machine.cut_power()
    life.machine = OwnMachine(life.folder)
    life.cluster("up")
    assert "value" in life.kubectl("get", "configmap", "kept", "--namespace", NAMESPACE, "--output=yaml")
    # Until the kubelet has made new containers, etcd tells of those of before: ready, and without a process.
    wait_for(lambda: all(pod.runs and pod.container not in former for pod in life.own_pods()), 90)
    web = next(pod.address for pod in life.own_pods() if pod.name == "web")
    wait_for(lambda: life.ask_web(web, 8080), 30)


def test_another_clone_is_refused_while_the_cluster_lives(life: Life) -> None:
    done = life.cluster("up", state=life.folder / "other", check=False)
    assert done.returncode == 1
    assert f"make -C {paths.ROOT} down" in done.stderr


def test_another_clone_clears_away_a_dead_cluster_whose_folder_is_gone(
    life: Life, before: dict[str, list[str]]
) -> None:
    for pid in life.pids().values():
        life.machine.run("kill", "-9", str(pid), check=False)
    shutil.rmtree(life.state / "cluster", ignore_errors=True)  # its mounts go on living without it
    life.state = life.folder / "other"
    said = life.cluster("up").stderr
    assert "Remove what is left of the dead cluster" in said
    assert list(life.pod_start_times()) == [name for name in life.pod_start_times() if name.startswith("coredns")]


def test_down_leaves_the_machine_as_it_was(life: Life, before: dict[str, list[str]]) -> None:
    life.cluster("down")
    assert difference(before, snapshot(life.machine)) == ""
    assert not life.state.exists()
    life.cluster("down")


PODS = f"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 10Mi}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  securityContext: {{runAsUser: 1000, runAsNonRoot: true}}
  terminationGracePeriodSeconds: 0
  containers:
    - name: web
      image: {BUSYBOX}
      command: [/busybox, sh, -c, "echo served from a volume > /data/index.html && /busybox httpd -f -p 8080 -h /data"]
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  type: NodePort
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080, nodePort: 30999}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: client}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: client, image: "{BUSYBOX}", command: [/busybox, sleep, "3600"]}}]
"""

DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
"""
