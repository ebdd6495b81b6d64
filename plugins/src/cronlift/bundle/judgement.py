"""Whether a new tree may replace the last good one.

Airflow marks every DAG stale whose file is gone. So a folder emptied by mistake, or a tree that something is just
deleting, must not get there by itself.
"""

from cronlift.bundle.manifest import Manifest, dag_files
from cronlift.errors import ContentRefusedError

MARKER = ".allow-deletion"
"""A file of the team's folder. Added or edited in the commit that deletes, it says that the deletion is wanted."""

COLLAPSE_SHARE = 0.5
"""Less than this share of the files with DAGs left is a collapse..."""
COLLAPSE_FILES = 20
"""...if there were at least so many. A small team tidies up more than half of its folder now and then, and a refusal
holds back all else in it; there only an empty folder is surely a mistake."""
DOUBTED_FILES = 4
"""The same for a tree that differs from what git says of the commit: something may be just deleting it."""


def judge(new: Manifest, old: Manifest | None, known_files: int, where: str, *, is_gits: bool) -> None:
    """Refuse a tree from which files with DAGs have vanished in a mass.

    Args:
        new: What was committed.
        old: The last good version; None when this pod has none.
        known_files: How many files with DAGs Airflow knows of, for a pod that has no last good version.
        where: The folder's path in the repository, for the cure.
        is_gits: Whether git's own objects say the same of the commit.

    Raises:
        ContentRefusedError: With counts, and how to say that it is wanted.
    """
    had = len(dag_files(old.entries)) if old else known_files
    gone = collapse(had, len(dag_files(new.entries)), where, is_gits=is_gits)
    if gone and not _is_wanted(new, old):
        raise ContentRefusedError(". ".join(gone))


def collapse(had: int, left: int, where: str, *, is_gits: bool) -> tuple[str, str] | None:
    """Say what vanished, and the cure, when so many files with DAGs are gone that it must be said to be wanted.

    Args:
        had: How many there were.
        left: How many there are.
        where: The folder's path in the repository, for the cure.
        is_gits: Whether git itself says so of the commit.

    Returns:
        None when they may go.
    """
    is_small = had < (COLLAPSE_FILES if is_gits else DOUBTED_FILES)
    collapsed = left == 0 if is_small else left < had * COLLAPSE_SHARE
    if not had or not collapsed:
        return None
    return (
        f"{had - left} of {had} Python files are gone from {where}",
        f"If that is wanted, add or edit the file {marker_of(where)} (a word on why will do) and commit it; if not, "
        "revert the commit",
    )


def marker_of(where: str) -> str:
    """Return the marker's path in the repository."""
    return MARKER if where == "." else f"{where}/{MARKER}"


def _is_wanted(new: Manifest, old: Manifest | None) -> bool:
    """Tell whether the marker came with this change: one that lies there from the last time says nothing."""
    marker = new.entries.get(MARKER)
    return marker is not None and (old is None or old.entries.get(MARKER) != marker)
