"""What a manifest may name of the cluster: its own team's namespace, and no account that acts for Airflow."""

from collections.abc import Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.guess import GUESS
from cronlift.job.naming import LAUNCHER_ACCOUNT


def check_ownership(documents: Sequence[Document], places: Places, namespace: str) -> list[ManifestError]:
    """Return a fault for each namespace and account that is not a team's Job's to name.

    Args:
        documents: Rendered, or of a trial; what a trial guesses is left for the run.
        places: Of the documents.
        namespace: The team's.
    """
    faults = []
    for each in documents:
        wanted = _mapping_at(each.content, "metadata").get("namespace", namespace)
        if wanted != namespace and GUESS not in str(wanted):
            faults.append(
                ManifestError(
                    f"namespace {wanted!r} is not the team's, which is {namespace!r}",
                    where=places.of(each, "metadata", "namespace"),
                    cure="Leave the line out: the team's namespace is the default and the only one allowed.",
                )
            )
        path = ("spec", "template", "spec")
        pod = _mapping_at(each.content, *path) if each.kind == "Job" else {}
        for key in ("serviceAccountName", "serviceAccount"):
            if pod.get(key) == LAUNCHER_ACCOUNT:
                faults.append(
                    ManifestError(
                        f"{key} is {LAUNCHER_ACCOUNT!r}, as which Airflow itself acts",
                        where=places.of(each, *path, key),
                        cure="Leave the line out, or name an account of the Job's own.",
                    )
                )
    return faults


def _mapping_at(value: Any, *path: str) -> dict[str, Any]:
    """Return the mapping at a path; an empty one where there is none, which is a fault of its own."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
