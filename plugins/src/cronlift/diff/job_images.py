"""Put an environment's job images into facts that were found without them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cronlift.facts.model import DagFacts, FileFacts, TaskFacts

_GUESSED = re.compile(r"images\.invalid/([A-Za-z_][\w-]*):unknown")
"""What `cronlift.job.images.GuessedImages` says of a name: the facts are found for all environments at once."""


def with_images(files: Iterable[FileFacts], images: Mapping[str, str]) -> tuple[FileFacts, ...]:
    """Return facts with the references of an environment; `images.NAME` stands for a name that it does not have.

    Args:
        files: Found without any images.
        images: Name -> reference.
    """

    def known(found: re.Match[str]) -> str:
        return images.get(found[1], f"images.{found[1]}")

    def in_value(value: Any) -> Any:
        if isinstance(value, str):
            return _GUESSED.sub(known, value)
        if isinstance(value, dict):
            return {key: in_value(each) for key, each in value.items()}
        return [in_value(each) for each in value] if isinstance(value, list) else value

    def in_task(task: TaskFacts) -> TaskFacts:
        found = tuple(sorted({_GUESSED.sub(known, each) for each in task.images}))
        return replace(task, images=found, documents=tuple(in_value(each) for each in task.documents))

    def in_dag(dag: DagFacts) -> DagFacts:
        return replace(dag, tasks=tuple(in_task(each) for each in dag.tasks))

    return tuple(replace(file, dags=tuple(in_dag(each) for each in file.dags)) for file in files)
