"""What a Job asks for: as its Pods will say it, which is more than the Job says."""

from typing import Any

import pytest

from cronlift.job.resources import Side, job_resources

DEFAULTS = {"requests.cpu": "100m", "limits.memory": "1Gi"}


def job(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "x", "resources": each} for each in containers]}
    return {"spec": {**spec, "template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("resources", "defaults", "side", "found"),
    [
        ({"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}, DEFAULTS, "requests", {"cpu": 2.0}),
        ({"limits": {"cpu": "4", "nvidia.com/gpu": 1}}, DEFAULTS, "requests", {"cpu": 4.0, "nvidia.com/gpu": 1.0}),
        ({}, DEFAULTS, "requests", {"cpu": 0.1}),
        ({"requests": {"cpu": "2"}}, DEFAULTS, "limits", {"memory": 2.0**30}),
        ({"limits": {"memory": "2Gi"}}, DEFAULTS, "limits", {"memory": 2.0**31}),
        ({"requests": {"cpu": "<var.value.cpu>"}, "limits": {"cpu": "4"}}, DEFAULTS, "requests", {}),
        ({"requests": ["cpu"]}, {}, "requests", {}),
        ({}, {}, "requests", {}),
    ],
    ids=["request", "limit", "default", "default limit", "own limit", "unknown", "no mapping", "nothing"],
)
def test_a_container_gets_its_request_else_its_limit_else_the_default(
    resources: dict[str, Any], defaults: dict[str, str], side: Side, found: dict[str, float]
) -> None:
    assert job_resources(job(resources), side, defaults) == found


@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        ({}, 1),
        ({"completions": 5}, 1),
        ({"parallelism": 10}, 10),
        ({"parallelism": 0}, 0),
        ({"parallelism": 10, "completions": 2}, 2),
        ({"parallelism": 2, "completions": 10}, 2),
        ({"parallelism": "<var.value.workers>"}, 1),
        ({"parallelism": 10, "completions": "<var.value.shops>"}, 10),
    ],
    ids=str,
)
def test_as_many_pods_count_as_run_at_once(spec: dict[str, Any], pods: int) -> None:
    found = job_resources(job({"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}, **spec), "requests", {})
    assert found == {"cpu": 3.0 * pods}
