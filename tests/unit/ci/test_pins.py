import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ci.digests import DigestError, parse_reference, resolve
from ci.errors import UserError
from ci.paths import ROOT
from ci.pin_check import drifts
from ci.pins import fill_digests, parse

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


def test_digests_are_empty_or_whole() -> None:
    digests = {name: value for name, value in parse(GOOD["versions.env"]).items() if name.endswith("_DIGEST") and value}
    assert digests
    assert not [name for name, value in digests.items() if not value.startswith("sha256:") or len(value) != 71]


def test_every_digest_has_its_image() -> None:
    pins = parse(GOOD["versions.env"])
    digests = [name for name in pins if name.endswith("_DIGEST")]
    assert [name for name in digests if not pins[name.replace("_DIGEST", "_IMAGE")]] == []


def test_make_pins_fills_what_it_can_and_names_the_rest(repo: Path) -> None:
    (repo / "charts/cronlift/values.yaml").write_text((ROOT / "charts/cronlift/values.yaml").read_text())
    before = parse((repo / "versions.env").read_text())

    def answer(image: str) -> str:
        if "git-sync" in image:
            raise DigestError(f"{image}: registry.k8s.io does not answer")
        return "sha256:" + "7" * 64

    if any(before[name] for name in ("POSTGRES_DIGEST", "GIT_SYNC_DIGEST")):
        text = re.sub(
            r"^(POSTGRES|GIT_SYNC)_DIGEST=.*$", r"\1_DIGEST=", (repo / "versions.env").read_text(), flags=re.M
        )
        (repo / "versions.env").write_text(text)
    assert fill_digests(repo, answer) == [f"{before['GIT_SYNC_IMAGE']}: registry.k8s.io does not answer"]
    after = parse((repo / "versions.env").read_text())
    assert after["POSTGRES_DIGEST"] == "sha256:" + "7" * 64
    assert after["GIT_SYNC_DIGEST"] == ""
    assert after["KIND_NODE_DIGEST"] == before["KIND_NODE_DIGEST"]
    assert f'digest: "sha256:{"7" * 64}"' in (repo / "charts/cronlift/values.yaml").read_text()
    assert [fault for fault in drifts(repo) if "postgres" in fault] == []


class Registry(BaseHTTPRequestHandler):
    """Gives a token to everybody, and manifests to whoever shows it."""

    def do_GET(self) -> None:
        assert self.path == "/token?service=here&scope=repository%3Alibrary%2Fdebian%3Apull"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"token": "let-me-in"}')

    def do_HEAD(self) -> None:
        address = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        if self.headers["Authorization"] != "Bearer let-me-in":
            self.send_response(401)
            scope = "repository:library/debian:pull"
            self.send_header("WWW-Authenticate", f'Bearer realm="{address}/token",service="here",scope="{scope}"')
        elif self.path != "/v2/library/debian/manifests/trixie-slim":
            self.send_response(404, "Not Found")
        elif "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", "sha256:" + "a" * 64)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_digest_comes_from_the_registry_after_its_token(registry: str) -> None:
    assert resolve(f"{registry}/library/debian:trixie-slim") == "sha256:" + "a" * 64


def test_unknown_tag_is_named_with_the_registrys_answer(registry: str) -> None:
    with pytest.raises(DigestError, match=r"library/debian:nothing: .* answered 404 Not Found"):
        resolve(f"{registry}/library/debian:nothing")


def test_silent_registry_is_named() -> None:
    with socket.socket() as bound_only:
        bound_only.bind(("127.0.0.1", 0))
        with pytest.raises(DigestError, match=r"does not answer: .*refused"):
            resolve(f"127.0.0.1:{bound_only.getsockname()[1]}/library/debian:trixie")


@pytest.mark.parametrize("image", ["debian:trixie", "docker.io/library/debian", "docker.io/debian@sha256:1"])
def test_an_image_must_name_registry_repository_and_tag(image: str) -> None:
    with pytest.raises(DigestError, match="not REGISTRY/REPOSITORY:TAG"):
        parse_reference(image)
