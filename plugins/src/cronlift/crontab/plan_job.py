"""The verdict on a line that is a job, and what its DAG and its Job will be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cronlift.crontab.command import CommandFacts, analyse_command
from cronlift.crontab.decisions import SCRATCH, GroupDecision, LineDecision, User
from cronlift.crontab.ladder import Choice, choose
from cronlift.crontab.model import Flavour, Line, Verdict
from cronlift.crontab.plan_secrets import SecretStore
from cronlift.crontab.secrets import externalise, find_secrets, mask
from cronlift.crontab.specification import DEFAULT_RESOURCES, OVERLAPPING_RUNS, JobSpecification
from cronlift.crontab.text import printable
from cronlift.crontab.users import Person, person_of
from cronlift.crontab.write_doc import doc_of
from cronlift.errors import CrontabError, ScheduleError

LATE_SECONDS = 60
"""A run that waited for its lock longer than a minute would have found the next one due on the old host."""

TEXT_LIMIT_BYTES = 240 * 1024
"""A manifest travels with its DAG, which takes 256 KiB."""

_NEVER_SCRATCH = (
    "/",
    "/bin",
    "/sbin",
    "/usr",
    "/etc",
    "/lib",
    "/opt",
    "/home",
    "/root",
    "/dev",
    "/proc",
    "/sys",
    "/var",
)
"""Folders that an empty volume must not hide."""

_PACKAGED = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/dev/", "/proc/", "/sys/", "/tmp/")  # noqa: S108
"""What the image has from its packages, or every Pod has: rootfs/ does not tell."""

_ACTIONS_HINT = "Decide its action in decisions.yaml: "


@dataclass(frozen=True)
class Host:
    """Where a line comes from and goes to.

    Args:
        team: Team name.
        zone: The old daemon's time zone.
        users: Ids that are known.
        language: LANG; empty when it is not known.
        present: What is known to be in the image; None when nothing is known.
        allows_root: Whether the team's namespace admits root.
        flavour: The daemon.
        group: Of the line's file.
        decision: The group's state and start.
        shared_locks: Path -> the lines that take it.
        proposal: Why the times of the file are proposals, a sentence; empty where they are the daemon's.
    """

    team: str
    zone: str
    users: Mapping[str, User]
    language: str
    present: frozenset[str] | None
    allows_root: bool
    flavour: Flavour
    group: str
    decision: GroupDecision
    shared_locks: Mapping[str, tuple[str, ...]]
    proposal: str = ""


@dataclass(frozen=True)
class Judgement:
    """What becomes of a line.

    Args:
        verdict: The verdict.
        reason: Why; empty for lines that need none.
        cure: What can be done about it; empty when there is nothing to do.
        warnings: What works, but probably not as meant.
        choice: The timetable; None for lines without one.
        facts: What the command needs; None for lines without one.
        missing: Paths and programs that the image lacks.
    """

    verdict: Verdict
    reason: str = ""
    cure: str = ""
    warnings: tuple[str, ...] = ()
    choice: Choice | None = None
    facts: CommandFacts | None = None
    missing: tuple[str, ...] = ()


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


def judge_job(
    line: Line, raw: str, host: Host, decision: LineDecision, dag_id: str, store: SecretStore
) -> tuple[Judgement, JobSpecification | None]:
    """Judge a job.

    Args:
        line: The line.
        raw: As shown.
        host: Where it comes from and goes to.
        decision: What was decided about it.
        dag_id: Its id.
        store: Where its passwords go.

    Returns:
        The judgement, and what is written; None when nothing is.

    Raises:
        CrontabError: A decision cannot be carried out.
    """
    start = host.decision.start
    try:
        begin = datetime(start.year, 1, 1, tzinfo=UTC)
        choice = choose(line.schedule or "", host.flavour, host.zone, dag_id, cron_zone=line.timezone, start=begin)
    except ScheduleError as error:
        return Judgement(Verdict.REJECTED, error.what, error.cure, line.warnings), None
    facts = facts_of(line, host.flavour)
    left = Judgement(Verdict.NEEDS_DECISION, warnings=_warnings(line, choice, facts), choice=choice, facts=facts)
    if decision.action == "host":
        return replace(left, verdict=Verdict.HOST_ONLY, reason="It stays on the old host, by decision"), None
    if decision.action == "drop":
        return replace(left, verdict=Verdict.DISABLED, reason="It is given up, by decision"), None
    questions = list(_questions(line, choice, facts, host, decision))
    if questions:
        reason = " ".join(dict.fromkeys(what for what, _ in questions))
        cure = " ".join(dict.fromkeys(cure for _, cure in questions))
        return replace(left, reason=reason, cure=cure), None
    if facts.host_only and decision.action not in ("import", "manual"):
        reason = " ".join(facts.host_only)
        cure = f"Keep it on a host; or {_ACTIONS_HINT[0].lower()}{_ACTIONS_HINT[1:]}import, drop."
        return replace(left, verdict=Verdict.HOST_ONLY, reason=reason, cure=cure), None
    return _Maker(line, raw, host, decision, dag_id, choice, facts).make(left, store)


def _questions(
    line: Line, choice: Choice, facts: CommandFacts, host: Host, decision: LineDecision
) -> Iterator[tuple[str, str]]:
    """Yield what somebody has to decide: what it is, and between what."""
    accepted = decision.action in ("import", "manual")
    if choice.verdict is Verdict.NEEDS_DECISION and decision.action != "manual":
        cure = f"{_ACTIONS_HINT}manual, host, drop. What runs for ever belongs into a Deployment."
        yield choice.reason, cure
    if host.proposal and not accepted:
        cure = f"{_ACTIONS_HINT}import (at that time), manual, host, drop."
        yield f"{host.proposal} Proposed is `{line.schedule}`.", cure
    if facts.background and not accepted:
        yield (
            " ".join(facts.background),
            f"Correct the line and import again; or {_ACTIONS_HINT.lower()}import, host, drop.",
        )
    for path in locks_of(line, host.flavour) if not accepted else ():
        others = [each for each in host.shared_locks.get(path, ()) if each != line.where]
        if others:
            yield (
                f"The lock {path} also keeps it apart from {', '.join(others)}, and Pods share no lock.",
                f"Join the lines in one script; or {_ACTIONS_HINT.lower()}import (they may run at once), host, drop.",
            )
    texts = (line.command or "", line.stdin or "", *(value for _, value in line.environment))
    if any("\ud800" <= each <= "\udfff" for text in texts for each in text):
        yield "It holds bytes that are no UTF-8.", f"Correct the line; or {_ACTIONS_HINT.lower()}host, drop."
    if sum(len(each.encode("utf-8", "replace")) for each in texts) > TEXT_LIMIT_BYTES:
        yield "It is too large for a manifest.", f"Put it into a script; or {_ACTIONS_HINT.lower()}host, drop."
    if line.stdin and find_secrets(line.stdin):
        yield (
            "Its standard input, after `%`, holds a password, which no variable can bring.",
            f"Put it into a script of the image that reads a variable; or {_ACTIONS_HINT.lower()}host, drop.",
        )


def _warnings(line: Line, choice: Choice, facts: CommandFacts) -> tuple[str, ...]:
    found = [*line.warnings, *choice.warnings, *facts.bashisms, *facts.localhost]
    if facts.fault:
        found.append(f"The shell cannot read the command ({facts.fault}): it always failed.")
    return tuple(dict.fromkeys(found))


@dataclass
class _Maker:
    """Makes the specification of one line, and notes on the way what is not as it was."""

    line: Line
    raw: str
    host: Host
    decision: LineDecision
    dag_id: str
    choice: Choice
    facts: CommandFacts

    def make(self, left: Judgement, store: SecretStore) -> tuple[Judgement, JobSpecification]:
        self.changes: list[str] = []
        self.cures: list[str] = []
        self.more: list[str] = []
        if self.decision.action in ("import", "manual"):
            self._note_accepted()
        person = self._person()
        command, secrets = self._secrets(store)
        environment = {name: value for name, value in self.line.environment if name not in secrets}
        volumes = dict(self.decision.volumes)
        command, redirect = self._redirect(command, person, volumes)
        locks = [each for each in self.facts.guards if each.is_lock]
        for each in locks:
            self._scratch(each.target, person, volumes)
        self._note_exit_codes()
        missing = self._missing()
        manual = self.decision.action == "manual"
        verdict = self._verdict(manual)
        judgement = replace(
            left,
            verdict=verdict,
            reason="; ".join(self.changes) or self.choice.reason,
            cure=" ".join(dict.fromkeys(self.cures)),
            warnings=(*left.warnings, *self.more),
            missing=missing,
        )
        options = self._options(
            person, redirect, secrets, [each.target for each in locks if not each.waits], bool(locks)
        )
        job = JobSpecification(
            dag_id=self.dag_id,
            group=self.host.group,
            where=self.line.where,
            schedule_python="None" if manual else self.choice.python,
            command=command,
            stdin=self.line.stdin,
            environment=environment,
            options=options,
            uid=person.uid,
            gid=person.gid,
            secrets=secrets,
            volumes=volumes,
            resources={**DEFAULT_RESOURCES, **(self.decision.resources or {})},
            max_active_runs=self.decision.max_active_runs or (1 if locks else OVERLAPPING_RUNS),
            notes=self._notes(missing),
            doc=doc_of(self.line, self.raw, judgement, self.host, self.dag_id),
            tags=(self.host.team, "cron", self.host.group, self.host.decision.state),
        )
        return judgement, job

    def _verdict(self, manual: bool) -> Verdict:
        if self.choice.kind == "never" and not manual:
            return Verdict.NEVER_RAN
        if self.changes:
            return Verdict.CHANGED
        return self.choice.verdict

    def _note_accepted(self) -> None:
        if self.decision.action == "manual":
            self.changes.append("no schedule: it is started by hand, by decision")
        if self.host.proposal and self.decision.action == "import":
            self.changes.append(f"at {self.line.schedule}, which was proposed and accepted")
        if self.facts.background:
            self.changes.append("what it leaves in the background ends with the Pod, by decision")
        if self.facts.host_only:
            self.changes.append("it acts on its Pod and not on the host, by decision")
        if any(self.host.shared_locks.get(path) for path in locks_of(self.line, self.host.flavour)):
            self.changes.append("its lock no longer keeps it apart from other lines, by decision")

    def _person(self) -> Person:
        as_root = self.decision.run_as == "root" and self.line.user == "root"
        if as_root and not self.host.allows_root:
            raise CrontabError(
                f"lines.{self.dag_id}.run_as is root, and the namespace of team {self.host.team} refuses root",
                where=f"{self.line.where} and decisions.yaml",
                cure="Write `podSecurity: baseline` for the team into teams.yaml, or remove run_as.",
            )
        person = person_of(self.line.user, self.host.flavour, self.host.users, as_root=as_root)
        if person.change:
            self.changes.append(person.change)
            self.cures.append(person.cure)
        return person

    def _secrets(self, store: SecretStore) -> tuple[str, dict[str, tuple[str, str]]]:
        command, passwords = externalise(self.line.command or "")
        found = dict(passwords)
        for name, value in self.line.environment:
            if find_secrets(f"{name}={value}"):
                found[name] = value
        decided = dict(self.decision.secrets)
        places = {**store.place(self.host.group, found, decided), **decided}
        if found:
            self.changes.append(f"its passwords come from a Secret ({', '.join(sorted(found))})")
            self.cures.append(f"Create it: {store.command_for(places)}")
        return command, places

    def _redirect(self, command: str, person: Person, volumes: dict[str, str]) -> tuple[str, Any]:
        """Decide about the file that the output goes to: kept where it can be written, else shown in the log."""
        found = self.facts.redirection
        mode = self.decision.redirect or "auto"
        if found is None or not found.path or found.path == "/dev/null" or mode == "keep":
            return command, "keep"
        path = self._expanded(found.path, person)
        if mode == "auto":
            if path and (path.startswith("/tmp/") or _covered(path, volumes)):  # noqa: S108 - the Pod's own
                mode = "keep"
            elif path and self._scratch(path, person, volumes):
                mode = "keep"
                self.changes.append(f"what it writes to {found.path} is gone when the Pod ends")
                self.cures.append("Decide `redirect: stdout` to see it in the task's log, or name a volume.")
            else:
                mode = "stdout"
        if mode == "keep":
            return command, "keep"
        stripped = _without_redirection(command)  # passwords that left it have moved its end
        if stripped is None:
            self.more.append(f"The redirection to {found.path} could not be taken off; it stays.")
            return command, "keep"
        if mode == "tee":
            self.changes.append(f"its output goes to {found.path} and to the task's log")
            if path is not None and not _covered(path, volumes):
                self._scratch(path, person, volumes)
        else:
            self.changes.append(f"its output goes to the task's log, and not to {found.path}")
        details: dict[str, Any] = {"mode": mode, "streams": found.streams}
        if mode == "tee":
            details |= {"path": path or found.path, "append": found.append}
        return stripped, details

    def _scratch(self, path: str, person: Person, volumes: dict[str, str]) -> bool:
        """Give a file's folder an empty volume, unless that would hide something; say whether it has one."""
        expanded = self._expanded(path, person) or ""
        folder = expanded.rpartition("/")[0]
        if not expanded.startswith("/") or not folder or folder in _NEVER_SCRATCH or ".." in expanded:
            return False
        if expanded.startswith(("/tmp/", "/dev/", "/proc/", "/etc/", "/usr/", "/sys/")):  # noqa: S108
            return expanded.startswith("/tmp/")  # noqa: S108
        if _covered(expanded, volumes):
            return True
        homes = [each for each in (person.home, dict(self.line.environment).get("HOME")) if each]
        named = [self._expanded(each, person) or each for each in (*self.facts.paths, *self.facts.programs)]
        if any(f"{each}/".startswith(f"{folder}/") for each in (*homes, *named) if each != expanded):
            return False
        if any(f"{each}/".startswith(f"{folder}/") for each in volumes):
            return False
        volumes[folder] = SCRATCH
        return True

    def _expanded(self, path: str, person: Person) -> str | None:
        """Return a path with the variables whose values are known; None when others are left."""
        home = dict(self.line.environment).get("HOME") or person.home
        known = {**dict(self.line.environment), **({"HOME": home} if home else {})}
        text = re.sub(r"^~(?=/)", home or "~", path)
        text = re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], found[0]), text.strip("\"'"))
        return None if re.search(r"[$`*?~\s]", text) else text

    def _note_exit_codes(self) -> None:
        if self.facts.expects_exit and self.decision.ok_exit_codes is None:
            guard = next((each.text for each in self.facts.guards if each.waits is not True), "")
            self.more.append(
                f"Its guard `{guard}` ends it with another code than 0 on a normal day, which Airflow shows as failed: "
                "ok_exit_codes: [0, 1] in decisions.yaml accepts that."
            )

    def _missing(self) -> tuple[str, ...]:
        present = self.host.present
        if present is None:
            return ()
        asked = dict.fromkeys([*(each for each in self.facts.programs if each.startswith("/")), *self.facts.paths])
        return tuple(each for each in asked if each not in present and not each.startswith(_PACKAGED))

    def _options(
        self, person: Person, redirect: Any, secrets: Mapping[str, Any], skipping_locks: list[str], locked: bool
    ) -> dict[str, Any]:
        environment = dict(self.line.environment)
        mode = self.decision.mail or ("output" if environment.get("MAILTO") else "off")
        options: dict[str, Any] = {"flavour": str(self.host.flavour), "user": person.name}
        if person.home:
            options["home"] = person.home
        options["mail"] = {"mode": mode}
        recipients = self.decision.mail_to or environment.get("MAILTO") or ""
        if mode != "off" and recipients:
            options["mail"]["to"] = recipients
        if mode == "off" and environment.get("MAILTO"):
            self.changes.append("its output is not mailed")
        options["ok_exit_codes"] = list(self.decision.ok_exit_codes or (0,))
        if skipping_locks or (locked and self.decision.late_seconds is not None):
            path = next((each for each in skipping_locks if each), "")
            options["lock"] = {"path": path, "late_seconds": self.decision.late_seconds or LATE_SECONDS}
        options["shadow"] = self.host.decision.state != "live"
        if self.host.language:
            options["language"] = self.host.language
        if secrets:
            options["secrets"] = sorted(secrets)
        options["redirect"] = redirect
        return options

    def _notes(self, missing: tuple[str, ...]) -> tuple[str, ...]:
        notes = [f"{printable(self.line.where)}: {one_line(self.raw)}"]
        if self.facts.paths or self.facts.programs:
            named = dict.fromkeys([*self.facts.programs, *self.facts.paths])
            notes.append(f"Needs: {one_line(mask(', '.join(named)))}")
        if self.facts.hosts:
            notes.append(f"Talks to: {one_line(mask(', '.join(self.facts.hosts)))}")
        if missing:
            notes.append(f"Not in the image: {one_line(mask(', '.join(missing)))}")
        return tuple(notes)


def _covered(path: str, volumes: Mapping[str, str]) -> bool:
    return any(path.startswith(f"{each.rstrip('/')}/") for each in volumes)


def _without_redirection(command: str) -> str | None:
    """Take the final redirection off a command whose passwords are already out of it."""
    from cronlift.crontab.redirection import final_redirection
    from cronlift.crontab.shell import parse_shell

    found = final_redirection(command, parse_shell(command, bash=True))
    return found.cut_from(command) if found is not None else None


def one_line(text: str) -> str:
    """Return text for a comment of YAML: one line, without what YAML cannot print."""
    return re.sub(r"[^\x20-\x7e\xa0-\ufefe]", "?", printable(text)).strip()
