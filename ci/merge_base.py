"""Where a branch left what it is compared with."""

from pathlib import Path

from ci.errors import CommandError, UserError
from ci.paths import ROOT
from ci.process import run


def merge_base(base: str, root: Path = ROOT) -> str:
    """Return the commit where this branch left `base`: what happened there since is no change of this branch.

    Raises:
        UserError: There is no such commit, or it has no common ancestor with this one.
    """
    try:
        return run("git", "merge-base", "--end-of-options", base, "HEAD", cwd=root).strip()
    except CommandError as error:
        raise UserError(
            f"The change cannot be told from {base!r}",
            error.output.strip().splitlines()[-1:],
            cure="Name a commit that is here: make plan BASE=main. In a shallow clone: git fetch --unshallow.",
        ) from error
