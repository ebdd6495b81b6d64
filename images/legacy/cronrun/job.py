"""A line of the old crontab, as the files of a folder describe it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

FOLDER = "/etc/cronlift/job"
"""Where the manifest mounts the annotations of the Pod."""

DEBIAN, CRONIE = "debian", "cronie"
MAIL_MODES = ("off", "failure", "output")
REDIRECT_MODES = ("keep", "stdout", "tee")
STREAMS = ("both", "stdout", "stderr")
NOTHING: Mapping[str, str] = MappingProxyType({})
KNOWN_OPTIONS = {
    "flavour", "user", "home", "mail", "ok_exit_codes", "lock", "shadow", "language", "secrets", "redirect",
}  # fmt: skip


class JobError(Exception):
    """The line cannot be run as described; the text says what to do."""


class Redirect(NamedTuple):
    """The final redirection that the importer took off the command.

    Args:
        mode: "keep" (nothing was taken off), "stdout" (into the Pod's log instead), "tee" (into both).
        streams: Which streams it redirected; the old daemon did not mail those.
        path: The file, for "tee".
        append: `>>` rather than `>`.
    """

    mode: str = "keep"
    streams: str = "both"
    path: str = ""
    append: bool = True


class Job(NamedTuple):
    """What there is to run.

    Args:
        command: What `SHELL -c` gets, byte by byte.
        stdin: File that is the standard input; None for an empty one.
        environment: The tab's variables.
        flavour: "debian" or "cronie".
        user: Login name on the old host; empty for that of the uid.
        home: Its home; None for that of the passwd file.
        mail_mode: "off", "failure" or "output".
        mail_to: Recipients; empty for the tab's MAILTO, else the user.
        ok_exit_codes: Those that count as success.
        late_seconds: A start later than that after the planned time is skipped; None without a lock.
        lock: The lock that the line takes, for messages.
        shadow: Resolve everything, run nothing.
        language: Value of LANG; empty for the image's.
        secrets: Names of the container's variables that the job may see.
        redirect: See `Redirect`.
        line: `file:line` of the old crontab, for messages.
        planned: The task's planned time or its run id; empty when it is not known.
    """

    command: bytes
    stdin: str | None = None
    environment: Mapping[str, str] = NOTHING
    flavour: str = DEBIAN
    user: str = ""
    home: str | None = None
    mail_mode: str = "off"
    mail_to: str = ""
    ok_exit_codes: tuple[int, ...] = (0,)
    late_seconds: float | None = None
    lock: str = ""
    shadow: bool = False
    language: str = ""
    secrets: tuple[str, ...] = ()
    redirect: Redirect = Redirect()
    line: str = ""
    planned: str = ""


def read_job(folder: str) -> Job:
    """Read a job's folder.

    Args:
        folder: Holds `command`, `options` and `environment`; and, where there are such, `stdin`, `line`, `scheduled`
            and `run-id`.

    Raises:
        JobError: A file is missing or says something that is not understood.
    """
    place = Path(folder)
    try:
        command = (place / "command").read_bytes()
    except OSError as error:
        raise JobError(
            f"{place / 'command'}: {error.strerror}. Mount the Pod's cronlift.dev/cron-* annotations at {folder}, "
            "as the imported manifests do"
        ) from error
    if b"\0" in command:
        raise JobError(f"{place / 'command'} holds a NUL byte; no shell can be given one. Import the line again")
    environment = _object(place / "environment")
    if wrong := [name for name, value in environment.items() if not isinstance(value, str)]:
        raise JobError(f"{place / 'environment'}: {wrong[0]} is no text. Write its value in quotes")
    stdin = place / "stdin"
    read = _options(_object(place / "options"), str(place / "options"))
    return Job(
        command=command,
        stdin=str(stdin) if stdin.exists() else None,
        environment=environment,
        line=_text(place / "line"),
        planned=_text(place / "scheduled") or _text(place / "run-id"),
        **read,
    )


def _options(found: dict[str, Any], where: str) -> dict[str, Any]:
    if unknown := sorted(set(found) - KNOWN_OPTIONS):
        raise JobError(f"{where}: {', '.join(unknown)} is not known. Known: {', '.join(sorted(KNOWN_OPTIONS))}")
    mail = found.get("mail") or {}
    lock = found.get("lock") or None
    mode = _one_of(mail.get("mode", "off"), MAIL_MODES, f"{where}: mail.mode")
    return {
        "flavour": _one_of(found.get("flavour", DEBIAN), (DEBIAN, CRONIE), f"{where}: flavour"),
        "user": found.get("user") or "",
        "home": found.get("home"),
        "mail_mode": mode,
        "mail_to": mail.get("to") or "",
        "ok_exit_codes": tuple(int(code) for code in found.get("ok_exit_codes", (0,))),
        "late_seconds": float(lock.get("late_seconds", 60)) if lock else None,
        "lock": str(lock.get("path", "")) if lock else "",
        "shadow": bool(found.get("shadow", False)),
        "language": found.get("language") or "",
        "secrets": tuple(found.get("secrets") or ()),
        "redirect": _redirect(found.get("redirect", "keep"), where),
    }


def _redirect(found: Any, where: str) -> Redirect:
    words = {"mode": found} if isinstance(found, str) else dict(found)
    redirect = Redirect(
        _one_of(words.get("mode"), REDIRECT_MODES, f"{where}: redirect.mode"),
        _one_of(words.get("streams", "both"), STREAMS, f"{where}: redirect.streams"),
        words.get("path") or "",
        bool(words.get("append", True)),
    )
    if redirect.mode == "tee" and not redirect.path:
        raise JobError(f"{where}: redirect.mode is tee, but redirect.path is missing. Name the file")
    return redirect


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise JobError(f"{where} is {value!r}. Use one of {', '.join(allowed)}")
    return str(value)


def _object(path: Path) -> dict[str, Any]:
    """Return a JSON object; a file that is missing or empty is an empty one."""
    try:
        found = json.loads(path.read_bytes() or b"{}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise JobError(f"{path} cannot be read: {error}. It must be one JSON object") from error
    if not isinstance(found, dict):
        raise JobError(f"{path} holds no JSON object")
    return found


def _text(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes()).strip()
    except OSError:
        return ""
