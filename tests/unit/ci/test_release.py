import pytest

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
