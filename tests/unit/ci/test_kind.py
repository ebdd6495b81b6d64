import json
import os
import shutil
import socket
import stat
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ci.cluster.kind import NODE, KindCluster
from ci.cluster.kind_registry import CONTAINER as REGISTRY
from ci.errors import CiError, CommandError, UserError
from ci.images import Image
from ci.pins import image_reference

HERE = Path(__file__).parent


class Engine:
    """The recording docker, kind and skopeo on PATH, and what they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> dict:
        return json.loads((self.folder / "state.json").read_text())

    def edit(self, **changes: dict) -> None:
        (self.folder / "state.json").write_text(json.dumps({**self.state, **changes}))

    def take_calls(self) -> list[str]:
        """Return the calls since the last look that change something or talk to the cluster."""
        path = self.folder / "calls.jsonl"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        words = [" ".join(call["words"]) for call in calls]
        return [line for line in words if " inspect " not in line and not line.startswith("docker info")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    folder, programs = tmp_path / "engine", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    source = (HERE / "fake_engine.py").read_text()
    for program in ("docker", "kind", "skopeo"):
        (programs / program).write_text(f"#!{sys.executable} -IS\n{source}")
        (programs / program).chmod(0o755)
    # Nothing else: a skopeo of the machine must not be found when ours is removed.
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("FAKE_ENGINE", str(folder))
    return Engine(folder)


@pytest.fixture
def cluster(engine: Engine, tmp_path: Path) -> KindCluster:
    root = tmp_path / "clone"
    root.mkdir()
    return KindCluster(root, kind="kind", registry_port=free_port(), ui_port=free_port())


@pytest.fixture
def registry(cluster: KindCluster) -> Iterator[list[str]]:
    """A registry that holds the tags of the list, on the cluster's registry port."""
    held: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if any(self.path == f"/v2/cronlift/{tag}" for tag in held) else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", cluster._registry.port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def test_up_makes_registry_then_cluster_then_wires_them(cluster: KindCluster, engine: Engine, tmp_path: Path) -> None:
    cluster.up()
    root, port = tmp_path / "clone", cluster._registry.port
    config = HERE.parents[2] / "ci/cluster/kind.yaml"
    certs = f"/etc/containerd/certs.d/localhost:{port}"
    kubectl = f"docker exec --interactive {NODE} kubectl --kubeconfig=/etc/kubernetes/admin.conf"
    assert engine.take_calls() == [
        f"docker run --detach --restart=always --name {REGISTRY} --label cronlift.root={root} "
        f"--publish 127.0.0.1:{port}:5000 --network bridge {image_reference('REGISTRY')}",
        f"kind create cluster --config {config} --name cronlift --kubeconfig {root}/.cronlift/kubeconfig "
        f"--image {image_reference('KIND_NODE')} --wait 180s",
        "kind get kubeconfig --name cronlift",
        f"docker network connect kind {REGISTRY}",
        f"docker exec {NODE} mkdir -p {certs}",
        f"docker exec --interactive {NODE} cp /dev/stdin {certs}/hosts.toml",
        f"{kubectl} apply --filename=-",
    ]


def test_kind_runs_in_the_root_and_the_node_learns_the_registry(
    cluster: KindCluster, engine: Engine, tmp_path: Path
) -> None:
    cluster.up()
    calls = [json.loads(line) for line in (engine.folder / "calls.jsonl").read_text().splitlines()]
    assert {call["cwd"] for call in calls if call["words"][0] == "kind"} == {str(tmp_path / "clone")}
    stdins = [call["stdin"] for call in calls if call["stdin"]]
    assert stdins[0] == f'[host."http://{REGISTRY}:5000"]\n'
    assert "name: local-registry-hosting" in stdins[1]
    assert f'host: "localhost:{cluster._registry.port}"' in stdins[1]


def test_kubeconfig_is_private_and_the_users_own_is_not_touched(
    cluster: KindCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cluster.up()
    kubeconfig = tmp_path / "clone/.cronlift/kubeconfig"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert "kind-cronlift" in kubeconfig.read_text()
    assert not (tmp_path / "home").exists()


def test_second_up_makes_nothing_anew(cluster: KindCluster, engine: Engine) -> None:
    cluster.up()
    before = engine.state
    engine.take_calls()
    cluster.up()
    calls = engine.take_calls()
    assert not [call for call in calls if call.startswith(("docker run", "docker start", "kind create", "kind delete"))]
    assert engine.state == before


def test_up_starts_what_was_stopped(cluster: KindCluster, engine: Engine) -> None:
    cluster.up()
    containers = engine.state["containers"]
    for container in containers.values():
        container["State"]["Running"] = False
    engine.edit(containers=containers)
    engine.take_calls()
    cluster.up()
    calls = engine.take_calls()
    assert [call for call in calls if call.startswith("docker start")] == [
        f"docker start {REGISTRY}",
        f"docker start {NODE}",
    ]
    assert not [call for call in calls if call.startswith("kind create")]


def test_up_replaces_a_cluster_that_was_never_finished(cluster: KindCluster, engine: Engine, tmp_path: Path) -> None:
    cluster.up()
    (tmp_path / "clone/.cronlift/kind/created").unlink()
    engine.take_calls()
    cluster.up()
    kind_calls = [" ".join(call.split()[:3]) for call in engine.take_calls() if call.startswith("kind")]
    assert kind_calls == ["kind delete cluster", "kind create cluster", "kind get kubeconfig"]


def test_down_removes_all_of_ours_and_can_be_repeated(cluster: KindCluster, engine: Engine, tmp_path: Path) -> None:
    cluster.up()
    cluster.down()
    assert engine.state["containers"] == {}
    assert engine.state["networks"] == {}
    assert not (tmp_path / "clone/.cronlift/kubeconfig").exists()
    assert not (tmp_path / "clone/.cronlift/kind").exists()
    engine.take_calls()
    cluster.down()
    assert engine.take_calls() == []


def test_down_leaves_a_network_that_existed_before(cluster: KindCluster, engine: Engine) -> None:
    cluster.up()
    cluster.down()
    engine.edit(networks={"kind": {"IPAM": {"Config": []}, "Containers": {}}})
    cluster.up()
    cluster.down()
    assert list(engine.state["networks"]) == ["kind"]


@pytest.mark.parametrize("name", [NODE, REGISTRY])
def test_a_strangers_container_of_our_name_is_neither_used_nor_removed(
    cluster: KindCluster, engine: Engine, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    KindCluster(other, kind="kind", registry_port=free_port(), ui_port=free_port()).up()
    engine.edit(containers={name: engine.state["containers"][name]})
    engine.take_calls()
    with pytest.raises(UserError, match=f"{name} was not made by this clone"):
        cluster.up()
    cluster.down()
    assert engine.take_calls() == []
    assert list(engine.state["containers"]) == [name]
    assert cluster.parts()["node" if name == NODE else "registry"].endswith("not ours")


def test_up_names_every_port_in_use_before_it_makes_anything(cluster: KindCluster, engine: Engine) -> None:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", cluster._registry.port))
        two.bind(("127.0.0.1", cluster._ui_port))
        with pytest.raises(UserError) as error:
            cluster.up()
    assert f"127.0.0.1:{cluster._registry.port}" in str(error.value)
    assert f"127.0.0.1:{cluster._ui_port}" in str(error.value)
    assert engine.take_calls() == []


def test_up_without_an_engine_says_what_else_is_possible(
    cluster: KindCluster, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAILURES", json.dumps({"docker info": "Cannot connect to the Docker daemon"}))
    with pytest.raises(UserError, match=r"(?s)Cannot connect to the Docker daemon.*CLUSTER=embedded"):
        cluster.up()
    cluster.down()
    assert engine.take_calls() == []


def test_down_with_a_cluster_but_no_engine_is_an_error(cluster: KindCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.up()
    monkeypatch.setenv("FAKE_FAILURES", json.dumps({"docker info": "Cannot connect to the Docker daemon"}))
    with pytest.raises(UserError, match="Start Docker"):
        cluster.down()


def test_a_failed_create_shows_the_command(cluster: KindCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAILURES", json.dumps({"kind create": "ERROR: no space left on device"}))
    with pytest.raises(CommandError, match=r"(?s)kind create cluster.*no space left"):
        cluster.up()


def test_load_pushes_only_what_is_missing(
    cluster: KindCluster, engine: Engine, registry: list[str], tmp_path: Path
) -> None:
    registry.append("ruby/manifests/def")
    write_archive(tmp_path / "legacy.tar", "blobs/sha256/0", "oci-layout")
    images = [Image("legacy", "abc", tmp_path / "legacy.tar"), Image("ruby", "def", tmp_path / "ruby.tar")]
    at = f"localhost:{cluster._registry.port}/cronlift"
    assert cluster.load(images) == {"legacy": f"{at}/legacy:abc", "ruby": f"{at}/ruby:def"}
    assert engine.take_calls() == [
        f"skopeo copy --dest-tls-verify=false oci-archive:{tmp_path}/legacy.tar docker://{at}/legacy:abc"
    ]


def write_archive(path: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))


def test_load_takes_what_an_old_docker_saved(
    cluster: KindCluster, engine: Engine, registry: list[str], tmp_path: Path
) -> None:
    write_archive(tmp_path / "legacy.tar", "manifest.json", "repositories")
    cluster.load([Image("legacy", "abc", tmp_path / "legacy.tar")])
    (call,) = engine.take_calls()
    assert f"docker-archive:{tmp_path}/legacy.tar" in call


def test_a_broken_archive_is_named_with_its_cure(cluster: KindCluster, registry: list[str], tmp_path: Path) -> None:
    (tmp_path / "legacy.tar").write_text("half of it")
    with pytest.raises(CiError, match=r"legacy\.tar cannot be read: .* Remove it"):
        cluster.load([Image("legacy", "abc", tmp_path / "legacy.tar")])


def test_load_without_skopeo_goes_by_way_of_docker(
    cluster: KindCluster, engine: Engine, registry: list[str], tmp_path: Path
) -> None:
    (tmp_path / "bin/skopeo").unlink()
    reference = f"localhost:{cluster._registry.port}/cronlift/legacy:abc"
    cluster.load([Image("legacy", "abc", tmp_path / "legacy.tar")])
    assert engine.take_calls() == [
        f"docker load --input {tmp_path}/legacy.tar",
        f"docker tag localhost/cronlift/legacy:abc {reference}",
        f"docker push --quiet {reference}",
        f"docker rmi {reference}",
    ]


def test_load_says_when_the_registry_is_gone(cluster: KindCluster, tmp_path: Path) -> None:
    with pytest.raises(CiError, match=f"docker logs {REGISTRY}"):
        cluster.load([Image("legacy", "abc", tmp_path / "legacy.tar")])


def test_pods_reach_the_host_at_the_ipv4_gateway(cluster: KindCluster) -> None:
    cluster.up()
    assert cluster.host_address() == "172.18.0.1"


def test_parts_tell_running_from_stopped_and_absent(cluster: KindCluster, engine: Engine) -> None:
    assert cluster.parts() == {"docker": "answers", "node": "absent", "registry": "absent"}
    cluster.up()
    containers = engine.state["containers"]
    containers[REGISTRY]["State"]["Running"] = False
    engine.edit(containers=containers)
    parts = cluster.parts()
    assert parts["node"].startswith("running, container 0000")
    assert parts["registry"].startswith("stopped, container 0000")


def test_tests_see_no_docker_of_the_machine(engine: Engine) -> None:
    assert shutil.which("docker") == str(engine.folder.parent / "bin/docker")
    assert os.environ["FAKE_ENGINE"] == str(engine.folder)
