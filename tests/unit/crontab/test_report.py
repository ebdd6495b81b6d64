"""The reports: every line, its verdict, the load, and no password."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from cronlift.crontab.decisions import Decisions
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.image import Image
from cronlift.crontab.model import Flavour, Source, Verdict
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.plan import Settings, make_plan
from cronlift.crontab.report import as_text, known_groups, known_ids, read_report, report_of
from cronlift.crontab.report_html import html
from cronlift.crontab.report_load import load_of, rhythm_of
from cronlift.crontab.report_markdown import markdown, matrix, shared_paths
from cronlift.errors import CrontabError

TAB = b"""\
# <script>alert(1)</script>
*/5 * * * * /opt/poll.sh | sort -o /data/x
0 3 * * 1 curl https://api.example/?token=s3cretvalue -o /data/x
0 3 31 2 * /opt/never.sh
@reboot /opt/boot.sh
#5 5 * * * /opt/old.sh

"""
SETTINGS = Settings("web", "Europe/Paris", "h", datetime(2026, 12, 1, tzinfo=UTC), namespace="team-web")


def plan_of(content: bytes = TAB, path: str = "web.crontab", *, user="mara", settings=SETTINGS):
    crontab = parse_crontab(Source(path, content), Flavour.DEBIAN, user=user)
    return make_plan([crontab], settings, Decisions())


@pytest.fixture
def report():
    return report_of(plan_of())


def test_every_line_is_in_it_once_and_the_counts_are_theirs(report):
    assert [line["line"] for line in report["lines"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [line["verdict"] for line in report["lines"]] == [
        "comment", "changed", "changed", "never-ran", "needs-decision", "disabled", "blank",
    ]  # fmt: skip
    assert sum(report["counts"].values()) == 7
    assert set(report["counts"]) == {str(verdict) for verdict in Verdict}


def test_it_is_the_same_each_time_and_is_read_again(report):
    assert as_text(report) == as_text(report_of(plan_of()))
    assert read_report(as_text(report)) == report
    assert {each.dag_id for each in known_ids(report)} == {
        "web__h_mara_poll", "web__h_mara_curl", "web__h_mara_never", "web__h_mara_boot",
    }  # fmt: skip
    assert known_groups(report) == {"web.crontab": "web"}


def test_lines_of_other_files_stay_and_those_of_the_same_are_replaced(report):
    merged = report_of(plan_of(b"1 1 * * * /a\n", "other.crontab"), report)
    assert len(merged["lines"]) == 8
    again = report_of(plan_of(b"1 1 * * * /a\n"), merged)
    assert [line["file"] for line in again["lines"]] == ["web.crontab", "other.crontab"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9, "lines": []}'])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(CrontabError, match="Restore the file from git"):
        read_report(text)


def test_no_report_holds_a_password(report):
    for text in (as_text(report), markdown(report), html(report)):
        assert "s3cretvalue" not in text
        assert "***" in text


class Page(HTMLParser):
    """Notes tags and what they refer to, and that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)


def test_page_is_whole_loads_nothing_and_shows_each_line(report):
    text = html(report)
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.references == []
    assert page.seen.count("svg") == 2
    assert page.seen.count("rect") == 7 * 24
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    for line in report["lines"]:
        assert f"web.crontab:{line['line']}<" in text
    assert ">2 changed</span>" in text
    assert "up to 2 Pods start at 03:00" in text
    assert text.index("Left out until you decide") < text.index("The day") < text.index("Every line")


def test_page_shows_the_week_without_the_jobs_that_would_drown_it():
    text = html(report_of(plan_of(b"* * * * * /a\n30 4 * * 1 /b\n")))
    week = text[text.index("Starts in each hour of a week") :]
    assert "of 1 job that runs less often" in text
    assert "The others add 60 in each hour" in text
    assert week.count("<title>Mon 04:00-04:59, 1.0 starts</title>") == 1
    assert "60.0 starts" not in week
    assert "The week" not in html(report_of(plan_of(b"* * * * * /a\n")))


def test_page_without_any_job_is_whole_too():
    page = Page()
    page.feed(html(report_of(plan_of(b"# nothing\n"))))
    assert page.open == []


def test_markdown_tables_have_as_many_cells_as_their_heads(report):
    text = markdown(report)
    assert "## Left out until you decide" in text
    assert "289 runs a day" not in text
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    heads = 0
    for before, after in zip(text.splitlines(), text.splitlines()[1:], strict=False):
        heads += after.startswith("| ---") and len(re.findall(r"(?<!\\)\|", before)) == len(re.findall(r"\|", after))
    assert heads == sum(line.startswith("| ---") for line in text.splitlines())
    assert min(cells) >= 3


def test_what_lines_share_is_told(report):
    assert matrix(report["lines"], "paths")["/data/x"] == ["web.crontab:2", "web.crontab:3"]
    assert matrix(report["lines"], "hosts") == {"api.example": ["web.crontab:3"]}


def test_what_pods_do_not_share_is_told():
    tab = b"""\
1 1 * * * /opt/a.sh /srv/spool/in
2 1 * * * /opt/a.sh /srv/spool/in; mysql shop
3 1 * * * curl http://localhost/cron
4 1 * * * systemctl restart x /srv/other
5 1 * * * systemctl restart y /srv/other
"""
    report = report_of(plan_of(tab))
    assert shared_paths(report["lines"]) == {"/srv/spool/in": ["web.crontab:1", "web.crontab:2"]}
    assert sorted(matrix(report["lines"], "localhost").values()) == [["web.crontab:2"], ["web.crontab:3"]]
    for text in (markdown(report), html(report)):
        assert "Paths that several jobs name" in text
        assert "What jobs expect on their own machine" in text
        assert "/srv/spool/in" in text


def test_each_program_and_path_is_present_or_missing():
    image = Image(frozenset({"/opt/poll.sh"}), frozenset({"/usr/bin/sort"}))
    report = report_of(plan_of(settings=replace(SETTINGS, image=image)))
    assert report["lines"][1]["image"] == {"/opt/poll.sh": "present", "sort": "present", "/data/x": "missing"}
    assert report["lines"][1]["missing"] == ["/data/x"]
    rows = {line.split("`")[1]: line for line in markdown(report).splitlines() if line.startswith("| `")}
    assert rows["/opt/poll.sh"] == "| `/opt/poll.sh` | present | web.crontab:2 |"
    assert rows["/opt/boot.sh"] == "| `/opt/boot.sh` | missing | web.crontab:5 |"
    assert "<code>/opt/boot.sh</code></td><td>missing</td>" in html(report)


def test_file_without_a_user_is_told_once():
    plan = plan_of(b"1 1 * * * /a\n2 2 * * * /b\n", user=None)
    report = report_of(plan)
    assert [line["verdict"] for line in report["lines"]] == ["exact", "exact"]
    assert all("Nobody says whose crontab it is" in line["warnings"][0] for line in report["lines"])
    assert markdown(report).count("Nobody says whose crontab it is") == 1


@pytest.mark.parametrize(
    ("schedule", "runs_per_day"),
    [
        ("*/5 * * * *", 288), ("0 3 * * *", 1), ("0 3 * * 1-5", 261 / 365), ("0 0 1 * *", 12 / 365),
        ("0 0 1 * 1", (52 + 12 - 2) / 365), ("0 0 31 2 *", 0), ("@reboot", 0), ("22-2 3 * * *", 0), ("0 */6 * * *", 4),
    ],
)  # fmt: skip
def test_runs_a_day_are_counted_over_a_year(schedule, runs_per_day):
    rhythm = rhythm_of(parse_schedule(schedule, Flavour.DEBIAN))
    assert rhythm.runs_per_day == pytest.approx(runs_per_day, abs=1.01 / 365)


def test_load_adds_up(report):
    load = load_of(report["lines"])
    assert load.runs_per_day == pytest.approx(288 + 52 / 365, abs=0.01)
    assert sum(load.by_minute) == pytest.approx(load.runs_per_day)
    assert (load.peak, load.peak_minute) == (2, 180)
    assert (load.often.jobs, load.rest.jobs) == (1, 1)
    assert load.rest.by_hour[1][3] == pytest.approx(1)
    assert load.rest.by_hour[2][3] == pytest.approx(0)
    assert load.often.by_hour[2][3] == pytest.approx(12)
    assert [(busy.minute, busy.starts, busy.others) for busy in load.busiest[:2]] == [
        (180, 2, ("web__h_mara_curl",)), (0, 1, ()),
    ]  # fmt: skip


def test_files_keep_their_places_whichever_is_imported_again():
    first = report_of(plan_of(b"1 1 * * * /opt/a.sh\n", "a.crontab"))
    both = report_of(plan_of(b"2 2 * * * /opt/b.sh\n", "b.crontab"), first)
    again = report_of(plan_of(b"1 1 * * * /opt/a.sh\n", "a.crontab"), both)
    assert as_text(again) == as_text(both)
    assert list(again["groups"]) == ["a", "b"]


def test_code_in_a_reason_is_shown_as_it_is():
    text = markdown(report_of(plan_of(b"5 5 * * * /opt/a_b.sh | sort -o /data/_x_\n", user="root")))
    assert "decide `run_as: root`" in text
