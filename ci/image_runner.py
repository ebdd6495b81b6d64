"""Run a built image as a pod would: its own uid, a read-only root, no capability, by runc and without an engine.

Needs root, buildah and runc, which the embedded cluster brings.
"""

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci.errors import CiError
from ci.images import Image
from ci.process import run

WHY_NOT_HERE = "needs root, runc and buildah, which the embedded cluster also needs"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Finished:
    """What a program in a container did."""

    code: int
    out: str


@dataclass
class Running:
    """A container in the background."""

    id: str
    process: subprocess.Popen[str]
    log: Path

    def execute(self, *command: str) -> Finished:
        """Run another command in it, with its own network."""
        done = subprocess.run(
            ["runc", "exec", self.id, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout)

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        subprocess.run(["runc", "kill", self.id, name], check=True)

    def wait_until(self, check: Callable[[], bool]) -> None:
        """Repeat a check.

        Raises:
            CiError: It does not come true in time, or the container ends; with its log.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not check():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise CiError(f"Container {self.id} did not do what was waited for:\n{self.log.read_text()}")
            time.sleep(0.1)

    def wait_for(self, words: str) -> None:
        """Wait until it has printed these words."""
        self.wait_until(lambda: words in self.log.read_text())

    def stop(self) -> None:
        """Kill it and wait for its end."""
        subprocess.run(["runc", "delete", "--force", self.id], capture_output=True)
        self.process.wait(20)


@dataclass
class Unpacked:
    """An image's root file system and configuration."""

    root: Path
    config: dict[str, Any]
    work: Path
    running: list[Running] = field(default_factory=list)

    def run(self, *command: str, timeout: float = 120, **options: object) -> Finished:
        """Run a command to its end with the image's entrypoint left out; stdout and stderr together.

        runc copies each through a pipe of its own, so on a busy machine their lines may change places.
        """
        bundle, container = self._bundle(list(command), **options)
        try:
            done = subprocess.run(
                ["runc", "run", "--bundle", bundle, container],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
            )  # fmt: skip
        finally:
            subprocess.run(["runc", "delete", "--force", container], capture_output=True)
        return Finished(done.returncode, done.stdout)

    def start(self, *arguments: str, **options: object) -> Running:
        """Start the image's entrypoint with arguments, or its command without any."""
        words = list(self.config.get("Entrypoint") or []) + (list(arguments) or list(self.config.get("Cmd") or []))
        bundle, container = self._bundle(words, **options)
        log = bundle / "log"
        with log.open("w") as sink:
            command = ["runc", "run", "--bundle", bundle, container]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, text=True)
        self.running.append(Running(container, process, log))
        return self.running[-1]

    def stop_all(self) -> None:
        """Kill what still runs."""
        for each in self.running:
            each.stop()

    def _bundle(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        volumes: Mapping[str, Path] | None = None,
        writable: Sequence[str] = ("/tmp",),  # noqa: S108 - a path in the container
        workdir: str | None = None,
    ) -> tuple[Path, str]:
        container = f"cronlift-run-{uuid.uuid4().hex[:10]}"
        bundle = self.work / container
        bundle.mkdir(parents=True)
        uid, gid = user or _ids(self.config.get("User") or "0:0")
        variables = dict(pair.split("=", 1) for pair in self.config.get("Env") or []) | dict(environment or {})
        variables.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777"]},  # noqa: S108
        ]
        for path in writable:  # as an emptyDir: of root's, open to all
            mounts.append({"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["mode=0777"]})
        for path, source in (volumes or {}).items():
            mounts.append({"destination": path, "type": "bind", "source": str(source), "options": ["rbind", "rw"]})
        spec = {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": uid, "gid": gid, "umask": 0o022},
                "args": list(words),
                "env": [f"{key}={value}" for key, value in variables.items()],
                "cwd": workdir or self.config.get("WorkingDir") or "/",
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.root), "readonly": True},
            "hostname": "test",
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
        }
        (bundle / "config.json").write_text(json.dumps(spec))
        return bundle, container


def unpack(image: Image, work: Path) -> Unpacked:
    """Unpack an archive into a storage of its own under `work`; `remove` takes it away."""
    container = _buildah(work, "from", "--pull-never", f"oci-archive:{image.archive}").strip()
    root = Path(_buildah(work, "mount", container).strip())
    config = json.loads(_buildah(work, "inspect", "--type", "container", container))["OCIv1"]["config"]
    return Unpacked(root, config, work / "bundles")


def remove(work: Path) -> None:
    """Unmount and remove all that `unpack` made under `work`."""
    _buildah(work, "umount", "--all")
    _buildah(work, "rm", "--all")
    overlay = str(work / "root" / "overlay")
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for _ in range(mounted.count(overlay)):
        subprocess.run(["umount", overlay], check=True)
    shutil.rmtree(work)


def _ids(user: str) -> tuple[int, int]:
    uid, _, gid = user.partition(":")
    return int(uid), int(gid or 0)


def _buildah(work: Path, *words: str) -> str:
    return run("buildah", "--root", work / "root", "--runroot", work / "run", "--storage-driver", "overlay", *words)
