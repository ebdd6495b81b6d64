"""What a Job asks for."""

from typing import Any

import pytest

from cronlift.job.resources import job_resources


def job(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "x", "resources": each} for each in containers]}
    return {"spec": {**spec, "template": {"spec": pod}}}


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
    found = job_resources(job({"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}, **spec), "requests")
    assert found == {"cpu": 3.0 * pods}
