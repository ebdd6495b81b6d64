"""The verdict on a line, and what its Job gets."""

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.decisions import Decisions, GroupDecision, LineDecision, User
from cronlift.crontab.image import Image
from cronlift.crontab.model import Flavour, Source
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.plan import Settings, make_plan, utc_midnight_after
from cronlift.crontab.write_manifest import manifest_text
from cronlift.errors import CrontabError

START = datetime(2026, 12, 1, tzinfo=UTC)


def plan(text, decision=None, *, user="mara", flavour=Flavour.DEBIAN, zone="Europe/Paris", path="web.crontab", **more):
    users = {"mara": User(1004, 1005, "/home/mara")}
    settings = Settings("web", zone, "h", START, users=users, **more)
    crontab = parse_crontab(Source(path, text.encode()), flavour, user=user)
    lines = {f"web__h_{user}_a": decision} if decision else {}
    return make_plan([crontab], settings, Decisions(lines=lines))


def judged(text, decision=None, **more):
    """Return the plan of the last line."""
    return plan(text, decision, **more).groups[0].lines[-1]


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ("0 3 * * * /opt/a.sh\n", "exact", "Airflow's own timetable fires the same."),
        ("30 2 * * * /opt/a.sh\n", "exact", "would differ when the clock changes"),
        ("0,30 2 * * * /opt/a.sh\n", "equivalent", "a second later"),
        ("22-2 3 * * * /opt/a.sh\n", "never-ran", "counts backwards"),
        ("@reboot /opt/a.sh\n", "needs-decision", "@reboot starts with the machine"),
        ("0 3 * * * /opt/a.sh &\n", "needs-decision", "leaves a process behind"),
        ("0 3 * * * systemctl restart x\n", "host-only", "systemctl"),
        ("0 3 * * * /opt/a.sh &> /dev/null\n", "needs-decision", "sh is dash here, not bash: at `&>`"),
        ("0 3 * * * /opt/a.sh > /srv/data.csv\n", "needs-decision", "would be gone when its Pod ends"),
        ("0 3 * * * /opt/a.sh > /tmp/data.csv\n", "exact", ""),
        ("0 3 * * * /opt/a.sh > /dev/null 2>&1\n", "exact", ""),
        ("0 3 * * * /opt/a.sh >> /var/log/a/a.log\n", "changed", "is gone when the Pod ends"),
        ("0 3 * * * /opt/a.sh >> /var/log/a/a.log; b\n", "changed", "/var/log/a/a.log is gone when the Pod ends"),
        ("0 3 * * * bash -c '/opt/a.sh >> log/a.log 2>&1'\n", "changed", "log/a.log, below which the Pod has no"),
        ("0 3 * * * /opt/a.sh | tee -a /var/log/a/a.log\n", "changed", "/var/log/a/a.log is gone when the Pod ends"),
        ("0 3 * * * /opt/a.sh | tee /srv/a.csv | /opt/b.sh\n", "needs-decision", "/srv/a.csv would be gone"),
        ("0 3 * * * /opt/a.sh > /srv/a; /opt/b.sh > /srv/b\n", "needs-decision", "/srv/b and /srv/a would be gone"),
        ("0 3 * * * /opt/a.sh > /run/a.pid; /opt/b.sh\n", "exact", ""),
        ("0 3 * * * docker exec db mysqldump x > /srv/x.sql\n", "host-only", "docker"),
        ("0 3 * * * systemctl stop a; /opt/b &\n", "host-only", "systemctl"),
        ("0 3 * * * sync; echo 3 > /proc/sys/vm/drop_caches\n", "host-only", "a switch of the old host's kernel"),
        ("0 3 * * * /var/log/a.sh >> /var/log/a.log 2>&1\n", "changed", "goes to the task's log, and not to"),
        ("0 3 * * * mysqldump -psecret1 -h db x\n", "changed", "its passwords come from a Secret (MYSQL_PASSWORD)"),
        ("DB_PASSWORD=secret1\n0 3 * * * /opt/a.sh\n", "changed", "Secret (DB_PASSWORD)"),
        ("0 3 * * * /opt/a.sh%password=secret1\n", "needs-decision", "standard input, after `%`, holds a password"),
        ("0 3 * * * smbclient //h/x -U joe%secret1\n", "needs-decision", "standard input, after `%`, holds a password"),
        ("0 3 * * * su - joe -c /opt/a.sh\n", "needs-decision", "`su` switches to another user"),
        ("0 3 * * * sudo systemctl restart x\n", "host-only", "systemctl"),
        ("0 3 31 2 * /opt/a.sh > /srv/data.csv\n", "never-ran", "There is no such date"),
        ("0 3 31 2 * systemctl restart x\n", "never-ran", "There is no such date"),
        ("x 3 * * * /opt/a.sh\n", "rejected-by-daemon", ""),
        ("# x\n", "comment", ""),
    ],
)
def test_verdict_of_a_line(text, verdict, reason):
    found = judged(text).judgement
    assert (str(found.verdict), reason in found.reason) == (verdict, True), found.reason


def test_lock_on_a_volume_that_several_lines_mount_keeps_them_apart():
    text = "0 3 * * * flock -n /srv/locks/a /opt/a.sh\n5 3 * * * flock -n /srv/locks/a /opt/b.sh\n"
    claims = {"/srv/locks": "locks"}
    settings = Settings("web", "UTC", "h", START)
    crontab = parse_crontab(Source("web.crontab", text.encode()), Flavour.DEBIAN, user="www-data")
    for volumes, verdict in (({}, "needs-decision"), ({"/srv/locks": "scratch"}, "needs-decision"), (claims, "exact")):
        lines = make_plan([crontab], settings, Decisions(volumes=volumes)).groups[0].lines
        assert [str(each.judgement.verdict) for each in lines] == [verdict] * 2


@pytest.mark.parametrize(
    ("user", "uid", "change"),
    [
        ("mara", 1004, None),
        ("www-data", 33, None),
        ("root", 1000, "not root"),
        ("paul", 1000, "the ids of paul are not known"),
        (None, 1000, None),
    ],
)
def test_whom_a_job_runs_as(user, uid, change):
    found = judged("0 3 * * * /opt/a.sh\n", user=user)
    assert (found.job.uid, str(found.judgement.verdict)) == (uid, "changed" if change else "exact")
    assert change is None or change in found.judgement.reason
    assert any("Nobody says whose crontab it is" in each for each in found.judgement.warnings) == (user is None)


@pytest.mark.parametrize(
    ("schedule", "late_seconds"),
    [("* * * * *", 60), ("*/10 * * * *", 300), ("0,10 3 * * *", 300), ("5 */2 * * *", 3600), ("0 3 1 * *", 3600)],
)
def test_line_with_a_lock_may_start_half_its_period_late(schedule, late_seconds):
    found = judged(f"{schedule} flock -n /run/a.lock /opt/a.sh\n")
    assert found.job.options["lock"] == {"path": "/run/a.lock", "late_seconds": late_seconds}
    chosen = judged(f"{schedule} flock -n /run/a.lock /opt/a.sh\n", LineDecision(late_seconds=7))
    assert chosen.job.options["lock"]["late_seconds"] == 7


def test_what_a_line_names_is_looked_up_in_the_image_and_in_its_volumes():
    image = Image(frozenset({"/opt/a.sh", "/opt"}), frozenset({"/usr/bin/flock"}))
    command = "flock -n /var/lock/x/l /opt/a.sh /opt/b.sh /srv/data/in $DIR/x >> /var/log/a.log 2>&1"
    found = judged(
        f"0 3 * * * {command}\n", LineDecision(volumes={"/srv/data": "data"}, redirect="stdout"), image=image
    )
    assert {name: str(presence) for name, presence in found.judgement.presences.items()} == {
        "flock": "present",
        "/opt/a.sh": "present",
        "/var/lock/x/l": "volume",
        "/opt/b.sh": "missing",
        "/srv/data/in": "volume",
        "/var/log/a.log": "unused",
    }
    assert found.judgement.missing == ("/opt/b.sh",)


def test_password_of_one_line_is_hidden_in_the_comments_of_others():
    found = plan("# root has s3cretvalue\n0 3 * * * /opt/a.sh\n5 3 * * * mysql -ps3cretvalue -h d x\n").groups[0].lines
    assert found[0].raw == "# root has ***"
    assert "s3cretvalue" not in found[1].job.doc


LINES = st.lists(st.sampled_from([*"/ab -|>&;'$", "/usr/bin/x ", " -pss3cret1 ", "\u2028", "\x85", "é", "\x7f", "# "]))


@given(LINES.map("".join))
def test_every_line_makes_a_manifest_that_is_yaml(command):
    for line in plan(f"0 3 * * * mysql {command}\n").groups[0].lines:
        if line.job is not None:
            for loader in (yaml.SafeLoader, yaml.CSafeLoader):
                assert yaml.load(manifest_text(line.job), loader)["kind"] == "Job"


def test_shell_of_a_tab_is_looked_up_too():
    image = Image(frozenset({"/opt/a.sh"}))
    found = judged("SHELL=/opt/log.sh\n0 3 * * * /opt/a.sh\n", image=image)
    assert found.judgement.missing == ("/opt/log.sh",)


def test_redirection_to_a_variable_of_the_tab_is_taken_off():
    job = judged("LOG=/srv/a.log\n0 3 * * * /opt/a.sh >> $LOG 2>&1\n", LineDecision(redirect="stdout")).job
    assert (job.command, job.options["redirect"]["mode"]) == ("/opt/a.sh", "stdout")


def test_guard_of_anacron_is_explained():
    text = "25 6 * * * test -x /usr/sbin/anacron || run-parts /etc/cron.daily\n"
    (warning,) = judged(text).judgement.warnings
    assert "leaves the work to anacron" in warning


def test_names_that_the_images_run_parts_skips_are_told():
    text = "25 6 * * * run-parts /etc/cron.daily\n"
    (warning,) = judged(text, flavour=Flavour.CRONIE).judgement.warnings
    assert "run-parts is Debian's" in warning
    assert judged(text).judgement.warnings == ()


def test_lines_without_a_dag_are_looked_up_too():
    image = Image(frozenset({"/opt/a.sh"}), frozenset({"/usr/bin/php"}))
    assert judged("@reboot /opt/b.sh\n", image=image).judgement.missing == ("/opt/b.sh",)
    assert judged("@reboot /opt/b.sh\n").judgement.missing == ()


@pytest.mark.parametrize(
    ("text", "decision", "verdict"),
    [
        ("0 3 * * * /opt/a.sh\n", LineDecision("host"), "host-only"),
        ("0 3 * * * /opt/a.sh\n", LineDecision("drop"), "disabled"),
        ("@reboot /opt/a.sh\n", LineDecision("manual"), "changed"),
        ("@reboot /opt/a.sh\n", LineDecision("import"), "needs-decision"),
        ("0 3 * * * /opt/a.sh &\n", LineDecision("import"), "changed"),
        ("0 3 * * * systemctl restart a\n", None, "host-only"),
        ("0 3 * * * /opt/a.sh > /srv/d.csv\n", LineDecision(volumes={"/srv": "data"}), "exact"),
        ("0 3 * * * /opt/a.sh > /srv/d.csv\n", LineDecision(redirect="stdout"), "changed"),
    ],
)
def test_decision_is_carried_out(text, decision, verdict):
    found = judged(text, decision)
    assert str(found.judgement.verdict) == verdict
    assert (found.job is None) == (verdict in ("host-only", "disabled", "needs-decision"))


def test_output_that_moves_is_taken_off_the_command():
    job = judged("0 3 * * * /opt/a.sh x >> /srv/d.log 2>&1\n", LineDecision(redirect="stdout")).job
    assert job.command == "/opt/a.sh x"
    assert job.options["redirect"] == {"mode": "stdout", "streams": "both"}
    job = judged("0 3 * * * /opt/a.sh x >> /srv/d.log 2>&1\n", LineDecision(redirect="tee")).job
    assert job.options["redirect"] == {"mode": "tee", "streams": "both", "path": "/srv/d.log", "append": True}


def test_variables_are_those_above_the_line():
    found = plan("A=1\n0 1 * * * /opt/a.sh\nA=2\nB=$A\n0 2 * * * /opt/b.sh\n").groups[0]
    assert [dict(job.environment) for job in found.jobs] == [{"A": "1"}, {"A": "2", "B": "$A"}]


def test_mail_goes_where_the_tab_says():
    assert judged("0 3 * * * /opt/a.sh\n").job.options["mail"] == {"mode": "off"}
    assert judged("MAILTO=x@y\n0 3 * * * /opt/a.sh\n").job.options["mail"] == {"mode": "output", "to": "x@y"}
    assert judged('MAILTO=""\n0 3 * * * /opt/a.sh\n').job.options["mail"] == {"mode": "off"}
    quiet = judged("MAILTO=x@y\n0 3 * * * -n /opt/a.sh\n", flavour=Flavour.CRONIE)
    assert quiet.job.options["mail"] == {"mode": "failure", "to": "x@y"}
    found = judged("MAILTO=x@y\n0 3 * * * /opt/a.sh\n", LineDecision(mail="failure", mail_to="z@y"))
    assert found.job.options["mail"] == {"mode": "failure", "to": "z@y"}


@pytest.mark.parametrize(
    ("command", "runs", "lock"),
    [
        ("/opt/a.sh", 16, None),
        ("flock -n /srv/lock/x /opt/a.sh", 1, {"path": "/srv/lock/x", "late_seconds": 3600}),
        ("flock /srv/lock/x /opt/a.sh", 1, None),
    ],
)
def test_lock_bounds_the_runs_and_skips_late_ones_where_it_gave_up(command, runs, lock):
    job = judged(f"0 3 * * * {command}\n").job
    assert (job.max_active_runs, job.options.get("lock")) == (runs, lock)
    assert job.volumes == ({} if runs == 16 else {"/srv/lock": "scratch"})


def test_lock_of_two_lines_needs_a_decision():
    found = plan("0 3 * * * flock /srv/x /opt/b.sh\n0 4 * * * flock /srv/x /opt/c.sh\n")
    assert [str(line.judgement.verdict) for line in found.groups[0].lines] == ["needs-decision"] * 2
    assert "apart from web.crontab:2" in found.groups[0].lines[0].judgement.reason


def test_root_is_refused_where_the_namespace_refuses_it():
    with pytest.raises(CrontabError, match="run_as is root, and the namespace of team web refuses root"):
        plan("0 3 * * * /opt/a.sh\n", LineDecision(run_as="root"), user="root")
    found = judged("0 3 * * * /opt/a.sh\n", LineDecision(run_as="root"), user="root", allows_root=True)
    assert (found.job.uid, str(found.judgement.verdict)) == (0, "exact")


def test_file_that_the_daemon_throws_away_has_no_job():
    found = plan("A=\n0 3 * * * /opt/a.sh\n# note\n").groups[0]
    assert [str(line.judgement.verdict) for line in found.lines] == ["rejected-by-daemon"] * 2 + ["comment"]
    assert found.jobs == ()
    faults = [line.judgement.reason for line in plan("x\n60 1 * * * a\n#0 3 * * * /b\n1 1 * * * c\n").groups[0].lines]
    assert ["has 1 word" in faults[0], "60 is out of bounds" in faults[1]] == [True, True], "each tells its own fault"
    assert [faults[2], "line 1 is wrong" in faults[3]] == ["A job that was commented out", True]
    cronie = plan("A=\n0 3 * * * /opt/a.sh\n", flavour=Flavour.CRONIE).groups[0]
    assert [str(line.judgement.verdict) for line in cronie.lines] == ["setting", "exact"]


def test_state_and_start_are_the_groups():
    settings = Settings("web", "UTC", "h", START)
    crontab = parse_crontab(Source("web.crontab", b"0 3 * * * /opt/a.sh\n"), Flavour.DEBIAN, user="www-data")
    live = Decisions(groups={"web": GroupDecision("live", START)})
    for decisions, shadow in ((Decisions(), True), (live, False)):
        (job,) = make_plan([crontab], settings, decisions).groups[0].jobs
        assert job.options["shadow"] is shadow


@pytest.mark.parametrize(
    ("now", "midnight"),
    [("2026-12-01T10:00", "2026-12-02"), ("2026-12-01T23:30", "2026-12-03"), ("2026-12-01T00:00", "2026-12-02")],
)
def test_dags_begin_at_a_midnight_that_is_not_near(now, midnight):
    found = utc_midnight_after(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(midnight).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        (
            "CRON_TZ=Mars/Base\n0 3 * * * /opt/a.sh\n",
            "needs-decision",
            "CRON_TZ above it is wrong: there is no time zone",
        ),
        ("RANDOM_DELAY=45\n0 3 * * * /opt/a.sh\n", "changed", "without the random RANDOM_DELAY"),
        ("RANDOM_DELAY=0\n0 3 * * * /opt/a.sh\n", "exact", ""),
        ("0~9 3 * * * /opt/a.sh\n", "equivalent", "draws anew"),
    ],
)
def test_verdict_of_a_line_of_cronie(text, verdict, reason):
    found = judged(text, flavour=Flavour.CRONIE).judgement
    assert (str(found.verdict), reason in found.reason) == (verdict, True), found.reason


@pytest.mark.parametrize(("action", "verdict"), [("host", "host-only"), ("drop", "disabled")])
def test_decision_about_a_line_without_a_zone_is_carried_out(action, verdict):
    text = "CRON_TZ=Mars/Base\n0 3 * * * /opt/a.sh\n"
    found = judged(text, LineDecision(action=action), flavour=Flavour.CRONIE)
    assert (str(found.judgement.verdict), found.job) == (verdict, None)


def test_accepted_switch_of_users_is_a_change():
    found = judged("0 3 * * * sudo /opt/a.sh\n", LineDecision(action="import"))
    assert str(found.judgement.verdict) == "changed"
    assert "it cannot switch users, by decision" in found.judgement.reason


def test_nothing_is_told_twice():
    warnings = judged("0 22-2 * * * /opt/a.sh\n").judgement.warnings
    assert [each for each in warnings if "counts backwards" in each] == [
        "The hour '22-2' counts backwards: debian accepts it, and it never matches."
    ]
