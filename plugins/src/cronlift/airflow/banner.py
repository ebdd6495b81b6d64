"""The banner on the UI's home page: DAGs that do not come from main, git-sync that has not synced, refused changes.

Airflow reads `DASHBOARD_UIALERTS` of airflow_local_settings.py anew at each request of the page, by iterating over it;
the image has that file. See airflow.api_fastapi.core_api.routes.ui.config (3.3.2).
"""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cronlift.airflow.settings import DELIVERY_KEY, GIT_REF_VARIABLE

if TYPE_CHECKING:
    from airflow.api_fastapi.common.types import UIAlert

MAIN_REFS = ("", "main", "refs/heads/main")
STALE_SECONDS = 300.0
"""Without word from git for so long, the banner says so: some sixty periods of git-sync."""
CACHE_SECONDS = 10.0
"""The UI asks at each load of a page."""


class DeliveryAlerts(list["UIAlert"]):
    """A list that looks at the database when it is iterated over; what is put into it stays in front."""

    def __init__(self) -> None:
        super().__init__()
        self._made_at, self._made = float("-inf"), list[Any]()

    def __iter__(self) -> Iterator["UIAlert"]:
        """Yield the alerts of now."""
        yield from super().__iter__()
        if time.monotonic() - self._made_at > CACHE_SECONDS:
            self._made = self._make()
            self._made_at = time.monotonic()
        yield from self._made

    def _make(self) -> list["UIAlert"]:
        from airflow.api_fastapi.common.types import UIAlert
        from sqlalchemy.exc import SQLAlchemyError

        try:
            states = read_states()
        except SQLAlchemyError:
            return []  # Airflow's own pages say that the database does not answer
        texts = words(os.environ.get(GIT_REF_VARIABLE, ""), states, datetime.now(UTC))
        return [UIAlert(text=text, category="warning") for text in texts]


def read_states() -> dict[str, dict[str, Any]]:
    """Return the DAG processor's last word on each active bundle."""
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagBundleModel.name, DagBundleModel.template_params).where(DagBundleModel.active.is_(True))
        return {name: state for name, params in session.execute(query) if (state := (params or {}).get(DELIVERY_KEY))}


def words(ref: str, states: Mapping[str, Mapping[str, Any]], now: datetime) -> list[str]:
    """Return what people should know, a Markdown sentence or two each.

    Args:
        ref: What git-sync follows.
        states: Bundle -> its state, as delivery_status.make_state gives it.
        now: The time, with zone.
    """
    found = []
    if ref not in MAIN_REFS:
        found.append(f"The DAGs here come from `{ref}` of the repository, not from `main`.")
    ages = {name: age for name, state in states.items() if (age := _age_seconds(state, now)) > STALE_SECONDS}
    if ages:
        minutes = max(ages.values()) / 60
        found.append(
            f"Merged changes have not arrived for {minutes:.0f} minutes ({_names(ages)}): git-sync does not reach the "
            "repository. What is here keeps running. `cronlift where` says more."
        )
    for name, state in sorted(states.items()):
        if state.get("refusal") and name not in ages:
            kept = str(state.get("commit") or state.get("version") or "nothing")[:12]
            found.append(f"Bundle `{name}` stays at `{kept}`: {state['refusal']}.")
    return found


def _age_seconds(state: Mapping[str, Any], now: datetime) -> float:
    """Return the seconds since git was reached, as far as is known: a DAG processor that is gone says nothing."""
    try:
        since = (now - datetime.fromisoformat(str(state["checked_at"]))).total_seconds()
    except (KeyError, ValueError):
        return 0.0
    return since + float(state.get("synced_seconds_ago") or 0.0)


def _names(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))
