"""The model against cronsim, which others wrote to follow Debian's cron.

Left out is what cronsim does otherwise on purpose or by its nature: ranges that count backwards, nicknames, `5/15` (for
which it also takes `5-5/15`), `L` and `#` (its extensions), starts of one minute merged, and jobs with `*` where a
clock changes at midnight or by half an hour (it steps by hours from an imaginary time there; the real daemons judge
those in tests/integration).
"""

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError

from cronlift.crontab.expression import MONTH_NAMES, WEEKDAY_NAMES, Schedule, parse_schedule
from cronlift.crontab.fires import fire_times
from cronlift.crontab.model import Flavour
from cronlift.crontab.zones import changes, from_minute, to_minute

COUNT = 10_000 if os.environ.get("LONG") else 1000
PARTS = 10
PLAIN_ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata")
FIXED_ZONES = (*PLAIN_ZONES, "America/Havana", "Australia/Lord_Howe")
MOST_STARTS = 60


def a_part(draw: random.Random, low: int, high: int, names: tuple[str, ...]) -> str:
    first, last = sorted((draw.randint(low, high), draw.randint(low, high)))
    if names and draw.random() < 0.2:
        return names[draw.randrange(7 if high == 7 else 12)]
    step = f"/{draw.randint(1, 9)}" if first < last else ""
    return draw.choice([str(first), str(first), f"{first}-{last}", f"{first}-{last}{step}"])


def a_field(draw: random.Random, low: int, high: int, names: tuple[str, ...] = ()) -> str:
    if draw.random() < 0.4:
        return draw.choice(["*", "*", f"*/{draw.randint(1, 12)}"])
    return ",".join(a_part(draw, low, high, names) for _ in range(draw.choice([1, 1, 1, 2, 3])))


def an_expression(draw: random.Random) -> str:
    hour = a_field(draw, 0, 23) if draw.random() < 0.5 else a_field(draw, 0, 3)
    days = ["*", "*", "*"] if draw.random() < 0.4 else [a_field(draw, 1, 31), a_field(draw, 1, 12, MONTH_NAMES),
                                                        a_field(draw, 0, 7, WEEKDAY_NAMES)]  # fmt: skip
    return " ".join([a_field(draw, 0, 59), hour, *days])


def spans(draw: random.Random, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Return a year from anywhere, and the days around a change of the clock."""
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2031))
    anywhere = from_minute(draw.randrange(begin, end))
    found = [(anywhere, anywhere + timedelta(days=366))]
    for change in draw.sample(sorted(changes(zone, begin, end)), 2) if changes(zone, begin, end) else []:
        at = from_minute(change - 5 * 60)
        found.append((at, at + timedelta(hours=12)))
    return found


def by_cronsim(text: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    times = (each.astimezone(UTC) for each in CronSim(text, after.astimezone(zone)))
    for each in takewhile(lambda at: at <= until, times):
        if not found or each != found[-1]:
            found.append(each)
        if len(found) == MOST_STARTS:
            break
    return found


def by_model(schedule: Schedule, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    for each in fire_times(schedule, zone, after, until, Flavour.DEBIAN):
        if not found or each != found[-1]:
            found.append(each)
        if len(found) == MOST_STARTS:
            break
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_model_agrees_with_cronsim(part: int) -> None:
    draw = random.Random(part)
    compared = 0
    different = []
    for _ in range(COUNT // PARTS):
        text = an_expression(draw)
        schedule = parse_schedule(text, Flavour.DEBIAN)
        zone = ZoneInfo(draw.choice(PLAIN_ZONES if schedule.wild else FIXED_ZONES))
        for after, until in spans(draw, zone):
            try:
                theirs = by_cronsim(text, zone, after, until)
            except CronSimError:
                assert schedule.never_fires, text
                theirs = []
            ours = by_model(schedule, zone, after, until)
            compared += len(ours)
            if ours != theirs:
                different.append((text, zone.key, after.isoformat()))
    assert different == []
    assert compared > COUNT / PARTS * 10
