"""What a change does, as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from cronlift.facts.model import FileFacts
from cronlift.teams.model import TeamEntry


class Kind(StrEnum):
    """What became of a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Side:
    """The DAGs before, or after, the change.

    Args:
        files: What was found in each DAG file that was read.
        teams: What teams.yaml says.
    """

    files: tuple[FileFacts, ...]
    teams: Mapping[str, TeamEntry]


@dataclass(frozen=True)
class FieldChange:
    """One property that changed, in words.

    Args:
        name: Of the property, such as "schedule" or "task import: images".
        before: Empty where there was none.
        after: Empty where there is none.
    """

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class DagChange:
    """What became of a DAG.

    Args:
        dag_id: DAG id.
        team: Of its bundle.
        kind: What became of it.
        file: Its file, where it is; where it was, for one that is removed.
        fields: What changed of it; for an added or removed one, what it is or was.
        runs_before: The next runs as they were, ISO 8601 in UTC, the first few.
        runs_after: As they are.
    """

    dag_id: str
    team: str
    kind: Kind
    file: str
    fields: tuple[FieldChange, ...] = ()
    runs_before: tuple[str, ...] = ()
    runs_after: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageChange:
    """An image that other or more tasks, or fewer, run now.

    Args:
        image: The reference.
        before: How many tasks ran it.
        after: How many do now.
    """

    image: str
    before: int
    after: int


@dataclass(frozen=True)
class Hour:
    """What all runs that start in one hour of a day request, in UTC.

    Args:
        hour: 0 to 23.
        cpu_before: Cores.
        cpu_after: Cores.
        memory_before: Bytes.
        memory_after: Bytes.
    """

    hour: int
    cpu_before: float
    cpu_after: float
    memory_before: float
    memory_after: float


@dataclass(frozen=True)
class Concern:
    """Something that a reviewer should know before the merge.

    Args:
        about: DAG id, file or team.
        what: What happens, a sentence about it without a full stop; {} stands for what authors wrote.
        cure: What to do if that is not meant.
        values: What authors wrote, in the order of the places for it.
    """

    about: str
    what: str
    cure: str
    values: tuple[str, ...] = ()

    def say(self, show: Callable[[str], str]) -> str:
        """Return it in words, each part that authors wrote as `show` makes it fit to be seen."""
        return f"{show(self.about)} {self.what.format(*map(show, self.values))}. {self.cure}"


@dataclass(frozen=True)
class Diff:
    """All that a change does.

    Args:
        base: What it was compared with, as the user named it.
        teams: The teams whose DAGs were read on both sides.
        team_changes: Team -> what changed of it in teams.yaml.
        dags: What became of DAGs; those that are the same are not among them.
        images: Images of other or more tasks.
        hours: The 24 hours of a day; none when no hour differs.
        warnings: In order of what they are about.
    """

    base: str
    teams: tuple[str, ...]
    team_changes: Mapping[str, tuple[FieldChange, ...]] = field(default_factory=dict)
    dags: tuple[DagChange, ...] = ()
    images: tuple[ImageChange, ...] = ()
    hours: tuple[Hour, ...] = ()
    warnings: tuple[Concern, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell a change that does nothing to any DAG."""
        return not (self.team_changes or self.dags or self.images or self.hours or self.warnings)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        warnings = [{"about": each.about, "text": each.say(str), "cure": each.cure} for each in self.warnings]
        return {**asdict(self), "warnings": warnings}
