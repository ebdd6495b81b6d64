"""Crontabs are read line by line as each daemon reads them, and no line is lost."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.model import Crontab, Flavour, Format, Line, LineKind, Source
from cronlift.crontab.parse import parse_crontab
from cronlift.errors import CrontabError, CrontabFileError

DEBIAN, CRONIE = Flavour.DEBIAN, Flavour.CRONIE
SAMPLES = Path(os.environ.get("SAMPLES") or Path(__file__).parent / "fixtures")


def read(
    text: str | bytes, flavour: Flavour = DEBIAN, path: str = "tab", kind: str = "user", **options: object
) -> Crontab:
    content = text.encode() if isinstance(text, str) else text
    return parse_crontab(Source(path, content, kind=kind), flavour, **options)  # type: ignore[arg-type]


def line(text: str, flavour: Flavour = DEBIAN, **options: object) -> Line:
    """Return the last line of a tab of which all lines have their line feeds."""
    return read(text + "\n", flavour, **options).lines[-1]  # type: ignore[arg-type]


def rejoined(tab: Crontab) -> bytes:
    text = "\n".join(each.raw for each in tab.lines)
    ended = tab.source.content.endswith(b"\n")
    return (text + ("\n" if ended else "")).encode("utf-8", "surrogateescape")


# Assignments


@pytest.mark.parametrize(
    ("text", "flavour", "name", "value"),
    [
        pytest.param("A=b", DEBIAN, "A", "b", id="plain"),
        pytest.param("  A \t=  b c  ", DEBIAN, "A", "b c", id="blanks around the sign and at the ends"),
        pytest.param('A = "b c"', DEBIAN, "A", "b c", id="double quotes"),
        pytest.param("A='b \"c\"'", DEBIAN, "A", 'b "c"', id="single quotes"),
        pytest.param("'A B'=c", CRONIE, "A B", "c", id="quoted name"),
        pytest.param("A=$HOME/x:~", DEBIAN, "A", "$HOME/x:~", id="no expansion"),
        pytest.param("A=b # c", DEBIAN, "A", "b # c", id="no comment after a value"),
        pytest.param('A=""', DEBIAN, "A", "", id="empty in quotes"),
        pytest.param("A=", CRONIE, "A", "", id="cronie takes an empty value"),
        pytest.param("A='\"b\"'", DEBIAN, "A", "b", id="Debian strips a second pair of quotes"),
        pytest.param("A='\"b\"'", CRONIE, "A", '"b"', id="cronie does not"),
        pytest.param('A="b  "', DEBIAN, "A", "b", id="Debian strips blanks inside quotes"),
        pytest.param('A="b  "', CRONIE, "A", "b  ", id="cronie does not strip inside quotes"),
        pytest.param("A=b=c", DEBIAN, "A", "b=c", id="second sign"),
        pytest.param("A=\\n", DEBIAN, "A", "\\n", id="backslashes stay"),
    ],
)
def test_settings_are_literal(text: str, flavour: Flavour, name: str, value: str) -> None:
    found = line(f"{text}\n* * * * * x", flavour)
    assert found.environment == ((name, value),)


def test_jobs_see_only_the_settings_above_them() -> None:
    tab = read("A=1\n* * * * * a\nA=2\nB=3\n* * * * * b\n")
    assert [job.environment for job in tab.jobs] == [(("A", "1"),), (("A", "2"), ("B", "3"))]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("PATH=$HOME/bin:/bin", "expands nothing"),
        ("A=~/x", "expands nothing"),
        ("A=b # c", "comment"),
        ("LOGNAME=joe", "overrides"),
        ("!serial=true,b(0)", "fcron"),
        ("TZ=Europe/Paris", "never moves"),
        ("CRON_TZ=Europe/Paris", "does not know CRON_TZ"),
    ],
)
def test_settings_that_do_not_do_what_they_seem_to_are_told(text: str, word: str) -> None:
    assert word in " ".join(read(f"{text}\n* * * * * x\n").lines[0].warnings)


def test_user_cannot_be_set_with_cronie_alone() -> None:
    assert read("USER=x\n* * * * * x\n", CRONIE).lines[0].warnings
    assert not read("USER=x\n* * * * * x\n", DEBIAN).lines[0].warnings


def test_a_setting_below_the_last_job_has_no_effect() -> None:
    assert "no effect" in read("* * * * * x\nA=1\n").lines[1].warnings[0]


def test_empty_setting_rejects_the_whole_file_on_debian() -> None:
    tab = read("* * * * * a\nA=\n")
    assert tab.lines[1].kind is LineKind.BAD
    assert 'A=""' in (tab.lines[1].error or "")
    assert tab.rejected is not None
    assert "line 2" in tab.rejected
    assert tab.lines[0].kind is LineKind.JOB, "its lines are read all the same"


def test_time_zone_is_cronies_alone() -> None:
    assert line("CRON_TZ=Asia/Tokyo\n0 0 * * * x", CRONIE).timezone == "Asia/Tokyo"
    assert line("CRON_TZ=Asia/Tokyo\n0 0 * * * x", DEBIAN).timezone is None


# Bad lines


def test_prompt_of_a_shell_is_told_to_be_one() -> None:
    assert "prompt of a shell" in (line("pi@raspberry:~ $ crontab -l").error or "")


def test_bad_line_drops_the_file_on_debian_and_the_line_with_cronie() -> None:
    text = "* * * * * a\n99 * * * * b\n* * * * * c\n"
    debian, cronie = read(text), read(text, CRONIE)
    assert [each.kind for each in debian.lines] == [LineKind.JOB, LineKind.BAD, LineKind.JOB]
    assert "line 2" in (debian.rejected or "")
    assert cronie.rejected is None
    assert [each.kind for each in cronie.lines] == [LineKind.JOB, LineKind.BAD, LineKind.JOB]
    assert cronie.lines[1].schedule == "99 * * * *", "what could be read is kept"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("* * * *", "4 words"),
        ("hello", "five time fields"),
        ("export A=b", "`export` is for shells"),
        ('A="b', "quotes"),
        ('A="b" c', "quotes"),
        ("99 * * * * x", "out of bounds"),
        ("@Daily x", "lower case"),
    ],
)
def test_bad_lines_say_why(text: str, word: str) -> None:
    found = line(text)
    assert found.kind is LineKind.BAD
    assert word in (found.error or "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("@every 5m x", "Go's cron library"),
        ("@every_minute x", "FreeBSD"),
        ("@ 5m x", "fcron"),
        ("!mail(false)", "fcron"),
        ("&10 * * * * x", "fcron"),
        ("%daily * 4 x", "fcron"),
        ("0 0 12 * * ? x", "Quartz"),
        ("0 12 ? * MON-FRI x", "Quartz"),
        ("0 0 L * * x", "Quartz"),
        ("0 0 15W * * x", "Quartz"),
        ("0 30 4 * * * x", "6 time fields"),
        ("0 30 4 * * * 2026 x", "time fields"),
        ("H * * * * x", "Jenkins"),
        ("*-*-* 04:00:00 x", "systemd"),
        ("rate(5 minutes) x", "AWS"),
    ],
)
@pytest.mark.parametrize("flavour", [DEBIAN, CRONIE])
def test_dialects_of_other_schedulers_are_named(text: str, word: str, flavour: Flavour) -> None:
    found = line(text, flavour)
    assert found.kind is LineKind.BAD
    assert word in (found.error or "")


@pytest.mark.parametrize("flavour", [DEBIAN, CRONIE])
@pytest.mark.parametrize("text", ["\x0b* * * * * x", "*\x0b * * * x y", "@weekly\x0bx y", "@weeklyx y"])
def test_only_blanks_and_tabs_separate_fields(text: str, flavour: Flavour) -> None:
    assert line(text, flavour).kind is LineKind.BAD


def test_nickname_after_cronies_dash_is_checked() -> None:
    assert line("-@weeklyx y", CRONIE).kind is LineKind.BAD
    assert line("-@weekly y", CRONIE).schedule == "@weekly"


def test_a_sixth_field_that_the_daemon_takes_for_the_command_does_not_spoil_the_file() -> None:
    tab = read("0 0 12 * * ? x\n0 30 4 * * * x\n")
    assert [each.daemon_accepts for each in tab.lines] == [True, False]
    assert "line 2" in (tab.rejected or "")


def test_hash_in_the_weekday_is_read_by_debian_and_rejected_by_cronie() -> None:
    assert line("0 0 * * 5#3 x", DEBIAN).kind is LineKind.JOB
    assert any("stops at '#'" in each for each in line("0 0 * * 5#3 x", DEBIAN).warnings)
    assert "Quartz" in (line("0 0 * * 5#3 x", CRONIE).error or "")


def test_command_is_missing() -> None:
    assert line("* * * * *", CRONIE).error == "the command is missing"
    assert line("* * * * *", DEBIAN).kind is LineKind.JOB, "Debian starts a shell with nothing to do"
    assert line("@daily", CRONIE).error == "the command is missing"


# Comments


def test_a_comment_begins_only_a_line() -> None:
    assert line("* * * * * x # y").command == "x # y"
    assert line("  \t# y").kind is LineKind.COMMENT


def test_comments_directly_above_go_with_the_job() -> None:
    tab = read("# far\n\n# one\n  # two\n* * * * * a\n* * * * * b\n")
    assert [job.comments for job in tab.jobs] == [("# one", "  # two"), ()]


@pytest.mark.parametrize(
    "text",
    [
        "#*/5 * * * * /usr/bin/x",
        "# */5 * * * * x",
        "## 0 3 * * 1-5\t/usr/bin/x",
        "#  0  4 * * * ./x",
        "#@daily /usr/bin/x",
        "#5 4 3 2 1 /usr/bin/x",
        "#30 4 * * mon x%stdin",
    ],
)
def test_jobs_that_were_commented_out_are_told_from_remarks(text: str) -> None:
    found = line(text)
    assert found.kind is LineKind.DISABLED_JOB
    assert found.schedule
    assert found.command


@pytest.mark.parametrize(
    "text",
    [
        "# m h dom mon dow command",
        "# */",
        "# */5",
        "# */5 means every five minutes",
        "# * a list",
        "# * * *",
        "#####",
        "# ----------",
        "#.---------------- minute (0 - 59)",
        "#|\t.------------- hour (0 - 23)",
        "# @daily reports are sent",
        "# @reboot",
        "# 5 users wait for 10 more machines and 3 disks",
        "# 1 2 3 4 5 once caught a fish alive",
        "# 10 MB",
        "# 2024-01-01 moved",
        "#99 * * * * x",
        "#MAILTO=x",
        "#!/bin/sh",
    ],
)
def test_remarks_are_no_jobs(text: str) -> None:
    assert line(text).kind is LineKind.COMMENT


def test_the_example_of_the_template_is_told() -> None:
    found = line("# *  *  *  *  * user-name command to be executed", path="etc/crontab", kind="system")
    assert found.kind is LineKind.DISABLED_JOB
    assert "example" in found.warnings[-1]


def test_disabled_job_keeps_its_user_in_a_system_tab() -> None:
    found = line("#0 5 * * * backup /x", path="etc/crontab", kind="system")
    assert (found.user, found.command) == ("backup", "/x")


# The column with the user


@pytest.mark.parametrize(("flavour", "command"), [(DEBIAN, "  x y"), (CRONIE, "x y")])
def test_system_tabs_have_a_user(flavour: Flavour, command: str) -> None:
    found = line("5 4 * * *\troot \t x y".replace(" \t ", "   "), flavour, path="etc/crontab", kind="system")
    assert (found.user, found.command) == ("root", command)


@pytest.mark.parametrize("flavour", [DEBIAN, CRONIE])
@pytest.mark.parametrize(
    "text", ["0 1 * * * ( x | y )", "0 1 * * * /usr/bin/x y", "0 1 * * * bash -c x", "@daily $X y"]
)
def test_missing_user_column_is_detected(text: str, flavour: Flavour) -> None:
    tab = read(text + "\n", flavour, "etc/cron.d/x", "cron.d")
    assert tab.format is Format.SYSTEM
    assert tab.lines[0].kind is LineKind.BAD
    assert "column with the user is missing" in (tab.lines[0].error or "")
    assert (tab.rejected is not None) == (flavour is DEBIAN)


def test_unknown_user_is_rejected_where_the_users_are_known() -> None:
    users = frozenset({"root", "etl"})
    tab = read("0 1 * * * etl x\n0 2 * * * gone x\n", DEBIAN, "etc/crontab", "system", users=users)
    assert tab.lines[0].error is None
    assert tab.lines[1].error == "the host has no user 'gone'"
    assert tab.rejected is not None


def test_user_and_no_command() -> None:
    assert "missing after the user" in (line("0 1 * * * root", path="etc/crontab", kind="system").error or "")


def test_user_of_a_tab_comes_from_its_place() -> None:
    assert line("* * * * * x", path="var/spool/cron/crontabs/joe").user == "joe"
    assert line("* * * * * x", CRONIE, path="var/spool/cron/joe").user == "joe"
    assert line("* * * * * x", user="ann").user == "ann"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["0 1 * * * root /x"], Format.SYSTEM, id="known user"),
        pytest.param(["0 1 * * * /x", "0 1 * * * root /x"], Format.USER, id="not on every line"),
        pytest.param(["0 1 * * * php /x.php", "0 2 * * * php /y.php"], Format.USER, id="a command"),
        pytest.param(["0 1 * * * shopuser /srv/bin/x"], Format.SYSTEM, id="a name and a program"),
        pytest.param(["0 1 * * * shopuser php x"], Format.SYSTEM, id="a name and a known command"),
        pytest.param(["0 1 * * * mytool /data/in"], Format.USER, id="a tool and its data"),
        pytest.param(["0 1 * * * mytool run --all"], Format.USER, id="a tool and its words"),
        pytest.param(["0 1 * * * backup.sh /srv/bin/x"], Format.USER, id="a script"),
        pytest.param(["0 1 * * * root"], Format.USER, id="one word"),
        pytest.param(["0 1 * * * root /x", "0 2 * * * root"], Format.SYSTEM, id="one command missing"),
        pytest.param(["#0 1 * * * root /x"], Format.SYSTEM, id="only commented out"),
        pytest.param(["#0 1 * * * root /x", "0 1 * * * /x"], Format.USER, id="jobs go before comments"),
        pytest.param(["@daily www-data /x"], Format.SYSTEM, id="nickname"),
        pytest.param(["0 3 * * * mysql -px -h db shop"], Format.USER, id="a program with a user's name and an option"),
        pytest.param(["0 3 * * * git pull"], Format.USER, id="a program with a user's name and a word"),
        pytest.param(["0 3 * * * backup /srv/data"], Format.USER, id="a program with a user's name and a path"),
        pytest.param(["0 3 * * * mysql /usr/bin/mysqlcheck -A"], Format.SYSTEM, id="a user with a program's name"),
        pytest.param(["0 3 * * * root > /x"], Format.USER, id="a redirection"),
        pytest.param(["0 3 * * * deploy x"] * 2 + ["0 3 * * * root /x"], Format.USER, id="sure on few lines"),
        pytest.param(["# m h dom mon dow user  command", "0 3 * * * deploy x"], Format.SYSTEM, id="the columns' head"),
        pytest.param(["0 3 * * * php7.4 /srv/x.php"], Format.USER, id="an interpreter with its version"),
        pytest.param(["0 3 * * * python3.11 /srv/bin/x.py"], Format.USER, id="another one"),
        pytest.param(["0 3 * * * xvfb-run python /srv/x.py"], Format.USER, id="a program that starts a known one"),
        pytest.param(["0 3 * * * shopuser php7.4 x"], Format.SYSTEM, id="a name and an interpreter"),
        pytest.param(["0 3 * * * shopuser ./run.sh"], Format.SYSTEM, id="a name and a script in the home"),
        pytest.param(["0 3 * * * shopuser [ -x /x ] && /x"], Format.SYSTEM, id="a name and a test"),
        pytest.param(["0 3 * * * shopuser A=b /x"], Format.SYSTEM, id="a name and an assignment"),
        pytest.param(["#min hour mday month wday who command", "0 3 * * * x y"], Format.SYSTEM, id="FreeBSD's head"),
        pytest.param(["# /etc/cron.d/shop: jobs of shop", "0 3 * * * shop y"], Format.SYSTEM, id="the file's name"),
        pytest.param(["A=b"], Format.USER, id="no jobs"),
    ],
)
def test_format_is_found_out_from_the_lines(lines: list[str], expected: Format) -> None:
    assert read("\n".join(lines) + "\n").format is expected


def test_format_is_said_where_it_was_guessed() -> None:
    assert "--format user" in read("0 1 * * * shopuser /srv/bin/x\n").warnings[0]
    assert not read("0 1 * * * root /srv/bin/x\n").warnings


@pytest.mark.parametrize(
    ("text", "user", "command"),
    [
        ("0 1 * * * mysql -px", "mara", "mysql -px"),
        ("0 1 * * * mysql /usr/bin/x", "mara", "mysql /usr/bin/x"),
        ("0 1 * * * shopuser /usr/bin/x", "mara", "shopuser /usr/bin/x"),
        ("0 1 * * * root runs this", "mara", "root runs this"),
        ("0 1 * * * root /usr/bin/x", "root", "/usr/bin/x"),
    ],
)
def test_whoever_names_the_user_speaks_of_a_tab_without_the_column(text: str, user: str, command: str) -> None:
    found = line(text, user="mara")
    assert (found.user, (found.command or "").strip()) == (user, command)


def test_format_can_be_given() -> None:
    found = line("0 1 * * * root /x", format=Format.USER)
    assert found.command == "root /x"


# Names in cron.d


@pytest.mark.parametrize(
    ("name", "debian", "cronie"),
    [
        ("backup", True, True),
        ("Back_up-2", True, True),
        ("backup.sh", False, True),
        ("backup.dpkg-old", False, True),
        (".hidden", False, False),
        ("backup~", False, False),
        ("#backup", False, False),
        ("backup.rpmsave", False, False),
        ("backup.rpmnew", False, False),
        ("backup.rpmorig", False, False),
    ],
)
def test_names_that_the_daemon_does_not_read(name: str, debian: bool, cronie: bool) -> None:
    for flavour, reads in ((DEBIAN, debian), (CRONIE, cronie)):
        tab = read("0 1 * * * root /x\n", flavour, f"etc/cron.d/{name}", "cron.d")
        assert (tab.unread is None) == reads
        assert len(tab.jobs) == 1, "its lines are read all the same"


# Line feeds, carriage returns, lengths


def test_missing_last_line_feed_is_accepted_with_a_warning() -> None:
    tab = read("* * * * * x")
    assert len(tab.jobs) == 1
    assert tab.rejected is None
    assert "ignores the whole file" in tab.warnings[0]
    assert "does not read that line" in read("* * * * * x", CRONIE).warnings[0]


def test_strict_follows_the_daemon_at_a_missing_last_line_feed() -> None:
    debian = read("* * * * * x\n* * * * * y", strict=True)
    assert "no line feed" in (debian.rejected or "")
    cronie = read("* * * * * x\n* * * * * y", CRONIE, strict=True)
    assert cronie.rejected is None
    assert [each.kind for each in cronie.lines] == [LineKind.JOB, LineKind.BAD]


@pytest.mark.parametrize("end", ["# bye", "   ", ""])
def test_a_comment_may_lack_its_line_feed(end: str) -> None:
    tab = read(f"* * * * * x\n{end}", strict=True)
    assert tab.rejected is None
    assert not tab.warnings


def test_carriage_returns_are_stripped_with_a_warning() -> None:
    tab = read("A=b\r\n\r\n* * * * * x\r\n")
    assert [each.kind for each in tab.lines] == [LineKind.SETTING, LineKind.BLANK, LineKind.JOB]
    assert tab.lines[2].command == "x"
    assert tab.lines[2].environment == (("A", "b"),)
    assert "CRLF" in tab.lines[2].warnings[0]
    assert "3 lines end in CRLF" in tab.warnings[0]
    assert rejoined(tab) == b"A=b\r\n\r\n* * * * * x\r\n"


def test_strict_keeps_the_carriage_return_as_the_daemon_does() -> None:
    assert line("* * * * * x\r", strict=True).command == "x\r"
    assert read("\r\n* * * * * x\r\n", strict=True).lines[0].kind is LineKind.BAD


def test_blank_line_with_a_carriage_return_is_told_to_be_one() -> None:
    bad = read("1 1 * * * x\r\n\r\n", strict=True).lines[1]
    assert bad.error is not None
    assert "holds a carriage return alone" in bad.error


def test_byte_order_mark_is_left_out_with_a_warning() -> None:
    tab = read("\ufeff* * * * * x\n")
    assert len(tab.jobs) == 1
    assert "byte order mark" in tab.warnings[0]
    assert read("\ufeff* * * * * x\n", strict=True).lines[0].kind is LineKind.BAD


@pytest.mark.parametrize(("length", "well"), [(998, True), (999, False)])
def test_debian_refuses_long_commands(length: int, well: bool) -> None:
    tab = read("* * * * * " + "x" * length + "\n")
    assert (tab.rejected is None) == well
    assert line("* * * * * " + "x" * length, CRONIE).kind is LineKind.JOB


def test_lengths_are_counted_in_bytes() -> None:
    assert line("* * * * * " + "ä" * 499).kind is LineKind.JOB
    assert line("* * * * * " + "ä" * 500).kind is LineKind.BAD


def test_cronie_limits_a_users_tab() -> None:
    assert "variables" in (read("A=b\n" * 1001, CRONIE).rejected or "")
    assert "comments" in (read("# x\n" * 9000, CRONIE).rejected or "")
    assert read("# x\n" * 9000, CRONIE, "etc/crontab", "system").rejected is None


def test_debian_limits_the_lines() -> None:
    assert "10,003 lines" in (read("* * * * * x\n" * 10_004).rejected or "")
    assert read("# x\n" * 20_000).rejected is None


# The rule of %


@pytest.mark.parametrize(
    ("text", "flavour", "command", "stdin"),
    [
        pytest.param("x", DEBIAN, "x", None, id="none"),
        pytest.param("x%a", DEBIAN, "x", "a\n", id="one"),
        pytest.param("x%a%b%", DEBIAN, "x", "a\nb\n", id="later ones are line feeds"),
        pytest.param("x%", DEBIAN, "x", None, id="nothing follows"),
        pytest.param("x%%", DEBIAN, "x", "\n", id="an empty line"),
        pytest.param("x \\%F%a\\%b", DEBIAN, "x %F", "a%b\n", id="escaped"),
        pytest.param("x a\\\\b", DEBIAN, "x a\\b", None, id="Debian halves backslashes"),
        pytest.param("x a\\\\b", CRONIE, "x a\\\\b", None, id="cronie does not"),
        pytest.param("x a\\\\%b", DEBIAN, "x a\\", "b\n", id="the backslash is escaped, so the sign is not"),
        pytest.param("x a\\\\%b", CRONIE, "x a\\\\", "b\n", id="the same with cronie"),
        pytest.param("x a\\nb%c\\nd", DEBIAN, "x a\\nb", "c\\nd\n", id="other backslashes stay"),
        pytest.param("x%a\\\\%b", DEBIAN, "x", "a\\%b\n", id="in the input each backslash stands for itself"),
        pytest.param("x%a\\", DEBIAN, "x", "a\\\n", id="a backslash at the end"),
        pytest.param("x%\\", DEBIAN, "x", "\\", id="a lone backslash gets no line feed"),
    ],
)
def test_percent_ends_the_command(text: str, flavour: Flavour, command: str, stdin: str | None) -> None:
    found = line(f"* * * * * {text}", flavour)
    assert (found.command, found.stdin) == (command, stdin)


def test_raw_percent_is_told() -> None:
    assert "Most likely a bug" in line("* * * * * sleep $((RANDOM % 600))").warnings[0]
    assert "Most likely a bug" in line("* * * * * x $(date +%F)").warnings[0]
    assert "Most likely a bug" not in line("* * * * * mail joe%Hello,%%here it is.").warnings[0]
    assert "standard input" in line("* * * * * mail joe%hello").warnings[0]
    assert not line("* * * * * date +\\%F").warnings


# Templates that nobody filled in


@pytest.mark.parametrize(
    "command", ["{{ home }}/x", "<%= @home %>/x", "%{HOME}/x", "__HOME__/x", "@HOME@/x", "/path/to/x", "<your-path>/x"]
)
def test_placeholder_of_a_template_is_told(command: str) -> None:
    (warning,) = line(f"* * * * * {command}").warnings
    assert "looks like a placeholder" in warning
    assert "placeholder" in read(f"A={command}\n* * * * * x\n").lines[0].warnings[-1]


@pytest.mark.parametrize("command", ["docker ps --format '{{json .}}'", "awk '{{print $1}}'", "$HOME/x", "x <in >out"])
def test_what_only_looks_like_a_placeholder_is_none(command: str) -> None:
    assert line(f"* * * * * {command}").warnings == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{{ minute }} {{ hour }} * * * root x", "a time field"),
        ("@SCHEDULE@ root x", "a time field"),
        ("$SCHEDULE root x", "a time field"),
        ("* * * * * {{ user }} x", "the user"),
    ],
)
def test_placeholder_in_place_of_a_field_is_named(text: str, place: str) -> None:
    error = line(text, path="etc/crontab", kind="system").error or ""
    assert "is a placeholder of a template" in error
    assert place in error


def test_two_settings_on_a_line_are_told() -> None:
    assert "One line holds one setting" in read("MAILTO=root HOME=/\n* * * * * x\n").lines[0].warnings[0]


# cronie's own


def test_dash_before_the_minute_is_cronies() -> None:
    assert line("-0 1 * * * root x", CRONIE, path="etc/crontab", kind="system").schedule == "0 1 * * *"
    assert line("-0 1 * * * x", CRONIE, user="root").kind is LineKind.JOB
    assert line("-0 1 * * * x", CRONIE, user="joe").kind is LineKind.BAD
    assert line("-0 1 * * * x", DEBIAN).kind is LineKind.BAD


def test_n_before_the_command_is_cronies() -> None:
    found = line("0 1 * * * -n x", CRONIE)
    assert found.command == "x"
    assert "only when the job fails" in found.warnings[0]
    assert found.mails_failures
    assert not line("0 1 * * * x", CRONIE).mails_failures
    assert line("0 1 * * * -n x", DEBIAN).command == "-n x"
    assert "part of the command" in line("0 1 * * * -n x", DEBIAN).warnings[0]
    assert line("0 1 * * * -x y", CRONIE).kind is LineKind.BAD


# Files that are no crontabs


@pytest.mark.parametrize(
    ("content", "place", "word"),
    [
        pytest.param("* * * * * x\n".encode("utf-16"), "tab:1", "iconv -f UTF-16", id="UTF-16"),
        pytest.param("* * * * * x\n".encode("utf-16-le"), "tab:1", "iconv -f UTF-16", id="UTF-16 without a mark"),
        pytest.param(b"a=b\n* * * * * x\0y\n", "tab:2", "NUL byte", id="NUL"),
        pytest.param(b"\x7fELF\x02\x01\x01\n\x05\x06", "tab:1", "0x02", id="binary"),
        pytest.param(b"# x\n" * 2_500_000, "tab:1", "more than 4,194,304 bytes", id="10 MB"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place_and_the_cure(content: bytes, place: str, word: str) -> None:
    with pytest.raises(CrontabFileError) as caught:
        read(content)
    assert str(caught.value).startswith(place)
    assert word in str(caught.value)


def test_bytes_that_are_no_utf8_are_kept() -> None:
    tab = read(b"# caf\xe9\n* * * * * echo \xe9\n")
    assert rejoined(tab) == tab.source.content
    assert (tab.jobs[0].command or "").encode("utf-8", "surrogateescape") == b"echo \xe9"


def test_a_script_is_no_crontab() -> None:
    with pytest.raises(CrontabError, match="no crontab"):
        read("#!/bin/sh\n", path="etc/cron.daily/x", kind="run-parts")


def test_an_empty_file_has_no_lines() -> None:
    assert read("").lines == ()


# All of it


def samples() -> list[dict[str, str]]:
    with (SAMPLES / "INDEX.tsv").open() as index:
        return list(csv.DictReader(index, delimiter="\t"))


@pytest.mark.parametrize("row", samples(), ids=lambda row: row["file"])
def test_every_line_of_real_crontabs_is_read(row: dict[str, str]) -> None:
    content = (SAMPLES / row["file"]).read_bytes()
    for flavour in [Flavour(row["flavour"])] if row.get("flavour") else list(Flavour):
        tab = read(content, flavour, row["file"])
        assert rejoined(tab) == content
        assert [each.number for each in tab.lines] == list(range(1, len(tab.lines) + 1))
        assert len(tab.jobs) == int(row["job_lines"])
        if "no-user-column" not in row["features"]:
            assert tab.format == row["format"]
        disabled = sum(each.kind is LineKind.DISABLED_JOB for each in tab.lines)
        assert f"disabled-jobs:{disabled}" in row["features"] or not disabled


def test_all_jobs_of_the_index_are_found() -> None:
    tabs = [
        read((SAMPLES / row["file"]).read_bytes(), Flavour(row.get("flavour") or "debian"), row["file"])
        for row in samples()
    ]
    assert sum(len(tab.jobs) for tab in tabs) == sum(int(row["job_lines"]) for row in samples())


PIECES = st.sampled_from(
    ["* * * * *", "*/5 0 1,2 * mon", "@daily", "@reboot", " ", "\t", "\n", "#", "A=b", "A=", '"', "'", "%", "\\",
     "root", "x", "-", "-n ", "\r\n", "\x0b", "é", "\udce9", "5", "~", "CRON_TZ=x", "99", "a b c", "=", "\ufeff",
     "|", "&&"]
)  # fmt: skip
TABS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200))


@given(TABS, st.sampled_from(Flavour), st.sampled_from([None, *Format]), st.booleans())
def test_no_crontab_loses_a_line(text: str, flavour: Flavour, columns: Format | None, strict: bool) -> None:
    lone = any("\ud800" <= each < "\udc80" for each in text)
    content = text.encode("utf-8", "replace" if lone else "surrogateescape")
    try:
        tab = read(content, flavour, format=columns, strict=strict)
    except CrontabFileError:
        assert any(byte < 32 and byte not in b"\t\n\r" for byte in content) or content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return
    assert rejoined(tab) == content
    assert [each.number for each in tab.lines] == list(range(1, len(tab.lines) + 1))
    for each in tab.lines:
        assert (each.kind is LineKind.BAD) == (each.error is not None) or each.kind is LineKind.DISABLED_JOB
        if each.kind is LineKind.JOB:
            assert each.schedule
            assert each.command is not None
