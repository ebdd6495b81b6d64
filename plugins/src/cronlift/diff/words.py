"""Values in words, the same for the terminal, for Markdown and for JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from cronlift.facts.model import DagFacts

_BINARY = ((1024**4, "Ti"), (1024**3, "Gi"), (1024**2, "Mi"), (1024, "Ki"))


def schedule(dag: DagFacts) -> str:
    """Return a DAG's schedule and whose clock it means."""
    return f"{dag.schedule} {dag.timezone}".strip()


def listed(values: Iterable[object]) -> str:
    """Return values with commas between them."""
    return ", ".join(str(each) for each in values)


def said(value: bool | None) -> str:
    """Return yes, no, or that the deployment decides."""
    return "as the deployment says" if value is None else "yes" if value else "no"


def cores(amount: float) -> str:
    """Return an amount of CPU, such as `0.05`."""
    return f"{amount:.3f}".rstrip("0").rstrip(".")


def memory(amount: float) -> str:
    """Return an amount of bytes as Kubernetes writes it, such as `1.5Gi`."""
    size, unit = next(((size, unit) for size, unit in _BINARY if amount >= size), (1, ""))
    return f"{amount / size:.1f}".removesuffix(".0") + unit


def amounts(found: Mapping[str, float] | None) -> str:
    """Return requests or limits in one line; empty where there are none."""
    shown = {"cpu": cores, "memory": memory, "ephemeral-storage": memory}
    return ", ".join(f"{name} {shown.get(name, cores)(value)}" for name, value in sorted((found or {}).items()))


def moment(text: str) -> str:
    """Return an ISO 8601 instant in UTC as people read it: day, date, hour and minute."""
    return f"{datetime.fromisoformat(text):%a %Y-%m-%d %H:%M}"
