"""What the triggerer's supervisor is asked to store, as Airflow's own messages."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import DeleteXCom, ErrorResponse, GetXCom, SetXCom, XComResult

from cronlift.airflow import xcoms
from cronlift.airflow.xcoms import forget_result, is_mapped_over, push_result
from cronlift.errors import ResultError


class Supervisor:
    """Takes messages as the triggerer's supervisor does, and fails when told to."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.faults: list[Exception] = []

    def send(self, message: Any) -> Any:
        self.messages.append(message)
        if self.faults:
            raise self.faults.pop(0)
        return XComResult(key=message.key, value=None) if isinstance(message, GetXCom) else None


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    monkeypatch.setattr(xcoms, "STORE_PAUSE_SECONDS", 0.0)
    return supervisor


def task_instance(**more: Any) -> SimpleNamespace:
    values = {"dag_id": "demo__a", "run_id": "manual__1", "task_id": "x", "map_index": -1, "try_number": 1}
    return SimpleNamespace(**(values | more))


def answer(code: int | None) -> AirflowRuntimeError:
    detail = {"status_code": code, "message": "no"}
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (["a", "b"], 2), ({"a": 1}, 1), ([], 0), ("text", None), (3, None), (True, None), (None, None),
        (list(range(1024)), 1024), (list(range(1025)), None),
    ],
    ids=["list", "object", "empty", "text", "number", "true", "null", "longest", "too long"],
)  # fmt: skip
async def test_result_is_stored_with_the_length_that_mapping_needs(supervisor, value, length):
    """Not TaskSuccessEvent(xcoms=...), which encodes twice and knows no length (fact 3)."""
    await push_result(task_instance(), value)
    assert supervisor.messages == [
        SetXCom(
            key="return_value", value=value, dag_id="demo__a", task_id="x", run_id="manual__1", map_index=-1,
            dag_result=False, mapped_length=length,
        )
    ]  # fmt: skip


async def test_instance_of_a_mapped_task_counts_as_one(supervisor):
    await push_result(task_instance(map_index=3), ["a", "b"], mapped_over=True)
    (message,) = supervisor.messages
    assert (message.map_index, message.mapped_length) == (3, None)


async def test_missing_map_index_is_that_of_a_task_that_is_not_mapped(supervisor):
    await push_result(task_instance(map_index=None), ["a"])
    assert supervisor.messages[0].map_index == -1


@pytest.mark.parametrize(
    ("value", "words"),
    [("text", "is str"), (None, "is NoneType"), (list(range(1025)), "has 1025 items")],
    ids=["text", "null", "too long"],
)
async def test_value_that_cannot_be_mapped_over_fails_the_task_that_made_it(supervisor, value, words):
    with pytest.raises(ResultError, match=words):
        await push_result(task_instance(), value, mapped_over=True)
    assert supervisor.messages == []


@pytest.mark.parametrize(
    ("value", "words"),
    [(float("nan"), "not JSON"), ({"a": object()}, "not JSON"), ({"__classname__": "os.system"}, "reserved key")],
    ids=["NaN", "object", "reserved"],
)
async def test_value_that_airflow_refuses_is_an_error_in_words(supervisor, value, words):
    with pytest.raises(ResultError, match=words):
        await push_result(task_instance(), value)
    assert supervisor.messages == []


async def test_airflow_that_is_away_is_asked_again(supervisor):
    supervisor.faults = [answer(500), answer(None)]
    await push_result(task_instance(), 1)
    assert [type(message) for message in supervisor.messages] == [SetXCom] * 3


@pytest.mark.parametrize(("code", "patience"), [(404, 300.0), (500, -1.0)], ids=["refused", "away for too long"])
async def test_result_that_cannot_be_stored_says_what_to_do(supervisor, monkeypatch, code, patience):
    monkeypatch.setattr(xcoms, "STORE_PATIENCE_SECONDS", patience)
    supervisor.faults = [answer(code), answer(code)]
    with pytest.raises(ResultError, match="mark it successful"):
        await push_result(task_instance(), 1)
    assert len(supervisor.messages) == 1


@pytest.mark.parametrize(("try_number", "asked"), [(1, []), (2, [GetXCom, DeleteXCom])])
async def test_result_of_an_earlier_try_is_removed(supervisor, try_number, asked):
    await forget_result(task_instance(try_number=try_number))
    assert [type(message) for message in supervisor.messages] == asked


async def test_result_of_an_earlier_try_that_stays_is_a_warning(supervisor, caplog):
    supervisor.faults = [answer(500)]
    await forget_result(task_instance(try_number=2))
    assert "may still be there" in caplog.text


@pytest.mark.parametrize(("expand", "mapped"), [("values=a.output", True), ("values=[{'a': 1}]", False)])
def test_task_that_others_expand_over_is_known(parse, expand, mapped):
    bag = parse(f"""
        with DAG("demo__a", schedule=None):
            a = KubernetesJobOperator(task_id="a", manifest="jobs/a.yaml", result_from="log")
            a >> KubernetesJobOperator.partial(task_id="b", manifest="jobs/a.yaml").expand({expand})
    """)
    assert bag.import_errors == {}
    assert is_mapped_over(bag.dags["demo__a"].get_task("a")) is mapped
