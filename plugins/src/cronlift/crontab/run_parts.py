"""Folders whose scripts `run-parts` runs one after the other: which ones, in which order, and which never."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cronlift.crontab.model import Flavour, Source
from cronlift.crontab.places import run_parts_folder

_RED_HAT_ENDINGS = ("~", ",", ".cfsaved", ".rpmsave", ".rpmorig", ".rpmnew", ".swp", ",v")
_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Script:
    """One file of the folder.

    Args:
        source: The file.
        name: Its name.
        skipped: Why run-parts leaves it out, in words; None when it runs.
    """

    source: Source
    name: str
    skipped: str | None = None


@dataclass(frozen=True)
class ScriptFolder:
    """A folder for run-parts.

    Args:
        path: As a crontab names it, for example "/etc/cron.daily".
        scripts: All its files, in the order in which run-parts goes through them.
    """

    path: str
    scripts: tuple[Script, ...]

    @property
    def running(self) -> tuple[Script, ...]:
        """Return the scripts that run, in their order; one that fails does not keep the next from running."""
        return tuple(script for script in self.scripts if script.skipped is None)


def read_folders(sources: Iterable[Source], flavour: Flavour) -> tuple[ScriptFolder, ...]:
    """Sort the files of run-parts folders out, as the host's run-parts does.

    Args:
        sources: Files; those of other kinds than "run-parts" are passed over.
        flavour: Debian's run-parts and Red Hat's skip different names.
    """
    folders: dict[str, list[Source]] = {}
    for source in sources:
        if source.kind == "run-parts":
            folders.setdefault(run_parts_folder(source.path), []).append(source)
    return tuple(ScriptFolder(path, _scripts(files, flavour)) for path, files in folders.items())


def _scripts(files: Sequence[Source], flavour: Flavour) -> tuple[Script, ...]:
    lists = {_name(each): each.content.decode("utf-8", "replace").split() for each in files}
    found = []
    for source in sorted(files, key=lambda each: _name(each).encode("utf-8", "surrogateescape")):
        name = _name(source)
        skipped = _debian_skips(name) if flavour is Flavour.DEBIAN else _red_hat_skips(name, lists)
        if skipped is None and source.mode is not None and not source.mode & _EXECUTABLE:
            skipped = f"its mode is {source.mode:04o}, and run-parts runs only what is executable"
        found.append(Script(source, name, skipped))
    return tuple(found)


def _name(source: Source) -> str:
    return source.path.rsplit("/", 1)[-1]


def _debian_skips(name: str) -> str | None:
    """Say why Debian's run-parts leaves a name out.

    Source: run-parts(8) of debianutils.
    """
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return None
    return f"Debian's run-parts takes only names of letters, digits, `_` and `-`, and not {name!r}"


def _red_hat_skips(name: str, lists: dict[str, list[str]]) -> str | None:
    """Say why Red Hat's run-parts leaves a name out.

    Source: /usr/bin/run-parts of the package crontabs.
    """
    if name.startswith("."):
        return "run-parts does not see names that begin with a dot"
    if name.endswith(_RED_HAT_ENDINGS):
        return f"run-parts skips what an editor, RCS or rpm left behind, such as {name!r}"
    if name in ("jobs.allow", "jobs.deny"):
        return "it is a list for run-parts"
    if name in lists.get("jobs.deny", []):
        return "jobs.deny names it"
    if "jobs.allow" in lists and name not in lists["jobs.allow"]:
        return "jobs.allow does not name it"
    return None
