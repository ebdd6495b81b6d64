"""What a manifest may name of the cluster: its own team's namespace, and no account that acts for Airflow."""

from collections.abc import Sequence

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
        wanted = (each.content.get("metadata") or {}).get("namespace", namespace)
        if wanted != namespace and GUESS not in str(wanted):
            faults.append(
                ManifestError(
                    f"namespace {wanted!r} is not the team's, which is {namespace!r}",
                    where=places.of(each, "metadata", "namespace"),
                    cure="Leave the line out: the team's namespace is the default and the only one allowed.",
                )
            )
        path = ("spec", "template", "spec")
        pod = each.content if each.kind == "Job" else {}
        for key in path:
            pod = pod.get(key) or {}
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
