"""Web addresses of a commit's folder, by the URL that git-sync clones from. Never with its credentials."""

import re
from urllib.parse import quote, urlsplit

_SCP = re.compile(r"^(?:[^@/]+@)?([^:/]+):(?!//)(.+)$")
_FOLDERS = (
    (re.compile(r"(^|\.)github\."), "/tree/{commit}/{path}"),
    (re.compile(r"(^|\.)gitlab\."), "/-/tree/{commit}/{path}"),
    (re.compile(r"^bitbucket\.org$"), "/src/{commit}/{path}"),
    (re.compile(r"(^|\.)(gitea\.|forgejo\.|codeberg\.org$)"), "/src/commit/{commit}/{path}"),
)
"""Host name -> where that forge shows a folder at a commit."""


def web_address(url: str) -> str | None:
    """Return a repository's address in a browser, without user and password; None when it has none."""
    if "://" in url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ssh") or not parts.hostname:
            return None
        # A port of http is the forge's own; one of ssh says nothing about its pages.
        port = f":{parts.port}" if parts.port and parts.scheme != "ssh" else ""
        scheme, host, path = ("https" if parts.scheme == "ssh" else parts.scheme), parts.hostname + port, parts.path
    elif match := _SCP.match(url):
        scheme, host, path = "https", match.group(1), f"/{match.group(2)}"
    else:
        return None
    return f"{scheme}://{host}{path.rstrip('/').removesuffix('.git')}"


def folder_address(url: str, commit: str, path: str, template: str = "") -> str | None:
    """Return where a folder of a commit is shown.

    Args:
        url: The repository's, as git-sync has it.
        commit: The commit.
        path: The folder in it; "." for the top.
        template: An address with {commit} and {path}, for a forge whose host name does not tell what it is.

    Returns:
        None when neither the host name nor the template tells.
    """
    inside = "" if path == "." else quote(path)
    if template:
        return template.replace("{commit}", commit).replace("{path}", inside).rstrip("/")
    address = web_address(url)
    if address is None:
        return None
    host = urlsplit(address).hostname or ""
    for pattern, folder in _FOLDERS:
        if pattern.search(host):
            return (address + folder.format(commit=commit, path=inside)).rstrip("/")
    return None
