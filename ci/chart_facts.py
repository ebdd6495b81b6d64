"""Write the pages that are counted from the rendered chart: `python -m ci.chart_facts [--check]`.

docs/rbac.md: who may do what, where. docs/chart-figures.md: this chart's figures beside the official one's.
"""

import argparse
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import exit_with_words
from ci.tools import tool

CHART = ROOT / "charts/cronlift"
RBAC, FIGURES = ROOT / "docs/rbac.md", ROOT / "docs/chart-figures.md"
BEGIN, END = "<!-- written by `python -m ci.chart_facts` -->", "<!-- end -->"
MEASURED = "<!-- measured by tests/bench/test_chart.py -->"
SETS = ("images.airflow.repository=example.com/airflow", "images.airflow.tag=1", "git.url=https://example.com/r.git")
TEAMS = tuple(
    f"teams.{team}.{key}"
    for team, objects in (("billing", "true"), ("demo", "false"))
    for key in (f"namespace=team-{team}", f"path=dags/{team}", f"owners[0]=@{team}", f"manifestObjects={objects}")
)
OFFICIAL = {
    "lines of values.yaml": "4520",
    "values": "1133",
    "lines of the schema": "15743",
    "templates": "110",
    "lines of templates": "10933",
}
"""Apache Airflow's chart 1.22.0, counted in its repository; it was not rendered."""

Object = dict[str, Any]


def rendered() -> list[Object]:
    """Return the objects of a release with two teams and all else as it is by default."""
    return _objects(rendered_text())


def rendered_text() -> str:
    """Return the same as helm prints it."""
    words = [word for setting in (*SETS, *TEAMS) for word in ("--set", setting)]
    return _helm("template", "cronlift", str(CHART), "--namespace=cronlift", *words)


def grants(things: list[Object]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (account, namespace where it holds, resource, names, verbs) of every binding.

    Raises:
        UserError: A binding leads to no Role, or a rule holds in the whole cluster.
    """
    roles = {(t["metadata"]["namespace"], t["metadata"]["name"]): t for t in things if t["kind"] == "Role"}
    if found := [thing["kind"] for thing in things if thing["kind"].startswith("ClusterRole")]:
        raise UserError(f"The chart makes {', '.join(found)}", cure="Make Roles: the page says that it makes none.")
    for binding in (thing for thing in things if thing["kind"] == "RoleBinding"):
        namespace = binding["metadata"]["namespace"]
        role = roles[namespace, binding["roleRef"]["name"]]
        for subject in binding["subjects"]:
            account = f"{subject['namespace']}/{subject['name']}"
            for rule in role["rules"]:
                names = ", ".join(rule.get("resourceNames", [])) or "all"
                for resource in rule["resources"]:
                    yield account, namespace, resource, names, ", ".join(rule["verbs"])


def rbac_page(things: list[Object]) -> str:
    """Return the generated part of docs/rbac.md."""
    found = sorted(set(grants(things)))
    lines = ["| account | in namespace | resource | names | verbs |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{a}` | `{n}` | {resource} | {names} | {verbs} |" for a, n, resource, names, verbs in found]
    with_rights = {row[0] for row in found}
    accounts = {
        f"{t['metadata']['namespace']}/{t['metadata']['name']}" for t in things if t["kind"] == "ServiceAccount"
    }
    without = sorted(accounts - with_rights)
    return "\n".join([*lines, "", f"No rights at all: {', '.join(f'`{name}`' for name in without)}."])


def containers(things: list[Object]) -> Iterator[Object]:
    """Yield every container of every pod, init containers too."""
    for thing in things:
        spec = thing.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        spec = spec if thing["kind"] == "Pod" else spec.get("template", {}).get("spec", {})
        yield from [*spec.get("initContainers", []), *spec.get("containers", [])]


def leaves(values: Any) -> int:
    """Return how many values there are; an empty map or list is one."""
    return sum(leaves(value) for value in values.values()) if isinstance(values, dict) and values else 1


def figures_page(things: list[Object]) -> str:
    """Return the generated part of docs/chart-figures.md."""
    templates = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    text = rendered_text()
    again = _objects(text)
    hard = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True}
    all_containers = list(containers(things))
    soft = [c for c in all_containers if not hard.items() <= c.get("securityContext", {}).items()]
    unlimited = [c for c in all_containers if not {"cpu", "memory"} <= set(c.get("resources", {}).get("limits", {}))]
    changed = [one for one, two in zip(things, again, strict=True) if one != two]
    ours = {
        "lines of values.yaml": _lines(CHART / "values.yaml"),
        "values": leaves(yaml.safe_load((CHART / "values.yaml").read_text())),
        "lines of the schema": _lines(CHART / "values.schema.json"),
        "templates": len(templates),
        "lines of templates": sum(_lines(path) for path in templates),
        "objects rendered, two teams": len(things),
        "lines rendered, two teams": len(text.splitlines()),
        "containers": len(all_containers),
        "containers without limits": len(unlimited),
        "containers without a hardened context": len(soft),
        "objects that differ between two renders": len(changed),
        "Helm hooks, but for tests": sum(_is_hook(thing) for thing in things),
        "ClusterRoles and ClusterRoleBindings": sum(thing["kind"].startswith("ClusterRole") for thing in things),
        "objects of the whole cluster": sum("namespace" not in thing["metadata"] for thing in things),
    }
    lines = ["| | this chart | official chart 1.22.0 |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {count} | {OFFICIAL.get(name, '-')} |" for name, count in ours.items())])


def write_measured(new: str) -> None:
    """Write the part of docs/chart-figures.md that is measured on a cluster."""
    FIGURES.write_text(page(FIGURES, new, MEASURED))


def page(path: Path, new: str, mark: str = BEGIN) -> str:
    """Return a page with the part between a marker and the next end replaced.

    Args:
        path: Of the page.
        new: What comes between.
        mark: The marker.

    Raises:
        UserError: A marker is missing.
    """
    head, begin, rest = path.read_text().partition(mark)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path.relative_to(ROOT)} has lost its markers", cure=f"Put back {mark} and {END}")
    return f"{head}{mark}\n\n{new}\n\n{END}{tail}"


def main() -> None:
    """Write both pages, or with --check only say whether they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m ci.chart_facts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is not up to date")
    arguments = parser.parse_args()
    things = rendered()
    for path, new in ((RBAC, page(RBAC, rbac_page(things))), (FIGURES, page(FIGURES, figures_page(things)))):
        if arguments.check and new != path.read_text():
            raise UserError(f"{path.relative_to(ROOT)} differs from the chart", cure="Run: python -m ci.chart_facts")
        path.write_text(new)


def _objects(text: str) -> list[Object]:
    return [thing for thing in yaml.load_all(text, yaml.CSafeLoader) if thing]


def _is_hook(thing: Object) -> bool:
    return thing["metadata"].get("annotations", {}).get("helm.sh/hook", "test") != "test"


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _helm(*words: str) -> str:
    return subprocess.run([tool("helm"), *words], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    with exit_with_words():
        main()
