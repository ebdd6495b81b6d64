"""The planned time of a run, and how late it is."""

from datetime import UTC, datetime

import pytest

from images.legacy.cronrun.freshness import planned_time, seconds_late

AT_THREE = datetime(2026, 1, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T03:00:00+00:00", AT_THREE),
        ("2026-01-01T03:00:00Z", AT_THREE),
        ("2026-01-01T03:00:00", AT_THREE),
        ("2026-01-01T04:00:00+01:00", AT_THREE),
        ("scheduled__2026-01-01T03:00:00+00:00", AT_THREE),
        ("scheduled__2026-01-01T03:00:00.250000+00:00_aB3", datetime(2026, 1, 1, 3, 0, 0, 250000, tzinfo=UTC)),
        ("manual__2026-01-01T03:00:00+00:00", None),
        ("asset_triggered__2026-01-01T03:00:00+00:00", None),
        ("by hand", None),
        ("", None),
    ],
)
def test_planned_time_of_a_run(text: str, expected: datetime | None) -> None:
    assert planned_time(text) == expected


def test_lateness_is_never_negative_and_zero_when_not_known() -> None:
    assert seconds_late(AT_THREE, AT_THREE.replace(minute=2)) == 120
    assert seconds_late(AT_THREE, AT_THREE.replace(hour=2)) == 0
    assert seconds_late(None, AT_THREE) == 0
