"""The inventory of an old host, taken of a made-up file system by every shell that this machine has."""

import gzip
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cronlift.cli.crontab_files import read_inputs

SCRIPT = Path(__file__).parents[3] / "inventory" / "inventory.sh"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
NOBODY = 65534

SYSTEM_TAB = """\
SHELL=/bin/bash
MAILTO = ops
# a comment with /opt/not/this
17 *\t* * *\troot  cd / && run-parts --report /etc/cron.hourly
*/5 * * * * www-data PGPASSWORD=x /opt/shop/bin/import.sh --all > /var/log/shop/import.log 2>&1
@daily www-data [ -x /opt/gone/run ] && /opt/gone/run
"""


@pytest.fixture
def host() -> Iterator[Path]:
    """Yield a made-up host; open to all, because a test looks at it as somebody else."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    files = {
        "etc/hostname": "old.example.org\n",
        "etc/timezone": "Europe/Paris\n",
        "etc/default/locale": 'LANG="fr_FR.UTF-8"\n# no more\n',
        "etc/debian_version": "9.13\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nwww-data:secret:33:33::/var/www:/bin/sh\n",
        "etc/group": "root:x:0:\nwww-data:x:33:\n",
        "etc/crontab": SYSTEM_TAB,
        "etc/cron.d/shop backup": "0 3 * * * root /usr/bin/true\n",
        "etc/cron.d/.placeholder": "# nothing\n",
        "etc/cron.daily/logs": "#!/bin/sh\n",
        "etc/anacrontab": "1 5 cron.daily nice run-parts /etc/cron.daily\n",
        "var/spool/cron/crontabs/www-data": "0 1 * * * php /var/www/job.php",
        "var/lib/dpkg/status": "Package: php-cli\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.0.33\n",
        "opt/shop/bin/import.sh": "#!/bin/sh\necho import\n",
        "usr/bin/php": "",
        "var/log/syslog": "Nov 23 03:00:01 old CRON[10]: (root) CMD (/usr/bin/true)\nNov 23 03:00:02 old sshd[1]: hi\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    (folder / "etc/cron.daily/logs").chmod(0o755)
    with gzip.open(folder / "var/log/syslog.1.gz", "wt") as file:
        file.write("Nov 22 03:00:01 old CRON[9]: (root) CMD (/usr/bin/true)\n")
    os.utime(folder / "var/log/syslog.1.gz", (0, 0))
    (folder / "etc/cron.d/linked").symlink_to("/opt/shop/cron")
    (folder / "opt/shop/cron").write_text("@reboot root /bin/true\n")
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def take(host: Path, output: Path, *arguments: str, shell: str = "dash", **options: int) -> subprocess.CompletedProcess:
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    return subprocess.run(
        [*words, SCRIPT, "--output", output, *arguments], env={"PATH": os.environ["PATH"], "ROOT": str(host)},
        capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


def unpack(output: Path, folder: Path) -> Path:
    with tarfile.open(output) as archive:
        archive.extractall(folder, filter="data")
    return folder / "inventory"


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
def test_tarball_has_tabs_settings_and_facts(host: Path, tmp_path: Path, shell: str) -> None:
    output = tmp_path / "out.tar.gz"
    done = take(host, output, shell=shell)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    top = unpack(output, tmp_path)
    files = {row[6]: row for row in rows(top / "files.tsv")}
    assert {path for path in files if "cron" in path} == {
        "/etc/crontab", "/etc/anacrontab", "/etc/cron.d/shop backup", "/etc/cron.d/.placeholder", "/etc/cron.d/linked",
        "/etc/cron.daily/logs", "/var/spool/cron/crontabs/www-data",
    }  # fmt: skip
    assert (top / "root/etc/crontab").read_text() == SYSTEM_TAB
    assert (top / "root/var/spool/cron/crontabs/www-data").read_text() == "0 1 * * * php /var/www/job.php"
    assert (top / "root/etc/cron.d/linked").read_text() == "@reboot root /bin/true\n"
    assert files["/etc/cron.daily/logs"][0] == "0755"
    assert files["/etc/cron.d/linked"][5:] == ["link", "/etc/cron.d/linked", "/opt/shop/cron"]
    meta = dict(line.split("=", 1) for line in (top / "meta").read_text().splitlines())
    assert (meta["format"], meta["host"], meta["fqdn"], meta["flavour"]) == ("1", "old", "old.example.org", "debian")
    assert (top / "facts/timezone").read_text() == "Europe/Paris\n"
    assert (top / "facts/locale").read_text() == 'LANG="fr_FR.UTF-8"\n'
    assert rows(top / "facts/packages.tsv")[0][:2] == ["php-cli", "7.0.33"]
    assert "www-data:x:33:33::/var/www:/bin/sh" in (top / "facts/passwd").read_text().splitlines()
    assert "secret" not in (top / "facts/passwd").read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_programs_and_paths_that_tabs_name_are_listed(host: Path, tmp_path: Path, shell: str) -> None:
    output = tmp_path / "out.tar.gz"
    take(host, output, shell=shell)
    top = unpack(output, tmp_path)
    programs = dict(rows(top / "facts/programs.tsv"))
    assert programs["php"] == "/usr/bin/php"
    assert programs["/opt/shop/bin/import.sh"] == "/opt/shop/bin/import.sh"
    assert programs["/opt/gone/run"] == ""
    kinds = {row[4]: row[3] for row in rows(top / "facts/paths.tsv")}
    assert kinds["/opt/shop/bin/import.sh"] == "file"
    assert kinds["/etc/cron.hourly"] == "missing"
    assert kinds["/opt/gone/run"] == "missing"
    assert "/opt/not/this" not in kinds


@pytest.mark.parametrize("shell", SHELLS)
def test_history_holds_the_runs_oldest_first(host: Path, tmp_path: Path, shell: str) -> None:
    output = tmp_path / "out.tar.gz"
    take(host, output, shell=shell)
    assert (unpack(output, tmp_path) / "facts/history.log").read_text().splitlines() == [
        "Nov 22 03:00:01 old CRON[9]: (root) CMD (/usr/bin/true)",
        "Nov 23 03:00:01 old CRON[10]: (root) CMD (/usr/bin/true)",
    ]


def test_importer_reads_the_tarball(host: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tar.gz"
    take(host, output)
    inputs = read_inputs([str(output)])
    assert {source.path.partition("root/")[2] or source.path for source in inputs.sources} >= {
        "etc/crontab",
        "var/spool/cron/crontabs/www-data",
    }
    facts = inputs.facts
    assert (facts.timezone, facts.declared_flavour, facts.locale) == ("Europe/Paris", "debian", "fr_FR.UTF-8")
    assert facts.users["www-data"].home == "/var/www"
    assert facts.programs["php"] == "/usr/bin/php"
    assert len(facts.history.splitlines()) == 2


def test_scripts_come_only_when_asked_for(host: Path, tmp_path: Path) -> None:
    take(host, tmp_path / "without.tar.gz")
    take(host, tmp_path / "with.tar.gz", "--scripts")
    script = "root/opt/shop/bin/import.sh"
    assert not (unpack(tmp_path / "without.tar.gz", tmp_path / "a") / script).exists()
    assert (unpack(tmp_path / "with.tar.gz", tmp_path / "b") / script).read_text() == "#!/bin/sh\necho import\n"


def test_what_cannot_be_read_is_named_and_does_not_stop_the_rest(host: Path, tmp_path: Path) -> None:
    (host / "etc/cron.d/shop backup").chmod(0)
    (host / "var/spool/cron/crontabs").chmod(0)
    output = host / "out.tar.gz"
    host.chmod(0o777)
    as_other = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    done = take(host, output, **as_other)
    assert done.returncode == 0, done.stderr
    unread = dict(rows(unpack(output, tmp_path) / "unread.tsv"))
    assert unread["/etc/cron.d/shop backup"] == "permission denied"
    assert unread["/var/spool/cron/crontabs"] == "permission denied"
    assert "/etc/cron.d/shop backup\tpermission denied" in done.stderr
    assert "As root more can be read" in done.stderr
    (host / "var/spool/cron/crontabs").chmod(0o755)


def test_nothing_is_overwritten_and_nothing_is_left_behind(host: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tar.gz"
    output.write_text("precious")
    before = sorted(host.rglob("*"))
    surroundings = {"PATH": os.environ["PATH"], "ROOT": str(host), "TMPDIR": str(tmp_path)}
    done = subprocess.run(["dash", SCRIPT, "--output", output], env=surroundings, capture_output=True, text=True)
    assert done.returncode == 1
    assert "it is not overwritten" in done.stderr
    assert output.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [output]
    assert sorted(host.rglob("*")) == before


def test_wrong_usage_exits_2() -> None:
    done = subprocess.run(["dash", SCRIPT, "--everything"], capture_output=True, text=True)
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")
