"""The same lines under the real daemons and under cronrun: what jobs see and write, how they end, what is mailed."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.history import read_history
from cronlift.crontab.model import Flavour, Line, Source
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.replay import TimedLine, replay
from tests.integration.cron_daemon.daemons import cronie, debian_cron
from tests.integration.real_cron import HOME, PROBE_SECONDS, WORKER, Host, make_host, write_folder

JOBS = {
    "environment": "env | sort",
    "override": "LOGNAME=root\nUSER=root\nLANG=fr_FR.UTF-8\nPATH=$HOME/bin:/usr/bin:/bin\n* * * * * env | sort",
    "spaces": "QUOTED = \"a  b\"\nSINGLE='c d'\nPATH=/usr/bin:/bin\n* * * * * env | sort",
    "place": "pwd; umask; id; tty; nice; ulimit -n; cat /proc/self/oom_score_adj",
    "session": "read -r a b c d e f g h < /proc/self/stat; echo $((a == e)) $((a == f)) $g",
    "handles": "ls /proc/$$/fd",
    "signals": "grep -E 'Sig(Ign|Blk)' /proc/self/status",
    "no-input": "cat; echo read $?",
    "order": "i=0; while [ $i -lt 50 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done",
    "no-line-feed": "printf 'first\\nlast'",
    "bytes": "printf 'caf\\351 \\303\\251\\n'; echo été",
    "input": "cat%first%second \\% third%",
    "input-without-end": "cat; echo end%a%b",
    "percent": "date +\\%\\%; echo 'a\\\\b' 'c\\d'",
    "empty-input": "cat; echo $?%",
    "not-expanded": "echo '$(HOME) {{ ds }} ${#x[@]} $$$$' \"$$\" | sed 's/[0-9][0-9]*$//'",
    "hash": "echo a # no comment to cron",
    "quotes": 'echo "it\'s" \'a "b"\' `echo c`',
    "bash": "SHELL=/bin/bash\n* * * * * [[ abc == a* ]] && echo {1..3}; shopt login_shell",
    "shell-again": "SHELL=/bin/sh\n* * * * * echo $0",
    "exit-3": "echo three; exit 3",
    "exit-0": "echo nought; exit 0",
    "not-found": "nosuchprogram",
    "killed": "echo dying; kill -TERM $$",
    "aborted": "echo aborting; kill -ABRT $$",
    "syntax": "if then",
    "long": "echo " + "x" * 900,
    "no-home": "HOME=/home/gone\n* * * * * pwd",
    "home-again": f"HOME={HOME}\n* * * * * pwd",
    "no-shell": "SHELL=/bin/nosuch\n* * * * * echo never",
}
"""Name -> a command, or settings and a line. Settings hold for the lines below them, too."""

SILENT = {"nothing-to-say": "SHELL=/bin/sh\n* * * * * exit 4", "nobody-to-tell": 'MAILTO=""\n* * * * * echo unheard'}


NOT_RUN = {Flavour.DEBIAN: set(), Flavour.CRONIE: {"no-home"}}
"""What a daemon refuses to run."""

CASES = [pytest.param(flavour, name, id=f"{flavour}-{name}") for flavour in Flavour for name in JOBS]


def tab() -> str:
    """Return all jobs as one crontab; each has a recipient of its own, by which its mail is found."""
    found = []
    for name, text in {**JOBS, **SILENT}.items():
        line = text if "* * * * * " in text else f"* * * * * {text}"
        found += [f"MAILTO={name}", line]
    return "\n".join(found) + "\n"


class Both:
    """The mails and the logged ends of all jobs under a daemon; and the same jobs for cronrun."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.flavour = host.daemon.flavour
        self.mailed = [name for name in JOBS if name not in NOT_RUN[self.flavour]]
        path = host.root / host.daemon.spool / "worker"
        lines = parse_crontab(Source("var/spool/cron/crontabs/worker", tab().encode()), self.flavour).jobs
        self.lines: dict[str, Line] = dict(zip([*JOBS, *SILENT], lines, strict=True))
        path.write_text(tab())
        path.chmod(0o600)
        os.chown(path, WORKER, WORKER)

    def wait(self, daemon: subprocess.Popen[bytes]) -> None:
        """Wait until every job has run once, and keep what the daemon said about them."""
        end = " END (" if self.flavour is Flavour.DEBIAN else " CMDEND ("
        deadline = time.monotonic() + PROBE_SECONDS
        while sum(end in each for each in self.host.log) < len(self.mailed) + len(SILENT):
            assert daemon.poll() is None, "\n".join(self.host.log)
            assert time.monotonic() < deadline, "\n".join(self.host.log)
            time.sleep(0.1)
        self.mails = {name: self.host.mail(name) for name in self.mailed}

    def put_aside(self) -> None:
        """Make room for the mails of cronrun, once the daemon is gone."""
        self.log = list(self.host.log)
        self.unasked = {path.name for path in (self.host.root / "mail").iterdir()} - set(self.mailed)
        for path in (self.host.root / "mail").iterdir():
            path.unlink()

    def code(self, name: str) -> int:
        """Return a job's exit code as Debian's cron logged it, by the pid that it logged at the start."""
        command = self.lines[name].command
        starts = [re.search(r"\(worker\) CMD \(\[(\d+)\] (.*)\)$", each) for each in self.log]
        pids = [each.group(1) for each in starts if each and each.group(2) == command]
        ends = [each for each in self.log if any(f"grandchild #{pid} " in each for pid in pids)]
        if not ends:
            return 0
        exited, killed = (re.search(rf"{words} (\d+)", ends[0]) for words in ("exit status", "by signal"))
        return int(exited.group(1)) if exited else 128 + int(killed.group(1)) if killed else -1

    def cronrun(self, name: str, folder: Path) -> tuple[int, list[str]]:
        """Run a job by cronrun; return the exit code and the lines of its log."""
        line = self.lines[name]
        assert line.command is not None
        write_folder(
            folder, line.command, line.stdin, dict(line.environment), mail={"mode": "output"}, flavour=self.flavour
        )
        done = self.host.cronrun(name, folder)
        return done.returncode, done.stdout.splitlines()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Flavour, Both]]:
    """Yield both daemons' hosts; both run their jobs at the same minute, so that it is waited for once."""
    with contextlib.ExitStack() as stack:
        made = {
            daemon.flavour: Both(stack.enter_context(make_host(tmp_path_factory.mktemp("host") / "root", daemon)))
            for daemon in (debian_cron(), cronie())
        }
        # Daemons that start on either side of a minute's turn would run the jobs twice, or a minute apart.
        while not 2 <= datetime.now(UTC).second < 50:
            time.sleep(0.5)
        with contextlib.ExitStack() as running:
            options = {Flavour.DEBIAN: ("-L", "15"), Flavour.CRONIE: ()}
            daemons = {key: running.enter_context(each.host.cron(*options[key])) for key, each in made.items()}
            for key, each in made.items():
                each.wait(daemons[key])
        for each in made.values():
            each.put_aside()
        yield made


@pytest.fixture
def both(hosts: dict[Flavour, Both]) -> Both:
    return hosts[Flavour.DEBIAN]


def plain(mail: str) -> str:
    """Return a mail without what differs by design: cron's note of a failure, which its option -L 4 adds."""
    return re.sub(r"^(Subject: .*) \(failed\)$", r"\1", mail, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize(("flavour", "name"), [case for case in CASES if case.id != "cronie-no-home"])
def test_mail_and_exit_code_are_those_of_the_daemon(
    hosts: dict[Flavour, Both], flavour: Flavour, name: str, tmp_path: Path
) -> None:
    both = hosts[flavour]
    code, log = both.cronrun(name, tmp_path / "job")
    head, _, body = plain(both.mails[name]).partition("\n\n")
    mine, _, mine_body = both.host.mail(name).partition("\n\n")
    assert mine_body == body
    assert sorted(mine.splitlines()) == sorted(head.splitlines())
    if flavour is Flavour.DEBIAN:  # cronie says nothing of how jobs end
        assert code == both.code(name), log


def test_job_without_its_home_is_run_by_neither_cronie_nor_cronrun(hosts: dict[Flavour, Both], tmp_path: Path) -> None:
    both = hosts[Flavour.CRONIE]
    assert any("chdir failed (/home/gone)" in each for each in both.log)
    code, log = both.cronrun("no-home", tmp_path / "job")
    assert code == 125
    assert "cronie does not run such a job" in log[-1]
    assert not (both.host.root / "mail" / "no-home").exists()


@pytest.mark.parametrize("name", ["order", "no-line-feed", "input", "environment"])
def test_log_of_the_pod_is_the_mails_body_and_a_last_line(both: Both, name: str, tmp_path: Path) -> None:
    line = both.lines[name]
    assert line.command is not None
    job = write_folder(tmp_path / "job", line.command, line.stdin, dict(line.environment))
    done = both.host.cronrun(f"{name}-log", job)
    assert done.stdout.splitlines()[:-1] == both.mails[name].partition("\n\n")[2].splitlines()
    assert done.stdout.splitlines()[-1].startswith(f"cronrun: {name}-log ran: exit 0")


@pytest.mark.parametrize("name", SILENT)
def test_jobs_without_output_or_recipient_are_mailed_by_neither(both: Both, name: str, tmp_path: Path) -> None:
    code, _ = both.cronrun(name, tmp_path / "job")
    assert code == both.code(name)
    assert not both.unasked
    assert not (both.host.root / "mail" / name).exists()


def test_judge_is_debians_own_daemon(both: Both) -> None:
    assert sum(" CMD (" in each for each in both.log) == len(JOBS) + len(SILENT)
    assert both.code("exit-3") == 3
    assert both.code("killed") == 143


def test_log_of_the_daemon_holds_every_command_as_replay_expects_it(both: Both) -> None:
    lines = [re.sub(r"^(\w+ +\d+ \S+) ", r"\1 old ", each) for each in both.log]
    history = read_history(lines, ZoneInfo("UTC"), datetime.now(UTC))
    jobs = [
        TimedLine(line.where, "worker", line.command or "", parse_schedule("* * * * *", Flavour.DEBIAN))
        for line in both.lines.values()
    ]
    found = replay(jobs, history, ZoneInfo("UTC"), Flavour.DEBIAN)
    assert found.unknown == ()
    assert found.equal
    assert {each.seen for each in found.lines if not each.shared_with} == {1}
