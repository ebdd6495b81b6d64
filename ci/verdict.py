"""Say whether a workflow's jobs went well: `NEEDS=<toJSON(needs)> python -m ci.verdict`.

A branch's protection takes a skipped job for a passed one, so it asks for this one job, which does not.
"""

import json
import os

from ci.errors import UserError
from ci.stages import exit_with_words

MAY_BE_SKIPPED = {"summary", "images", "live"}
"""Jobs that the plan leaves out. They are skipped too when a job before them failed, which then tells itself."""


def faults(needs: dict[str, dict[str, object]]) -> list[str]:
    """Return the jobs that keep a change from being merged, with what became of them."""
    wanted = {"success", "skipped"}
    found = []
    for name, job in needs.items():
        result = str(job.get("result"))
        if result not in wanted or (result == "skipped" and name not in MAY_BE_SKIPPED):
            found.append(f"{name}: {result}")
    return found


def main() -> None:
    """Read NEEDS; exit 1 when a job failed, was cancelled, or was skipped though it must run."""
    try:
        needs = json.loads(os.environ.get("NEEDS", ""))
    except json.JSONDecodeError as error:
        raise UserError("NEEDS is no JSON", [str(error)], cure="Give it as ${{ toJSON(needs) }}.") from error
    if not needs:
        raise UserError("NEEDS names no job", cure="List the jobs under needs: of the job that runs make verdict.")
    if wrong := faults(needs):
        raise UserError("Not all is well", wrong, cure="Open these jobs; make pr runs them at home.")
    print(f"All is well: {', '.join(needs)}")


if __name__ == "__main__":
    with exit_with_words():
        main()
