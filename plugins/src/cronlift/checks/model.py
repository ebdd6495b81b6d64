"""A fault that a check found, and what a check is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Fault:
    """One fault.

    Attributes:
        file: From the root.
        line: From 1; 0 where it is not known.
        check: Id of the check; of a rule of the policy, `policy/<rule>`.
        what: One sentence without a full stop.
        cure: What to do about it; may be empty.
    """

    file: str
    line: int
    check: str
    what: str
    cure: str = ""

    @property
    def where(self) -> str:
        """The place, as editors and terminals open it."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.where}: {self.what.rstrip('.')}. {self.cure}".rstrip() + f" [{self.check}]"

    def to_json(self) -> Mapping[str, Any]:
        """Return what `--json` prints of it."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """What one check looks for; the docs list them.

    Attributes:
        id: Kebab-case.
        what: The rule as one sentence.
        why: What happens where it is broken.
        cure: What to do about a fault, in general.
        bad: An example that fails: lines of the file that `lines_of` names.
        lines_of: What the example is part of: "DAG file", "manifest", "teams.yaml", "values" of an environment or
            "tree".
    """

    id: str
    what: str
    why: str
    cure: str
    bad: str
    lines_of: str = "DAG file"
