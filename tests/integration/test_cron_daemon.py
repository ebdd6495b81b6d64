"""The model of the daemons' schedules, judged by the real daemons under a clock that runs through years in seconds."""

import os
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.model import Flavour
from cronlift.crontab.zones import MINUTES_PER_DAY, changes, to_minute
from cronlift.errors import ScheduleError
from tests.integration.cron_daemon.daemons import Daemon, Outcome, cronie, debian_cron, fake_clock, run_daemon

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the daemons run in a changed root: sudo make test")

LONG = bool(os.environ.get("LONG"))
ZONES = ("UTC", "Europe/Paris", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata")
FIRST_YEAR, LAST_YEAR = (2026, 2035) if LONG else (2026, 2026)
RANDOM_EXPRESSIONS = 300 if LONG else 60
RANDOM_WORDS = 4000 if LONG else 800

CHOSEN = (
    "* 1,2 * * *", "*/15 * * * *", "*/45 * * * *", "*/90 * * * *", "7 * * * *", "0-59 2 * * *", "30 2 * * *",
    "0,30 2 * * *", "*/30 2 * * *", "0 2 * * *", "59 1 * * *", "0 3 * * *", "30 1 * * *", "15 */2 * * *",
    "0 0-23 * * *", "10 0-4 * * *", "0,15,30,45 0,1,2,3 * * *", "5-55/10 1-3 * * *", "0 0 * * *", "30 0 * * *",
    "0 1 * * 0", "30 2 * * 0", "*/20 1,2 * * sun", "0 * * * 1", "0 * * * 7", "*/10 * 1 * *", "0 22-2 * * *",
    "50-10 * * * *", "0 0 * * fri-sun", "0 0 1 * fri-sun", "0 12 1-7 * */7", "0 0 */2 * 1", "0 0 1,15 * 1",
    "0 0 1-7 * mon", "0 6 31 * *", "0 6 29 2 *", "0 0 31 2 *", "0 0 31 2 1", "0 5 * feb,dec *", "0 5 * * mon-fri",
    "0 5 * * 1-7/2", "0 5 * * 0-7", "30 4 1-31 * 3", "@hourly", "@daily", "@midnight", "@weekly", "@monthly",
    "@yearly", "@annually",
)  # fmt: skip

ODD_WORDS = (
    "5", "60", "*/0", "*/7", "5/15", "5-10/2", "10-5", "60-70", "5-70/100", "1,2,3", "1,,2", "1,", ",1", "*-5", "*5",
    "*,5", "5#3", "L", "5L", "15W", "?", "*?", "1-5-7", "1-5/2/3", "*/5-10", "*/2x", "1x", "x1", "1-", "+5",
    "5~9", "9~5", "~", "5~", "~5", "0~59", "4294967301", "007", "*/99999999999", "1-5,*/30", "**", "*/", "1/", "jan",
    "sun", "SUN", "mon-fri", "fri-mon", "sun-sat", "sat-sun", "monday", "H", "1.5", "5;6", "7-7", "3-3/2", "0-0",
)  # fmt: skip


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="session", params=[debian_cron, cronie], ids=["debian", "cronie"])
def daemon(request: pytest.FixtureRequest) -> Daemon:
    make: Callable[[], Daemon] = request.param
    return make()


def random_field(draw: random.Random, low: int, high: int) -> str:
    def part() -> str:
        first, last = sorted((draw.randint(low, high), draw.randint(low, high)))
        return draw.choice([str(first), f"{first}-{last}", f"{first}-{last}/{draw.randint(1, 9)}"])

    if draw.random() < 0.35:
        return draw.choice(["*", f"*/{draw.randint(2, 20)}"])
    return ",".join(part() for _ in range(draw.choice([1, 1, 2])))


def random_expressions(count: int) -> list[str]:
    """Return expressions that are mostly near the hours when clocks change, so that the days have few starts."""
    draw = random.Random("cron")
    return [
        f"{draw.choice([random_field(draw, 0, 59), *(str(draw.randint(0, 59)) for _ in range(2))])}"
        f" {random_field(draw, 0, 4)}"
        f" {random_field(draw, 1, 31)} {random_field(draw, 1, 12)} {random_field(draw, 0, 7)}"
        for _ in range(count)
    ]


def stretches_of(zone: ZoneInfo) -> list[tuple[int, int]]:
    """Return the hours around each change of the clock and the turns of some months."""
    hour, day = 60, MINUTES_PER_DAY
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (FIRST_YEAR, LAST_YEAR + 1))
    parts = [(change - 4 * hour, change + 8 * hour) for change in changes(zone, begin, end)]
    noons = range(begin + 30 * day + 12 * hour, end - day, 61 * day) if LONG else [begin + 30 * day + 12 * hour]
    parts += [(noon, noon + day) for noon in noons]
    return far_apart(sorted(parts))


def far_apart(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what begins so soon after another that the daemon would catch up the time in between."""
    found = parts[:1]
    found += [part for before, part in pairwise(parts) if part[0] > before[1] + 240]
    return found


def expected(
    text: str, zone: ZoneInfo, flavour: Flavour, stretches: Sequence[tuple[int, int]], tz: str = ""
) -> list[int]:
    schedule = parse_schedule(text, flavour)
    cron_zone = ZoneInfo(tz) if tz else None
    return [
        minute
        for index, (first, last) in enumerate(stretches)
        for minute in fire_minutes(schedule, zone, first + (index == 0), last + 1, flavour, cron_zone)
    ]


def differences(outcome: Outcome, wanted: dict[str, list[int]], texts: dict[str, str]) -> list[str]:
    found = []
    for name, minutes in wanted.items():
        real = outcome.fires.get(name, [])
        if real != minutes:
            extra = sorted(set(real) - set(minutes))[:3], sorted(set(minutes) - set(real))[:3]
            found.append(f"{texts[name]}: {len(real)} starts, {len(minutes)} expected; only real, only ours: {extra}")
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_model_fires_when_the_real_daemon_does(daemon: Daemon, clock: Path, tmp_path: Path, zone: str) -> None:
    expressions = [*CHOSEN, *random_expressions(RANDOM_EXPRESSIONS)]
    assert len(expressions) >= 100
    texts = {f"j{index}": text for index, text in enumerate(expressions)}
    tab = "".join(f"{text} root {name}\n" for name, text in texts.items())
    stretches = stretches_of(ZoneInfo(zone))
    outcome = run_daemon(daemon, clock, tmp_path / "root", zone, {"all": tab}, stretches)
    wanted = {name: expected(text, ZoneInfo(zone), daemon.flavour, stretches) for name, text in texts.items()}
    assert sum(map(len, wanted.values())) > 1000
    assert differences(outcome, wanted, texts) == []


@pytest.mark.parametrize(
    ("zone", "tz"),
    [
        ("Europe/Paris", "America/New_York"),
        ("America/Havana", "Europe/Paris"),
        ("Australia/Lord_Howe", "Australia/Lord_Howe"),
        ("UTC", "Europe/Paris"),
    ],
)
def test_model_knows_cronies_other_time_zone(clock: Path, tmp_path: Path, zone: str, tz: str) -> None:
    texts = {f"j{index}": text for index, text in enumerate([*CHOSEN, *random_expressions(RANDOM_EXPRESSIONS)])}
    tab = f"CRON_TZ={tz}\n" + "".join(f"{text} root {name}\n" for name, text in texts.items())
    stretches = far_apart(sorted({*stretches_of(ZoneInfo(zone)), *stretches_of(ZoneInfo(tz))}))
    root = tmp_path / "root"
    (root / "usr/share").mkdir(parents=True)
    shutil.copytree("/usr/share/zoneinfo", root / "usr/share/zoneinfo", ignore=shutil.ignore_patterns("right", "posix"))
    outcome = run_daemon(cronie(), clock, root, zone, {"all": tab}, stretches)
    wanted = {name: expected(text, ZoneInfo(zone), Flavour.CRONIE, stretches, tz) for name, text in texts.items()}
    assert differences(outcome, wanted, texts) == []


def odd_expressions() -> list[str]:
    draw = random.Random("odd")
    words = [*ODD_WORDS]
    while len(words) < RANDOM_WORDS // 5:
        word = "".join(draw.choice("0123456789**,,--//~#L?a") for _ in range(draw.randint(1, 6)))
        # At the start of a line this is a comment to both, and `-` is an option of cronie's.
        if word[0] not in "#-":
            words.append(word)
    found = []
    for index, word in enumerate(words):
        for place in range(5) if index < len(ODD_WORDS) else [draw.randrange(5)]:
            fields = ["0", "0", "*", "*", "*"]
            fields[place] = word
            found.append(" ".join(fields))
    return found


def telling_minutes() -> list[tuple[int, int]]:
    """Return minutes that tell the fields apart: every hour, midnights of all dates and months, every minute of one.

    The clock jumps by more than three hours in between, after which a daemon catches nothing up.
    """
    midnights = [to_minute(datetime(2026, 1, day, tzinfo=UTC)) for day in range(2, 32)]
    midnights += [to_minute(datetime(2026, month, day, tzinfo=UTC)) for month in range(3, 13) for day in (1, 2)]
    found = [(midnight - 1, midnight + 1) for midnight in midnights]
    for hour in range(1, 24):
        late = to_minute(datetime(2027, 1, hour, hour, tzinfo=UTC))
        found.append((late - 1, late + 1))
    whole_hour = to_minute(datetime(2027, 2, 1, tzinfo=UTC))
    return [*sorted(found), (whole_hour - 1, whole_hour + 60)]


def test_parser_accepts_and_reads_what_the_real_daemon_does(daemon: Daemon, clock: Path, tmp_path: Path) -> None:
    """Each in a file of its own, for Debian's daemon ignores a file with one bad line."""
    texts = {f"j{index}": text for index, text in enumerate(odd_expressions())}
    tabs = {name: f"{text} root {name}\n" for name, text in texts.items()}
    stretches = telling_minutes()
    outcome = run_daemon(daemon, clock, tmp_path / "root", "UTC", tabs, stretches)
    wanted, refused, judged = {}, set(), dict(texts)
    for name, text in texts.items():
        try:
            fires = expected(text, ZoneInfo("UTC"), daemon.flavour, stretches)
        except ScheduleError as error:
            if "~" in text and "out of bounds" in str(error):
                # Cronie looks only at the number that it draws: whether it takes this is left to chance.
                del judged[name]
            else:
                refused.add(name)
        else:
            # What cronie draws at random is another number each time.
            if "~" not in text:
                wanted[name] = fires
    assert differences(outcome, wanted, texts) == []
    complaints = " ".join(line for line in outcome.log.splitlines() if " ERROR (" in line or "bad " in line)
    rejected = {name for name in judged if f"{name})" in complaints}
    assert {texts[name] for name in rejected ^ refused} == set()
