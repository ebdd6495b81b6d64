"""What a new team begins with: its entry in teams.yaml and its folder."""

import json
from collections.abc import Sequence

from cronlift import yaml_text
from cronlift.errors import AuthoringError
from cronlift.teams.model import FILE_NAME

README = """\
# DAGs of team {team}

One Python file a DAG, whose id begins with `{team}__`, and its Job in `jobs/`. Tests are in `tests/{path}/`. A new one:

```sh
make new-dag TEAM={team} NAME=send_invoices
```

Then edit, `make check`, commit, and open a pull request. Jobs run in the namespace `{namespace}`.
"""


def add_team(text: str, team: str, namespace: str, path: str, owners: Sequence[str]) -> str:
    """Return teams.yaml with one more team at its end; every other byte stays.

    Args:
        text: teams.yaml as it is.
        team: Name, not listed yet.
        namespace: Where its Jobs run.
        path: Its folder.
        owners: Its reviewers, at least one.

    Raises:
        AuthoringError: The file is written in a way that takes no further line.
    """
    entry = (
        f"  {team}:\n    namespace: {namespace}\n    path: {path}\n"
        f"    owners: {json.dumps(list(owners), ensure_ascii=False)}\n"
    )
    added = yaml_text.add_entries(text, "teams", entry)
    if added is None:
        raise AuthoringError(
            "no team can be added, for `teams` is written in braces",
            where=FILE_NAME,
            cure="Write `teams:` and its entries on lines of their own, two blanks to the right.",
        )
    return added
