import json
from pathlib import Path

import pytest

from ci import release
from ci.errors import UserError
from ci.paths import ROOT
from ci.release import is_rolled_out


def deployment(**status: int) -> dict:
    good = {"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 1}
    return {
        "kind": "Deployment",
        "metadata": {"name": "x", "generation": 2},
        "spec": {"replicas": 1},
        "status": {**good, **status},
    }


def test_deployment_with_its_newest_pods_ready_is_rolled_out() -> None:
    assert is_rolled_out(deployment())


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"observedGeneration": 1}, id="not seen by its controller yet"),
        pytest.param({"updatedReplicas": 0}, id="old pods only"),
        pytest.param({"readyReplicas": 0}, id="not ready"),
        pytest.param({"unavailableReplicas": 1}, id="surge pod not ready"),
    ],
)
def test_deployment_on_its_way_is_not_rolled_out(status: dict[str, int]) -> None:
    assert not is_rolled_out(deployment(**status))


@pytest.mark.parametrize(("condition", "expected"), [("Complete", True), ("Failed", False)])
def test_job_is_rolled_out_when_complete(condition: str, expected: bool) -> None:
    job = {"kind": "Job", "metadata": {}, "status": {"conditions": [{"type": condition, "status": "True"}]}}
    assert is_rolled_out(job) is expected


def test_jobs_of_a_cron_job_hold_nothing_up() -> None:
    owner = {"kind": "CronJob", "name": "cronlift-sweep"}
    job = {"kind": "Job", "metadata": {"ownerReferences": [owner]}, "status": {}}
    assert is_rolled_out(job)


@pytest.fixture
def teams_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    schema = tmp_path / "charts/cronlift/values.schema.json"
    schema.parent.mkdir(parents=True)
    schema.write_text(json.dumps(json.loads((ROOT / "charts/cronlift/values.schema.json").read_text())))
    monkeypatch.setattr(release, "ROOT", tmp_path)
    return tmp_path / "teams.yaml"


def test_teams_file_of_the_repo_is_accepted(teams_file: Path) -> None:
    teams_file.write_text((ROOT / "teams.yaml").read_text())
    release.check_teams_file()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("teams:\n  demo: {namespace: x\n", "teams.yaml:3:1", id="broken YAML names its line"),
        pytest.param("teams:\n  demo: {namspace: x, path: y}\n", "teams.demo: ", id="a typo names its place"),
        pytest.param(None, "There is no teams.yaml", id="no file"),
    ],
)
def test_wrong_teams_file_is_refused_with_the_place(teams_file: Path, text: str | None, expected: str) -> None:
    if text is not None:
        teams_file.write_text(text)
    with pytest.raises(UserError, match=r"teams\.yaml") as caught:
        release.check_teams_file()
    assert expected in str(caught.value)
