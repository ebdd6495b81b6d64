"""Images of this repo: what they are built from and their content tags."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        name: Short name, the folder under images/ ("airflow").
        tag: Hash of all build inputs, 12 hex digits.
        archive: OCI archive in the user's cache.
    """

    name: str
    tag: str
    archive: Path
