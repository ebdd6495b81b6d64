"""The iptables chains and ipsets that the cluster's programs make, and how to take exactly these away again."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field

from ci.cluster.embedded.layout import NODE

FAMILIES = {"ip": "iptables", "ip6": "ip6tables"}
OURS = re.compile(r"KUBE-|CNI-HOSTPORT-")
"""Chains of kube-proxy, kubelet and kube-router (KUBE-ROUTER-, KUBE-POD-FW-, KUBE-NWPLCY-), and of portmap."""

OUR_SETS = re.compile(r"(inet6:)?(KUBE-|kube-router-)")
_POD_RULE = re.compile(rf'-A \S+ .*name: \\"{NODE}\\"')
_POD_CHAIN = re.compile(r"CNI-[0-9a-f]{24}")
"""The bridge plugin's chain of one pod; the comments of its rules name the network, as other networks have such too."""


@dataclass
class Removal:
    """What to do in one table: delete rules, then flush and delete chains.

    Attributes:
        rules: Rules of chains that stay, as iptables-save prints them ("-A FORWARD ...").
        chains: Chains to delete.
    """

    rules: list[str] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)

    def script(self, table: str) -> str:
        """Return the input for iptables-restore --noflush."""
        lines = [f"*{table}", *(f":{chain} - [0:0]" for chain in self.chains)]
        lines += [rule.replace("-A ", "-D ", 1) for rule in self.rules]
        lines += [f"-X {chain}" for chain in self.chains]
        return "\n".join([*lines, "COMMIT", ""])


def chains() -> set[str]:
    """Return every chain of the host as "family table chain"."""
    return {
        f"{family} {table} {chain}"
        for family, program in FAMILIES.items()
        for table, lines in split_tables(_save(program)).items()
        for chain in (line[1:].split()[0] for line in lines if line.startswith(":"))
    }


def ipsets() -> set[str]:
    """Return the name of every ipset of the host."""
    done = subprocess.run(["ipset", "list", "-name"], check=False, capture_output=True, text=True)
    return set(done.stdout.split())


def foreign_kubernetes_chains(names: Iterable[str]) -> list[str]:
    """Return the chains that another Kubernetes on this host made."""
    return sorted(name for name in names if name.split()[2].startswith("KUBE-"))


def remove_chains(former: Iterable[str]) -> None:
    """Remove our chains and the jumps into them; chains that were there before stay."""
    before = set(former)
    for family, program in FAMILIES.items():
        for table, lines in split_tables(_save(program)).items():
            keep = {name.split()[2] for name in before if name.startswith(f"{family} {table} ")}
            removal = plan_removal(lines, keep)
            if removal.chains:
                restore = [f"{program}-restore", "--noflush", "--wait=5"]
                subprocess.run(restore, check=False, input=removal.script(table), text=True, capture_output=True)


def remove_sets(former: Iterable[str]) -> None:
    """Remove our ipsets."""
    for name in ipsets() - set(former):
        if OUR_SETS.match(name):
            subprocess.run(["ipset", "destroy", name], check=False, capture_output=True)


def split_tables(saved: str) -> dict[str, list[str]]:
    """Return the lines of each table of an iptables-save."""
    tables: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:], [])
        elif line.startswith((":", "-A")):
            current.append(line)
    return tables


def plan_removal(lines: Iterable[str], keep: set[str]) -> Removal:
    """Return what to remove from one table.

    Args:
        lines: Chains and rules as iptables-save prints them.
        keep: Chains that were there before us.
    """
    lines = list(lines)
    names = [line[1:].split()[0] for line in lines if line.startswith(":")]
    used = {word for line in lines if line.startswith("-A ") for word in (line.split()[1], _target(line))}
    named = {word for line in lines if _POD_RULE.match(line) for word in (line.split()[1], _target(line))}
    # A pod that dies while it is made can leave its chain without rule and jump.
    pods = {name for name in names if _POD_CHAIN.fullmatch(name) and (name in named or name not in used)}
    doomed = [name for name in names if name not in keep and (OURS.match(name) or name in pods)]
    rules = [
        line for line in lines if line.startswith("-A ") and line.split()[1] not in doomed and _target(line) in doomed
    ]
    return Removal(rules, doomed)


def _target(rule: str) -> str | None:
    found = re.search(r" -[jg] (\S+)", rule)
    return found[1] if found else None


def _save(program: str) -> str:
    done = subprocess.run([f"{program}-save"], check=False, capture_output=True, text=True)
    return done.stdout
