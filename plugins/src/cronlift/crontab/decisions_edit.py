"""What an import and the cutover change in `decisions.yaml`: text is added or replaced, and every other byte stays.

An import adds the groups and the undecided lines that are not in the file yet; the cutover changes the state and the
start of a group. Everything else, comments too, belongs to the people.
"""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml

from cronlift import yaml_text
from cronlift.crontab.decisions import FILE_NAME
from cronlift.errors import CrontabError

COMMENT_WIDTH = 112


def group_entry(group: str, state: str, start: datetime) -> str:
    """Return the text of one more group, for `add_entries`."""
    return f'  {group}:\n    state: {state}\n    start: "{start.astimezone(UTC).isoformat()}"\n'


def line_entry(dag_id: str, comments: Sequence[str], more: Mapping[str, Any] | None = None) -> str:
    """Return the text of one more undecided line, for `add_entries`.

    Args:
        dag_id: The id that the line's DAG would have.
        comments: What stands above it: the line, the reason, the choices.
        more: Further keys, shown so that they can be edited.
    """
    keys = {"action": "undecided", **(more or {})}
    rest = yaml.safe_dump(keys, sort_keys=False, default_flow_style=False, width=1000)
    body = "".join(f"    {each}\n" for each in rest.splitlines())
    told = [line for each in comments for line in textwrap.wrap(each, COMMENT_WIDTH, break_on_hyphens=False)]
    return "".join(f"  # {each}\n" for each in told) + f"  {dag_id}:\n{body}"


def add_entries(text: str, key: str, entries: Sequence[str]) -> str:
    """Add entries at the end of `groups` or `lines`; whatever stands in the file stays.

    Raises:
        CrontabError: The mapping is written in a way that takes no further line.
    """
    if not entries:
        return text
    added = yaml_text.add_entries(text, key, "".join(entries))
    if added is not None:
        return added
    raise CrontabError(
        f"{FILE_NAME}: nothing can be added to {key}, which is written in braces",
        cure=f"Write `{key}:` and its entries on lines of their own, two blanks to the right.",
    )


def set_group(text: str, group: str, state: str, start: datetime) -> str:
    """Return the text with another state and start of a group.

    Raises:
        CrontabError: The file has no such group, or writes it in a way that cannot be edited line by line.
    """
    wanted = {"state": state, "start": f'"{start.astimezone(UTC).isoformat()}"'}
    for key, value in wanted.items():
        node = yaml_text.node_at(text, "groups", group, key)
        if not isinstance(node, yaml.ScalarNode):
            raise CrontabError(
                f"{FILE_NAME} has no groups.{group}.{key}",
                cure=f"Import the group first, or write `{key}: {value}` below groups: {group}:.",
            )
        text = text[: node.start_mark.index] + value + text[node.end_mark.index :]
    return text
