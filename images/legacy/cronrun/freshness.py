"""Whether a run comes too late to be the one that the old host would have started."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_TIME = re.compile(r"(?:^|__)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z|[+-]\d\d:\d\d)?")


def planned_time(text: str) -> datetime | None:
    """Return the time that a run was planned for.

    Args:
        text: ISO 8601, or an Airflow run id such as `scheduled__2026-01-01T03:00:00+00:00`.

    Returns:
        An aware time; None for a run that somebody triggered by hand, and for one whose time is not known.
    """
    if text and not text.startswith("scheduled__") and "__" in text:
        return None
    match = _TIME.search(text)
    if not match:
        return None
    found = datetime.fromisoformat(match.group(1) + (match.group(2) or "+00:00").replace("Z", "+00:00"))
    return found.astimezone(timezone.utc)  # noqa: UP017 - datetime.UTC needs 3.11, old bases have less


def seconds_late(planned: datetime | None, now: datetime) -> float:
    """Return by how much `now` is after the planned time; never below 0, and 0 when it is not known."""
    return max(0.0, (now - planned).total_seconds()) if planned else 0.0
