"""What the DAG processor tells of each bundle: to a file beside its copies, to Airflow's metrics, to the database.

The database's row is what the API server, in another Pod, makes the banner and the links to the source of. It is
`dag_bundle.template_params`: Airflow 3.3.2 offers a bundle no other place of its own, fills it when the DAG processor
starts, and takes from it only the names that the template of the link has.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from cronlift.airflow.settings import DELIVERY_KEY
from cronlift.bundle.delivery import Outcome
from cronlift.bundle.store import Store

STATUS_FILE = "status.json"
REPORT_SECONDS = 30.0
"""How often an unchanged state is written again."""
VERSIONS_TOLD = 50
"""Of how many versions the commit is told: more than Airflow keeps copies of."""
KEEP_SECONDS = 2.0
"""How often DAGs of broken files are kept, for all bundles of this process at once."""
JUST_PARSED_SECONDS = 120.0
"""Beyond min_file_process_interval: the youngest parse of a DAG that was alive when its file broke."""
STALENESS = "cronlift.bundle.staleness_seconds"
"""Gauge, by bundle: seconds since git-sync last reached the repository, or since the newest commit is refused."""
REFUSALS = "cronlift.bundle.refusals"
"""Count, by bundle: how often a new state of git was not taken over."""

_last: dict[str, tuple[tuple[object, ...], float]] = {}
_refused_since: dict[str, float] = {}
_kept_at = float("-inf")


def count_known_files(bundle: str) -> int:
    """Return how many files with DAGs of a bundle Airflow knows of."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import distinct, func, select

    with create_session() as session:
        query = select(func.count(distinct(DagModel.relative_fileloc)))
        return int(session.scalar(query.where(DagModel.bundle_name == bundle, ~DagModel.is_stale)) or 0)


def keep_broken_dags() -> None:
    """Keep DAGs alive whose file does not import at the moment.

    Airflow 3.3.2 marks every DAG of such a file stale at each parse that fails, and the scheduler leaves the running
    runs of a stale DAG alone: they would stand still until somebody corrects the file. New runs do not start, for the
    scheduler looks at has_import_errors too. A DAG that left a file which imports goes stale as always.
    """
    global _kept_at
    if time.monotonic() - _kept_at < KEEP_SECONDS:
        return
    _kept_at = time.monotonic()
    from airflow.configuration import conf
    from airflow.models.dag import DagModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import exists, or_, update
    from sqlalchemy.exc import SQLAlchemyError

    now = datetime.now(UTC)
    alive_seconds = conf.getint("dag_processor", "min_file_process_interval") + JUST_PARSED_SECONDS
    is_broken = exists().where(
        ParseImportError.bundle_name == DagModel.bundle_name, ParseImportError.filename == DagModel.relative_fileloc
    )
    was_alive = or_(DagModel.is_stale.is_(False), DagModel.last_parsed_time > now - timedelta(seconds=alive_seconds))
    with suppress(SQLAlchemyError), create_session() as session:
        row = update(DagModel).where(DagModel.has_import_errors.is_(True), is_broken, was_alive)
        values = row.values(last_parsed_time=now, is_stale=False)
        session.execute(values.execution_options(synchronize_session=False))


def report(
    bundle: str,
    store: Store,
    outcome: Outcome,
    age: float | None,
    address: Callable[[str], str | None],
    *,
    is_new_refusal: bool,
) -> None:
    """Tell the state of a bundle; a state that did not change is told again every 30 s.

    Args:
        bundle: Its name.
        store: Its copies.
        outcome: Of the last refresh.
        age: Seconds since git-sync reached the repository; None when that is not known.
        address: Commit -> where the bundle's folder is shown in it; None when there is no such place.
        is_new_refusal: Whether the refusal is another one than at the refresh before.
    """
    now = time.monotonic()
    if not outcome.refusal:
        _refused_since.pop(bundle, None)
    since = _refused_since.setdefault(bundle, now) if outcome.refusal else now
    staleness = max(age or 0.0, now - since)
    key = (outcome.version, outcome.commit, outcome.refusal)
    before, told_at = _last.get(bundle, ((), float("-inf")))
    if key == before and now - told_at < REPORT_SECONDS:
        return
    _last[bundle] = (key, now)
    state = make_state(store, outcome, age, address)
    _measure(bundle, staleness, is_new_refusal)
    _write_file(store, bundle, state)
    _write_row(bundle, state)


def make_state(
    store: Store, outcome: Outcome, age: float | None, address: Callable[[str], str | None]
) -> dict[str, Any]:
    """Return what is told: JSON, times as ISO 8601."""
    now = datetime.now(UTC)
    manifests = [manifest for version in store.known_versions() if (manifest := store.manifest(version))]
    commits = {each.version: each.commit for each in manifests[-VERSIONS_TOLD:] if each.commit}
    return {
        "version": outcome.version,
        "commit": outcome.commit,
        "refusal": outcome.refusal,
        "checked_at": now.isoformat(timespec="seconds"),
        "synced_seconds_ago": None if age is None else round(age, 1),
        "commits": commits,
        "addresses": {version: found for version, commit in commits.items() if (found := address(commit))},
        "pod": os.environ.get("HOSTNAME", ""),
    }


def _measure(bundle: str, staleness: float, is_new_refusal: bool) -> None:
    from cronlift.airflow.metrics import Kind, Measurement, send_now

    send_now(Measurement(Kind.GAUGE, STALENESS, staleness, {"bundle": bundle}))
    if is_new_refusal:
        send_now(Measurement(Kind.COUNT, REFUSALS, 1, {"bundle": bundle}))


def _write_file(store: Store, bundle: str, state: dict[str, Any]) -> None:
    # A full disk must not end the parsing of what is there; the log and the database tell of it.
    with suppress(OSError):
        store.base.mkdir(parents=True, exist_ok=True)
        temporary = store.base / f".{STATUS_FILE}"
        temporary.write_text(json.dumps({"bundle": bundle, **state}))
        temporary.replace(store.base / STATUS_FILE)


def _write_row(bundle: str, state: dict[str, Any]) -> None:
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import update
    from sqlalchemy.exc import SQLAlchemyError

    # A database that does not answer is noticed, and told of, by Airflow itself.
    with suppress(SQLAlchemyError), create_session() as session:
        row = update(DagBundleModel).where(DagBundleModel.name == bundle)
        session.execute(row.values(template_params={DELIVERY_KEY: state}))
