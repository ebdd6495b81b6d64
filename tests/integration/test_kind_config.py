"""kind's own loader and validation read ci/cluster/kind.yaml: the real kind program with a recording docker on PATH."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci.cluster.kind import CONFIG
from ci.tools import tool

FAKE_ENGINE = Path(__file__).parents[1] / "unit/ci/fake_engine.py"


@pytest.fixture(scope="module")
def kind() -> Path:
    return tool("kind")


def create(kind: Path, config: Path, tmp_path: Path) -> tuple[str, list[list[str]]]:
    """Return what `kind create cluster` printed and the docker calls that it made, up to the refused `docker run`."""
    programs, engine = tmp_path / "bin", tmp_path / "engine"
    programs.mkdir()
    engine.mkdir()
    (programs / "docker").write_text(f"#!{sys.executable} -IS\n{FAKE_ENGINE.read_text()}")
    (programs / "docker").chmod(0o755)
    done = subprocess.run(
        [kind, "create", "cluster", "--config", config, "--name", "cronlift", "--image", "node:v1", "--wait", "1s",
         "--kubeconfig", tmp_path / "kubeconfig"],
        cwd=tmp_path,
        env={
            "PATH": str(programs), "HOME": str(tmp_path), "KIND_EXPERIMENTAL_PROVIDER": "docker",
            "FAKE_ENGINE": str(engine), "FAKE_FAILURES": json.dumps({"docker run": "refused by the test"}),
        },
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    recorded = engine / "calls.jsonl"
    lines = recorded.read_text().splitlines() if recorded.exists() else []
    calls = [json.loads(line)["words"] for line in lines]
    return done.stdout, calls


def test_kind_accepts_our_configuration_and_asks_docker_for_it(kind: Path, tmp_path: Path) -> None:
    printed, calls = create(kind, CONFIG, tmp_path)
    assert 'Creating cluster "cronlift" ...' in printed  # printed after kind has loaded and validated the file
    (run,) = [call for call in calls if call[:2] == ["docker", "run"]]
    assert "--publish=127.0.0.1:30080:30080/TCP" in run
    assert f"--volume={tmp_path}/.cronlift/kind:/etc/cronlift:ro" in run
    assert run[run.index("--name") + 1] == "cronlift-control-plane"
    assert run[-1] == "node:v1"


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        pytest.param("hostPort: 30080", "hostPort: 70000", "invalid hostPort", id="a port that is none"),
        pytest.param("extraMounts:", "extraMountz:", "extraMountz", id="an unknown key"),
        pytest.param("role: control-plane", "role: worker", "at least one control-plane", id="no control plane"),
    ],
)
def test_kind_refuses_a_bad_configuration(kind: Path, tmp_path: Path, good: str, bad: str, complaint: str) -> None:
    text = CONFIG.read_text()
    assert good in text
    config = tmp_path / "kind.yaml"
    config.write_text(text.replace(good, bad))
    printed, calls = create(kind, config, tmp_path)
    assert complaint in printed
    assert not [call for call in calls if call[:2] == ["docker", "run"]]
    assert not os.path.exists(tmp_path / "kubeconfig")
