"""A machine inside this one: own network, processes, mounts, /run and cgroups, by namespaces.

The tests of the cluster's life and death run in it, so that neither the host nor a cluster that runs there can be
disturbed. Ending it is a power cut; a second one with the same state folder is the machine after a reboot.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CGROUP = "cronlift-test"

BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
# The host's clusters and image builds go on; their mounts, which come and go, are not ours to see or to hold.
cut -d' ' -f5 /proc/self/mountinfo | grep -e '^/run/' -e '^/var/lib/' -e '/overlay' | sort -r |
    xargs -r -n1 umount -l || true
# A sysfs of its own shows its own network devices.
mount -t sysfs sysfs /sys
if [ -n "$CONTROLLERS" ]; then
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for controller in $CONTROLLERS; do
        mkdir "/sys/fs/cgroup/$controller"
        if [ "$controller" = unified ]; then
            mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
            continue
        fi
        option=$controller
        [ "$controller" = systemd ] && option=none,name=systemd
        mount -t cgroup -o "$option" cgroup "/sys/fs/cgroup/$controller"
    done
else
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/init
    echo $$ > /sys/fs/cgroup/init/cgroup.procs
fi
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mount --make-rshared /
ip link set lo up
touch "$READY"
# Process 1 inherits the orphans; a shell that waits reaps them.
while true; do sleep 3600 & wait $!; done
"""


class OwnMachine:
    """The machine; it lives until `cut_power`.

    Args:
        folder: For its marker file; the file system is the host's but for /run, /var/lib and /var/log.
    """

    def __init__(self, folder: Path) -> None:
        self._ready = folder / "booted"
        self._ready.unlink(missing_ok=True)
        self._controllers = _controllers()
        for path in self._cgroups():
            path.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset of v1 is empty and takes no process
                if (path / name).exists() and path.parent.name == "cpuset":
                    (path / name).write_text((path.parent / name).read_text())
        namespaces = ("--net", "--mount", "--pid", "--cgroup", "--fork", "--kill-child")
        self._keeper = subprocess.Popen(
            [*self._enter_cgroup(), "unshare", *namespaces, "bash", "-c", BOOT],
            env={**os.environ, "CONTROLLERS": " ".join(self._controllers), "READY": str(self._ready)},
        )
        deadline = time.monotonic() + 20
        while not self._ready.exists():
            if self._keeper.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The machine of namespaces did not boot")
            time.sleep(0.02)
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children").read_text()
        self._first = children.split()[0]

    def run(
        self, *command: str | Path, check: bool = True, env: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, to its end."""
        done = subprocess.run(
            [*self._enter_cgroup(), "nsenter", f"--target={self._first}", "--net", "--mount", "--pid", "--cgroup",
             f"--wd={Path.cwd()}", *map(str, command)],
            env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def cut_power(self) -> None:
        """End every process at once; mounts, network and /run go with them."""
        self._keeper.kill()  # unshare ignores SIGTERM; its child, and with it all processes, dies with it
        self._keeper.wait(10)
        for path in self._cgroups():
            for _ in range(100):
                try:
                    _remove_tree(path)
                    break
                except OSError:
                    time.sleep(0.1)

    def _cgroups(self) -> list[Path]:
        return [CGROUPS / name / CGROUP for name in self._controllers] or [CGROUPS / CGROUP]

    def _enter_cgroup(self) -> list[str]:
        leaf = "init/" if (CGROUPS / CGROUP / "init").is_dir() else ""
        files = " ".join(f"{path}/{leaf}cgroup.procs" for path in self._cgroups())
        return ["bash", "-c", f'for file in {files}; do echo $$ > "$file"; done; exec "$@"', "enter"]


def missing_programs() -> list[str]:
    """Return what this host lacks to make such a machine."""
    return [name for name in ("unshare", "nsenter", "ip", "mount") if not shutil.which(name)]


def _controllers() -> list[str]:
    """Return the hierarchies of cgroup v1, and the second one of a hybrid host; empty on v2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return []
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted({Path(words[4]).name for words in lines if words[words.index("-") + 1] in {"cgroup", "cgroup2"}})


def _remove_tree(folder: Path) -> None:
    if folder.is_dir():
        for child, _, _ in os.walk(folder, topdown=False):
            os.rmdir(child)
