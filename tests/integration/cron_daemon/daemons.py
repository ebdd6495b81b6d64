"""The real cron daemons, fetched or built into the cache, and run under a fake clock in a folder of their own."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci.cluster.embedded.packages import search_path
from ci.paths import cache_dir
from ci.process import run
from cronlift.crontab.model import Flavour

HERE = Path(__file__).parent
CRONIE = "1.7.2"
CRONIE_URL = f"http://deb.debian.org/debian/pool/main/c/cronie/cronie_{CRONIE}.orig.tar.gz"
CRONIE_SHA256 = "f1da374a15ba7605cf378347f96bc8b678d3d7c0765269c8242cfe5b0789c571"
END_SECOND = 30
"""A stretch ends within a minute: the daemon wakes a second after its beginning."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that can be run.

    Attributes:
        flavour: Whose rules it has.
        program: The program.
        arguments: What keeps it in the foreground.
        spool: Where it looks for the tabs of users.
    """

    flavour: Flavour
    program: Path
    arguments: tuple[str, ...]
    spool: str


@dataclass(frozen=True)
class Outcome:
    """What a daemon did.

    Attributes:
        fires: Command -> the minutes since 1970 at which it was started, in order.
        log: What the daemon logged.
    """

    fires: dict[str, list[int]] = field(default_factory=dict)
    log: str = ""


def debian_cron() -> Daemon:
    """Return the distribution's own cron, unpacked and not installed: no service of the machine is touched."""
    home = cache_dir() / "cron-daemons" / "debian"
    program = home / "usr/sbin/cron"
    if not program.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        # Without the sandbox, apt's own user would need to read this folder.
        run("apt-get", "update")
        run("apt-get", "-o", "APT::Sandbox::User=root", "download", "cron", cwd=home)
        (package,) = home.glob("cron_*.deb")
        run("dpkg-deb", "--extract", package, home)
    return Daemon(Flavour.DEBIAN, program, ("-f",), "var/spool/cron/crontabs")


def cronie() -> Daemon:
    """Return cronie, built from its source."""
    home = cache_dir() / "cron-daemons" / f"cronie-{CRONIE}"
    program = home / "src/crond"
    if not program.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(CRONIE_URL, timeout=60) as answer:
            content = answer.read()
        assert hashlib.sha256(content).hexdigest() == CRONIE_SHA256, f"{CRONIE_URL} has changed"
        archive = home.parent / "cronie.tar.gz"
        archive.write_bytes(content)
        with tarfile.open(archive) as tar:
            tar.extractall(home.parent, filter="data")
        switches = ("pam", "selinux", "audit", "inotify")
        run("./configure", *(f"--without-{name}" for name in switches), "--disable-anacron", "--prefix=/usr",
            "--sysconfdir=/etc", "--localstatedir=/var", cwd=home, log=home / "build.log")  # fmt: skip
        run("make", cwd=home, log=home / "build.log")
    return Daemon(Flavour.CRONIE, program, ("-n",), "var/spool/cron")


def fake_clock(folder: Path) -> Path:
    """Compile the clock."""
    library = folder / "fake_clock.so"
    run("gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, HERE / "fake_clock.c")
    return library


def run_daemon(
    daemon: Daemon, clock: Path, root: Path, zone: str, tabs: Mapping[str, str], stretches: Sequence[tuple[int, int]]
) -> Outcome:
    """Run a daemon through stretches of time.

    Args:
        daemon: Which.
        clock: See `fake_clock`.
        root: A new folder: the whole world of the daemon.
        zone: The machine's time zone.
        tabs: File name -> content, for /etc/cron.d.
        stretches: First and last minute of each, since 1970. The first minute of one only tells the daemon the time.
    """
    _furnish(daemon, clock, root, zone, tabs)
    loader, *_ = re.findall(r"^\s*(/\S+) \(0x", _libraries(daemon.program), re.MULTILINE)
    times = ",".join(f"{first * 60}-{last * 60 + END_SECOND}" for first, last in stretches)
    done = subprocess.run(
        ["chroot", root, loader, "--preload", "/fake_clock.so", "/cron", *daemon.arguments],
        env={"FAKE_CLOCK": times, "PATH": search_path()},
        capture_output=True,
        check=True,
    )
    fires: dict[str, list[int]] = {}
    noted = root / "fires"
    for line in noted.read_text().splitlines() if noted.exists() else []:
        second, _, command = line.partition(" ")
        fires.setdefault(command.strip(), []).append(int(second) // 60)
    return Outcome({command: sorted(minutes) for command, minutes in fires.items()}, done.stderr.decode())


def _furnish(daemon: Daemon, clock: Path, root: Path, zone: str, tabs: Mapping[str, str]) -> None:
    for name in ("etc/cron.d", daemon.spool, "var/run", "run", "dev", "tmp", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    for library in re.findall(r"(/\S+) \(0x", _libraries(daemon.program)):
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    shutil.copy(daemon.program, root / "cron")
    shutil.copy(clock, root / "fake_clock.so")
    shutil.copy(Path("/usr/share/zoneinfo") / zone, root / "etc/localtime")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    for name, content in tabs.items():
        tab = root / "etc/cron.d" / name
        tab.write_text(content)
        tab.chmod(0o644)
        os.utime(tab, (0, 0))


def _libraries(program: Path) -> str:
    return run("ldd", program)
