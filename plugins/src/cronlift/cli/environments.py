"""The environments' values, as far as commands read them: which job images each of them has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cronlift.errors import AuthoringError

ENVIRONMENTS = "charts/environments"


@dataclass(frozen=True)
class Environment:
    """One environment.

    Attributes:
        file: Its values, from the root.
        job_images: Name -> reference.
        is_complete: Whether these are all that it has; the local cluster and previews get theirs from elsewhere.
    """

    file: str
    job_images: dict[str, str]
    is_complete: bool


def read_environment(root: Path, file: Path) -> Environment:
    """Read the values of an environment.

    Args:
        root: The repository.
        file: In its charts/environments.

    Raises:
        AuthoringError: It is no YAML.
    """
    name = file.relative_to(root).as_posix()
    try:
        values: Any = yaml.safe_load(file.read_bytes())
    except (yaml.YAMLError, ValueError) as error:
        raise _no_yaml(name, error) from error
    said = values if isinstance(values, dict) else {}
    images = said.get("jobImages")
    found = {str(key): str(each) for key, each in images.items()} if isinstance(images, dict) else {}
    return Environment(name, found, is_complete="jobImages" in said or "images" in said)


def _no_yaml(file: str, error: yaml.YAMLError | ValueError) -> AuthoringError:
    mark = getattr(error, "problem_mark", None)
    words = [getattr(error, "context", None), getattr(error, "problem", None)]
    what = ", ".join(each for each in words if each) or str(error)
    return AuthoringError(f"is no YAML: {what}", where=f"{file}:{mark.line + 1}" if mark else file, cure="Correct it.")
