"""What this layer tells about itself: counts, times and levels; who collects them is none of its business."""

from typing import Protocol

JOBS_RUNNING = "cronlift.jobs.running"
"""Gauge, by cluster and namespace: Jobs that this process follows."""
JOBS_ENDED = "cronlift.jobs.ended"
"""Count, by outcome."""
START_SECONDS = "cronlift.job.start_seconds"
"""Time from the task's arrival here to the start of its Job's first container."""
DETECTION_SECONDS = "cronlift.job.detection_seconds"
"""Time from a Job's end, by its condition (to the second), to when its task knew."""
WATCH_RESTARTS = "cronlift.watch.restarts"
"""Count, by resource: how often a watch failed and was begun again; its regular ends do not count."""
API_REQUESTS = "cronlift.api.requests"
"""Count, by verb and resource: what the API server was asked; verbs as Kubernetes names them, and `log`."""


class Metrics(Protocol):
    """Where measurements go. A call must neither raise nor block."""

    def count(self, name: str, value: int = 1, **tags: str) -> None:
        """Add to a counter."""

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        """Record how long something took."""

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Say how many there are now."""


class NullMetrics:
    """Measurements that nobody wants."""

    def count(self, name: str, value: int = 1, **tags: str) -> None:
        """Do nothing."""

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        """Do nothing."""

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Do nothing."""
