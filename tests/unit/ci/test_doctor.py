import ast
import json
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ci import doctor, machine, prerequisites
from ci.paths import ROOT
from ci.prerequisites import Finding

GIB = machine.GIB


def test_doctor_runs_with_a_bare_python_and_prints_json() -> None:
    # -I -S: no site-packages, no environment; what a fresh machine has.
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ci.doctor import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT), "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    findings = json.loads(done.stdout)
    assert {"Linux", "git", "make", "disk", "memory"} <= {finding["name"] for finding in findings}
    missing = [finding for finding in findings if finding["verdict"] == "missing"]
    assert done.returncode == (1 if missing else 0), done.stderr
    assert all(finding["cure"] for finding in missing)


def test_old_python_gets_words_and_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 10, "final", 0))
    assert doctor.main() == 1
    assert "Python 3.8.10 is too old: cronlift needs >= 3.11" in capsys.readouterr().err


def test_doctor_parses_in_old_pythons() -> None:
    ast.parse((ROOT / "ci/doctor.py").read_text(), feature_version=(3, 6))


def test_newest_python_agrees_with_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = ".".join(map(str, prerequisites.TOO_NEW_PYTHON))
    oldest = ".".join(map(str, doctor.MINIMUM_PYTHON))
    assert project["requires-python"] == f">={oldest},<{newest}"


def test_too_new_python_is_missing_with_a_cure() -> None:
    finding = prerequisites.python((3, 14, 0))
    assert finding.verdict == "missing"
    assert "make PYTHON=python3.13" in finding.cure


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (prerequisites.linux("linux", "6.1"), "ok"),
        (prerequisites.linux("darwin", "24"), "missing"),
        (prerequisites.root(0), "ok"),
        (prerequisites.root(1000), "missing"),
        (prerequisites.docker(None, kind=True), "ok"),
        (prerequisites.docker("no daemon", kind=True), "missing"),
        (prerequisites.docker("no daemon", kind=False), "note"),
        (prerequisites.program("no-such-program-here", "--version"), "missing"),
        (prerequisites.cgroups("v2", {"cpu", "cpuset", "memory", "pids", "io"}), "ok"),
        (prerequisites.cgroups("v2", {"cpu", "cpuset", "pids"}), "missing"),
        (prerequisites.memory(6 * GIB, up=False), "ok"),
        (prerequisites.memory(3 * GIB, up=False), "missing"),
        (prerequisites.memory(3 * GIB, up=True), "ok"),
    ],
)
def test_each_prerequisite_is_judged(finding: Finding, verdict: str) -> None:
    assert finding.verdict == verdict
    assert bool(finding.cure) == (verdict == "missing")


def test_not_being_root_names_the_exact_command() -> None:
    assert "sudo make up CLUSTER=embedded" in prerequisites.root(1000).cure


def test_folders_on_one_file_system_share_its_space() -> None:
    cache, state = Path("/cache"), Path("/state")
    together = prerequisites.disk({cache: (20 * GIB, 1), state: (20 * GIB, 1)}, cold=True)
    assert [finding.verdict for finding in together] == ["ok"]
    apart = prerequisites.disk({cache: (20 * GIB, 1), state: (1 * GIB, 2)}, cold=True)
    assert [finding.verdict for finding in apart] == ["ok", "missing"]


def test_later_runs_need_less_disk() -> None:
    folders = {Path("/cache"): (6 * GIB, 1)}
    assert prerequisites.disk(folders, cold=True)[0].verdict == "missing"
    assert prerequisites.disk(folders, cold=False)[0].verdict == "ok"


def test_a_port_in_use_is_found_and_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        finding = prerequisites.ports([port], up=False)
        assert finding.verdict == "missing"
        assert str(port) in finding.found
        assert prerequisites.ports([port], up=True).verdict == "ok"
    assert prerequisites.ports([port], up=False).verdict == "ok"


def test_route_table_is_read_in_the_kernels_byte_order() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "tun0\t0000600A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert machine.routed_networks(table) == ["10.96.0.0/16"]


def test_a_vpn_over_every_range_of_the_cluster_is_a_clash() -> None:
    (free,) = prerequisites.networks(["192.0.2.0/24"], up=False)
    assert free.verdict == "ok"
    (clash,) = prerequisites.networks(["10.0.0.0/8", "172.16.0.0/12"], up=False)
    assert clash.verdict == "missing"
    assert "10.0.0.0/8" in clash.found
    assert clash.cure
    assert prerequisites.networks(["10.0.0.0/8", "172.16.0.0/12"], up=True) == []


@pytest.mark.parametrize(("install", "verdict"), [("1", "note"), ("0", "missing")])
def test_missing_packages_are_installed_by_make_up_unless_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: str, verdict: str
) -> None:
    (tmp_path / "apt-get").write_text("#!/bin/sh\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("INSTALL", install)
    (finding,) = prerequisites.packages()
    assert finding.verdict == verdict
    assert "buildah" in finding.found


@pytest.mark.parametrize(
    ("wanted", "docker_answers", "kind"),
    [("auto", True, True), ("auto", False, False), ("kind", False, True), ("embedded", True, False)],
)
def test_cluster_is_chosen_as_make_up_does(wanted: str, docker_answers: bool, kind: bool) -> None:
    assert prerequisites.choose_kind(wanted, docker_answers=docker_answers) is kind


def test_unknown_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "minikube")
    (finding,) = prerequisites.examine()
    assert finding.verdict == "missing"
    assert "'minikube'" in finding.found


@pytest.mark.parametrize(("cold", "verdict"), [(True, "missing"), (False, "note")])
def test_silent_registry_matters_only_until_all_is_built(
    monkeypatch: pytest.MonkeyPatch, cold: bool, verdict: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, never listening: a connection is refused
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://user:secret@127.0.0.1:{probe.getsockname()[1]}/simple")
        monkeypatch.setenv("GOPROXY", f"http://127.0.0.1:{probe.getsockname()[1]},direct")
        findings = prerequisites.registries(cold=cold)
    assert [finding.verdict for finding in findings] == [verdict, verdict]
    assert "secret" not in str(findings)


def test_a_kubeconfig_alone_is_no_running_cluster(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    assert not machine.api_server_answers(kubeconfig)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        kubeconfig.write_text(f"clusters:\n- cluster:\n    server: https://127.0.0.1:{port}\n")
        assert not machine.api_server_answers(kubeconfig)
        server.listen()
        assert machine.api_server_answers(kubeconfig)
        kubeconfig.write_text(json.dumps({"clusters": [{"cluster": {"server": f"https://127.0.0.1:{port}"}}]}))
        assert machine.api_server_answers(kubeconfig)


def test_another_clones_cluster_is_in_the_way(tmp_path: Path) -> None:
    (finding,) = prerequisites.neighbour(str(tmp_path))
    assert finding.verdict == "missing"
    assert finding.cure == f"make -C {tmp_path} down"
    assert prerequisites.neighbour(str(ROOT)) == []
    assert prerequisites.neighbour(None) == []


def test_report_shows_cures_below_faults_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = [Finding("git", "ok", "2.39"), Finding("disk", "missing", "1 GiB free", "Free some space")]
    monkeypatch.setattr(prerequisites, "examine", lambda: found)
    assert doctor.report(as_json=False) == 1
    printed = capsys.readouterr().out
    assert "✓ git: 2.39\n✗ disk: 1 GiB free\n    -> Free some space\n" in printed
    assert "1 of 2 prerequisites missing" in printed


def test_free_space_of_a_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    assert machine.free_bytes(tmp_path / "not/there/yet")[1] == os.stat(tmp_path).st_dev
