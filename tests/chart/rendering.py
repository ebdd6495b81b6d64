"""Rendering with the pinned helm, once for each set of values, and questions to ask of the objects."""

import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.paths import ROOT
from ci.tools import tool

CHART = ROOT / "charts/cronlift"
TEAMS = ROOT / "teams.yaml"
LOCAL = ROOT / "charts/environments/local.yaml"
TWO_TEAMS = ROOT / "tests/chart/values/two-teams.yaml"
EVERYTHING = ROOT / "tests/chart/values/everything.yaml"
CLOUD = ROOT / "tests/chart/values/cloud.yaml"
OPENSHIFT = ROOT / "tests/chart/values/openshift.yaml"
MINIMAL = ROOT / "tests/chart/values/minimal.yaml"

CASES = {
    "defaults": (),
    "local": (TEAMS, LOCAL),
    "two-teams": (TWO_TEAMS,),
    "everything": (TWO_TEAMS, EVERYTHING),
    "cloud": (TWO_TEAMS, CLOUD),
    "openshift": (TWO_TEAMS, OPENSHIFT),
}
every_values = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())

KEPT = {"helm.sh/resource-policy": "keep", "argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}
"""Annotations of what neither helm nor Argo CD may delete."""

Object = dict[str, Any]


class Rendered(list[Object]):
    """Objects of one rendered chart."""

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return the only object of this kind and name; a Job's name is given without its hash."""
        found = [
            thing
            for thing in self.of(kind)
            if thing["metadata"]["name"] == name
            or (kind == "Job" and thing["metadata"]["name"].rpartition("-")[0] == name)
            if namespace in (None, thing["metadata"].get("namespace"))
        ]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
        return found[0]

    def of(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return [thing for thing in self if thing["kind"] == kind]

    def pod(self, component: str) -> Object:
        """Return the pod spec of a component."""
        return dict(self.pods())[component]

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Yield (component, pod spec) of everything that becomes a pod."""
        for thing in self:
            component = thing["metadata"].get("labels", {}).get("app.kubernetes.io/component", "")
            if thing["kind"] == "Pod":
                yield component, thing["spec"]
            elif "template" in thing.get("spec", {}):
                yield component, thing["spec"]["template"]["spec"]
            elif thing["kind"] == "CronJob":
                yield component, thing["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Yield (component/container, container), init containers too."""
        for component, spec in self.pods():
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                yield f"{component}/{container['name']}", container

    def environment(self, component: str) -> dict[str, Object]:
        """Return name -> env entry of a component's main container."""
        spec = dict(self.pods())[component]
        return {entry["name"]: entry for entry in spec["containers"][0]["env"]}


@cache
def helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run helm; its answer to the same words does not change within a session."""
    return subprocess.run([tool("helm"), *words], capture_output=True, text=True, check=False)


def template(*values: Path, sets: Sequence[str] = (), more: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run `helm template` for a release named as the local one; `values` lie over the minimal ones."""
    options = [f"--values={path}" for path in (MINIMAL, *values)] + [f"--set={setting}" for setting in sets]
    return helm("template", "cronlift", str(CHART), "--namespace=cronlift", *options, *more)


def render(*values: Path, sets: Sequence[str] = ()) -> Rendered:
    """Return the objects of these values."""
    answer = template(*values, sets=sets)
    assert answer.returncode == 0, answer.stderr
    return Rendered(thing for thing in yaml.load_all(answer.stdout, yaml.CSafeLoader) if thing)


def refusal(*values: Path, sets: Sequence[str] = ()) -> str:
    """Return helm's words for values that it must refuse."""
    answer = template(*values, sets=sets)
    assert answer.returncode != 0, "helm accepted these values"
    return answer.stderr
