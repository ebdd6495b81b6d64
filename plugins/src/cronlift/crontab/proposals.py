"""Jobs without a time of day of their own: anacron's, and folders of scripts that no line calls.

Each gets a proposal, which becomes a DAG only when somebody accepts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cronlift.crontab.anacrontab import anacron_jobs
from cronlift.crontab.model import Crontab, Flavour, LineKind, Source
from cronlift.crontab.plan_questions import facts_of
from cronlift.crontab.run_parts import ScriptFolder
from cronlift.errors import CrontabFileError

ANACRON = "It is anacron's, which goes by days and not by the clock."
FOLDER = "Nothing that was handed over says when these scripts run."

_USUAL = {
    Flavour.DEBIAN: {"hourly": "17 * * * *", "daily": "25 6 * * *", "weekly": "47 6 * * 7", "monthly": "52 6 1 * *"},
    Flavour.CRONIE: {"hourly": "01 * * * *", "daily": "6 3 * * *", "weekly": "26 3 * * 0", "monthly": "46 3 1 * *"},
}
"""Debian's /etc/crontab; with cronie /etc/cron.d/0hourly, and what anacron does on a machine that is always on."""


def with_proposals(crontab: Crontab) -> Crontab:
    """Return an anacrontab whose jobs have the proposed time fields; other crontabs as they are."""
    if crontab.source.kind != "anacrontab":
        return crontab
    proposed = {job.number: job.proposal for job in anacron_jobs(crontab.source, crontab.flavour)}
    lines = tuple(
        replace(line, schedule=proposed.get(line.number)) if line.kind is LineKind.JOB else line
        for line in crontab.lines
    )
    return replace(crontab, lines=lines)


def called_folders(crontabs: Iterable[Crontab]) -> set[str]:
    """Return the folders that lines run by `run-parts`, without a slash at the end."""
    return {
        folder.rstrip("/")
        for crontab in crontabs
        for line in crontab.jobs
        for folder in facts_of(line, crontab.flavour).run_parts
    }


def folder_sources(folders: Sequence[ScriptFolder], called: Iterable[str], flavour: Flavour) -> list[Source]:
    """Return a crontab of one line for each folder that no line calls.

    Args:
        folders: Those that were handed over.
        called: Those that lines call.
        flavour: Says when such folders usually run.

    Raises:
        CrontabFileError: Nobody knows when a folder of that name runs.
    """
    found = []
    faults: list[CrontabFileError] = []
    known = set(called)
    for folder in folders:
        if folder.path.rstrip("/") in known or not folder.running:
            continue
        schedule = _USUAL[flavour].get(folder.path.rstrip("/").rpartition(".")[2])
        if schedule is None:
            cure = "Hand over the crontab that calls it too, or a crontab line such as: 0 3 * * * root run-parts FOLDER"
            faults.append(CrontabFileError("Nothing says when these scripts run", where=folder.path, cure=cure))
            continue
        option = "--report " if flavour is Flavour.DEBIAN else ""
        text = f"{schedule} root run-parts {option}{folder.path}\n"
        found.append(Source(folder.path.lstrip("/"), text.encode(), kind="system"))
    if faults:
        raise CrontabFileError.all_of(faults)
    return found
