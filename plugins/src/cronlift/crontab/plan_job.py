"""The verdict on a line that is a job, and what its DAG and its Job will be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cronlift.crontab.command import CommandFacts
from cronlift.crontab.decisions import SCRATCH, LineDecision
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.ladder import Choice, choose
from cronlift.crontab.model import Flavour, Line, Verdict
from cronlift.crontab.plan_image import expand, presences_of
from cronlift.crontab.plan_model import Host, Judgement, one_line
from cronlift.crontab.plan_questions import (
    ACTIONS_HINT,
    EPHEMERAL,
    covered,
    facts_of,
    is_log,
    listed,
    locks_of,
    on_a_claim,
    questions_of,
    warnings_of,
)
from cronlift.crontab.plan_secrets import SecretStore
from cronlift.crontab.redirection import final_redirection
from cronlift.crontab.report_load import rhythm_of
from cronlift.crontab.secrets import externalise, find_secrets, mask
from cronlift.crontab.shell import parse_shell
from cronlift.crontab.specification import DEFAULT_RESOURCES, OVERLAPPING_RUNS, JobSpecification
from cronlift.crontab.text import printable
from cronlift.crontab.users import Person, person_of
from cronlift.crontab.write_doc import doc_of
from cronlift.errors import CrontabError, ScheduleError

LATE_SECONDS = (60, 3600)
"""Bounds of how late a line with a lock may start: half the time to its next start, so that a slow Pod is no skip."""

_LEFT_OUT = {
    "host": (Verdict.HOST_ONLY, "It stays on the old host, by decision"),
    "drop": (Verdict.DISABLED, "It is given up, by decision"),
}
"""Decisions for which nothing is written: the verdict, and why."""

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

_VARIABLE_TARGET = re.compile(r"(?<![<>&])>{1,2}\s*[\"']?(?:\$[\w{]|~/)")


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
    except ScheduleError as error:  # the time fields were read before, so it is the zone
        return _without_zone(line, decision, error), None
    facts = facts_of(line, host.flavour)
    owner = host.users.get(line.user or "")
    variables = _variables(line, owner.home if owner else None)
    presences = presences_of(facts, host.image, host.flavour, variables, decision.volumes)
    left = Judgement(
        Verdict.NEEDS_DECISION,
        warnings=warnings_of(line, choice, facts, host.flavour),
        choice=choice,
        facts=facts,
        presences=presences,
    )
    if (settled := _LEFT_OUT.get(decision.action)) is not None:
        return replace(left, verdict=settled[0], reason=settled[1]), None
    accepted = decision.action in ("import", "manual")
    if facts.host_only and not accepted and choice.verdict in (Verdict.EXACT, Verdict.EQUIVALENT):
        reason = " ".join(facts.host_only)
        cure = f"Keep it on a host; or {ACTIONS_HINT[0].lower()}{ACTIONS_HINT[1:]}import, drop."
        return replace(left, verdict=Verdict.HOST_ONLY, reason=reason, cure=cure), None
    questions = list(questions_of(line, choice, facts, host, decision))
    if choice.verdict is Verdict.NEVER_RAN and decision.action == "undecided" and (questions or facts.host_only):
        return replace(left, verdict=Verdict.NEVER_RAN, reason=choice.reason), None
    if questions:
        reason = " ".join(dict.fromkeys(what for what, _ in questions))
        cure = " ".join(dict.fromkeys(cure for _, cure in questions))
        return replace(left, reason=reason, cure=cure), None
    return _Maker(line, raw, host, decision, dag_id, choice, facts).make(left, store)


def _without_zone(line: Line, decision: LineDecision, error: ScheduleError) -> Judgement:
    """Judge a line whose CRON_TZ names no zone: cronie takes UTC then, which nobody can have meant."""
    if (settled := _LEFT_OUT.get(decision.action)) is not None:
        return Judgement(*settled, warnings=line.warnings)
    reason = f"CRON_TZ above it is wrong: {error.what}; the daemon took UTC."
    cure = f"{error.cure} Correct CRON_TZ in the crontab and import again; or {ACTIONS_HINT.lower()}host, drop."
    return Judgement(Verdict.NEEDS_DECISION, reason, cure, line.warnings)


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
        if self.host.flavour is Flavour.CRONIE and _delay(dict(self.line.environment)):
            self.changes.append("it starts at its time, without the random RANDOM_DELAY")
        person = self._person()
        command, secrets = self._secrets(store)
        environment = {name: value for name, value in self.line.environment if name not in secrets}
        volumes = dict(self.decision.volumes)
        command, redirect = self._redirect(command, person, volumes)
        self._other_outputs(person, volumes)
        locks = [each for each in self.facts.guards if each.is_lock]
        for each in locks:
            self._scratch(each.target, person, volumes)
        self._note_exit_codes()
        unused = self.facts.redirection.path if self.facts.redirection and redirect != "keep" else ""
        known = self.host.users.get(person.name)
        variables = _variables(self.line, person.home or (known.home if known else None))
        presences = presences_of(self.facts, self.host.image, self.host.flavour, variables, volumes, unused)
        manual = self.decision.action == "manual"
        verdict = self._verdict(manual)
        changed = "" if verdict is Verdict.NEVER_RAN else "; ".join(self.changes)
        judgement = replace(
            left,
            verdict=verdict,
            reason=changed or self.choice.reason,
            cure=" ".join(dict.fromkeys(self.cures)),
            warnings=(*left.warnings, *self.more),
            presences=presences,
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
            notes=self._notes(judgement.missing),
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
        if self.facts.switches:
            self.changes.append("it cannot switch users, by decision")
        if self.facts.host_only:
            self.changes.append("it acts on its Pod and not on the host, by decision")
        shared = [path for path in locks_of(self.line, self.host.flavour) if self.host.shared_locks.get(path)]
        if not all(on_a_claim(path, self.decision.volumes) for path in shared):
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
        if person.warning:
            self.more.append(person.warning)
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
        if found.keys() - decided.keys():
            self.cures.append("Create it: the last part of REPORT.md has the command.")
        return command, places

    def _redirect(self, command: str, person: Person, volumes: dict[str, str]) -> tuple[str, Any]:
        """Decide about the file that the output goes to: kept where it can be written, else shown in the log."""
        found = self.facts.redirection
        if found is None and _VARIABLE_TARGET.search(command):
            self.changes.append("it writes to a path with variables, below which the Pod has no volume")
            self.cures.append("Name one in decisions.yaml, such as volumes: {/home/mara/log: scratch}.")
        if found is None or not found.path or found.path == "/dev/null":
            return command, "keep"
        path = self._expanded(found.path, person)
        mode = self.decision.redirect or "auto"
        if mode in ("auto", "keep"):
            if path and (path.startswith("/tmp/") or covered(path, volumes)):  # noqa: S108 - the Pod's own
                return command, "keep"
            has_place = self._scratch(found.path, person, volumes)
            if has_place or mode == "keep" or not is_log(found):
                self.changes.append(f"what it writes to {found.path} is gone when the Pod ends")
                self.cures.append(
                    "Decide `redirect: stdout`, below `defaults` for all lines, to see it in the task's log; or name a "
                    "volume."
                )
                return command, "keep"
            mode = "stdout"
        # Passwords that left it have moved its end.
        stripped = _without_redirection(command, dict(self.line.environment))
        if stripped is None:
            self._scratch(found.path, person, volumes)
            self.changes.append(f"what it writes to {found.path} is gone when the Pod ends")
            return command, "keep"
        if mode == "tee":
            self.changes.append(f"its output goes to {found.path} and to the task's log")
            if path is not None and not covered(path, volumes):
                self._scratch(path, person, volumes)
        else:
            self.changes.append(f"its output goes to the task's log, and not to {found.path}")
        details: dict[str, Any] = {"mode": mode, "streams": found.streams}
        if mode == "tee":
            details |= {"path": path or found.path, "append": found.append}
        return stripped, details

    def _other_outputs(self, person: Person, volumes: dict[str, str]) -> None:
        """Give the files that the command writes to on its way an empty volume where that is possible."""
        lost = []
        for each in self.facts.outputs:
            path = self._expanded(each.path, person)
            if path is not None and covered(path, self.decision.volumes):
                continue
            has_place = self._scratch(each.path, person, volumes)
            if not (path or each.path).startswith(EPHEMERAL):
                lost.append(each.path if has_place else f"{each.path}, below which the Pod has no volume,")
        if lost:
            self.changes.append(f"what it writes to {listed(lost)} is gone when the Pod ends")
            self.cures.append("Name a volume in decisions.yaml where it has to last.")

    def _scratch(self, path: str, person: Person, volumes: dict[str, str]) -> bool:
        """Give a file's folder an empty volume, unless that would hide something; say whether it has one."""
        expanded = self._expanded(path, person) or ""
        folder = expanded.rpartition("/")[0]
        if not expanded.startswith("/") or not folder or folder in _NEVER_SCRATCH or ".." in expanded:
            return False
        if expanded.startswith(("/tmp/", "/dev/", "/proc/", "/etc/", "/usr/", "/sys/")):  # noqa: S108
            return expanded.startswith("/tmp/")  # noqa: S108
        if covered(expanded, volumes):
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
        return expand(path, _variables(self.line, person.home))

    def _note_exit_codes(self) -> None:
        if self.facts.expects_exit and self.decision.ok_exit_codes is None:
            guard = next((each.text for each in self.facts.guards if each.fails), "")
            self.more.append(
                f"Its guard `{guard}` ends it with another code than 0 on a normal day, which Airflow shows as failed: "
                "ok_exit_codes: [0, 1] in decisions.yaml accepts that."
            )

    def _options(
        self, person: Person, redirect: Any, secrets: Mapping[str, Any], skipping_locks: list[str], locked: bool
    ) -> dict[str, Any]:
        environment = dict(self.line.environment)
        usual = "failure" if self.line.mails_failures else "output"
        mode = self.decision.mail or (usual if environment.get("MAILTO") else "off")
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
            options["lock"] = {"path": path, "late_seconds": self._late_seconds()}
        options["shadow"] = self.host.decision.state != "live"
        if self.host.language:
            options["language"] = self.host.language
        if secrets:
            options["secrets"] = sorted(secrets)
        options["redirect"] = redirect
        return options

    def _late_seconds(self) -> int:
        """Return how late a line with a lock may start: near the time to its next start."""
        if self.decision.late_seconds is not None:
            return self.decision.late_seconds
        schedule = parse_schedule(self.line.schedule or "", self.host.flavour, self.dag_id)
        least, most = LATE_SECONDS
        return max(least, min(most, rhythm_of(schedule).shortest_gap_seconds // 2))

    def _notes(self, missing: tuple[str, ...]) -> tuple[str, ...]:
        known = tuple(each.value for each in find_secrets(self.line.raw))
        notes = [f"{printable(self.line.where)}: {one_line(self.raw)}"]
        if self.facts.paths or self.facts.programs:
            named = dict.fromkeys([*self.facts.programs, *self.facts.paths])
            notes.append(f"Needs: {one_line(mask(', '.join(named), known))}")
        if self.facts.hosts:
            notes.append(f"Talks to: {one_line(mask(', '.join(self.facts.hosts), known))}")
        if missing:
            notes.append(f"Not in the image: {one_line(mask(', '.join(missing), known))}")
        return tuple(notes)


def _variables(line: Line, home: str | None) -> dict[str, str]:
    """Return the tab's variables, and HOME where it is known."""
    found = dict(line.environment)
    return found if found.get("HOME") or not home else {**found, "HOME": home}


def _delay(environment: Mapping[str, str]) -> int:
    """Return the minutes by which cronie delays a job at most."""
    value = environment.get("RANDOM_DELAY", "").strip()
    return int(value) if value.isdecimal() else 0


def _without_redirection(command: str, variables: Mapping[str, str]) -> str | None:
    """Take the final redirection off a command whose passwords are already out of it."""
    found = final_redirection(command, parse_shell(command, bash=True, variables=variables))
    return found.cut_from(command) if found is not None else None
