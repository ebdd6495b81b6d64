"""CPU and memory of the release's pods, read from their cgroups on the node."""

import subprocess
from dataclasses import dataclass

from ci.cluster import choose
from ci.kubectl import get

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
"""Airflow, without its database."""

READ_SCRIPT = """
for uid in "$@"; do
  cpu=0; memory=0
  dashed=$(echo "$uid" | tr - _)
  for folder in $(find /sys/fs/cgroup -type d \\( -name "*pod$uid" -o -name "*pod$dashed.slice" \\) 2>/dev/null); do
    if [ -f "$folder/cpuacct.usage" ]; then cpu=$(cat "$folder/cpuacct.usage"); fi
    if grep -q ^usage_usec "$folder/cpu.stat" 2>/dev/null; then
      cpu=$(sed -n 's/^usage_usec //p' "$folder/cpu.stat")000
    fi
    if [ -f "$folder/memory.stat" ]; then
      value=$(sed -n -e 's/^total_rss //p' -e 's/^anon //p' "$folder/memory.stat")
      if [ -n "$value" ]; then memory=$value; fi
    fi
  done
  echo "$uid $cpu $memory"
done
"""
"""Prints uid, nanoseconds of CPU and bytes of anonymous memory, with cgroups of either version: the same on a bare node
and inside kind's."""

PROCESSES_SCRIPT = r"""
for folder in $(find /sys/fs/cgroup -type d \( -name "*pod$1" -o -name "*pod$(echo "$1" | tr - _).slice" \) 2>/dev/null)
do
  find "$folder" -name cgroup.procs -exec cat {} +
done | sort -u | while read -r pid; do
  sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null
done
"""
"""Prints KiB of anonymous memory of each process of a pod."""


@dataclass(frozen=True)
class Usage:
    """What a pod has used.

    Attributes:
        cpu_seconds: Since it was made, containers that were replaced included.
        memory_bytes: Anonymous memory now: what its processes hold, without the page cache.
    """

    cpu_seconds: float
    memory_bytes: int


class AirflowPods:
    """The pods of Airflow's components in a release, as they are now.

    Args:
        namespace: The release's.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.components: dict[str, str] = {}
        """Pod's uid -> component."""
        items = get("pods", f"--namespace={namespace}", "--selector=app.kubernetes.io/component")["items"]
        for pod in items:
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            if component in COMPONENTS and not pod["metadata"].get("deletionTimestamp"):
                self.components[pod["metadata"]["uid"]] = component
        if missing := set(COMPONENTS) - set(self.components.values()):
            raise AssertionError(f"Namespace {namespace} has no pod of {', '.join(sorted(missing))}")

    def usage(self) -> dict[str, Usage]:
        """Return what each component has used; pods of one component are added up."""
        found = dict.fromkeys(COMPONENTS, Usage(0.0, 0))
        for line in _on_node(READ_SCRIPT, *self.components):
            uid, cpu, memory = line.split()
            if int(cpu) == 0:
                raise AssertionError(f"The pod of {self.components[uid]} ({uid}) is gone: it was replaced meanwhile")
            before = found[self.components[uid]]
            found[self.components[uid]] = Usage(before.cpu_seconds + int(cpu) / 1e9, before.memory_bytes + int(memory))
        return found

    def processes_mib(self, component: str) -> list[float]:
        """Return the anonymous memory of each process of a component, the largest first, those below 5 MiB left out."""
        uids = [uid for uid, of in self.components.items() if of == component]
        sizes = [int(line) / 1024 for uid in uids for line in _on_node(PROCESSES_SCRIPT, uid)]
        return sorted((round(size, 1) for size in sizes if size > 5), reverse=True)

    def cpu_seconds(self) -> float:
        """Return the CPU that all of them together have used."""
        return sum(usage.cpu_seconds for usage in self.usage().values())


def _on_node(script: str, *arguments: str) -> list[str]:
    """Run a script where the pods are: here, or in kind's node."""
    cluster = choose()
    node = ["docker", "exec", "cronlift-control-plane"] if cluster.name == "kind" else []
    done = subprocess.run([*node, "sh", "-c", script, "sh", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
