"""From crontabs to what is written: a verdict for every line, and a specification for every line that becomes a DAG."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cronlift.crontab.decisions import Decisions, GroupDecision, User
from cronlift.crontab.ids import Asking, Known, assign, command_hash, group_name
from cronlift.crontab.image import Image
from cronlift.crontab.model import Crontab, Flavour, Line, LineKind, Verdict
from cronlift.crontab.plan_job import judge_job
from cronlift.crontab.plan_model import Host, Judgement
from cronlift.crontab.plan_questions import locks_of
from cronlift.crontab.plan_secrets import SecretStore
from cronlift.crontab.secrets import mask, telling_passwords
from cronlift.crontab.specification import JobSpecification
from cronlift.crontab.text import printable
from cronlift.crontab.users import NOBODY
from cronlift.errors import CrontabError

_KEPT_KINDS = {
    LineKind.BLANK: Verdict.BLANK,
    LineKind.COMMENT: Verdict.COMMENT,
}


@dataclass(frozen=True)
class Settings:
    """What an import is told.

    Args:
        team: Team name.
        zone: The old daemon's time zone.
        host: The old host's name, as a slug.
        start: When the DAGs of new groups begin.
        state: Of new groups.
        users: Of the inventory.
        language: LANG of the old host; empty when it is not known.
        image: What is known of the legacy image; None when nothing is.
        allows_root: Whether the team's namespace admits root.
        namespace: Of the team; for the commands that the report shows.
    """

    team: str
    zone: str
    host: str
    start: datetime
    state: str = "shadow"
    users: Mapping[str, User] = field(default_factory=dict)
    language: str = ""
    image: Image | None = None
    allows_root: bool = False
    namespace: str = ""


@dataclass(frozen=True)
class PlannedLine:
    """What becomes of one input line.

    Args:
        line: The line.
        judgement: Verdict and reasons.
        raw: As shown: passwords masked.
        id: The DAG id that it has, or would have; None when it is no job.
        hash: By which a later import finds it again; empty when it is no job.
        job: Its DAG and Job; None when it gets none.
    """

    line: Line
    judgement: Judgement
    raw: str
    id: str | None = None
    hash: str = ""
    job: JobSpecification | None = None


@dataclass(frozen=True)
class Group:
    """A source file.

    Args:
        name: Of its DAG file and folder.
        crontab: As it was read.
        decision: Its state and start.
        is_new: Whether decisions.yaml does not know it yet.
        lines: Every line, in order.
    """

    name: str
    crontab: Crontab
    decision: GroupDecision
    is_new: bool
    lines: tuple[PlannedLine, ...]

    @property
    def jobs(self) -> tuple[JobSpecification, ...]:
        """Return what becomes DAGs."""
        return tuple(each.job for each in self.lines if each.job is not None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what there is to say of the file as a whole."""
        nobody = any(each.job is not None and each.line.user is None for each in self.lines)
        return (*self.crontab.warnings, *((NOBODY,) if nobody else ()))

    @property
    def jobs_or_undecided(self) -> bool:
        """Tell whether anything of it becomes a DAG, or may."""
        return bool(self.jobs) or any(each.judgement.verdict is Verdict.NEEDS_DECISION for each in self.lines)


@dataclass(frozen=True)
class Plan:
    """A whole import.

    Args:
        settings: What it was told.
        groups: The source files.
    """

    settings: Settings
    groups: tuple[Group, ...]

    @property
    def undecided(self) -> tuple[PlannedLine, ...]:
        """Return the lines that need a decision."""
        lines = (line for group in self.groups for line in group.lines)
        return tuple(each for each in lines if each.judgement.verdict is Verdict.NEEDS_DECISION)


def make_plan(
    crontabs: Sequence[Crontab],
    settings: Settings,
    decisions: Decisions,
    known: Iterable[Known] = (),
    group_of: Mapping[str, str] | None = None,
    proposals: Mapping[str, str] | None = None,
    gone: Collection[str] = (),
) -> Plan:
    """Decide what becomes of every line.

    Args:
        crontabs: As they were read.
        settings: What the import is told.
        decisions: What people decided.
        known: The ids that earlier imports gave.
        group_of: The groups that earlier imports gave: path of the source -> group.
        proposals: Sources whose times are only proposals: path -> why.
        gone: Sources of earlier imports that are given up.

    Raises:
        CrontabError: With every decision that cannot be carried out.
    """
    proposals = proposals or {}
    groups = _group_names(crontabs, group_of or {})
    asking = [_asking(line) for crontab in crontabs for line in crontab.lines if _has_id(line, crontab)]
    ids = dict(zip(asking, assign(settings.team, settings.host, asking, known, gone), strict=True))
    shared = _shared_locks(crontabs)
    store = SecretStore()
    passwords = telling_passwords(printable(line.raw) for crontab in crontabs for line in crontab.lines)
    faults: list[CrontabError] = []
    planned = []
    for crontab in crontabs:
        name = groups[crontab.source.path]
        group = decisions.groups.get(name)
        decision = group or GroupDecision(settings.state, settings.start)
        users = {**(settings.image.users if settings.image else {}), **settings.users, **decisions.users}
        host = Host(
            settings.team, settings.zone, users, settings.language, settings.image,
            settings.allows_root, crontab.flavour, name, decision, shared, proposals.get(crontab.source.path, ""),
            passwords,
        )  # fmt: skip
        lines = []
        for line in crontab.lines:
            asked = ids.get(_asking(line)) if _has_id(line, crontab) else None
            try:
                lines.append(_plan_line(line, crontab, host, decisions, asked, store))
            except CrontabError as error:
                faults.extend(error.faults)
        planned.append(Group(name, crontab, decision, group is None, tuple(lines)))
    if faults:
        raise CrontabError.all_of(faults)
    return Plan(settings, tuple(planned))


def _plan_line(
    line: Line, crontab: Crontab, host: Host, decisions: Decisions, dag_id: str | None, store: SecretStore
) -> PlannedLine:
    is_job = line.kind is LineKind.JOB
    raw = mask(printable(line.raw), () if is_job else host.passwords)
    hashed = command_hash(line.user or "", _whole_command(line)) if dag_id else ""
    if (settled := _without_job(line, crontab)) is not None:
        return PlannedLine(line, settled, raw, dag_id, hashed)
    if dag_id is None:
        raise CrontabError("a line of a job has no id", where=line.where, cure="Report this fault of cronlift.")
    judgement, job = judge_job(line, raw, host, decisions.of(dag_id), dag_id, store)
    return PlannedLine(line, judgement, raw, dag_id, hashed, job)


def _without_job(line: Line, crontab: Crontab) -> Judgement | None:
    """Judge a line that is no job, or whose file the daemon does not use; None for a job."""
    warnings = tuple(line.warnings)
    if line.kind in (LineKind.BLANK, LineKind.COMMENT):
        return Judgement(_KEPT_KINDS[line.kind], warnings=warnings)
    if line.kind is LineKind.DISABLED_JOB:
        return Judgement(Verdict.DISABLED, "A job that was commented out", warnings=warnings)
    if crontab.unread is not None:
        reason = f"The daemon never looks into the file: {crontab.unread}"
        return Judgement(Verdict.NEVER_RAN, reason, "Rename the file if its jobs are wanted.", warnings)
    if crontab.rejected is not None:
        return _in_a_rejected_file(line, crontab)
    if line.kind is LineKind.BAD:
        return Judgement(Verdict.REJECTED, line.error or "The daemon rejects the line", "Correct the line.", warnings)
    if line.kind is LineKind.SETTING:
        return Judgement(Verdict.SETTING, warnings=warnings)
    return None


def _in_a_rejected_file(line: Line, crontab: Crontab) -> Judgement:
    """Judge a line by its own fault where it has one, so that all faults of a file are told at once."""
    reason = f"The daemon ignores the file: {crontab.rejected}"
    cure = "Correct that line if the file's jobs are wanted."
    if line.error is not None:
        own = line.error if line.error.endswith(".") else f"{line.error}."
        if crontab.flavour is Flavour.DEBIAN and not line.daemon_accepts:
            reason = "Debian's cron ignores the whole file for such a line."
        reason, cure = f"{own} {reason}", "Correct the line."
    return Judgement(Verdict.REJECTED, reason, cure, tuple(line.warnings))


def _has_id(line: Line, crontab: Crontab) -> bool:
    return line.kind is LineKind.JOB and crontab.unread is None and crontab.rejected is None


def _asking(line: Line) -> Asking:
    return Asking(line.file, line.schedule or "", line.user or "", _whole_command(line), line.number)


def _whole_command(line: Line) -> str:
    command = (line.command or "").strip()
    return command if line.stdin is None else f"{command} {line.stdin}"


def _group_names(crontabs: Sequence[Crontab], before: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for crontab in crontabs:
        path = crontab.source.path
        taken = {*before.values(), *found.values()}
        found[path] = before.get(path) or group_name(path, taken)
    return found


def _shared_locks(crontabs: Sequence[Crontab]) -> dict[str, tuple[str, ...]]:
    """Return the locks that several lines take: path -> the lines."""
    found: dict[str, list[str]] = {}
    for crontab in crontabs:
        for line in crontab.jobs if crontab.rejected is None and crontab.unread is None else ():
            for path in locks_of(line, crontab.flavour):
                found.setdefault(path, []).append(line.where)
    return {path: tuple(places) for path, places in found.items() if len(places) > 1}


def utc_midnight_after(moment: datetime) -> datetime:
    """Return the first midnight, UTC, that is at least an hour away: when DAGs that are imported now may begin."""
    day = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    later = day.replace(hour=0).timestamp() + 24 * 3600
    if later - moment.timestamp() < 3600:
        later += 24 * 3600
    return datetime.fromtimestamp(later, UTC)
