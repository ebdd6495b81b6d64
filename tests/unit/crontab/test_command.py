"""What a command needs of its host is found without running it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.command import CommandFacts, analyse_command
from cronlift.crontab.model import Flavour


def facts(command: str, flavour: Flavour = Flavour.DEBIAN, **variables: str) -> CommandFacts:
    return analyse_command(command, flavour=flavour, environment=variables.items())


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("cd /srv && php bin/x | gzip > /f", ("php", "gzip")),
        ("nice -n 19 ionice -c3 timeout -k 5 1h /usr/bin/php x", ("nice", "ionice", "timeout", "/usr/bin/php")),
        ("env -u A B=c php x", ("env", "php")),
        ("sudo -u www-data -- php x", ("sudo", "php")),
        ("flock -n /l php x", ("flock", "php")),
        ("flock -w 5 -E 0 /l -c 'php x; ruby y'", ("flock", "php", "ruby")),
        ('bash -lc "php x && ruby y"', ("bash", "php", "ruby")),
        ('su - joe -c "php x"', ("su", "php")),
        ("find /x -name y | xargs -n 1 -P 4 rm -f", ("find", "xargs", "rm")),
        ("if [ -f /x ]; then php y; fi", ("php",)),
        ("x=$(date +%F) && echo $x", ("date",)),
        ("command -v php > /dev/null && php x", ("php",)),
        ("php x; php y", ("php",)),
        ("A=b", ()),
    ],
)
def test_programs_are_found(command: str, programs: tuple[str, ...]) -> None:
    assert facts(command).programs == programs


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        (
            "/usr/bin/php -f /srv/x.php --out=/var/y >> /var/log/z 2>&1",
            ("/usr/bin/php", "/srv/x.php", "/var/y", "/var/log/z"),
        ),
        ("cd '/srv/a b' && ./x < /etc/in", ("/srv/a b", "/etc/in")),
        ("x > /dev/null", ()),
        ("curl https://h/a/b -o /tmp/o", ("/tmp/o",)),
        ("A=/opt/a /x", ("/opt/a", "/x")),
        ("x /srv/$(date +%F)/y", ()),
        ("for i in /a /b; do /x $i; done", ("/a", "/b", "/x")),
        ("x $TOP/y", ("/srv/top/y",)),
        ("x /a/", ("/a",)),
    ],
)
def test_paths_are_found(command: str, paths: tuple[str, ...]) -> None:
    assert facts(command, TOP="/srv/top").paths == paths


@pytest.mark.parametrize(
    ("command", "kind", "target", "waits"),
    [
        ("flock -n /var/lock/x php y", "flock", "/var/lock/x", False),
        ("flock -xn /var/lock/x php y", "flock", "/var/lock/x", False),
        ("/usr/bin/flock --nonblock /var/lock/x -c 'php y'", "flock", "/var/lock/x", False),
        ("flock /var/lock/x php y", "flock", "/var/lock/x", True),
        ("flock -w 10 /var/lock/x php y", "flock", "/var/lock/x", True),
        ("flock -w 0 /var/lock/x php y", "flock", "/var/lock/x", False),
        ("flock --timeout=0 /var/lock/x php y", "flock", "/var/lock/x", False),
        ("lockf -t 0 /tmp/l php y", "lockf", "/tmp/l", False),
        ("lockf -s -t 5 /tmp/l php y", "lockf", "/tmp/l", True),
        ("( flock -n 9 || exit 1; php y ) 9>/var/lock/x", "flock", "/var/lock/x", False),
        ("lockfile -r 0 /tmp/l && php y; rm -f /tmp/l", "lockfile", "/tmp/l", False),
        ("lockfile /tmp/l && php y", "lockfile", "/tmp/l", True),
        ("setlock -n /tmp/l php y", "setlock", "/tmp/l", False),
        ("setlock /tmp/l php y", "setlock", "/tmp/l", True),
        ("run-one php y", "run-one", "", False),
        ("solo -port=2050 php y", "solo", "2050", False),
        ("[ -f /run/x.pid ] || php y", "pidfile", "/run/x.pid", False),
    ],
)
def test_locks_are_found(command: str, kind: str, target: str, waits: bool) -> None:
    guard = facts(command).guards[0]
    assert (guard.kind, guard.target, guard.waits, guard.is_lock) == (kind, target, waits, True)


@pytest.mark.parametrize(
    ("command", "kind", "target"),
    [
        ("test -x /usr/bin/x && /usr/bin/x", "test", "-x /usr/bin/x"),
        ("[ -x /usr/bin/x ] && /usr/bin/x", "test", "-x /usr/bin/x"),
        ("[[ -d /x ]] && y", "test", "-d /x"),
        ("grep -q y /x && z", "grep", "-q y /x"),
        ("! diff -q /x /y && z", "diff", "-q /x /y"),
        ("x | grep -q y && z", "grep", "-q y"),
        ("pgrep x && y", "pgrep", "x"),
    ],
)
def test_tests_that_fail_on_a_normal_day_are_found(command: str, kind: str, target: str) -> None:
    found = facts(command, Flavour.CRONIE)
    assert [(guard.kind, guard.target, guard.is_lock) for guard in found.guards] == [(kind, target, False)]
    assert found.expects_exit


@pytest.mark.parametrize("program", ["mysql", "psql", "pg_dumpall", "ssh", "scp", "flock", "lockfile", "bash", "nice"])
def test_programs_without_arguments_are_read(program: str) -> None:
    assert facts(program).programs == (program,)


@pytest.mark.parametrize(
    "command",
    [
        "php x && php y",
        "flock /l php x",
        "php x; [ -f /y ]",
        "test -x /usr/sbin/anacron || run-parts /etc/cron.daily",
        "[ -f /run/x.pid ] || php y",
        "[ -x /a ] && /a || true",
        "[ -x /a ] && /a; true",
        "flock -n /l php x || true",
        "lockfile -r0 /l && php x; rm -f /l",
    ],
)
def test_commands_that_end_well_without_running_expect_no_exit(command: str) -> None:
    assert not facts(command).expects_exit


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("php x &", "`&`"),
        ("( php x & )", "`&`"),
        ("nohup php x", "`nohup`"),
        ("screen -dmS x php y", "`screen`"),
        ("tmux new-session -d php y", "`tmux`"),
        ("echo php x | at now", "`at`"),
        ("start-stop-daemon --start --exec /x", "Deployment"),
    ],
)
def test_what_goes_on_behind_the_command_is_found(command: str, word: str) -> None:
    assert any(word in each for each in facts(command).background)


@pytest.mark.parametrize(
    "command", ["php x & php y & wait", "php x && php y", "php x 2>&1", "screen -ls", "php 'a & b'"]
)
def test_what_ends_with_the_command_is_none(command: str) -> None:
    assert facts(command).background == ()


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("x &> /f", "&>"),
        ("[[ -f /x ]] && y", "[["),
        ("sleep $((RANDOM / 60))", "RANDOM"),
        ("sleep $RANDOM", "RANDOM"),
        ("source /x; y", "source"),
        ("cd /x && source y", "source"),
        ("diff <(a) <(b)", "process substitution"),
        ("cp x.{a,b} /y", "braces"),
        ("for i in {1..3}; do x; done", "braces"),
        ("x <<< y", "<<<"),
        ("a=(1 2); x", "arrays"),
        ("x ${a[0]}", "arrays"),
        ("x ${a/b/c}", "bad substitution"),
        ("x ${a:0:3}", "bad substitution"),
        ("x $'a\\n'", "backslashes"),
        ("set -o pipefail; x", "pipefail"),
        ("echo -e 'a\\n' | x", "echo -e"),
        ("[ a == b ] && x", "=="),
        ("(( x > 1 )) && y", "(("),
    ],
)
def test_bashisms_are_told_under_dash_alone(command: str, word: str) -> None:
    assert any(word in each for each in facts(command).bashisms)
    assert facts(command, Flavour.CRONIE).bashisms == ()
    assert facts(command, SHELL="/bin/bash").bashisms == ()


@pytest.mark.parametrize(
    "command",
    [
        "x > /f 2>&1",
        "[ a = b ] && x",
        "echo '[[ a ]] <( {a,b}'",
        "find . -exec rm {} \\;",
        "x ${a:-b} ${a#b} ${#a}",
        "awk '{print $1,$2}' /x",
        "x $((1 + 2))",
        ". /x; y",
        "echo source of it",
        "x a==b",
        "( ( a ) )",
    ],
)
def test_what_dash_understands_is_none(command: str) -> None:
    assert facts(command).bashisms == ()


@pytest.mark.parametrize(
    "command",
    ["systemctl restart x", "/usr/sbin/service x reload", "/etc/init.d/x restart", "/sbin/reboot", "mdadm --monitor",
     "apt-get update", "logrotate /etc/logrotate.conf", "docker exec x y", "zpool scrub x", "killall x",
     "test -x /x && sudo systemctl stop y", "mount -a", "crontab -l"],
)  # fmt: skip
def test_jobs_of_the_host_are_found(command: str) -> None:
    assert facts(command).host_only


@pytest.mark.parametrize("command", ["php x", "echo systemctl", "/srv/docker/run.sh", "x --reboot"])
def test_other_jobs_are_none_of_the_host(command: str) -> None:
    assert facts(command).host_only == ()


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("mysqldump db > /x", "MySQL"),
        ("psql -c 'select 1'", "PostgreSQL"),
        ("redis-cli ping", "Redis"),
        ("mysql -h localhost db", "localhost"),
        ("psql -h127.0.0.1 db", "127.0.0.1"),
        ("curl -s http://localhost:8080/x", "localhost"),
        ("wget -q http://127.0.0.1/x", "127.0.0.1"),
        ("mysql -h db -S /run/mysqld/mysqld.sock", "socket"),
        ("x | mail -s y joe", "mail server"),
    ],
)
def test_what_is_expected_on_the_same_machine_is_found(command: str, word: str) -> None:
    assert any(word in each for each in facts(command).localhost)


@pytest.mark.parametrize(
    "command",
    ["mysql -h db1 x", "mysql --host=db1 x", "psql postgres://db1/x", "PGHOST=db1 psql x", "curl https://h/x", "php x"],
)
def test_a_named_host_is_no_local_one(command: str) -> None:
    assert facts(command).localhost == ()


def test_a_host_in_the_tabs_variables_is_a_named_one() -> None:
    assert facts("psql x", PGHOST="db1").localhost == ()


@pytest.mark.parametrize(
    ("command", "hosts"),
    [
        ("curl -s https://me:pw@api.example.org:8443/x", ("api.example.org",)),
        ("rsync -a -e 'ssh -p 22' /x me@h1.example.org:/y", ("h1.example.org",)),
        ("scp /x h2:/y", ("h2",)),
        ("ssh -i /k me@h3 ls", ("h3",)),
        ("mysql -h db4 x; psql --host=db5 y", ("db4", "db5")),
        ("rsync -a /x /y", ()),
        ("curl http://localhost/x", ()),
        ("ssh $HOST ls", ()),
    ],
)
def test_hosts_are_found(command: str, hosts: tuple[str, ...]) -> None:
    assert facts(command).hosts == hosts


def test_run_parts_folders_are_found() -> None:
    assert facts("test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )").run_parts == (
        "/etc/cron.daily",
    )


def test_secrets_are_found_and_never_shown() -> None:
    found = facts("mysqldump -pcorrect-horse db")
    assert [secret.name for secret in found.secrets] == ["MYSQL_PASSWORD"]
    assert "correct-horse" not in repr(found)


def test_a_command_that_no_shell_reads_is_told() -> None:
    assert facts("mail -s \"x `date +'").fault
    assert facts("php x").fault is None


WORDS = st.sampled_from(
    ["mysql", "-h", "psql", "--host", "redis-cli", "flock", "-n", "-w", "-c", "lockfile", "setlock", "run-one",
     "solo", "bash", "su", "env", "A=b", "nice", "timeout", "xargs", "ssh", "scp", "rsync", "-e", "me@h:/x",
     "run-parts", "/x", "test", "[", "]", "grep", "command", "-v", "screen", "-d", "nohup", "&", "&&", "||", ";",
     "|", "(", ")", ">", "9>/l", "2>&1", "--", "-", "''", '"', "$A", "$(x)", "source", "http://h/x", "curl",
     "-u", "a:b", "-pX", "mail", "if", "then", "fi"]
)  # fmt: skip


@given(st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(max_size=200)), st.sampled_from(Flavour))
def test_any_command_is_analysed(text: str, flavour: Flavour) -> None:
    found = facts(text, flavour, A="/x", SHELL="/bin/sh")
    assert all(path.startswith("/") for path in found.paths)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("su - mara -c 'php x'", "su"),
        ("cd /x && sudo -u mara php x", "sudo"),
        ("/sbin/runuser -u mara php x", "runuser"),
    ],
)
def test_programs_that_switch_users_are_told(command: str, name: str) -> None:
    assert facts(command).switches == (f"`{name}` switches to another user, which a Pod may not.",)


def test_user_of_ftp_is_no_host() -> None:
    assert facts("lftp -u mara,s3cret ftp.example.org -e ls").hosts == ("ftp.example.org",)
