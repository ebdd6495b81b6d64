"""`cronlift import`, from the first time to the cutover."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main

TAB = """\
SHELL=/bin/bash
MAILTO=ops@example.org
# the nightly load
15 2 * * * /opt/load.sh eu
*/10 * * * * /opt/poll.sh >> /var/log/poll/poll.log 2>&1
@reboot /opt/worker.sh
"""


@pytest.fixture
def repo(tmp_path, monkeypatch):
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def tab(tmp_path):
    path = tmp_path / "web.crontab"
    path.write_text(TAB)
    return path


def run(command, *words, stdin=None):
    done = CliRunner().invoke(main, [command, *(str(word) for word in words)], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def load(*words, zone="Europe/Paris", team="web", stdin=None):
    return run("import", *words, "--timezone", zone, "--team", team, stdin=stdin)


def report(repo, team="web"):
    return json.loads((repo / f"dags/{team}/import/report.json").read_text())


def line_of(repo, number, team="web"):
    return next(line for line in report(repo, team)["lines"] if line["line"] == number)


def texts(repo):
    return {path.relative_to(repo).as_posix(): path.read_bytes() for path in repo.rglob("*") if path.is_file()}


def decide(repo, old, new, team="web"):
    path = repo / f"dags/{team}/import/decisions.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_first_import_writes_what_it_says_and_leaves_undecided_lines_out(repo, tab):
    code, out, err = load(tab, "--user", "www-data")
    assert code == 1
    assert sorted(texts(repo)) == [
        "dags/web/cron_web.py",
        "dags/web/import/REPORT.md",
        "dags/web/import/decisions.yaml",
        "dags/web/import/report.html",
        "dags/web/import/report.json",
        "dags/web/jobs/web/cron_www_data_load.yaml",
        "dags/web/jobs/web/cron_www_data_poll.yaml",
        "tests/dags/test_import_web.py",
    ]
    assert out.startswith("+ dags/web/cron_web.py\n")
    assert "✗ web.crontab:6: @reboot starts with the machine" in err
    assert "6 lines: 1 exact, 1 changed, 1 needs-decision, 1 comment, 2 setting" in err
    assert sum(report(repo)["counts"].values()) == len(TAB.splitlines())


def test_second_import_changes_nothing_and_says_nothing(repo, tab):
    load(tab, "--user", "www-data")
    before = texts(repo)
    code, out, err = load(tab, "--user", "www-data")
    assert (code, out) == (1, "")
    assert texts(repo) == before
    assert "Files: 6 same" in err


def test_schedule_that_moved_keeps_its_id_and_shows_its_difference(repo, tab):
    load(tab, "--user", "www-data")
    dag_id = line_of(repo, 4)["dag_id"]
    tab.write_text("# one more line above\n" + TAB.replace("15 2 * * *", "45 4 * * *"))
    code, out, _ = load(tab, "--user", "www-data")
    assert line_of(repo, 5)["dag_id"] == dag_id == "web__cron_www_data_load"
    assert '-        "schedule": CrontabTimetable("15 2 * * *"' in out
    assert '+        "schedule": CronTriggerTimetable("45 4 * * *"' in out
    assert code == 1


def test_decisions_are_kept_and_carried_out(repo, tab):
    load(tab, "--user", "www-data")
    decide(repo, "    action: undecided\n", "    action: manual  # mara: a deployment from March\n")
    code, _, err = load(tab, "--user", "www-data")
    assert code == 0
    assert "Next: read dags/web/import/REPORT.md, then: cronlift prove dags/web" in err
    assert '"schedule": None,' in (repo / "dags/web/cron_web.py").read_text()
    assert "# mara: a deployment from March" in (repo / "dags/web/import/decisions.yaml").read_text()
    decide(repo, "action: manual", "action: host")
    load(tab, "--user", "www-data")
    assert line_of(repo, 6)["verdict"] == "host-only"
    assert not (repo / "dags/web/jobs/web/cron_www_data_worker.yaml").exists()


def test_wrong_decisions_are_named_and_nothing_is_written(repo, tab):
    load(tab)
    decide(repo, "action: undecided", "action: perhaps")
    before = texts(repo)
    code, out, err = load(tab)
    assert (code, out) == (1, "")
    assert "lines.web__cron_user_worker.action: action is 'perhaps'. Use one of" in err
    assert texts(repo) == before


def test_hand_edit_is_never_overwritten_without_a_word(repo, tab):
    load(tab, "--user", "www-data")
    manifest = repo / "dags/web/jobs/web/cron_www_data_load.yaml"
    edited = manifest.read_text().replace("memory: 512Mi", "memory: 2Gi")
    manifest.write_text(edited)
    _, _, err = load(tab, "--user", "www-data")
    assert manifest.read_text() == edited
    assert "cron_www_data_load.yaml was edited by hand and stays" in err
    tab.write_text(TAB.replace("MAILTO=ops", "MAILTO=dev"))
    _, _, err = load(tab, "--user", "www-data")
    beside = manifest.with_name(f"{manifest.name}.new")
    assert manifest.read_text() == edited
    assert "dev@example.org" in beside.read_text()
    assert "cron_www_data_load.yaml.new" in err
    load(tab, "--user", "www-data", "--overwrite")
    assert "dev@example.org" in manifest.read_text()


def test_other_files_stay_unless_the_import_is_complete(repo, tab, tmp_path):
    other = tmp_path / "other.crontab"
    other.write_text("5 5 * * * /opt/other.sh\n")
    load(tab)
    load(other)
    assert {line["file"] for line in report(repo)["lines"]} == {"web.crontab", "other.crontab"}
    assert len(report(repo)["lines"]) == len(TAB.splitlines()) + 1
    code, out, _ = load(other, "--complete")
    assert code == 0
    assert "- dags/web/cron_web.py\n" in out
    assert {line["file"] for line in report(repo)["lines"]} == {"other.crontab"}
    assert not (repo / "dags/web/jobs/web").exists()


def test_line_that_goes_takes_its_files_along(repo, tab):
    load(tab, "--user", "www-data")
    tab.write_text(TAB.replace("*/10 * * * * /opt/poll.sh >> /var/log/poll/poll.log 2>&1\n", ""))
    load(tab, "--user", "www-data")
    assert not (repo / "dags/web/jobs/web/cron_www_data_poll.yaml").exists()


def test_dry_run_writes_nothing(repo, tab):
    code, out, err = load(tab, "--dry-run")
    assert code == 1
    assert "+ dags/web/cron_web.py" in out
    assert "Would write: 6 new" in err
    assert texts(repo) == {}


def test_json_says_it_all(repo, tab):
    code, out, _ = load(tab, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["undecided"] == ["web__cron_user_worker"]
    assert {"path": "dags/web/cron_web.py", "fate": "new"} in found["changes"]
    assert found["lines"] == report(repo)["lines"]


def test_root_stays_root_only_where_the_namespace_admits_it(repo, tmp_path):
    (repo / "teams.yaml").write_text("teams:\n  web: {namespace: team-web, path: dags/web}\n")
    system = tmp_path / "etc/crontab"
    system.parent.mkdir()
    system.write_text("5 5 * * * root /opt/purge.sh\n")
    assert load(system)[0] == 0
    assert (line_of(repo, 1)["verdict"], line_of(repo, 1)["reason"]) == (
        "changed", "not root: it runs as the image's user legacy",
    )  # fmt: skip
    decide(repo, "lines: {}", "lines:\n  web__cron_root_purge: {run_as: root}")
    code, _, err = load(system)
    assert code == 1
    assert "run_as is root, and the namespace of team web refuses root" in err
    (repo / "teams.yaml").write_text("teams:\n  web: {namespace: n, path: dags/web, podSecurity: baseline}\n")
    assert load(system)[0] == 0
    job = yaml.safe_load((repo / "dags/web/jobs/crontab/cron_root_purge.yaml").read_text())
    assert job["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 0
    assert line_of(repo, 1)["verdict"] == "exact"


def test_team_that_is_not_listed_is_said(repo, tab):
    (repo / "teams.yaml").write_text("teams: {other: {namespace: n}}\n")
    assert "Team web is not in teams.yaml: add it" in load(tab)[2]


def test_what_the_image_lacks_is_listed(repo, tab):
    (repo / "images/legacy/rootfs/opt").mkdir(parents=True)
    (repo / "images/legacy/rootfs/opt/load.sh").touch()
    (repo / "images/legacy/contents.txt").write_text("# comment\n/usr/bin/bash\n/usr/bin/php\n")
    tab.write_text(TAB + "5 5 * * * php /opt/load.sh; ruby\n")
    load(tab)
    assert line_of(repo, 4)["missing"] == []
    assert line_of(repo, 5)["image"] == {
        "/bin/bash": "present", "/opt/poll.sh": "missing", "/var/log/poll/poll.log": "volume",
    }  # fmt: skip
    assert line_of(repo, 7)["image"] == {
        "/bin/bash": "present", "php": "present", "ruby": "missing", "/opt/load.sh": "present",
    }  # fmt: skip


def test_users_of_the_image_have_known_ids(repo, tab):
    (repo / "images/legacy").mkdir(parents=True)
    (repo / "images/legacy/Dockerfile").write_text('ARG USERS="legacy:1000:1000:/home/legacy mara:1004:1005:/srv/m"\n')
    tab.write_text("1 1 * * * /a\n")
    load(tab, "--user", "mara")
    assert line_of(repo, 1)["verdict"] == "exact"
    assert "runAsUser: 1004" in (repo / "dags/web/jobs/web/cron_mara_a.yaml").read_text()
    assert "## Not in the image" in (repo / "dags/web/import/REPORT.md").read_text()


def test_stdin_and_live(repo):
    code, _, _ = load("-", "--live", "--start", "2027-01-01T00:00:00Z", stdin="0 1 * * * /opt/a.sh\n")
    assert code == 0
    job = yaml.safe_load((repo / "dags/web/jobs/stdin/cron_user_a.yaml").read_text())
    options = json.loads(job["spec"]["template"]["metadata"]["annotations"]["cronlift.dev/cron-options"])
    assert options["shadow"] is False
    assert "START = datetime(2027, 1, 1, tzinfo=UTC)" in (repo / "dags/web/cron_stdin.py").read_text()


def test_tarball_of_a_host_with_folders_of_scripts_and_anacron(repo, tmp_path):
    path = tmp_path / "cron.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text, mode in (
            ("etc/debian_version", "13.1\n", 0o644),
            ("etc/passwd", "mara:x:1004:1005::/home/mara:/bin/sh\nroot:x:0:0::/root:/bin/sh\n", 0o644),
            ("etc/crontab", "25 6 * * * root run-parts --report /etc/cron.daily\n", 0o644),
            ("etc/cron.daily/rotate", "#!/bin/sh\n", 0o755),
            ("etc/cron.weekly/index", "#!/bin/sh\n", 0o755),
            ("etc/anacrontab", "1 5 cron.daily run-parts --report /etc/cron.daily\n", 0o644),
            ("var/spool/cron/crontabs/mara", "5 5 * * * ~/bin/a.sh\n", 0o600),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), mode
            tar.addfile(member, io.BytesIO(text.encode()))
    code, _, err = load(path, "--host", "web1")
    assert code == 1
    verdicts = {f"{line['file']}:{line['line']}": line["verdict"] for line in report(repo)["lines"]}
    assert verdicts == {
        "etc/anacrontab:1": "needs-decision",
        "etc/cron.weekly:1": "needs-decision",
        "etc/crontab:1": "changed",
        "var/spool/cron/crontabs/mara:1": "exact",
    }
    assert "Nothing that was handed over says when these scripts run. Proposed is `47 6 * * 7`" in err
    job = yaml.safe_load((repo / "dags/web/jobs/mara/web1_mara_a.yaml").read_text())
    assert job["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1004


@pytest.mark.parametrize(
    ("content", "verdicts"),
    [
        pytest.param(b"A=\n1 1 * * * /a\n", ["rejected-by-daemon"] * 2, id="debian throws the file away"),
        pytest.param(b"1 1 * * * /a", ["exact"], id="no line feed at the end"),
        pytest.param(b"1 1 * * * \xff\xfe/a\n", ["needs-decision"], id="bytes that are no UTF-8"),
        pytest.param(b"@every 5m /a\n1 1 * * * /b\n", ["rejected-by-daemon"] * 2, id="another dialect"),
    ],
)
def test_bad_lines_have_a_verdict(repo, tab, content, verdicts):
    tab.write_bytes(content)
    load(tab, "--flavour", "debian")
    assert [line["verdict"] for line in report(repo)["lines"]] == verdicts


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--timezone", "Mars/Base", "--team", "web"], 2, "Mars/Base"),
        (["--timezone", "UTC", "--team", "Web Team"], 2, "is no team name"),
        (["--timezone", "UTC"], 2, "--team"),
    ],
)
def test_wrong_usage_is_said(repo, tab, words, code, message):
    done = run("import", tab, *words)
    assert done[0] == code
    assert message in done[2]
    assert texts(repo) == {}


def test_files_that_cannot_be_read_are_all_named_and_nothing_is_written(repo, tab, tmp_path):
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "utf16").write_bytes("1 1 * * * /a\n".encode("utf-16"))
    code, _, err = load(tab, tmp_path / "zip", tmp_path / "none", tmp_path / "utf16")
    assert code == 1
    assert "utf16:1: The file is UTF-16" in err
    assert "zip archive" in err
    assert "There is no such file" in err
    code, _, err = load(tab, tmp_path / "utf16")
    assert (code, "UTF-16" in err) == (1, True)
    assert texts(repo) == {}


def test_damaged_report_is_not_taken_for_none(repo, tab):
    load(tab)
    (repo / "dags/web/import/report.json").write_text("{")
    code, _, err = load(tab)
    assert code == 1
    assert "the report of the last import is no JSON" in err


def test_place_that_cannot_be_written_leaves_nothing_half_done(repo, tab):
    (repo / "tests/dags").mkdir(parents=True)
    (repo / "tests/dags/test_import_web.py").mkdir()
    code, _, err = load(tab)
    assert code == 1
    assert "Make it a readable file" in err or "cannot be written" in err
    assert not (repo / "dags/web/cron_web.py").exists()


def test_cutover_and_the_way_back(repo, tab):
    load(tab, "--user", "www-data")
    decide(repo, "action: undecided", "action: host")
    load(tab, "--user", "www-data")
    words = ("--team", "web", "--at", "2027-02-01T00:00:00Z", "--crontab", tab)
    code, out, err = run("cutover", "live", "web", *words)
    assert (code, "+#MIGRATED web__cron_www_data_load 2027-02-01 15 2 * * * /opt/load.sh eu" in out) == (0, True)
    assert "2 lines of" in err
    moved = tab.with_name("web.crontab.new")
    assert "\n@reboot /opt/worker.sh\n" in moved.read_text()
    before = texts(repo)
    tab.write_bytes(moved.read_bytes())
    load(tab, "--user", "www-data")
    text = (repo / "dags/web/cron_web.py").read_text()
    assert "START = datetime(2027, 2, 1, tzinfo=UTC)" in text
    assert '"live"' in text
    assert '"shadow": false' in (repo / "dags/web/jobs/web/cron_www_data_load.yaml").read_text()
    assert texts(repo).keys() == before.keys()
    code, _, _ = run("cutover", "rolled-back", "web", "--team", "web", "--crontab", tab, "--output", tab)
    assert (code, tab.read_text()) == (0, TAB)
    load(tab, "--user", "www-data")
    assert '"shadow": true' in (repo / "dags/web/jobs/web/cron_www_data_load.yaml").read_text()


def test_cutover_of_what_is_not_there_is_refused(repo, tab):
    assert "nothing of team web was imported" in run("cutover", "live", "x", "--team", "web")[2]
    load(tab)
    assert "there is no group 'x'. Groups: web" in run("cutover", "live", "x", "--team", "web")[2]
    changed = Path(f"{tab}.now")
    changed.write_text(TAB.replace("15 2", "16 2"))
    code, out, err = run("cutover", "live", "web", "--team", "web", "--crontab", changed)
    assert (code, out) == (1, "")
    assert "the line is no longer the one that became web__cron_user_load" in err
    assert "state: live" not in (repo / "dags/web/import/decisions.yaml").read_text()


def test_runs_are_compared(repo, tab, tmp_path):
    load(tab, "--user", "www-data")
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    old.write_text("2026-12-01T01:15:00Z\t0\t4\t10\tabc\twww-data\t/opt/load.sh eu\n")
    new.write_text("cronrun: cron_www_data_load (web.crontab:4) ran: exit 0, signal none, 5.00 s, max RSS 2.0 MiB\n")
    code, out, err = run("compare", "--old", old, "--new", new, "--team", "web")
    assert (code, out) == (0, "✓ web__cron_www_data_load: 1 old runs, 1 new.\n")
    assert "1 of 1 jobs are as they were" in err
    new.write_text("cronrun: cron_www_data_load (web.crontab:4) ran: exit 3, signal none, 5.00 s, max RSS 2.0 MiB\n")
    code, out, _ = run("compare", "--old", old, "--new", new, "--team", "web", "--json")
    assert code == 1
    assert json.loads(out)[0]["differences"] == ["Exit codes: 0 before, 3 now."]
    assert run("compare", "--old", new, "--new", old, "--team", "none")[0] == 2


PASSWORDS = """\
DB_PASSWORD=s3cretone
1 1 * * * mysql --password 's3crettwo' shop
2 1 * * * curl -u mara:s3cretthree https://h.example/api
3 1 * * * lftp -u mara,s3cretfour ftp.example.org -e ls
4 1 * * * wget "https://h.example/cron?key=s3cretfive"
5 1 * * * smbclient //h/x -U joe%s3cretsix
#6 1 * * * mysql -ps3cretseven shop
# password: s3creteight
"""


def test_no_password_is_written_or_said(repo, tab):
    tab.write_text(PASSWORDS)
    _, out, err = load(tab, "--user", "www-data")
    _, more, _ = load(tab, "--user", "www-data", "--json")
    everything = [
        out.encode(),
        err.encode(),
        more.encode(),
        *texts(repo).values(),
        *(each.encode() for each in texts(repo)),
    ]
    assert [text for text in everything if b"s3cret" in text] == []
    assert {line["line"] for line in report(repo)["lines"] if line["dag_id"]} == {2, 3, 4, 5}


def test_one_command_creates_the_secret_of_a_group(repo, tab):
    tab.write_text(PASSWORDS)
    load(tab, "--user", "www-data")
    text = (repo / "dags/web/import/REPORT.md").read_text()
    assert text.count("kubectl create secret generic cron-web") == 1
    keys = ("DB_PASSWORD", "FTP_PASSWORD", "HTTP_PASSWORD", "KEY", "PASSWORD")
    assert all(f'--from-literal={key}="${key}"' in text for key in keys)


def test_cutover_shows_no_password(repo, tab):
    tab.write_text(PASSWORDS.replace("5 1 ", "#5 1 "))
    load(tab, "--user", "www-data")
    _, out, _ = run("cutover", "live", "web", "--team", "web", "--crontab", tab)
    assert "mysql --password '***' shop" in out
    assert "s3cret" not in out
    assert "s3crettwo" in tab.with_name("web.crontab.new").read_text()


def test_proposal_that_becomes_manual_is_proved(repo, tmp_path):
    tab = tmp_path / "etc/anacrontab"
    tab.parent.mkdir()
    tab.write_text("1 5 cron.daily run-parts /etc/cron.daily\n")
    load(tab)
    decide(repo, "action: undecided", "action: manual")
    assert load(tab)[0] == 0
    code, out, _ = run("prove", "dags/web", "--years", "1")
    assert (code, "started by hand" in out) == (0, True)
    assert line_of(repo, 1)["runs_per_day"] == 0


def test_same_file_twice_is_one(repo, tab, monkeypatch):
    monkeypatch.chdir(tab.parent)
    load("./web.crontab", "web.crontab", tab.name, "--repo", repo)
    assert len(report(repo)["lines"]) == len(TAB.splitlines())


def test_folder_of_crontabs_may_hold_system_tabs(repo, tmp_path):
    (tmp_path / "crontabs").mkdir()
    (tmp_path / "crontabs/shop").write_text("5 5 * * * www-data /opt/a.sh\n")
    (tmp_path / "crontabs/mara").write_text("5 5 * * * /opt/b.sh\n")
    load(tmp_path / "crontabs/shop", tmp_path / "crontabs/mara")
    assert [line["user"] for line in report(repo)["lines"]] == ["www-data", "mara"]


def test_files_of_one_name_are_told_apart_by_their_folders_alone(repo, tmp_path):
    tabs = [tmp_path / "far" / name / "web.crontab" for name in ("one", "two")]
    for each in tabs:
        each.parent.mkdir(parents=True)
        each.write_text("1 1 * * * /opt/a.sh\n")
    load(*tabs)
    assert [line["file"] for line in report(repo)["lines"]] == ["one/web.crontab", "two/web.crontab"]
    assert [line["dag_id"] for line in report(repo)["lines"]] == ["web__cron_user_a", "web__cron_user_a_2"]


def test_name_that_is_no_utf8_is_shown_with_its_bytes(repo, tmp_path):
    name = os.fsdecode(b"t\xe4glich.crontab")
    (tmp_path / name).write_text("1 1 * * * /opt/a.sh\n")
    assert load(tmp_path / name)[0] == 0
    before = texts(repo)
    assert load(tmp_path / name)[:2] == (0, "")
    assert texts(repo) == before
    assert line_of(repo, 1)["file"] == "t\\xe4glich.crontab"


def test_scripts_that_run_parts_skips_are_told(repo, tmp_path):
    folder = tmp_path / "etc/cron.daily"
    folder.mkdir(parents=True)
    for name, mode in (("good", 0o755), ("with.dot", 0o755), ("plain", 0o644)):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    _, _, err = load(folder)
    assert "· etc/cron.daily/with.dot never ran: Debian's run-parts takes only names" in err
    assert "· etc/cron.daily/plain never ran: its mode is 0644" in err
    assert "etc/cron.daily/good" not in err


def test_decision_about_no_line_is_told(repo, tab):
    load(tab, "--user", "www-data")
    decide(repo, "web__cron_www_data_worker:", "web__cron_www_data_wroker:")
    assert "· decisions.yaml: lines.web__cron_www_data_wroker is about no line" in load(tab, "--user", "www-data")[2]


def test_secret_that_exists_is_not_to_be_created(repo, tab):
    tab.write_text("2 1 * * * mysql -ps3cret -h db shop\n")
    load(tab, "--user", "www-data")
    decide(
        repo,
        "lines: {}",
        "lines:\n  web__cron_www_data_mysql: {secrets: {MYSQL_PASSWORD: {name: db, key: password}}}",
    )
    load(tab, "--user", "www-data")
    assert (line_of(repo, 1)["secrets"], line_of(repo, 1)["cure"]) == ({"MYSQL_PASSWORD": "db/password"}, "")
    text = (repo / "dags/web/import/REPORT.md").read_text()
    assert "`db/password`" in text
    assert "kubectl create secret" not in text
