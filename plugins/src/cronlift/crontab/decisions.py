"""What people decided about an import: `decisions.yaml`, read with every fault.

The file belongs to the people; what the machine may change in it is in `decisions_edit`.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from cronlift.crontab.ids import slug_of
from cronlift.errors import CrontabError, ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.parse import parse

FILE_NAME = "decisions.yaml"
DEFAULT_HOST = "cron"

ACTIONS = {
    "undecided": "left out until somebody decides",
    "import": "becomes a DAG all the same",
    "manual": "becomes a DAG without a schedule, started by hand",
    "host": "stays on the old host",
    "drop": "is given up",
}
STATES = {
    "shadow": "the Jobs look up what they need, and run nothing",
    "live": "the Jobs run",
    "rolled-back": "the old crontab runs again; the Jobs run nothing",
}
MAIL_MODES = ("failure", "output", "off")
REDIRECTS = ("auto", "keep", "tee", "stdout")
RUN_AS = ("legacy", "root")
SCRATCH = "scratch"
"""A volume that is empty at the start of each run."""

_LINE_KEYS = {
    "action": tuple(ACTIONS),
    "run_as": RUN_AS,
    "mail": MAIL_MODES,
    "mail_to": str,
    "redirect": REDIRECTS,
    "ok_exit_codes": list,
    "max_active_runs": int,
    "late_seconds": int,
    "secrets": dict,
    "resources": dict,
    "volumes": dict,
    "note": str,
}
_TOP_KEYS = {"host": str, "users": dict, "defaults": dict, "volumes": dict, "groups": dict, "lines": dict}
_GROUP_KEYS = {"state": tuple(STATES), "start": str}
_USER_KEYS = {"uid": int, "gid": int, "home": str}
_SECRET_KEYS = {"name": str, "key": str}
_RESOURCE_KEYS = {"requests": dict, "limits": dict}
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?([munkMGTPE]|[KMGTPE]i|[eE][0-9]+)?\Z")
_HEAD = """\
# What was decided about the crontabs of team {team}. `cronlift import` reads this file and adds what is new to it; it
# changes nothing that is here. Actions of a line: import, manual (a DAG without a schedule), host (stays on the old
# host), drop. Every key is described in docs/import-a-crontab.md of the cronlift repository.
host: {host}
users: {{}}
defaults: {{}}
volumes: {{}}
groups: {{}}
lines: {{}}
"""


@dataclass(frozen=True)
class User:
    """Whom a user's jobs run as.

    Args:
        uid: Numeric id on the old host, and in the image.
        gid: Of its group.
        home: Its home; None for that of the image.
    """

    uid: int
    gid: int
    home: str | None = None


@dataclass(frozen=True)
class LineDecision:
    """What was decided about a line; None where nothing was.

    Args:
        action: One of ACTIONS.
        run_as: "root" or "legacy", for a line of root.
        mail: One of MAIL_MODES.
        mail_to: Recipients.
        redirect: One of REDIRECTS.
        ok_exit_codes: Those that count as success.
        max_active_runs: How many runs at once.
        late_seconds: Of a line with a lock: a later start is skipped.
        secrets: Name of the variable -> name and key of the Secret.
        resources: Of the container, as in Kubernetes.
        volumes: Path -> name of a PersistentVolumeClaim, or "scratch".
    """

    action: str = "undecided"
    run_as: str | None = None
    mail: str | None = None
    mail_to: str | None = None
    redirect: str | None = None
    ok_exit_codes: tuple[int, ...] | None = None
    max_active_runs: int | None = None
    late_seconds: int | None = None
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, str]] | None = None
    volumes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupDecision:
    """Where a group stands on its way.

    Args:
        state: One of STATES.
        start: When its DAGs begin, aware.
    """

    state: str
    start: datetime


@dataclass(frozen=True)
class Decisions:
    """All of `decisions.yaml`.

    Args:
        host: The old host's name, part of the DAG ids; None when the file does not say.
        users: Login name -> ids.
        defaults: For lines that do not say.
        volumes: For all lines: path -> claim or "scratch".
        groups: By name.
        lines: By DAG id.
    """

    host: str | None = None
    users: Mapping[str, User] = field(default_factory=dict)
    defaults: LineDecision = field(default_factory=LineDecision)
    volumes: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, GroupDecision] = field(default_factory=dict)
    lines: Mapping[str, LineDecision] = field(default_factory=dict)

    def of(self, dag_id: str) -> LineDecision:
        """Return what holds for a line: its own decision, and the defaults where that is silent."""
        own = self.lines.get(dag_id, LineDecision())
        merged = {
            name: getattr(own, name) if getattr(own, name) not in (None, {}) else getattr(self.defaults, name)
            for name in LineDecision.__dataclass_fields__
        }
        merged["action"] = own.action
        merged["volumes"] = {**self.volumes, **self.defaults.volumes, **own.volumes}
        return LineDecision(**merged)


def new_text(team: str, host: str) -> str:
    """Return the file of a team's first import."""
    return _HEAD.format(team=team, host=host)


def read_decisions(text: str, name: str = FILE_NAME) -> Decisions:
    """Read the file.

    Args:
        text: Its content.
        name: For messages.

    Raises:
        CrontabError: With every fault, its line, and the cure.
    """
    places = Places(name, has_lines=True)
    if _is_no_mapping(text):
        cure = "Write its keys, each on a line of its own: host, users, defaults, volumes, groups, lines."
        raise CrontabError("the file is no mapping", where=f"{name}:1", cure=cure)
    try:
        documents = parse(text, places)
    except ManifestError as error:
        raise CrontabError(error.what, where=error.where, cure=error.cure) from error
    if not documents:
        return Decisions()
    if len(documents) > 1:
        raise CrontabError("the file has several documents", where=name, cure="Remove the lines `---`.")
    reader = _Reader(documents[0], places)
    found = reader.read()
    if reader.faults:
        raise CrontabError.all_of(reader.faults)
    return found


def _is_no_mapping(text: str) -> bool:
    """Tell YAML that holds something else than keys with values; a broken one is told by its parser."""
    try:
        return any(
            not isinstance(each, yaml.MappingNode | None) for each in yaml.compose_all(text, Loader=yaml.SafeLoader)
        )
    except yaml.YAMLError:
        return False


class _Reader:
    """Takes a document apart, and notes each fault with its place."""

    def __init__(self, document: Document, places: Places) -> None:
        self._document, self._places = document, places
        self.faults: list[CrontabError] = []

    def read(self) -> Decisions:
        top = self._checked(self._document.content, _TOP_KEYS)
        host = top.get("host")
        return Decisions(
            host=(slug_of(host) or None) if host else None,
            users={name: user for name, user in self._each(top, "users", self._user)},
            defaults=self._line(top.get("defaults") or {}, "defaults"),
            volumes=self._texts(top.get("volumes") or {}, "volumes"),
            groups={name: group for name, group in self._each(top, "groups", self._group)},
            lines={name: line for name, line in self._each(top, "lines", self._line)},
        )

    def _each(self, top: Mapping[str, Any], key: str, read: Any) -> Iterator[tuple[str, Any]]:
        for name, value in (top.get(key) or {}).items():
            if not isinstance(value, dict):
                self._fault(f"{name} is {value!r}", "Write its keys below it, two blanks to the right.", key, name)
                continue
            found = read(value, key, name)
            if found is not None:
                yield str(name), found

    def _user(self, value: Mapping[str, Any], *path: str) -> User | None:
        found = self._checked(value, _USER_KEYS, *path)
        if "uid" not in found:
            self._fault("the user has no uid", "Write its ids, such as {uid: 1001, gid: 1001}.", *path)
            return None
        return User(found["uid"], found.get("gid", found["uid"]), found.get("home"))

    def _group(self, value: Mapping[str, Any], *path: str) -> GroupDecision | None:
        found = self._checked(value, _GROUP_KEYS, *path)
        try:
            start = datetime.fromisoformat(str(found.get("start", "")))
        except ValueError:
            start = None
        if start is None:
            cure = 'Write it like start: "2026-12-01T00:00:00+00:00".'
            self._fault(f"start is {found.get('start')!r}, which is no time", cure, *path, "start")
            return None
        aware = start if start.tzinfo else start.replace(tzinfo=UTC)
        return GroupDecision(found.get("state", "shadow"), aware)

    def _line(self, value: Mapping[str, Any], *path: str) -> LineDecision:
        found = self._checked(value, _LINE_KEYS, *path)
        found.pop("note", None)
        codes = found.get("ok_exit_codes")
        if codes is not None:
            if not all(isinstance(each, int) and 0 <= each <= 255 for each in codes):
                self._fault(f"ok_exit_codes is {codes!r}", "Write numbers: [0, 1].", *path, "ok_exit_codes")
            found["ok_exit_codes"] = tuple(codes)
        if found.get("max_active_runs", 1) < 1:
            self._fault("max_active_runs is below 1", "Write 1 or more.", *path, "max_active_runs")
        found["secrets"] = dict(self._secrets(found.get("secrets") or {}, *path, "secrets"))
        found["volumes"] = self._texts(found.get("volumes") or {}, *path, "volumes")
        if "resources" in found:
            found["resources"] = self._resources(found["resources"], *path, "resources")
        return LineDecision(**found)

    def _secrets(self, value: Mapping[str, Any], *path: str) -> Iterator[tuple[str, tuple[str, str]]]:
        for variable, reference in value.items():
            found = self._checked(reference, _SECRET_KEYS, *path, variable) if isinstance(reference, dict) else {}
            name, key = found.get("name"), found.get("key")
            if not name or not key or not _KUBERNETES_NAME.match(name):
                cure = "Name a Secret of the team's namespace: {name: backup-db, key: password}."
                self._fault(f"{variable} refers to no Secret", cure, *path, variable)
                continue
            yield variable, (name, key)

    def _resources(self, value: Mapping[str, Any], *path: str) -> dict[str, Any]:
        found = self._checked(value, _RESOURCE_KEYS, *path)
        for kind, amounts in found.items():
            for name, amount in amounts.items():
                if isinstance(amount, bool) or not _AMOUNT.match(str(amount)):
                    cure = "Write an amount as Kubernetes does: {cpu: 500m, memory: 1Gi}."
                    self._fault(f"{name} is {amount!r}", cure, *path, kind, str(name))
        return found

    def _texts(self, value: Mapping[str, Any], *path: str) -> dict[str, str]:
        for name, each in value.items():
            if not isinstance(each, str) or not str(name).startswith("/") or not _KUBERNETES_NAME.match(each):
                cure = f"Write the path and a claim's name, or {SCRATCH}: /var/lib/x: {SCRATCH}."
                self._fault(f"{name}: {each!r} is no volume", cure, *path, str(name))
        return {str(name): str(each) for name, each in value.items()}

    def _checked(self, value: Any, known: Mapping[str, Any], *path: str) -> dict[str, Any]:
        """Return the entries that are known and of the right kind."""
        found = {}
        for name, each in value.items():
            kind = known.get(name)
            if kind is None:
                near = difflib.get_close_matches(str(name), known, n=1)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
                self._fault(f"{name!r} is not known here", cure, *path, name)
            elif isinstance(kind, tuple):
                if each in kind:
                    found[name] = each
                else:
                    self._fault(f"{name} is {each!r}", f"Use one of {', '.join(kind)}.", *path, name)
            elif each is None and kind is not int:
                continue
            elif not isinstance(each, kind) or isinstance(each, bool):
                self._fault(f"{name} is {each!r}", f"Write {_NAMES[kind]}.", *path, name)
            else:
                found[name] = each
        return found

    def _fault(self, what: str, cure: str, *path: str) -> None:
        self.faults.append(CrontabError(what, where=self._places.of(self._document, *path), cure=cure))


_NAMES = {
    str: "text, in quotes where YAML would read something else",
    int: "a number",
    dict: "a mapping",
    list: "a list",
}
