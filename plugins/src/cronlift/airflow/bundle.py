"""A team's DAG bundle: Airflow's side of `cronlift.bundle`.

The DAG processor refreshes it every few seconds and parses `latest`; a task of a run that is pinned to a version asks
for a copy of that one, in whatever Pod it runs. `path` is a constant as long as no version is asked for: Airflow 3.3.2
keeps the path of queued files, and would parse a folder of an older version as the new one.
"""

import logging
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import (
    BaseDagBundle,
    BundleVersion,
    BundleVersionLock,
    get_bundle_tracking_file,
)

from cronlift.airflow import delivery_status
from cronlift.airflow.callback_stats import forget_stats_of_callbacks
from cronlift.airflow.dag_files import list_files
from cronlift.airflow.source_links import URL_PREFIX
from cronlift.bundle.delivery import Delivery, Outcome
from cronlift.bundle.forge import folder_address
from cronlift.bundle.store import Store
from cronlift.bundle.sync_age import SyncAge
from cronlift.errors import SourceMissingError

WAIT_SECONDS = 20.0
"""How long a task waits for a version that its Pod's git-sync has not fetched yet: some periods of git-sync."""
WAIT_STEP_SECONDS = 0.5
KEEP_EVERY_SECONDS = 60.0
"""How often the version in use is marked as such; Airflow removes what has not been for hours."""

log = logging.getLogger(__name__)


class GitSyncBundle(BaseDagBundle):
    """A versioned bundle that copies the folder of a git-sync tree; a version is the folder's git tree hash.

    A link that is missing or dangles, a folder that is gone or emptied, and content that cannot be taken over leave
    the last good copy in place: Airflow would mark every DAG of a missing folder stale.

    Args:
        link: git-sync's link, for example /git/current.
        path: The folder in the repository; "." for all of it.
        url: The repository's URL, for links to the source; credentials in it are never shown.
        view_url: Web address of a folder with {commit} and {path}, where the URL's host does not tell it.
        metrics_url: Where git-sync serves its counts; empty: nothing is known of its age.
        wait_seconds: How long a task waits for a version that is not here yet.
        kwargs: name, refresh_interval, version: Airflow's.
    """

    supports_versioning = True

    def __init__(
        self,
        *,
        link: str = "/git/current",
        path: str = ".",
        url: str = "",
        view_url: str = "",
        metrics_url: str = "",
        wait_seconds: float = WAIT_SECONDS,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self._folder, self._url, self._view_url, self._metrics_url = path, url, view_url, metrics_url
        self._wait_seconds = wait_seconds
        self._store = Store(self.base_dir)
        self._delivery = Delivery(
            self._store,
            Path(link),
            path,
            known_files=lambda: delivery_status.count_known_files(self.name) if is_dag_processor() else 0,
            examine=list_files,
            parses=running_children if is_dag_processor() else tuple,
        )
        self._use: BundleVersionLock | None = None
        self._used_at = float("-inf")
        self._said = ""

    @property
    def path(self) -> Path:
        """Where the files are; read before there are any, so it never raises."""
        return self._store.folder(self.version) if self.version else self._store.latest

    def initialize(self) -> None:
        """Have the files: the newest, or those of the version that was asked for.

        A version that cannot be had leaves `path` absent: Airflow then puts the task back, without using up a try.

        Raises:
            SourceMissingError: As `refresh`, where no version was asked for.
        """
        if is_dag_processor():
            forget_stats_of_callbacks()
        if self.version:
            self._wait_for(self.version)
        else:
            self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Take over what git-sync publishes, or keep the last good copy.

        Raises:
            SourceMissingError: There is no good copy at all, and Airflow knows DAGs of this bundle: an empty folder
                would make them stale. A new team, of which it knows none, waits, for Airflow would log a traceback a
                second.
        """
        with self.lock():
            outcome = self._delivery.refresh()
            if outcome.version is None and self._delivery.wants_another_look:
                outcome = self._delivery.refresh()
            try:
                self._keep(outcome)
            except OSError as error:
                refusal = f"the version cannot be marked as used, and Airflow may remove it: {error}"
                outcome = replace(outcome, refusal=outcome.refusal or refusal)
        self._tell(outcome)
        if outcome.version is None and not self._is_new():
            raise SourceMissingError(f"Bundle {self.name} has no copy yet: {outcome.refusal}")

    def get_current_version(self) -> BundleVersion | None:
        """Return the version of the files, with the commit it was first seen in and where that can be looked at."""
        version = self.version or self._store.current()
        if version is None:
            return None
        manifest = self._store.manifest(version)
        if manifest is None or not manifest.commit:
            return BundleVersion(version)
        address = self._address(manifest.commit)
        return BundleVersion(version, data={"commit": manifest.commit, **({"url": address} if address else {})})

    def view_url_template(self) -> str | None:
        """Return an address of the API server that leads on to the version's commit in the forge.

        Airflow fills in the version alone, which is no commit; this package's plugin knows which one it is.
        """
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        if self._view_url_template or not base or not self._address("commit"):
            return super().view_url_template()
        return f"{base}{URL_PREFIX}/source/{self.name}/{{version}}"

    def _is_new(self) -> bool:
        return is_dag_processor() and delivery_status.count_known_files(self.name) == 0

    def _address(self, commit: str) -> str | None:
        return folder_address(self._url, commit, self._folder, self._view_url)

    def _wait_for(self, version: str) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while True:
            with self.lock():
                if self._delivery.provide(version):
                    return
            if time.monotonic() >= deadline:
                log.warning(
                    "Bundle %s: version %s is neither in git-sync's trees nor in its history here, after %.0f s",
                    *(self.name, version, self._wait_seconds),
                )
                return
            time.sleep(WAIT_STEP_SECONDS)

    def _keep(self, outcome: Outcome) -> None:
        """Mark the version as used, so that Airflow's clean-up of old ones leaves it; and see to what it does not.

        Airflow removes a copy that has a tracking file, and fails over one whose copy is gone: so no copy is without
        one, and none is removed here.
        """
        if outcome.version is None:
            return
        now = time.monotonic()
        if not outcome.flipped and self._use and now - self._used_at < KEEP_EVERY_SECONDS:
            return
        self._used_at = float("-inf")  # a storage that fails here is tried again at the next refresh
        use = BundleVersionLock(self.name, outcome.version)  # type: ignore[no-untyped-call]
        use.acquire()  # type: ignore[no-untyped-call]
        if self._use:
            self._use.release()  # type: ignore[no-untyped-call]
        self._use = use
        for version in self._store.known_versions():
            if not get_bundle_tracking_file(self.name, version).exists():
                with BundleVersionLock(self.name, version):  # type: ignore[no-untyped-call]
                    log.debug("Bundle %s: version %s is tracked from now on", self.name, version)
        self._store.prune()
        self._used_at = now

    def _tell(self, outcome: Outcome) -> None:
        """Say what changed, once; and measure."""
        if outcome.refusal != self._said:
            if outcome.refusal and not outcome.version:
                log.error("Bundle %s has no copy yet: %s", self.name, outcome.refusal)
            elif outcome.refusal:
                log.error("Bundle %s keeps version %s: %s", self.name, outcome.version, outcome.refusal)
            elif self._said and outcome.version:
                log.info("Bundle %s follows git again, at commit %s", self.name, outcome.commit)
        if outcome.flipped:
            log.info("Bundle %s is at version %s, commit %s", self.name, outcome.version, outcome.commit)
        is_new, self._said = outcome.refusal != self._said and bool(outcome.refusal), outcome.refusal
        if is_dag_processor():
            age = sync_age(self._metrics_url).seconds() if self._metrics_url else None
            delivery_status.keep_broken_dags()
            delivery_status.report(self.name, self._store, outcome, age, self._address, is_new_refusal=is_new)


def is_dag_processor() -> bool:
    """Tell whether this process manages the parses: it alone refreshes, measures, and talks to the database."""
    return "dag-processor" in sys.argv[1:2]


def running_children() -> set[int]:
    """Return the ids of this process's children: parses, in the DAG processor; also ended ones not yet noticed."""
    ours, found = str(os.getpid()), set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # a process that ended meanwhile
            # After the name, in parentheses: state, parent. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
            if stat.read_text().rpartition(")")[2].split()[1] == ours:
                found.add(int(stat.parent.name))
    return found


@lru_cache
def sync_age(url: str) -> SyncAge:
    """Return the one watch of a git-sync: all bundles of a repository share it."""
    return SyncAge(url)
