import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ci.errors import UserError
from ci.paths import ROOT
from ci.pin_check import drifts
from ci.pins import parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = {
    "versions.env": (ROOT / "versions.env").read_text(),
    "plugins/pyproject.toml": '[project]\ndependencies = ["apache-airflow-core=={AIRFLOW_VERSION}", "jinja2>=3"]\n',
    "uv.lock": '[[package]]\nname = "apache-airflow-core"\nversion = "{AIRFLOW_VERSION}"\n'
    'source = { registry = "https://pypi.org/simple" }\n',
    "ci/tools/kind/go.mod": "module x\n\ngo {GO_VERSION}\n\nrequire sigs.k8s.io/kind {KIND_VERSION}\n",
    "ci/tools/helm/go.mod": "module x\n\ngo {GO_VERSION}\n\nrequire (\n\thelm.sh/helm/v4 {HELM_VERSION}\n)\n",
    "charts/cronlift/Chart.yaml": "appVersion: {AIRFLOW_VERSION}\n",
    "charts/cronlift/values.yaml": "images:\n"
    "  postgres: {repository: docker.io/library/postgres, tag: 17.6-trixie, digest: '{POSTGRES_DIGEST}'}\n"
    "  gitSync: {repository: registry.k8s.io/git-sync/git-sync, tag: v4.7.1, digest: '{GIT_SYNC_DIGEST}'}\n",
    "images/x/Dockerfile": "ARG BASE={DEBIAN_IMAGE}\nARG UV_VERSION={UV_VERSION}\nFROM ${BASE}\n",
    ".github/workflows/check.yaml": f"      - uses: actions/checkout@{COMMIT} # v5.0.0\n",
    "README.md": "Never say image:latest.\n",
}

PLANTED = {
    "Airflow in the package": (
        "plugins/pyproject.toml",
        "core==3",
        "core==2",
        "pyproject.toml: apache-airflow-core==2",
    ),
    "Airflow in the lock": ("uv.lock", 'version = "3', 'version = "2', "uv.lock: Airflow 2"),
    "a private index": ("uv.lock", "https://pypi.org", "https://mirror.example", "comes from https://mirror.example"),
    "a tool's module": (
        "ci/tools/kind/go.mod",
        "kind v0.",
        "kind v1.",
        "kind/go.mod: sigs.k8s.io/kind is v1.",
    ),
    "a tool without its module": ("ci/tools/helm/go.mod", "helm/v4", "helm/v3", "helm.sh/helm/v4 is absent"),
    "a newer Go": ("ci/tools/helm/go.mod", "go 1.", "go 9.", "go 9."),
    "the chart's Airflow": ("charts/cronlift/Chart.yaml", ": 3", ": 2", "Chart.yaml: appVersion 2"),
    "a chart image": ("charts/cronlift/values.yaml", "17.6-trixie", "17.7-trixie", "images.postgres is"),
    "a chart digest": (
        "charts/cronlift/values.yaml",
        "v4.7.1, digest: '",
        "v4.7.1, digest: 'sha256:0",
        "gitSync.digest",
    ),
    "a base image": ("images/x/Dockerfile", "trixie", "bookworm", "images/x/Dockerfile:1: BASE="),
    "an argument": ("images/x/Dockerfile", "UV_VERSION=", "UV_VERSION=9", "images/x/Dockerfile:2: UV_VERSION=9"),
    "a movable action": (".github/workflows/check.yaml", COMMIT, "v5", "check.yaml:1: actions/checkout@v5 must be"),
    "an action without its version": (".github/workflows/check.yaml", " # v5.0.0", "", "must be action@<40 hex"),
    "the tag latest": ("images/x/Dockerfile", "FROM ${BASE}", "FROM debian:latest", "Dockerfile:3: debian:latest"),
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    pins = parse(GOOD["versions.env"])
    for name, text in GOOD.items():
        for pin, value in pins.items():
            text = text.replace(f"{{{pin}}}", value)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def test_agreeing_files_have_no_drift(repo: Path) -> None:
    assert drifts(repo) == []


@pytest.mark.parametrize(("file", "good", "bad", "words"), PLANTED.values(), ids=PLANTED)
def test_a_file_that_disagrees_is_named(repo: Path, file: str, good: str, bad: str, words: str) -> None:
    text = (repo / file).read_text()
    assert good in text
    (repo / file).write_text(text.replace(good, bad, 1))
    (fault,) = drifts(repo)
    assert words in fault


def test_two_commits_of_one_action_are_a_drift(repo: Path) -> None:
    (repo / ".github/workflows/kind.yaml").write_text(f"- uses: actions/checkout@{COMMIT[::-1]} # v5.0.0\n")
    (fault,) = drifts(repo)
    assert "pinned to another commit elsewhere" in fault


def test_all_drifts_are_reported_at_once(repo: Path) -> None:
    (repo / "charts/cronlift/Chart.yaml").write_text("appVersion: 1.0.0\n")
    (repo / "images/x/Dockerfile").write_text("ARG BASE=alpine:3\n")
    assert len(drifts(repo)) == 2


def test_versions_env_names_every_bad_line() -> None:
    with pytest.raises(UserError) as error:
        parse("A=1\nnonsense\n# remark\nA=2\nB-C=3\n")
    assert [fault.split(": ")[0] for fault in error.value.faults] == [
        "versions.env:2",
        "versions.env:4",
        "versions.env:5",
    ]


@pytest.fixture
def read_pins() -> Callable[[], dict[str, str]]:
    return lambda: parse((ROOT / "versions.env").read_text())


def test_digests_are_empty_or_whole(read_pins: Callable[[], dict[str, str]]) -> None:
    digests = {name: value for name, value in read_pins().items() if name.endswith("_DIGEST") and value}
    assert digests
    assert not [name for name, value in digests.items() if not value.startswith("sha256:") or len(value) != 71]
