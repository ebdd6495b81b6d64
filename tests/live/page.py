"""The commands of a page of the docs, and a copy of this repository to run them in."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from ci import bootstrap
from ci.paths import ROOT
from ci.repo_files import repo_files


def commands(page: str, section: str) -> list[str]:
    """Return the `sh` blocks of a section of a page, in order.

    Args:
        page: From the root.
        section: Its heading of the second level.
    """
    text = (ROOT / page).read_text()
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert body, f"{page} has no section {section!r}"
    return re.findall(r"^```sh\n(.*?)^```$", body[1], re.MULTILINE | re.DOTALL)


def clone(folder: Path) -> Path:
    """Copy the working tree as it is into a repository of its own, with one commit and this environment's .venv."""
    for name in repo_files(ROOT):
        if name.rpartition("/")[2].startswith("e2e_"):  # of a live test that runs now
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    _lend_environment(folder)
    for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "-m", "Begin")):
        git(folder, *words)
    return folder


def _lend_environment(folder: Path) -> None:
    """Give a copy this Python environment, with a stamp of its own: `make .venv` there must not install into ours."""
    own = folder / ".venv"
    own.mkdir()
    for each in Path(sys.prefix).iterdir():
        if each.name != bootstrap.STAMP.name:
            (own / each.name).symlink_to(each)
    words = "from ci import bootstrap; bootstrap.STAMP.write_text(bootstrap.lock_hash())"
    subprocess.run([sys.executable, "-c", words], cwd=folder, check=True)


def git(folder: Path, *words: str) -> None:
    """Run git with an identity."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, "-C", str(folder), *words], check=True)


IDENTITY = {
    **{f"GIT_{who}_NAME": "x" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "x@example.com" for who in ("AUTHOR", "COMMITTER")},
}
"""Variables for the page's own commits."""
