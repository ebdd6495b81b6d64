"""Which faults pass by themselves, and how long to wait for that."""

import pytest

from cronlift import errors
from cronlift.cluster.patience import asked_pause, is_passing, persistently


def answered(code: int, pause: float | None = None) -> errors.ApiError:
    return errors.ApiError("get Job a/b", code, "SomeReason", "some words", pause)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (answered(401), True), (answered(429), True), (answered(500), True), (answered(503), True),
        (answered(400), False), (answered(403), False), (answered(404), False), (answered(422), False),
        (errors.ConnectionLostError("cut"), True), (errors.ClusterConfigError("no cluster"), False),
    ],
    ids=lambda value: str(getattr(value, "code", value))[:12],
)  # fmt: skip
def test_fault_that_passes_is_told_from_one_that_somebody_must_put_right(error, passing):
    assert is_passing(error) is passing


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(answered(429, 7.0), 7.0), (answered(429, 9999.0), 60.0), (answered(429, -1.0), 0.0), (answered(503), 0.0)],
    ids=["asked", "asked too much", "nonsense", "not asked"],
)
def test_pause_is_what_the_server_asks_within_reason(error, seconds):
    assert asked_pause(error) == seconds


async def test_call_is_made_until_it_works(monkeypatch):
    monkeypatch.setattr("cronlift.cluster.patience.RETRY_PAUSE_SECONDS", 0.0)
    answers = [answered(503), errors.ConnectionLostError("cut"), "done"]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await persistently(call, 60.0) == "done"


@pytest.mark.parametrize(
    ("error", "seconds"), [(answered(403), 60.0), (answered(503), -1.0)], ids=["lasting", "out of time"]
)
async def test_call_is_given_up_with_its_last_error(error, seconds):
    async def call() -> None:
        raise error

    with pytest.raises(errors.ApiError) as caught:
        await persistently(call, seconds)
    assert caught.value is error
