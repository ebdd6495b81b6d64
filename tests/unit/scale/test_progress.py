import pytest

from tests.scale import progress
from tests.scale.progress import Movement, follow


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_what_no_longer_moves_is_given_up_with_its_last_state(clock: list[float]) -> None:
    told: list[str] = []
    with pytest.raises(AssertionError, match=r"1,000 Jobs: nothing has moved for 90 s; last: 504 run"):
        follow(lambda: False, lambda: "504 run", "1,000 Jobs", told.append)
    assert clock[0] == pytest.approx(progress.STALLED_SECONDS, abs=2)
    assert set(told) == {"504 run"}


def test_what_moves_may_take_as_long_as_it_likes(clock: list[float]) -> None:
    movement = Movement("slow")
    for number in range(20):
        clock[0] += progress.STALLED_SECONDS - 1
        movement.note(str(number))
    assert clock[0] > 10 * progress.STALLED_SECONDS
