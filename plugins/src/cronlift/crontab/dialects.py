"""Schedules of other schedulers, so that an error can name what somebody took for cron."""

import re

NICKNAMES = frozenset({"@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
"""What both daemons take in place of the five fields; in lower case only."""

_FIELD_LETTERS = r"[0-9A-Za-z*,/~#?-]"
_TIME = re.compile(rf"(?=.*[0-9*?]){_FIELD_LETTERS}+\Z")
_NUMERIC = re.compile(r"(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?(,(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?)*\Z")
_QUARTZ_DAY = re.compile(r"(L|LW|L-[0-9]+|[0-9]{1,2}W|[0-9A-Za-z]{1,3}L)\Z")
_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|%\{[^}]*\}|__[A-Z]\w*__|@[A-Z][A-Z0-9_]+@|\$\{?[A-Za-z_]\w*\}?|<[a-z][\w-]*>"
)
"""Of Jinja, ERB, Puppet, make and others."""
_SYSTEMD = re.compile(r"(\*|[0-9]{4})-(\*|[0-9]{1,2})-(\*|[0-9]{1,2})\Z")


def dialect_of(text: str) -> str | None:
    """Name the scheduler that a rejected line was written for.

    Args:
        text: The line from its first character that is no blank.

    Returns:
        A sentence with the cure, or None when no dialect is recognised.
    """
    words = text.split()
    if not words:
        return None
    first = words[0]
    return (
        placeholder_fault(text, "a time field")
        or _of_nickname(first)
        or _of_fcron(first, words)
        or _of_calendar(first)
        or _of_hash(words)
        or _of_quartz(words)
        or _of_seconds(words)
    )


def looks_like_time(word: str) -> bool:
    """Tell whether a word could be a time field of any cron dialect: digits or stars, not a path or a name."""
    return bool(_TIME.match(word)) or bool(_QUARTZ_DAY.match(word))


def placeholder_fault(text: str, place: str = "the user") -> str | None:
    """Say that a placeholder of a template stands at the beginning of a text; None when none does.

    Args:
        text: The line from there on.
        place: What should stand there.
    """
    found = _PLACEHOLDER.match(text)
    if found is None:
        return None
    return (
        f"`{found[0].replace('`', '')}` is a placeholder of a template and stands where {place} should be; "
        "import the crontab that the host has (`crontab -l`)"
    )


def _of_nickname(first: str) -> str | None:
    if not first.startswith("@") or first in NICKNAMES:
        return None
    if first == "@every":
        return (
            "`@every` is Go's cron library (also Kubernetes' and Supercronic's), not cron; "
            "write minutes that divide an hour as */5 * * * *"
        )
    if first.lower() in NICKNAMES:
        return f"{first!r} must be written in lower case: {first.lower()}"
    if first in ("@every_minute", "@every_second") or first[1:].isdigit():
        return f"{first!r} is FreeBSD's cron; write * * * * * for every minute"
    if first == "@" or re.match(r"@([a-z]+\(|[0-9]+[smhdw])", first):
        return "a line that begins with `@` and a duration is fcron, not cron; write five time fields"
    return f"{first!r} is no nickname of cron; it has {', '.join(sorted(NICKNAMES))}"


def _of_fcron(first: str, words: list[str]) -> str | None:
    if first[0] == "!":
        return "a line that begins with `!` sets an option of fcron, which cron does not have; remove it"
    if first[0] == "&" or (first[0] == "%" and len(words) > 2):
        return f"a line that begins with `{first[0]}` is fcron, not cron; write five time fields"
    return None


def _of_calendar(first: str) -> str | None:
    if _SYSTEMD.match(first):
        return "this is a systemd timer's OnCalendar=, not cron; write five time fields: 0 4 * * *"
    if re.match(r"(cron|rate|at)\(", first):
        return "this is AWS EventBridge, not cron; write five time fields: 0 4 * * *"
    return None


def _of_hash(words: list[str]) -> str | None:
    if any(re.match(r"H(\(|/|\Z)", word) for word in words[:5]):
        return "`H` is Jenkins, which picks a number of its own; write a number: 17 * * * *"
    return None


def _of_quartz(words: list[str]) -> str | None:
    fields = words[:7]
    if len(words) >= 6 and any(word == "?" for word in fields):
        return (
            "`?` is Quartz (Java), which also has a field of seconds in front; "
            "cron has minute, hour, day, month, weekday: 0 12 * * *"
        )
    for word in words[2:6]:
        if _QUARTZ_DAY.match(word):
            return (
                f"{word!r} (last day, nearest weekday) is Quartz, not cron; for the last day of a month: "
                '0 3 28-31 * * [ "$(date -d tomorrow +\\%d)" = 01 ] && COMMAND'
            )
        if re.match(r"[0-9A-Za-z]+#[0-9]\Z", word):
            return (
                f"{word!r} (the n-th weekday of a month) is Quartz, not cron; for the third Friday: "
                '0 3 15-21 * * [ "$(date +\\%u)" = 5 ] && COMMAND'
            )
    return None


def _of_seconds(words: list[str]) -> str | None:
    if len(words) >= 7 and all(_NUMERIC.match(word) for word in words[:5]) and looks_like_time(words[5]):
        count = 7 if looks_like_time(words[6]) else 6
        return (
            f"there are {count} time fields; with seconds (or a year) it is Quartz or Spring, not cron, "
            "which has minute, hour, day, month, weekday: 0 12 * * *"
        )
    if len(words) == 6 and all(_NUMERIC.match(word) for word in words):
        return "there are 6 time fields and no command; cron has five, then the command"
    return None
