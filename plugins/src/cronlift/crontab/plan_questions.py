"""What somebody has to decide about a line before it can become a DAG, and what is to be known of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from cronlift.crontab.command import CommandFacts, analyse_command
from cronlift.crontab.decisions import SCRATCH, LineDecision
from cronlift.crontab.ladder import Choice
from cronlift.crontab.model import Flavour, Line, Verdict
from cronlift.crontab.plan_model import Host
from cronlift.crontab.reboot import classify
from cronlift.crontab.redirection import FinalRedirection
from cronlift.crontab.secrets import WORTH_HIDING_LETTERS, find_secrets

TEXT_LIMIT_BYTES = 240 * 1024
"""A manifest travels with its DAG, which takes 256 KiB."""

EPHEMERAL = ("/dev/", "/tmp/", "/run/", "/var/run/", "/var/lock/", "/var/tmp/")  # noqa: S108 - the Pod's own
"""Where nobody expects a file to last."""

ACTIONS_HINT = "Decide its action in decisions.yaml: "


def locks_of(line: Line, flavour: Flavour) -> tuple[str, ...]:
    """Return the paths of the locks that a line takes."""
    guards = facts_of(line, flavour).guards
    return tuple(dict.fromkeys(each.target for each in guards if each.is_lock and each.target))


def facts_of(line: Line, flavour: Flavour) -> CommandFacts:
    """Return what a line's command needs; remembered, because the shell's grammar takes its time."""
    return _facts(line.command or "", flavour, line.environment)


@lru_cache(maxsize=4096)
def _facts(command: str, flavour: Flavour, environment: tuple[tuple[str, str], ...]) -> CommandFacts:
    return analyse_command(command, flavour=flavour, environment=environment)


def is_log(target: FinalRedirection) -> bool:
    """Tell a log from data: errors go to it too, or it is called one."""
    return target.streams != "stdout" or re.search(r"log", target.path, re.IGNORECASE) is not None


def lost_data(facts: CommandFacts, decision: LineDecision) -> tuple[str, ...]:
    """Return the files with data that go to no volume."""
    target = facts.redirection
    data = [target.path] if target is not None and not is_log(target) else []
    data += [each.path for each in facts.outputs if not each.is_log]
    return tuple(each for each in data if not each.startswith(EPHEMERAL) and not covered(each, decision.volumes))


def covered(path: str, volumes: Mapping[str, str]) -> bool:
    """Tell whether a volume holds a path."""
    return any(path.startswith(f"{each.rstrip('/')}/") for each in volumes)


def on_a_claim(path: str, volumes: Mapping[str, str]) -> bool:
    """Tell whether a path lies in a volume that several Pods can share."""
    return covered(path, {name: claim for name, claim in volumes.items() if claim != SCRATCH})


def listed(names: Sequence[str]) -> str:
    """Return names as words: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def questions_of(
    line: Line, choice: Choice, facts: CommandFacts, host: Host, decision: LineDecision
) -> Iterator[tuple[str, str]]:
    """Yield what somebody has to decide about a line: what it is, and between what.

    Args:
        line: The line.
        choice: Its timetable.
        facts: What its command needs.
        host: Where it comes from.
        decision: What was decided already.
    """
    accepted = decision.action in ("import", "manual")
    if choice.verdict is Verdict.NEEDS_DECISION and decision.action != "manual":
        boot = classify(line.command or "", facts)
        yield f"{choice.reason} {boot.reason}", f"{boot.cure} {ACTIONS_HINT}manual, host, drop."
    if host.proposal and not accepted:
        cure = f"{ACTIONS_HINT}import (at that time), manual, host, drop."
        yield f"{host.proposal} Proposed is `{line.schedule}`.", cure
    if facts.background and not accepted and choice.verdict is not Verdict.NEEDS_DECISION:
        misread = [each for each in facts.bashisms if "`&>" in each]
        yield (
            " ".join(misread or facts.background),
            f"Correct the line and import again; or {ACTIONS_HINT.lower()}import, host, drop.",
        )
    if facts.switches and not facts.host_only and not accepted:
        cure = f"Make it a line of that user's and import again; or {ACTIONS_HINT.lower()}import, host, drop."
        yield " ".join(facts.switches), cure
    for path in locks_of(line, host.flavour) if not accepted else ():
        others = [each for each in host.shared_locks.get(path, ()) if each != line.where]
        if others and not on_a_claim(path, decision.volumes):
            yield (
                f"The lock {path} also keeps it apart from {', '.join(others)}, and Pods share no lock.",
                f"Put it on a volume that all of them mount, volumes: {{{_lock_folder(path)}: name-of-a-claim}} (NFS "
                f"and CephFS keep such locks); or join the lines in one script; or {ACTIONS_HINT.lower()}import (they "
                "may run at once), host, drop.",
            )
    if (lost := lost_data(facts, decision)) and not accepted and decision.redirect is None:
        yield (
            f"What it writes to {listed(lost)} would be gone when its Pod ends.",
            f"Name a volume in decisions.yaml, such as volumes: {{{_folder(lost[0])}: name-of-a-claim}}; "
            "or decide `redirect: keep` (it may go), `redirect: stdout` (into the task's log), host, drop.",
        )
    texts = (line.command or "", line.stdin or "", *(value for _, value in line.environment))
    if any("\ud800" <= each <= "\udfff" for text in texts for each in text):
        yield "It holds bytes that are no UTF-8.", f"Correct the line; or {ACTIONS_HINT.lower()}host, drop."
    if sum(len(each.encode("utf-8", "replace")) for each in texts) > TEXT_LIMIT_BYTES:
        yield "It is too large for a manifest.", f"Put it into a script; or {ACTIONS_HINT.lower()}host, drop."
    if line.stdin and (find_secrets(line.stdin) or _holds_one(line.stdin, line.raw)):
        yield (
            "Its standard input, after `%`, holds a password, which no variable can bring.",
            f"Put it into a script of the image that reads a variable; or {ACTIONS_HINT.lower()}host, drop.",
        )


def _lock_folder(path: str) -> str:
    return "/srv/locks" if path.startswith(EPHEMERAL) else _folder(path)


def _folder(path: str) -> str:
    folder = path.rpartition("/")[0]
    return folder if folder.startswith("/") else "/data"


def _holds_one(text: str, raw: str) -> bool:
    """Tell whether a text holds a password that only the whole line shows to be one: `-U joe%secret`."""
    return any(each.value in text for each in find_secrets(raw) if len(each.value) >= WORTH_HIDING_LETTERS)


def warnings_of(line: Line, choice: Choice, facts: CommandFacts, flavour: Flavour) -> tuple[str, ...]:
    """Return what works, but probably not as meant, a sentence each."""
    drawn = [f"{each[0].upper()}{each[1:]}." for each in choice.warnings]
    found = [*line.warnings, *drawn, *facts.bashisms, *facts.localhost]
    if facts.fault:
        found.append(f"The shell cannot read the command ({facts.fault}): it always failed.")
    if any("anacron" in each.target for each in facts.guards) and not facts.host_only:
        found.append(
            "Where the old host has anacron, this guard leaves the work to anacron, at times of its own (anacrontab); "
            "the image has none, so here it is done at this line's time."
        )
    if facts.run_parts and flavour is Flavour.CRONIE:
        found.append(
            "The image's run-parts is Debian's: it skips scripts whose names have a dot, and knows no jobs.deny."
        )
    return tuple(dict.fromkeys(found))
