"""The examples of the Job operator: each DAG parses, and each manifest renders into objects that Kubernetes takes."""

import ast
import inspect
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from ci.paths import ROOT
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity, job_name
from cronlift.job.objects import Objects
from cronlift.job.parse import parse as parse_manifest
from cronlift.job.sources import collect
from cronlift.job.template import Images, render
from tests.dags.conftest import IMAGES, Parsed

Parse = Callable[[Path, str], Parsed]

FOLDER = ROOT / "examples/operator"
DAG_FILES = sorted(path.name for path in FOLDER.glob("*.py"))
NO_ARGUMENTS = {"self", "more", "kwargs"}
MINOR = kubernetes_validate.latest_version().rpartition(".")[0]


class Connection:
    """Stands for any connection."""

    login, password = "somebody", "something"


CONTEXT: dict[str, Any] = {
    "ds": "2026-01-31",
    "ds_nodash": "20260131",
    "data_interval_start": datetime(2026, 1, 1, tzinfo=UTC),
    "conn": {"demo__price_feed": Connection()},
}
# What the tasks before it give, where a task's values are theirs.
RESULTS: dict[str, dict[str, Any]] = {
    "report": {"shop": "blog"},
    "join": {"reports": [{"shop": "blog", "lines": 3}], "title": "Traffic"},
}


@pytest.fixture
def tasks(parse: Parse) -> dict[str, Any]:
    found = parse(FOLDER, "demo")
    assert found.import_errors == {}
    return {task.task_id: task for dag in found.dags.values() for task in dag.tasks}


def objects_of(task: Any) -> Objects:
    given = getattr(task, "partial_kwargs", None) or vars(task)
    identity = TaskIdentity("cronlift/cronlift", "demo__example", "manual__1", task.task_id, -1, 1)
    sources = collect(given["manifest"], [FOLDER])
    values = RESULTS.get(task.task_id.rpartition(".")[2]) or given["values"] or {}
    text = render(sources, {**CONTEXT, **values, "job_name": job_name(identity)}, Images(IMAGES))
    places = Places(sources.entry, has_lines=False)
    return build_objects(parse_manifest(text, places), identity, Defaults("team-demo", "job"), "hash", places)


def test_every_example_parses(parse: Parse) -> None:
    found = parse(FOLDER, "demo")
    assert found.import_errors == {}
    assert sorted(f"{dag_id.removeprefix('demo__')}.py" for dag_id in found.dags) == DAG_FILES


def test_every_manifest_becomes_objects_that_kubernetes_takes(tasks: dict[str, Any]) -> None:
    assert len(tasks) == 12
    for task in tasks.values():
        found = objects_of(task)
        for each in (found.job, *found.companions):
            kubernetes_validate.validate(json.loads(json.dumps(each)), MINOR, strict=True)


def test_every_job_is_one_that_a_restricted_namespace_admits(tasks: dict[str, Any]) -> None:
    for task in tasks.values():
        pod = objects_of(task).job["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, task.task_id
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, task.task_id
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, task.task_id
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, task.task_id
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}, task.task_id


def test_examples_use_every_argument_of_the_operator() -> None:
    from cronlift import KubernetesJobOperator

    used = {
        keyword.arg
        for name in DAG_FILES
        for node in ast.walk(ast.parse((FOLDER / name).read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    }
    arguments = set(inspect.signature(KubernetesJobOperator.__init__).parameters) - NO_ARGUMENTS
    # Another cluster would have to exist, or the DAG would be refused; what is not templated is shown by an import.
    assert arguments - used == {"cluster", "templated"}


def test_reference_lists_every_argument() -> None:
    from cronlift import KubernetesJobOperator

    table = (ROOT / "docs/job-operator.md").read_text().partition("\n## Arguments")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(set(inspect.signature(KubernetesJobOperator.__init__).parameters) - NO_ARGUMENTS)


@pytest.mark.parametrize("page", ["docs/job-operator.md", "docs/migration.md", "examples/operator/README.md"])
def test_links_of_the_pages_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", file.read_text()):
        name, _, anchor = target.partition("#")
        found = (file.parent / name).resolve() if name else file
        assert found.exists(), target
        headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {each.lower().replace(" ", "-") for each in headings}, target


def test_readme_names_every_example() -> None:
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in DAG_FILES if f"[{name}]({name})" not in readme] == []


def test_documents_beside_the_job_are_named_after_it_or_kept(tasks: dict[str, Any]) -> None:
    found = objects_of(tasks["fetch"])
    name = found.job["metadata"]["name"]
    kept = {each["kind"]: each["metadata"]["annotations"].get("cronlift.dev/keep") for each in found.companions}
    assert kept == {"ConfigMap": None, "Secret": None, "PersistentVolumeClaim": "true"}
    assert [each["metadata"]["name"] for each in found.companions] == [f"{name}-settings", f"{name}-login", "prices"]


def test_json_with_quotes_survives_the_yaml(tasks: dict[str, Any]) -> None:
    environment = objects_of(tasks["join"]).job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {each["name"]: each["value"] for each in environment}["REPORTS"] == '[{"lines": 3, "shop": "blog"}]'


def test_an_included_script_keeps_its_lines(tasks: dict[str, Any]) -> None:
    container = objects_of(tasks["archive"]).job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == [(FOLDER / "jobs/archive.sh").read_text()]


@pytest.mark.parametrize(
    ("task_id", "starts_in_triggerer"),
    [("fetch", True), ("rating.rate", True), ("list_shops", True), ("join", False), ("notify", True)],
)
def test_a_worker_starts_only_what_needs_one(tasks: dict[str, Any], task_id: str, starts_in_triggerer: bool) -> None:
    assert tasks[task_id].start_from_trigger is starts_in_triggerer


def test_tasks_keep_their_own_limits(tasks: dict[str, Any]) -> None:
    assert tasks["rating.rate"].execution_timeout == timedelta(hours=3)
    assert tasks["clean_up"].is_teardown
    assert tasks["prepare"].is_setup
