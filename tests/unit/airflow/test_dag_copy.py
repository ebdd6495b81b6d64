"""The copy of the DAG that Airflow 3.3.2 makes for each trigger is freed at once, unless a template looks at it."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.serialization.serialized_objects import DagSerialization

from cronlift.airflow import dag_copy
from cronlift.airflow.trigger import JobTrigger
from tests.unit.airflow.conftest import MANIFEST
from tests.unit.cluster.conftest import until
from tests.unit.cluster.fake_api import FakeApi

BODY = """
with DAG("demo__a", schedule=None):
    for number in range(5):
        KubernetesJobOperator(task_id=f"x_{number}", manifest="jobs/a.yaml")
"""
OTHERS = "{{ dag.task_dict | length }} {{ run_id }}"


@contextmanager
def no_collector() -> Iterator[None]:
    """Leave circles lying about, as they do for minutes in a triggerer."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def started(parse: Any, text: str, trigger_id: int | None = 7) -> tuple[JobTrigger, weakref.ref[Any]]:
    """Make a trigger as the triggerer does; return a weak reference to another task of its DAG as well."""
    from airflow.executors.workloads.task import TaskInstanceDTO

    names = {"task_id": "x_0", "dag_id": "demo__a", "run_id": "manual__1", "try_number": 1, "map_index": -1}
    dto = TaskInstanceDTO.model_construct(id=uuid4(), **names)
    run = {
        "dag_id": "demo__a", "run_id": "manual__1", "logical_date": None, "data_interval_start": None,
        "data_interval_end": None, "run_after": "2026-01-01T00:00:00Z", "start_date": None, "end_date": None,
        "run_type": "manual", "state": "running", "conf": {}, "consumed_asset_events": [], "partition_key": None,
    }  # fmt: skip
    encoded = DagSerialization.to_dict(parse(BODY).dags["demo__a"])
    task_instance = TriggerRunner.create_runtime_ti(dto, encoded, run)
    trigger = JobTrigger(entry="jobs/a.yaml", files={"jobs/a.yaml": text})
    trigger.task_instance, trigger.trigger_id = task_instance, trigger_id
    other = weakref.ref(task_instance.task.dag.task_dict["x_1"])
    trigger.render_template_fields(task_instance.get_template_context())
    return trigger, other


def test_other_tasks_are_freed_before_rendering(parse):
    with no_collector():
        trigger, other = started(parse, MANIFEST)
        assert other() is None
        assert "echo manual__1" in str(trigger._make_objects(trigger._read_identity(), team()).job)


def test_template_that_looks_at_the_dag_finds_it_whole(parse):
    with no_collector():
        trigger, other = started(parse, MANIFEST.replace("{{ run_id }}", OTHERS))
        assert other() is not None
        assert "echo 5 manual__1" in str(trigger._make_objects(trigger._read_identity(), team()).job)


async def test_dag_is_freed_while_the_job_runs(parse, api):
    with no_collector():
        trigger, other = started(parse, MANIFEST.replace("{{ run_id }}", OTHERS))
        run = asyncio.ensure_future(anext(trigger.run()))
        await until(lambda: api.calls["watch jobs"])
        assert other() is None
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


def test_dag_of_dag_test_is_left_alone(parse):
    _, other = started(parse, MANIFEST, trigger_id=None)
    assert other() is not None


@pytest.mark.parametrize(
    ("text", "reaches"),
    [
        ("{{ dag.tasks }}", True),
        ("{{ task.upstream_list }}", True),
        ("{{ ti.get_template_context() }}", True),
        ("{{ ti.task_id }} {{ dag_run.run_id }} {{ task_instance_key_str }} {{ ds }}", False),
    ],
)
def test_names_that_reach_other_tasks_are_known(text, reaches):
    assert dag_copy.reaches_other_tasks([text]) is reaches


@pytest.fixture
async def api():
    from cronlift.cluster import hub as hub_module
    from cronlift.cluster.config import ClusterConfig

    async with FakeApi().serve() as served:
        hub = hub_module.Hub(ClusterConfig(served.url))
        hub_module.use(hub)
        yield served
        await hub.close()


def team() -> Any:
    from cronlift.airflow import settings

    return settings.team_of("demo__a", settings.read_teams())
