"""A real cron daemon in a file system and a process namespace of its own, and cronrun in the same one.

Nothing of this machine's cron is read, started or written: the daemon is unpacked or built into the cache; /etc, /var,
/home, /dev and /tmp are made up; only /usr is this machine's.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cronlift.crontab.model import Flavour
from tests.integration.cron_daemon.daemons import Daemon

LEGACY_FOLDER = Path(__file__).parents[2] / "images" / "legacy"
WORKER = 4711
HOME = "/home/worker"
PROBE_SECONDS = 90.0
"""Cron starts jobs at the next full minute; the rest is for the jobs themselves."""

SENDMAIL = """#!/bin/sh
umask 022
mail=$(mktemp /mail/.new.XXXXXX)
{ printf 'Arguments: %s\\n' "$*"; cat; } > "$mail"
mv "$mail" "/mail/$(sed -n 's/^To: //p' "$mail" | head -n 1)"
"""

PAM = """auth required pam_permit.so
account required pam_permit.so
session required pam_env.so
session required pam_env.so envfile=/etc/default/locale
session required pam_permit.so
"""

FILES = {
    "etc/passwd": f"root:x:0:0:root:/root:/bin/sh\nworker:x:{WORKER}:{WORKER}::{HOME}:/bin/sh\n",
    "etc/group": f"root:x:0:\nworker:x:{WORKER}:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nworker:*:19000:0:99999:7:::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\n",
    "etc/environment": 'FROM_SYSTEM="two words"\nPATH=/system/bin\nexport EXPORTED=1\nLITERAL=$HOME # comment\n',
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/pam.d/cron": PAM,
    "etc/pam.d/other": PAM,
    "etc/security/pam_env.conf": "",
    "etc/crontab": "",
    "usr/sbin/sendmail": SENDMAIL,
}
FOLDERS = ("etc/cron.d", "run", "mail", "root", "proc", "dev", "jobs", "var/log")


@dataclass
class Host:
    """A made-up host.

    Args:
        root: Its file system, seen from outside.
        daemon: Its cron daemon.
        log: What its daemons wrote to syslog.
    """

    root: Path
    daemon: Daemon
    log: list[str] = field(default_factory=list)

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program in it as the worker; stdout and stderr together."""
        return subprocess.run(
            self._inside("setpriv", f"--reuid={WORKER}", f"--regid={WORKER}", "--init-groups", *command),
            env=dict(environment or {"PATH": "/usr/bin:/bin"}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="surrogateescape", timeout=60,
        )  # fmt: skip

    def cronrun(self, name: str, job: Path) -> subprocess.CompletedProcess[str]:
        """Run a job's folder by cronrun, under an environment that must not leak."""
        inside = self.root / "jobs" / name
        shutil.copytree(job, inside)
        for path in (inside, *inside.iterdir()):
            path.chmod(0o755)
        return self.run("/usr/local/bin/cronrun", "--folder", f"/jobs/{name}", name, environment={"LEAK": "1"})

    @contextlib.contextmanager
    def cron(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run its daemon in it."""
        process = subprocess.Popen(
            self._inside("/usr/sbin/cron", *self.daemon.arguments, *options), env={"LANG": "C.UTF-8"}, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()  # unshare ends, and with it the namespace
            process.wait(20)

    def mail(self, to: str) -> str:
        """Return the mail to somebody, once it is there."""
        path = self.root / "mail" / to
        deadline = time.monotonic() + PROBE_SECONDS
        while not path.exists():
            assert time.monotonic() < deadline, "\n".join(self.log)
            time.sleep(0.1)
        return path.read_text(errors="surrogateescape")

    def _inside(self, *command: str) -> list[str]:
        script = f'mount -t proc proc {self.root}/proc && cd / && exec chroot {self.root} "$@"'
        # Whoever runs the tests in the background ignores some signals; a service manager's child does not.
        return [
            "env",
            "--default-signal",
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            script,
            "sh",
            *command,
        ]


@contextlib.contextmanager
def make_host(root: Path, daemon: Daemon) -> Iterator[Host]:
    """Make a host with a daemon and the image's cronrun, and take it away again."""
    mounts = [(Path(folder), root / folder[1:]) for folder in ("/usr/bin", "/usr/lib", "/usr/share")]
    python = Path(sys.base_prefix)
    if not python.is_relative_to("/usr"):
        mounts.append((python, root / str(python)[1:]))
    if Path("/usr/lib64").is_dir():
        mounts.append((Path("/usr/lib64"), root / "usr/lib64"))
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if daemon.flavour is Flavour.CRONIE:  # built without PAM, which would read it; it passes its own LANG on to jobs
        (root / "etc/environment").unlink()
    for name in (*FOLDERS, daemon.spool):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "mail"):
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(0o1777)
    (root / "usr/sbin/sendmail").chmod(0o755)
    (root / "etc/shadow").chmod(0o600)
    home = root / HOME[1:]
    home.mkdir(parents=True)
    os.chown(home, WORKER, WORKER)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("null", "zero", "urandom"):
        device = os.stat(f"/dev/{name}")
        os.mknod(root / "dev" / name, device.st_mode, device.st_rdev)
        (root / "dev" / name).chmod(0o666)
    (root / "dev/fd").symlink_to("/proc/self/fd")
    (root / "var/run").symlink_to("/run")
    shutil.copy(daemon.program, root / "usr/sbin/cron")
    _install_cronrun(root)
    host = Host(root, daemon)
    mounted = []
    try:
        for source, target in mounts:
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", "-o", "ro", source, target], check=True)
            mounted.append(target)
        for path in root.iterdir():  # the test's folder is private, the host's root is not
            if path.is_dir() and not path.is_symlink() and path.name not in {"tmp", "mail", "proc"}:
                path.chmod(0o755)
        root.chmod(0o755)
        with _syslog(root / "dev/log", host.log):
            yield host
    finally:
        for target in reversed(mounted):
            subprocess.run(["umount", target], check=True)


def write_folder(
    folder: Path, command: str, stdin: str | None, environment: Mapping[str, str], **options: object
) -> Path:
    """Write a job's folder as an imported manifest mounts it."""
    folder.mkdir(parents=True)
    (folder / "command").write_text(command)
    (folder / "environment").write_text(json.dumps(dict(environment)))
    (folder / "options").write_text(json.dumps({"flavour": "debian", "user": "worker", **options}))
    if stdin is not None:
        (folder / "stdin").write_text(stdin)
    return folder


def _install_cronrun(root: Path) -> None:
    """As the Dockerfile does it, but with the Python that runs the tests."""
    shutil.copytree(LEGACY_FOLDER / "cronrun", root / "usr/local/lib/cronrun")
    program = root / "usr/local/bin/cronrun"
    program.parent.mkdir(parents=True)
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    text = (LEGACY_FOLDER / "bin" / "cronrun").read_text()
    program.write_text(text.replace("#!/usr/bin/python3 ", f"#!{python} ", 1))
    program.chmod(0o755)


@contextlib.contextmanager
def _syslog(path: Path, lines: list[str]) -> Iterator[None]:
    """Take what the daemon logs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        path.chmod(0o666)
        server.settimeout(0.2)
        ended = threading.Event()

        def take() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    lines.append(server.recv(65536).decode(errors="replace").partition(">")[2])

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
