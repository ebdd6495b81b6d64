"""Keep the DAG processor from parsing a file without end once a run that is pinned to a version has called back.

Airflow 3.3.2 keeps what it knows of a parse by file and bundle version. A callback of a pinned run is kept under the
run's version, without a time of its end, and hides what is known of the newest version: the file then counts as never
parsed, at every turn of the loop. Every end that is written from a trigger sends such a callback. To be removed when
`DagFileProcessorManager` looks its stats up by version, or forgets those of callbacks.
"""

import functools
from typing import Any


def forget_stats_of_callbacks() -> None:
    """Let the DAG processor's manager forget what a callback of a pinned run left behind; once in a process."""
    from airflow.dag_processing.manager import DagFileProcessorManager

    handle = DagFileProcessorManager.handle_parsing_result
    if getattr(handle, "forgets_callbacks", False):
        return

    @functools.wraps(handle)
    def handle_and_forget(self: Any, file: Any, *args: Any, **more: Any) -> None:
        handle(self, file, *args, **more)
        if file.bundle_version is not None:
            self._file_stats.pop(file, None)

    handle_and_forget.forgets_callbacks = True  # type: ignore[attr-defined]
    DagFileProcessorManager.handle_parsing_result = handle_and_forget  # type: ignore[method-assign]
