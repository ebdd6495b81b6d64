"""What a machine looks like from outside: everything that a cluster could leave behind."""

import json
import re

from tests.integration.own_machine import OwnMachine

PROBES = {
    "links": "ip -oneline link | cut -d: -f2",
    "routes": "ip route show table all; ip -6 route show table all",
    "mounts": "cut -d' ' -f5 /proc/self/mountinfo | sort",
    "processes": "ps -e -o args= | grep -v -e '^ps ' -e '^sh -c' -e '^sleep 3600' | sort",
    "iptables": "iptables-save | grep -e '^-A' -e '^:' ; ip6tables-save | grep -e '^-A' -e '^:'",
    "ipsets": "ipset list -name",
    "sockets": "ss -Hln --tcp --udp --unix | awk '{print $1, $5, $6}'",
    "folders": "find /run /var/lib /var/log -not -path '/run/mount*' | sort",
    "cgroups": "find /sys/fs/cgroup -type d | sort",
    "settings": "sysctl --all 2>/dev/null | grep -e '^net.ipv4' -e '^net.bridge' -e '^vm' -e '^kernel.panic' "
    "-e '^kernel.keys' | grep -v -e 'conf.cronlift0' -e '_rate' -e '^vm.stat'",
}  # fmt: skip


def snapshot(machine: OwnMachine) -> dict[str, list[str]]:
    """Return the lines of each probe; counters and the empty built-in chains of iptables left out."""
    found = {}
    for name, command in PROBES.items():
        lines = [
            re.sub(r" \[\d+:\d+\]", "", line)
            for line in machine.run("sh", "-c", command, check=False).stdout.splitlines()
        ]
        found[name] = [line for line in lines if not re.fullmatch(r":[A-Z]+ ACCEPT", line)]
    return found


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    """Return what was added and what was lost, probe by probe; empty when nothing."""
    changes = {
        name: {
            "added": sorted(set(after[name]) - set(before[name])),
            "lost": sorted(set(before[name]) - set(after[name])),
        }
        for name in before
    }
    return json.dumps({name: change for name, change in changes.items() if any(change.values())}, indent=1).replace(
        "{}", ""
    )
