"""Names that stay: of a source file's group, and of each line's DAG.

A DAG id is `<team>__<host>_<user>_<slug>`, with the slug from the script's name. Airflow knows a DAG's runs by its id,
so a line keeps the id that it got first: a later import finds it again by a hash of user and raw command, which the
report holds, whatever became of the schedule or the line's number.
"""

import hashlib
import re
import shlex
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cronlift.crontab.secrets import mask

SLUG_LIMIT = 60
"""Longer ids are hard to tell apart in the UI; Airflow itself stops at 250 characters."""

HASH_LENGTH = 16

# fmt: off
_WRAPPERS = frozenset({
    "env", "nice", "ionice", "nohup", "timeout", "time", "sudo", "chronic", "cronic", "solo", "exec", "command",
    "flock", "lockf", "lockfile", "setlock", "run-one", "setsid", "stdbuf", "source", ".", "test", "[", "[[", "cd",
    "sleep", "export", "umask", "ulimit", "true", ":", "set", "mkdir", "if", "while", "until", "then", "else", "do",
    "!", "(", "{",
})
"""Words that stand before the program that a line is about."""
_PREPARATIONS = frozenset({
    "test", "[", "[[", "cd", "sleep", "source", ".", "export", "true", "umask", "mkdir", "read", "for", "case",
    "select",
})
# fmt: on
_INTERPRETERS = re.compile(r"(python|perl|ruby|php|node|bash|sh|dash|zsh|ksh|java|bundle|just|make|Rscript)[\d.]*\Z")
_WRAPPER_TAKES = {
    "nice": {"-n"}, "ionice": {"-c", "-n"}, "timeout": {"-s", "-k"}, "flock": {"-w", "-E"}, "lockf": {"-t"},
    "sudo": {"-u", "-g"},
}  # fmt: skip
_INTERPRETER_TAKES = frozenset({"--justfile", "--file", "-f", "-C"})
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&", "|&", "(", ")", "{", "}"})
_SUBSTITUTION = re.compile(r"\$\([^()]*\)|`[^`]*`")
_SLEEPING = re.compile(r"\s*(import time;\s*time\.)?(u?sleep|select)\b")
_ARITHMETIC = re.compile(r"\$\(\(.*?\)\)")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|<%.*?%>|%?\{[A-Z_]+:[^}\s]*\}")
_SUFFIX = re.compile(r"\.(sh|bash|py|pl|php|rb|cgi|js|ktr|kjb)\Z")
_FILE_SUFFIX = re.compile(r"\.(crontab|cron|tab|txt|conf)\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """An id that an earlier import gave.

    Args:
        dag_id: The id.
        file: The source's path.
        schedule: As written.
        hash: See `command_hash`.
        number: The line's number then.
    """

    dag_id: str
    file: str
    schedule: str
    hash: str
    number: int


@dataclass(frozen=True)
class Asking:
    """A line that needs an id.

    Args:
        file: The source's path.
        schedule: As written.
        user: Login name.
        command: The raw command, with what follows `%`.
        number: The line's number.
    """

    file: str
    schedule: str
    user: str
    command: str
    number: int

    @property
    def hash(self) -> str:
        """Return the hash by which the line is found again."""
        return command_hash(self.user, self.command)


def command_hash(user: str, command: str) -> str:
    """Hash user and raw command, blanks at the ends aside; a length before each keeps two lists apart."""
    parts = "".join(f"{len(each)}:{each}" for each in (user, command.strip()))
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_LENGTH]


def group_name(path: str, taken: Collection[str] = ()) -> str:
    """Name the group of a source file, and with it its DAG file: `etc/cron.d/backup` -> `backup`.

    Args:
        path: As shown to people.
        taken: Groups of other files; more of the path is added until the name differs.
    """
    parts = [each for each in path.replace("\\", "/").split("/") if each not in ("", ".", "..")]
    parts = [*parts[:-1], _FILE_SUFFIX.sub("", parts[-1])] if parts else ["crontab"]
    for count in range(1, len(parts) + 1):
        name = slug_of(" ".join(parts[-count:])) or "crontab"
        if name not in taken:
            return name
    return next(each for number in range(2, len(taken) + 3) if (each := f"{name}_{number}") not in taken)


def slug_of(text: str) -> str:
    """Return the text in `[a-z0-9_]`, without `_` at its ends, and not too long."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:SLUG_LIMIT].rstrip("_")


def slug_words(command: str) -> list[str]:
    """Return what names a command, the most telling first: its script, then the words that follow it; no passwords.

    Args:
        command: What the shell gets.
    """
    return list(_slug_words(command))


@lru_cache(maxsize=4096)
def _slug_words(command: str) -> tuple[str, ...]:
    command = _plain(mask(command))
    words = _program_words(_SUBSTITUTION.sub("$_", command))
    if not words or words[0] == "$_":
        words = _program_words(command)
    if not words:
        return ("job",)
    first, rest = words[0], words[1:]
    if _INTERPRETERS.match(_base(first)) and not _is_one_liner(first, rest):
        inner = next((each for each in rest if " " in each), None) if "-c" in rest else None
        if inner is not None:
            return _slug_words(inner)
        rest = rest[1:] if first == "bundle" and rest[:1] == ["exec"] else rest
        script = _script_index(rest)
        if script is not None:
            first, rest = rest[script], rest[script + 1 :]
    names = [slug_of(_SUFFIX.sub("", _base(first)))]
    names += [slug_of(_base(each)) for each in rest if not each.startswith("-") and "$" not in each]
    return tuple(each for each in names if each) or ("job",)


def _plain(command: str) -> str:
    """Return a command without a comment at its end, and without what fills a template."""
    command = re.sub(r"(?<!\S)#[^'\"]*\Z", "", command)
    command = _PLACEHOLDER.sub("_", command)
    return re.sub(r"\$\{(\w+)\}", r"$\1", command)


def assign(
    team: str, host: str, lines: Sequence[Asking], known: Iterable[Known], gone: Collection[str] = ()
) -> list[str]:
    """Give each line its id.

    Args:
        team: Team name.
        host: The old host's name, as a slug.
        lines: Every line that needs an id, in order.
        known: What earlier imports gave, of other files too: those ids are taken.
        gone: Files whose lines are no longer imported, so that their ids may go to other files.

    Returns:
        An id for each line.
    """
    before = list(known)
    found = _kept(lines, before, gone)
    taken = {each.dag_id for each in before} | set(found.values())
    shared: dict[str, int] = {}
    for line in lines:
        first = f"{line.user}_{slug_words(line.command)[0]}"
        shared[first] = shared.get(first, 0) + 1
    for index, line in enumerate(lines):
        if index not in found:
            words = slug_words(line.command)
            user = slug_of(line.user) or "user"
            needs_more = shared[f"{line.user}_{words[0]}"] > 1
            found[index] = _free(f"{team}__{host}_{user}_", words, needs_more, taken)
            taken.add(found[index])
    return [found[index] for index in range(len(lines))]


def _kept(lines: Sequence[Asking], known: Sequence[Known], gone: Collection[str]) -> dict[int, str]:
    """Find again what was known: first where file and schedule are the same too, then by the hash alone, in order."""
    files = {line.file for line in lines}
    by_hash: dict[str, list[Known]] = {}
    for each in sorted(known, key=lambda one: (one.file, one.number)):
        by_hash.setdefault(each.hash, []).append(each)
    found: dict[int, str] = {}
    tests: tuple[Callable[[Asking, Known], bool], ...] = (
        lambda line, old: old.file == line.file and old.schedule == line.schedule,
        lambda line, old: old.file == line.file,
        lambda line, old: old.file in files or old.file in gone,
    )
    for fits in tests:
        for index, line in enumerate(lines):
            candidates = by_hash.get(line.hash, [])
            match = next((each for each in candidates if fits(line, each)), None) if index not in found else None
            if match is not None:
                candidates.remove(match)
                found[index] = match.dag_id
    return found


def _free(prefix: str, words: Sequence[str], needs_more: bool, taken: Collection[str]) -> str:
    """Return the first name that is free: with more and more of the command's words, then with a number."""
    start = min(2, len(words)) if needs_more else 1
    for count in range(start, min(len(words), 4) + 1):
        slug = slug_of(" ".join(words[:count]))
        if prefix + slug not in taken:
            return prefix + slug
    slug = slug_of(" ".join(words[:4]))
    return next(each for number in range(2, len(taken) + 3) if (each := f"{prefix}{slug}_{number}") not in taken)


def _program_words(command: str) -> list[str]:
    """Return the words of the simple command that a line is about, wrappers and preparations left aside."""
    chosen: list[str] = []
    for words in _simple_commands(command):
        inner = _unwrapped(words)
        if inner:
            if not _is_preparation(words):
                return inner
            chosen = chosen or inner
    return chosen


def _simple_commands(command: str) -> Iterable[list[str]]:
    command = _ARITHMETIC.sub("0", command)
    lexer: Any = shlex.shlex(command, posix=True, punctuation_chars="();&|{}")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for token in lexer:
            if token in _SEPARATORS or set(token) <= set("();&|"):
                yield words
                words = []
            else:
                words.append(token)
    except ValueError:
        words = command.split()
    yield words


def _is_preparation(words: Sequence[str]) -> bool:
    """Tell what only prepares the way: a test, a change of folder, a pause of any kind, the head of a loop."""
    if words and _INTERPRETERS.match(_base(words[0])):
        return any(_SLEEPING.match(each) for each in words[1:])
    return bool(words) and words[0] in _PREPARATIONS


def _unwrapped(words: Sequence[str]) -> list[str]:
    left = list(words)
    while left:
        word = left[0]
        is_variable = re.fullmatch(r"\$\{?\w+\}?", word) and any("/" in each for each in left[1:2])
        if is_variable or re.match(r"[A-Za-z_]\w*=", word) or re.match(r"\d*[<>]", word):
            left.pop(0)
        elif _base(word) in _WRAPPERS:
            left.pop(0)
            left = _without_options(_base(word), left)
        else:
            return left
    return left


def _without_options(wrapper: str, words: list[str]) -> list[str]:
    """Drop a wrapper's options and what it takes before the program: a lock's file, a time, a file that is tested."""
    while words and words[0].startswith("-"):
        if wrapper == "flock" and words[0] == "-c":
            break
        words = words[2:] if words[0] in _WRAPPER_TAKES.get(wrapper, ()) else words[1:]
    if wrapper in {"flock", "lockf", "lockfile", "setlock", "timeout", "cd", "sleep", "source", "."} and words:
        words = words[1:]
    if wrapper == "flock" and words[:1] == ["-c"]:
        words = ["sh", *words]
    if wrapper in {"test", "[", "[[", "export", "umask", "mkdir"}:
        words = []
    return words


def _is_one_liner(program: str, arguments: Sequence[str]) -> bool:
    """Tell an interpreter whose program stands in the command itself, so that it names nothing."""
    takes_one = re.match(r"(perl|ruby|php|node|Rscript)", _base(program))
    return takes_one is not None and any(re.fullmatch(r"-[a-zA-Z]*[eEr]", each) for each in arguments)


def _script_index(words: Sequence[str]) -> int | None:
    index = 0
    while index < len(words):
        if words[index].startswith("-"):
            index += 2 if words[index] in _INTERPRETER_TAKES else 1
        else:
            return index
    return None


def _base(word: str) -> str:
    return word.rstrip("/").rpartition("/")[2]
