"""Write a pull request's summary as a comment on it: `python -m ci.comment`, in a `workflow_run` workflow alone.

Which pull request it is follows from the event, checked against GitHub: the open one whose head is the run's commit
and repository. The artifact only gives text, of limited size, which ci/comment_text.py defuses.
"""

import io
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci.comment_text import MARK, MAX_BYTES, UntrustedTextError, comment
from ci.errors import CiError, UserError
from ci.stages import exit_with_words

ARTIFACT, MEMBER = "summary", "summary.md"
MAX_ARCHIVE_BYTES = MAX_BYTES + 64 * 1024
SECONDS = 30.0
AUTHOR = "github-actions[bot]"
"""Who writes with a workflow's token; a comment of somebody else that holds our mark is not ours."""


class GitHub:
    """The calls that are needed, on one repository.

    Args:
        api: Address of the API; GITHUB_API_URL of a workflow.
        repository: `owner/name`.
        token: With the right to read actions and write comments.
    """

    def __init__(self, api: str, repository: str, token: str) -> None:
        self._root, self._token = f"{api.rstrip('/')}/repos/{repository}", token

    def call(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Send a request below the repository and return its JSON.

        Raises:
            CiError: GitHub refuses or does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        with self._open(urllib.request.Request(f"{self._root}{path}", data, self._headers(), method=method)) as answer:  # noqa: S310
            return json.load(answer)

    def download(self, path: str, limit: int) -> bytes:
        """Return a file; the token does not go along to the storage that GitHub redirects to.

        Raises:
            UntrustedTextError: It is larger than `limit` bytes.
        """
        request = urllib.request.Request(f"{self._root}{path}")  # noqa: S310
        for name, value in self._headers().items():
            request.add_unredirected_header(name, value)
        with self._open(request) as answer:
            content: bytes = answer.read(limit + 1)
        if len(content) > limit:
            raise UntrustedTextError(f"The artifact has more than {limit} bytes; it is not read")
        return content

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def _open(self, request: urllib.request.Request) -> Any:
        asked = f"{request.get_method()} {request.full_url}"
        try:
            return urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310 - GITHUB_API_URL
        except urllib.error.HTTPError as error:
            error.close()
            raise CiError(f"GitHub answered {error.code} {error.reason} to {asked}") from error
        except OSError as error:
            raise CiError(f"GitHub does not answer {asked}: {error}") from error


def pull_request_number(github: GitHub, run: Mapping[str, Any]) -> int | None:
    """Return the open pull request that a run was for, or None when there is none any more.

    Args:
        github: To ask.
        run: The event's `workflow_run`, which GitHub wrote. Its own list of pull requests is empty for forks.
    """
    owner, branch = run["head_repository"]["owner"]["login"], run["head_branch"]
    query = urllib.parse.urlencode({"state": "open", "head": f"{owner}:{branch}", "per_page": 100})
    for found in github.call(f"/pulls?{query}"):
        head = found["head"]
        if head["sha"] == run["head_sha"] and (head["repo"] or {}).get("id") == run["head_repository"]["id"]:
            return int(found["number"])
    return None


def artifact_text(github: GitHub, run_id: int) -> bytes | None:
    """Return the text that a run left behind, or None when it left none.

    Raises:
        UntrustedTextError: It is too large, or no archive with just that text.
    """
    found = github.call(f"/actions/runs/{run_id}/artifacts?name={ARTIFACT}&per_page=10")["artifacts"]
    if not found:
        return None
    if found[0]["size_in_bytes"] > MAX_ARCHIVE_BYTES:
        raise UntrustedTextError(f"The artifact has {found[0]['size_in_bytes']} bytes; it is not read")
    content = github.download(f"/actions/artifacts/{int(found[0]['id'])}/zip", MAX_ARCHIVE_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(MEMBER) as member:
            # The sizes in an archive's directory are its author's word: read no more than is wanted.
            return member.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise UntrustedTextError(f"The artifact is no archive with {MEMBER}: {error}") from error


def put_comment(github: GitHub, number: int, body: str) -> str:
    """Write the comment, over the one of an earlier run; return `made` or `changed`."""
    for page in range(1, 11):
        found = github.call(f"/issues/{number}/comments?per_page=100&page={page}")
        for each in found:
            if each["user"]["login"] == AUTHOR and each["body"].startswith(MARK):
                github.call(f"/issues/comments/{int(each['id'])}", "PATCH", {"body": body})
                return "changed"
        if len(found) < 100:
            break
    github.call(f"/issues/{number}/comments", "POST", {"body": body})
    return "made"


def run_of_event(path: Path) -> dict[str, Any]:
    """Return the event's `workflow_run`.

    Raises:
        UserError: The event is another one.
    """
    run = json.loads(path.read_text()).get("workflow_run")
    if not run or run.get("event") != "pull_request" or not re.fullmatch(r"[0-9a-f]{40}", run.get("head_sha", "")):
        raise UserError(
            "This event is no finished run for a pull request",
            cure="make comment is for .github/workflows/comment.yaml alone; at home, read make summary.",
        )
    return dict(run)


def main() -> None:
    """Write the comment, or say why there is none."""
    missing = [name for name in ("GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "GITHUB_TOKEN") if not os.environ.get(name)]
    if missing:
        raise UserError(
            "These variables are not set", missing, cure="make comment is for a workflow; see make summary."
        )
    run = run_of_event(Path(os.environ["GITHUB_EVENT_PATH"]))
    api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    github = GitHub(api, os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_TOKEN"])
    number = pull_request_number(github, run)
    if number is None:
        print(f"No open pull request has {run['head_sha'][:12]} as its head any more: no comment.")
        return
    try:
        text = artifact_text(github, int(run["id"]))
        if text is None:
            print("The run left no summary behind: no comment.")
            return
        body = comment(text, str(run["html_url"]))
    except UntrustedTextError as error:
        raise UserError("No comment can be made", [str(error)], cure="Read the summary in the run itself.") from error
    print(f"Comment on pull request {number} {put_comment(github, number, body)}.")


if __name__ == "__main__":
    with exit_with_words():
        main()
