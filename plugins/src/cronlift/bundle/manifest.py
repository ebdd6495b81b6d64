"""What a copy of a bundle holds: written beside it, compared with the next."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cronlift.bundle.tree import Entries, Entry

DAG_SUFFIXES = (".py", ".zip")
"""What Airflow looks for DAGs in."""


@dataclass(frozen=True)
class Manifest:
    """One version of a bundle.

    Args:
        version: The folder's git tree hash.
        commit: The commit it was first seen in; empty when git-sync's link did not tell.
        entries: Its files.
    """

    version: str
    commit: str
    entries: Entries

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        rows = {name: [entry.mode, entry.sha, entry.size] for name, entry in self.entries.items()}
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"version": self.version, "commit": self.commit, "files": rows}))
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Manifest | None":
        """Read it; None when there is none, or it is not whole."""
        try:
            content = json.loads(path.read_text())
            entries = {name: Entry(mode, sha, size) for name, (mode, sha, size) in content["files"].items()}
            return cls(content["version"], content["commit"], entries)
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class Changes:
    """Paths that differ between two versions."""

    added: frozenset[str]
    changed: frozenset[str]
    deleted: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Every path that differs."""
        return self.added | self.changed | self.deleted


def compare(old: Entries, new: Entries) -> Changes:
    """Say what differs in content or mode."""
    return Changes(
        added=frozenset(new.keys() - old.keys()),
        changed=frozenset(path for path in new.keys() & old.keys() if new[path] != old[path]),
        deleted=frozenset(old.keys() - new.keys()),
    )


def dag_files(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that Airflow would look for DAGs in."""
    return sorted(path for path in paths if path.endswith(DAG_SUFFIXES))
