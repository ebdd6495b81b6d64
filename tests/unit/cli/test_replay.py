"""`cronlift replay`, as it is typed."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cronlift.cli.main import main

TAB = "*/20 * * * * /opt/poll\n0 3 * * * mysql -u shop -pgeheim shop < /opt/x.sql\n@reboot /opt/start\n"


def log(hours: int = 5) -> str:
    lines = []
    for hour in range(hours):
        lines += [f"Jan 31 {hour:02}:{minute:02}:01 old CRON[1]: (shop) CMD (/opt/poll)" for minute in (0, 20, 40)]
        if hour == 3:
            lines.append("Jan 31 03:00:02 old CRON[2]: (shop) CMD (mysql -u shop -pgeheim shop < /opt/x.sql)")
    return "\n".join(lines) + "\n"


def run(tmp_path: Path, text: str, *more: str) -> Result:
    (tmp_path / "tab").write_text(TAB)
    (tmp_path / "log").write_text(text)
    words = ["replay", str(tmp_path / "tab"), "--log", str(tmp_path / "log"), "--timezone", "Europe/Paris",
             "--user", "shop", "--format", "user", "--written", "2026-02-01"]  # fmt: skip
    return CliRunner().invoke(main, [*words, *more])


def test_equal_history_exits_0(tmp_path: Path) -> None:
    done = run(tmp_path, log())
    assert done.exit_code == 0, done.output
    assert f"✓ {tmp_path}/tab:1  */20 * * * *  15 runs, all as computed" in done.stdout
    assert "starts with the host; 0 starts seen" in done.stdout
    assert "3 lines, 0 differ, 0 commands in no line, 0 gaps" in done.stderr


def test_differences_exit_1_and_name_times_in_the_hosts_zone(tmp_path: Path) -> None:
    done = run(tmp_path, log().replace("Jan 31 02:20:01 old CRON[1]: (shop) CMD (/opt/poll)\n", ""))
    assert done.exit_code == 1
    assert "missing: 2026-01-31 02:20:00+0100" in done.stdout


def test_passwords_are_masked(tmp_path: Path) -> None:
    text = log() + "Jan 31 04:50:00 old CRON[1]: (shop) CMD (mysql -pgeheim other)\n"
    for more in ((), ("--json",)):
        done = run(tmp_path, text, *more)
        assert done.exit_code == 1
        assert "geheim" not in done.output
        assert "***" in done.stdout


def test_json_has_a_stable_form(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, log(), "--json").stdout)
    assert found["equal"] is True
    assert found["lines"][0] == {
        "where": f"{tmp_path}/tab:1",
        "user": "shop",
        "schedule": "*/20 * * * *",
        "command": "/opt/poll",
        "outcome": "equal",
        "words": "15 runs, all as computed",
        "expected": 15,
        "seen": 15,
        "missing": [],
        "extra": [],
        "in_gaps": 0,
        "shared_with": [],
    }


def test_gzipped_log_is_read(tmp_path: Path) -> None:
    run(tmp_path, "")
    (tmp_path / "log").write_bytes(gzip.compress(log().encode()))
    words = ["replay", str(tmp_path / "tab"), "--log", str(tmp_path / "log"), "--timezone", "Europe/Paris"]
    done = CliRunner().invoke(main, [*words, "--format", "user", "--written", "2026-02-01"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("text", "more", "code", "words"),
    [
        ("nothing here\n", (), 1, "No start of a job is in"),
        (log(), ("--timezone", "Paris"), 1, "Paris"),
        (log(), ("--written", "soon"), 1, ""),
    ],
    ids=["no CMD line", "unknown zone", "no time"],
)
def test_bad_input_is_said(tmp_path: Path, text: str, more: tuple[str, ...], code: int, words: str) -> None:
    done = run(tmp_path, text, *more)
    assert done.exit_code == (2 if "--written" in more else code)
    assert words in done.stderr


def test_inventory_brings_its_own_history_and_zone(tmp_path: Path) -> None:
    top = tmp_path / "inventory"
    for name, text in {
        "meta": "format=1\nhost=old\nflavour=debian\n",
        "files.tsv": "",
        "facts/timezone": "Europe/Paris\n",
        "facts/passwd": "shop:x:1000:1000::/home/shop:/bin/sh\n",
        "facts/history.log": log(),
        "root/var/spool/cron/crontabs/shop": TAB,
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    with tarfile.open(tmp_path / "inventory.tar.gz", "w:gz") as archive:
        archive.add(top, "inventory")
    done = CliRunner().invoke(main, ["replay", str(tmp_path / "inventory.tar.gz"), "--written", "2026-02-01"])
    assert done.exit_code == 0, done.output
    assert "15 runs, all as computed" in done.stdout


def test_zone_that_nobody_says_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "tab").write_text(TAB)
    (tmp_path / "log").write_text(log())
    done = CliRunner().invoke(main, ["replay", str(tmp_path / "tab"), "--log", str(tmp_path / "log")])
    assert done.exit_code == 2
    assert "Add --timezone" in done.stderr
