"""Folders of scripts, and anacrontabs that name them, are read as run-parts and anacron do."""

import pytest

from cronlift.crontab.anacrontab import anacron_jobs
from cronlift.crontab.model import Flavour, LineKind, Source
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.run_parts import read_folders


def script(name: str, mode: int | None = 0o755, content: bytes = b"#!/bin/sh\n") -> Source:
    return Source(f"etc/cron.daily/{name}", content, mode, kind="run-parts")


@pytest.mark.parametrize(
    ("name", "mode", "debian", "cronie"),
    [
        ("logrotate", 0o755, True, True),
        ("0anacron", 0o755, True, True),
        ("Back_up-2", 0o755, True, True),
        ("backup.sh", 0o755, False, True),
        ("backup.dpkg-old", 0o755, False, True),
        ("backup~", 0o755, False, False),
        ("backup,v", 0o755, False, False),
        ("backup.rpmsave", 0o755, False, False),
        ("backup.swp", 0o755, False, False),
        (".placeholder", 0o755, False, False),
        ("backup", 0o644, False, False),
        ("backup", None, True, True),
    ],
)
def test_which_scripts_run(name: str, mode: int | None, debian: bool, cronie: bool) -> None:
    for flavour, runs in ((Flavour.DEBIAN, debian), (Flavour.CRONIE, cronie)):
        (folder,) = read_folders([script(name, mode)], flavour)
        assert (folder.scripts[0].skipped is None) == runs
        assert len(folder.running) == runs


def test_scripts_run_in_the_order_of_the_c_locale() -> None:
    names = ["b", "a", "B", "10x", "_z", "-y"]
    (folder,) = read_folders([script(name) for name in names], Flavour.DEBIAN)
    assert [each.name for each in folder.running] == ["-y", "10x", "B", "_z", "a", "b"]


def test_red_hats_lists_allow_and_deny() -> None:
    sources = [script("a"), script("b"), script("c"), script("jobs.deny", 0o644, b"b\n")]
    (folder,) = read_folders(sources, Flavour.CRONIE)
    assert [each.name for each in folder.running] == ["a", "c"]
    (folder,) = read_folders([*sources, script("jobs.allow", 0o644, b"a\n")], Flavour.CRONIE)
    assert [each.name for each in folder.running] == ["a"]


def test_folders_are_told_apart() -> None:
    other = Source("srv/etc/cron.hourly/x", b"", 0o755, kind="run-parts")
    crontab = Source("etc/crontab", b"", kind="system")
    assert [each.path for each in read_folders([script("a"), other, crontab], Flavour.DEBIAN)] == [
        "/etc/cron.daily",
        "/etc/cron.hourly",
    ]


ANACRONTAB = b"""# /etc/anacrontab
SHELL=/bin/sh
START_HOURS_RANGE=3-22
1\t5\tcron.daily\tnice run-parts /etc/cron.daily
7\t25\tcron.weekly\t\\
  nice run-parts /etc/cron.weekly
@monthly 45 cron.monthly nice run-parts /etc/cron.monthly
1 5 no/slash x

@hourly 1 x y
"""


def test_every_line_of_an_anacrontab_is_read() -> None:
    source = Source("etc/anacrontab", ANACRONTAB, kind="anacrontab")
    tab = parse_crontab(source, Flavour.CRONIE)
    job, bad, blank = LineKind.JOB, LineKind.BAD, LineKind.BLANK
    assert [each.kind for each in tab.lines] == [
        LineKind.COMMENT, LineKind.SETTING, LineKind.SETTING, job, job, blank, job, bad, blank, bad,
    ]  # fmt: skip
    assert "\n".join([*(each.raw for each in tab.lines), ""]).encode() == ANACRONTAB
    assert tab.lines[3].command == "nice run-parts /etc/cron.daily"
    assert tab.lines[3].user == "root"
    assert tab.lines[4].command == "nice run-parts /etc/cron.weekly"
    assert tab.lines[5].warnings == ("Continues line 5.",)
    assert ("SHELL", "/bin/sh") in tab.lines[3].environment
    assert "period in days" in (tab.lines[7].error or "")


def test_anacron_jobs_are_explained_with_a_proposal() -> None:
    jobs = anacron_jobs(Source("etc/anacrontab", ANACRONTAB, kind="anacrontab"), Flavour.CRONIE)
    assert [(each.number, each.days, each.delay_minutes, each.identifier, each.proposal) for each in jobs] == [
        (4, 1, 5, "cron.daily", "6 3 * * *"),
        (5, 7, 25, "cron.weekly", "26 3 * * 0"),
        (7, 30, 45, "cron.monthly", "46 3 1 * *"),
    ]
    assert "`6 3 * * *`" in jobs[0].explain()


def test_proposals_begin_when_the_distribution_starts_anacron() -> None:
    (job,) = anacron_jobs(Source("x", b"1 5 a b\n"), Flavour.DEBIAN)
    assert job.proposal == "35 7 * * *"


@pytest.mark.parametrize(
    ("period", "fields"),
    [("3", "*/3 * *"), ("14", "1,15 * *"), ("31", "1 * *"), ("@yearly", "1 1 *"), ("365", "1 1 *")],
)
def test_proposals_of_longer_periods(period: str, fields: str) -> None:
    (job,) = anacron_jobs(Source("x", f"{period} 0 a b\n".encode()), Flavour.DEBIAN)
    assert job.proposal == f"30 7 {fields}"
