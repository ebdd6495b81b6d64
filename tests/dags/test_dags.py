"""What holds for every DAG of dags/, whoever's it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from ci.paths import ROOT
from cronlift.job.plain import read_plain, says_plain
from cronlift.job.sources import Sources
from cronlift.job.template import Images, render
from tests.dags.conftest import IMAGES, LIVE_TESTS_PREFIX, TEAMS, Parsed

Parse = Callable[[Path, str], Parsed]

MANIFESTS = sorted(
    path for path in (ROOT / "dags").glob("*/jobs/**/*.yaml") if not path.name.startswith(LIVE_TESTS_PREFIX)
)
DEMO = {
    "demo__import_rates": ("15 5 * * *", "legacy"),
    "demo__rotate_weblogs": ("27 3 * * *", "legacy"),
    "demo__fill_link_aggregates": ("0 0 * * *", "legacy"),
    "demo__convert_invoices": ("30 6 1 * *", "invoices"),
}
"""DAG id -> schedule of the old line, image."""

BAD_DAG = """
from airflow.sdk import DAG
from cronlift import KubernetesJobOperator
with DAG("{dag_id}", schedule=None, catchup=False):
    KubernetesJobOperator(task_id="x", manifest="{manifest}")
"""


def rendered(path: Path) -> Any:
    context = {
        "ds": "2026-01-31", "ts": "2026-01-31T00:00:00+00:00", "run_id": "manual__1", "params": {},
        "logical_date": datetime(2026, 1, 31, tzinfo=UTC),
    }  # fmt: skip
    text = path.read_text()
    if says_plain(text):
        return next(each.content for each in read_plain(path.name, text, Images(IMAGES)) if each.kind == "Job")
    return yaml.safe_load(str(render(Sources(path.name, {path.name: text}), context, Images(IMAGES))))


def is_imported(dag: Any) -> bool:
    """Tell a DAG of a crontab's line: those of one file are together."""
    return "Written by `cronlift import`" in Path(dag.fileloc).read_text()


@pytest.fixture(params=sorted(TEAMS))
def team(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def dags(parse: Parse, team: str) -> dict[str, Any]:
    found = parse(ROOT / TEAMS[team]["path"], team)
    assert found.import_errors == {}
    return found.dags


def test_dag_ids_begin_with_the_team(dags: dict[str, Any], team: str) -> None:
    assert [dag_id for dag_id in dags if not dag_id.startswith(f"{team}__")] == []


def test_dag_id_is_the_name_of_its_file(dags: dict[str, Any], team: str) -> None:
    own = {dag_id: dag for dag_id, dag in dags.items() if not is_imported(dag)}
    assert {dag_id: Path(dag.fileloc).stem for dag_id, dag in own.items()} == {
        dag_id: dag_id.removeprefix(f"{team}__") for dag_id in own
    }


def test_every_dag_has_owner_and_tags_and_does_not_catch_up(dags: dict[str, Any]) -> None:
    assert [dag_id for dag_id, dag in dags.items() if dag.owner in {"", "airflow"}] == []
    assert [dag_id for dag_id, dag in dags.items() if not dag.tags] == []
    assert [dag_id for dag_id, dag in dags.items() if dag.catchup] == []


def test_every_file_says_catchup_and_timezone_itself(team: str) -> None:
    for path in (ROOT / TEAMS[team]["path"]).glob("*.py"):
        if not path.name.startswith(LIVE_TESTS_PREFIX):
            source = path.read_text()
            assert "catchup=False" in source, path
            assert "timezone=" in source or "schedule=None" in source, path


def test_no_folder_of_dags_belongs_to_no_team() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "dags").glob("*/*.py")}
    assert folders - {team["path"] for team in TEAMS.values()} == set()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.relative_to(ROOT / "dags").as_posix())
def test_manifest_is_a_job_that_a_restricted_namespace_admits(path: Path) -> None:
    job = rendered(path)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert "namespace" not in job.get("metadata", {})
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert "serviceAccountName" not in pod
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [volume for volume in pod.get("volumes", []) if "hostPath" in volume] == []
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
        _, colon, tag = container["image"].rpartition(":")
        assert colon
        assert tag != "latest"


def test_demo_team_has_the_four_jobs_at_their_old_times(parse: Parse) -> None:
    dags = parse(ROOT / "dags/demo", "demo").dags
    assert set(dags) >= set(DEMO)
    for dag_id, (cron, image) in DEMO.items():
        timetable = dags[dag_id].timetable
        assert timetable.expression == cron
        assert ZoneInfo(str(timetable.timezone)) == ZoneInfo("Europe/Paris")
        source = (ROOT / f"dags/demo/jobs/{dag_id.removeprefix('demo__')}.yaml").read_text()
        assert f"{{{{ images.{image} }}}}" in source


def test_demo_files_are_five_lines_beside_docs_and_imports() -> None:
    for dag_id in DEMO:
        source = (ROOT / f"dags/demo/{dag_id.removeprefix('demo__')}.py").read_text()
        code = source.rpartition('"""\n')[2]
        statements = [line for line in code.splitlines() if line and not line.startswith((" ", ")", "from", "import"))]
        assert len(statements) == 1, dag_id
        assert code.count("KubernetesJobOperator(") == 1, dag_id


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(
            "from airflow.sdk import DAG\nimport no_such_module_here\n", "no_such_module_here", id="missing module"
        ),
        pytest.param(BAD_DAG.format(dag_id="demo__x", manifest="jobs/none.yaml"), "jobs/none.yaml", id="no manifest"),
        pytest.param(BAD_DAG.format(dag_id="demo__x", manifest="jobs/pod.yaml"), "Pod", id="no Job"),
        pytest.param(BAD_DAG.format(dag_id="demo__x", manifest="jobs/image.yaml"), "ruby_4", id="unknown image"),
        pytest.param(BAD_DAG.format(dag_id="other__x", manifest="jobs/good.yaml"), "demo__x", id="another team's id"),
    ],
)
def test_bad_dag_does_not_import_and_says_why(parse: Parse, tmp_path: Path, source: str, words: str) -> None:
    folder = tmp_path / "source"
    (folder / "jobs").mkdir(parents=True)
    (folder / "bad.py").write_text(source)
    good = (ROOT / "dags/demo/jobs/import_rates.yaml").read_text()
    (folder / "jobs/good.yaml").write_text(good)
    (folder / "jobs/pod.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {}\n")
    (folder / "jobs/image.yaml").write_text(good.replace("images.legacy", "images.ruby_4"))
    found = parse(folder, "demo")
    assert found.dags == {}
    assert words in found.import_errors["bad.py"]
