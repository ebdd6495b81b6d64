"""What works in a crontab, but probably not as meant."""

import re
from collections.abc import Sequence

from cronlift.crontab.model import Flavour

_RAW_PERCENT = re.compile(r"(?<!\\)(?:\\\\)*%")
_FORMAT_AFTER_PERCENT = re.compile(r"[YmdHMSFTsjuaAbBeyGVUWwnNzZcDRxX](?![a-z])")


_PLACEHOLDER = re.compile(
    r"\{\{-?\s*[A-Za-z_][\w. |()'\"]*-?\}\}|<%.*?%>|%\{[^}]*\}|(?<!\w)__[A-Z][A-Z0-9_]*__|(?<![\w@])@[A-Z][A-Z0-9_]+@"
    r"|<(?:your|path|user|dir|project)[\w /-]*>|/path(?:[-_/]to|_to)\b[\w/-]*",
)


def template_advice(text: str) -> list[str]:
    """Return what to know of a line that still holds a placeholder of a template; nothing for others.

    Args:
        text: The line. The formats of docker's `--format '{{json .}}'` are none.
    """
    found = _PLACEHOLDER.search(text)
    if found is None or ("--format" in text and found[0].startswith("{{")):
        return []
    return [
        f"`{found[0].replace('`', '')}` looks like a placeholder of a template: import the crontab that the host has "
        "(`crontab -l`), in which it is filled in."
    ]


def setting_advice(name: str, value: str, flavour: Flavour) -> list[str]:
    """Return what to know of one assignment, a sentence each."""
    found = []
    if not name:
        found.append("The name is empty: no program can see this variable.")
    if "$" in value or value.startswith("~") or ":~" in value:
        found.append(f"cron expands nothing in values: {name} holds the text as it stands, with its `$` or `~`.")
    if re.search(r"[^ \t][ \t]+#", value):
        found.append(f"A comment cannot follow a value: {name} holds the `#` and what follows.")
    if re.search(r"\s[A-Z][A-Z_]+=", value):
        found.append(f"One line holds one setting: all that follows `{name}=` is its value, the other signs too.")
    if name.startswith("!"):
        found.append(f"A line that begins with `!` sets an option of fcron; cron takes {name} for a mere variable.")
    if name == "LOGNAME":
        found.append("LOGNAME cannot be set: the daemon overrides it with the user's name.")
    if name == "USER" and flavour is Flavour.CRONIE:
        found.append("USER cannot be set: cronie overrides it with the user's name.")
    if name == "TZ":
        found.append("TZ never moves the schedule; only the command sees it.")
    if name == "CRON_TZ" and flavour is Flavour.DEBIAN:
        found.append(
            "Debian's cron does not know CRON_TZ: it is a mere variable, and the schedule keeps the host's zone."
        )
    if name == "RANDOM_DELAY" and flavour is Flavour.CRONIE:
        found.append(
            "cronie delays the jobs below by up to that many minutes, drawn at random; this delay is not kept."
        )
    return found


def percent_advice(text: str, stdin: str | None, flavour: Flavour) -> list[str]:
    """Return what to know of a command's `%` signs.

    Args:
        text: The command before the rule of `%`.
        stdin: What the rule made of the rest.
        flavour: The daemon.
    """
    found = []
    if (raw := _RAW_PERCENT.search(text)) is not None:
        follows = "and the rest is its standard input" if stdin is not None else "and nothing follows it"
        at = raw.end() - 1
        likely = (
            _FORMAT_AFTER_PERCENT.match(text, at + 1)
            or re.match(r"[ \t]*[0-9]", text[at + 1 :])
            or text[at + 1 : at + 2] == "{"
        )
        cure = " Most likely a bug on the old host: write \\% for a percent sign." if likely else ""
        found.append(f"The first `%` without a backslash ends the command, {follows}.{cure}")
    if flavour is Flavour.DEBIAN and re.search(r"\\\\", text.split("%")[0] if raw is not None else text):
        found.append("Debian's cron turns `\\\\` into `\\` before the shell sees the command.")
    return found


def unused(names: Sequence[str]) -> str:
    """Return what to know of settings that no job follows."""
    return f"No job follows: {', '.join(names)} has no effect."
