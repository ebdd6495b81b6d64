"""Ask the API server what it thinks of a manifest, without creating anything.

What is sent is the trial rendering. Where a value stands that only a run has, the field is left out, unless any text
will do there; so the server never refuses a guess.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cronlift.airflow.pretended_run import pretended_identity
from cronlift.airflow.settings import JOB_ACCOUNT
from cronlift.errors import ApiError, ManifestError
from cronlift.job.advice import Advice
from cronlift.job.documents import Document
from cronlift.job.guess import is_guessed
from cronlift.job.manifest import Defaults, build_objects

if TYPE_CHECKING:
    from cronlift.cli.validate import Report
    from cronlift.cluster.dry_run import DryRunClient

# Below these keys any text is valid, or at least the guess's.
_TEXT_KEYS = {
    *("name", "image", "command", "args", "value", "labels", "annotations", "data", "stringData", "matchLabels"),
    *("nodeSelector", "serviceAccountName", "key", "claimName", "secretName", "storageClassName", "volumeName"),
    *("mountPath", "subPath", "path", "workingDir", "priorityClassName", "runtimeClassName", "hostname", "subdomain"),
}


async def ask_server(reports: Sequence["Report"], namespace: str, user: str | None) -> None:
    """Add what the API server refuses to the reports of manifests that have no fault yet.

    Args:
        reports: Changed in place.
        namespace: Where the objects would be created.
        user: Whom to impersonate; None for ourselves.

    Raises:
        ClusterError: There is no cluster, or it cannot be reached.
    """
    import aiohttp

    from cronlift.cluster.config import load_config
    from cronlift.cluster.dry_run import DryRunClient

    config = await asyncio.to_thread(load_config)
    async with aiohttp.ClientSession() as session:
        client = DryRunClient(session, config, user)
        for report in reports:
            if not report.faults:
                await _ask(client, report, namespace)


async def _ask(client: "DryRunClient", report: "Report", namespace: str) -> None:
    review = report.review
    if review is None or not review.documents:
        what = "its template needs real values, so the API server was not asked"
        report.warnings.append(Advice(what, str(report.manifest), "Simplify the template, or run it once."))
        return
    identity, _ = pretended_identity("team__dag", "task", None)
    documents = [Document(without_guesses(each.content), each.node) for each in review.documents]
    try:
        objects = build_objects(documents, identity, Defaults(namespace, JOB_ACCOUNT), "none", review.places)
    except ManifestError as error:
        report.faults.extend(error.faults)
        return
    for body in (*objects.companions, objects.job):
        try:
            await client.dry_run(namespace, body)
        except ApiError as error:
            report.faults.append(
                ManifestError(
                    f"the API server refuses the {body['kind']} with {error.code} {error.reason}: {error.message}",
                    where=str(report.manifest),
                    cure="Give yourself the right, or name a --team." if error.code == 403 else "Correct the manifest.",
                )
            )


def without_guesses(value: Any, *, text: bool = False) -> Any:
    """Copy an object without the fields that hold a guess where not any text will do.

    Args:
        value: Of a trial rendering.
        text: Whether any text will do here.
    """
    if isinstance(value, dict):
        found = {}
        for key, each in value.items():
            # Only the base64 of a Secret's data is not any text; what it holds says nothing about the manifest.
            allowed = (text or key in _TEXT_KEYS) and not (key == "data" and value.get("kind") == "Secret")
            if isinstance(each, (dict, list)) or allowed or not is_guessed(each):
                found[key] = without_guesses(each, text=allowed)
        return found
    if isinstance(value, list):
        return [without_guesses(each, text=text) for each in value if text or not _is_leaf_guess(each)]
    return value


def _is_leaf_guess(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and is_guessed(value)
