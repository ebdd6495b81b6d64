"""Fail when a version is written in two places that disagree; versions.env is the only list.

Each rule knows one other place where a pin must be repeated, because the program that reads it cannot read
versions.env: go.mod files, the lock, the chart, Dockerfiles, workflows.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from ci import paths
from ci.pins import parse
from ci.repo_files import matching, repo_files
from ci.tools import RECIPES

INDEX = "https://pypi.org/simple"
USES = re.compile(r"^\s*(?:-\s*)?uses:\s*(\S+)(.*)$")
LATEST = re.compile(r"[\w./-]+:latest\b")
LATEST_MAY_BE_NAMED = (
    "*.md",
    "tests/*",
    "ci/pin_check.py",
    "*.lock",
    "charts/*/values.schema.json",
    "plugins/src/cronlift/policy/*",
)
"""Where the word is only spoken of, not run."""


def main() -> None:
    """Print every disagreement and exit 1 when there is one."""
    faults = drifts(paths.ROOT)
    for fault in faults:
        print(fault)
    if faults:
        print("Correct the file, or versions.env if that is the wrong one (then: make pins).")
        sys.exit(1)


def drifts(root: Path) -> list[str]:
    """Return every place that disagrees with versions.env, as `file: what it says, what it should say`."""
    files = repo_files(root)
    pins = parse((root / "versions.env").read_text())
    rules = (python_drifts, go_drifts, chart_drifts, dockerfile_drifts)
    faults = [fault for rule in rules for fault in rule(root, pins)]
    return [*faults, *workflow_drifts(root, files), *latest_tags(root, files)]


def python_drifts(root: Path, pins: dict[str, str]) -> list[str]:
    """Compare Airflow in the package's requirements and in the lock, and the lock's sources."""
    faults = []
    wanted = pins["AIRFLOW_VERSION"]
    project = _toml(root / "plugins/pyproject.toml")
    for requirement in project.get("project", {}).get("dependencies", []):
        name, _, version = requirement.partition("==")
        if name == "apache-airflow-core" and version != wanted:
            faults.append(f"plugins/pyproject.toml: {requirement}, versions.env has AIRFLOW_VERSION={wanted}")
    for package in _toml(root / "uv.lock").get("package", []):
        if package["name"] == "apache-airflow-core" and package["version"] != wanted:
            faults.append(f"uv.lock: Airflow {package['version']}, versions.env has AIRFLOW_VERSION={wanted}")
        registry = package["source"].get("registry", INDEX)
        if registry != INDEX:
            faults.append(f"uv.lock: {package['name']} comes from {registry}, everybody must be able to use {INDEX}")
    return faults


def go_drifts(root: Path, pins: dict[str, str]) -> list[str]:
    """Compare each tool's go.mod: its own module's version, and the Go that it asks for."""
    faults = []
    for path in sorted((root / "ci/tools").glob("*/go.mod")):
        name, text = path.relative_to(root), path.read_text()
        go = re.search(r"^go (\S+)$", text, re.MULTILINE)
        if go and _numbers(go[1]) > _numbers(pins["GO_VERSION"]):
            faults.append(f"{name}: go {go[1]} is newer than versions.env's GO_VERSION={pins['GO_VERSION']}")
        recipe = RECIPES.get(path.parent.name)
        if recipe and recipe.pin:
            found = re.search(rf"^(?:require\s+|\s+){re.escape(recipe.module)} (v\S+)", text, re.MULTILINE)
            version = found[1] if found else "absent"
            if version != pins[recipe.pin]:
                faults.append(f"{name}: {recipe.module} is {version}, versions.env has {recipe.pin}={pins[recipe.pin]}")
    return faults


def chart_drifts(root: Path, pins: dict[str, str]) -> list[str]:
    """Compare the chart's application version and its default images."""
    faults = []
    version = str(_yaml(root / "charts/cronlift/Chart.yaml").get("appVersion", pins["AIRFLOW_VERSION"]))
    if version != pins["AIRFLOW_VERSION"]:
        found = f"charts/cronlift/Chart.yaml: appVersion {version}"
        faults.append(f"{found}, versions.env has AIRFLOW_VERSION={pins['AIRFLOW_VERSION']}")
    images = _yaml(root / "charts/cronlift/values.yaml").get("images", {})
    for key, prefix in (("postgres", "POSTGRES"), ("gitSync", "GIT_SYNC")):
        image = images.get(key)
        if image is None:
            continue
        found = f"{image.get('repository')}:{image.get('tag')}"
        where = f"charts/cronlift/values.yaml: images.{key}"
        if found != pins[f"{prefix}_IMAGE"]:
            faults.append(f"{where} is {found}, versions.env has {prefix}_IMAGE={pins[f'{prefix}_IMAGE']}")
        if image.get("digest", "") != pins[f"{prefix}_DIGEST"]:
            wanted = f"{prefix}_DIGEST={pins[f'{prefix}_DIGEST']}"
            faults.append(f"{where}.digest is {image.get('digest')!r}, versions.env has {wanted}")
    return faults


def dockerfile_drifts(root: Path, pins: dict[str, str]) -> list[str]:
    """Compare the defaults of Dockerfiles' arguments: BASE, and any that has a pin's name."""
    faults = []
    for path in sorted((root / "images").glob("*/Dockerfile")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            argument = re.fullmatch(r"ARG (\w+)=(\S+)\s*", line)
            if argument is None:
                continue
            pin = "DEBIAN_IMAGE" if argument[1] == "BASE" else argument[1]
            if pin in pins and argument[2].partition("@")[0] != pins[pin]:
                where = f"{path.relative_to(root)}:{number}"
                faults.append(f"{where}: {argument[1]}={argument[2]}, versions.env has {pin}={pins[pin]}")
    return faults


def workflow_drifts(root: Path, files: list[str]) -> list[str]:
    """Refuse an action that is named by a movable tag, or by two commits in two places."""
    faults, commits = [], {}
    for name in matching(files, ".github/workflows/*.yaml", ".github/workflows/*.yml"):
        for number, line in enumerate((root / name).read_text().splitlines(), start=1):
            uses = USES.match(line)
            if uses is None or uses[1].startswith("./"):
                continue
            action, _, commit = uses[1].partition("@")
            where = f"{name}:{number}"
            if not re.fullmatch(r"[0-9a-f]{40}", commit) or not re.match(r"\s+# v\d", uses[2]):
                faults.append(f"{where}: {uses[1]} must be action@<40 hex digits> # v<version>")
            elif commits.setdefault(action, commit) != commit:
                faults.append(f"{where}: {action} is pinned to another commit elsewhere ({commits[action]})")
    return faults


def latest_tags(root: Path, files: list[str]) -> list[str]:
    """Refuse image references with the tag `latest`: what runs would change without a commit."""
    spoken = set(matching(files, *LATEST_MAY_BE_NAMED))
    faults = []
    for name in files:
        if name in spoken:
            continue
        for number, line in enumerate(_text(root / name).splitlines(), start=1):
            if found := LATEST.search(line):
                faults.append(f"{name}:{number}: {found[0]}: name a version or a digest")
    return faults


def _text(path: Path) -> str:
    content = path.read_bytes()
    return "" if b"\0" in content[:4096] else content.decode(errors="replace")


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text()) if path.exists() else {}


def _yaml(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())) if path.exists() else {}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


if __name__ == "__main__":
    main()
