"""Commands that start other commands: `nice`, `timeout`, `flock`, `sudo`, `bash -c` and their like."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cronlift.crontab.shell_tree import Simple


@dataclass(frozen=True)
class Invocation:
    """One program with its arguments, taken out of the programs that start it.

    Args:
        program: As written, for example "/usr/bin/php"; with expansions left as they are.
        arguments: What it gets, a started command and its arguments left out.
        text: Program and arguments as written.
        script: What it hands to a shell of its own (`bash -c "…"`); None otherwise.
    """

    program: str
    arguments: tuple[str, ...]
    text: str
    script: str | None = None

    @property
    def name(self) -> str:
        """Return the program without its folder."""
        return self.program.rsplit("/", 1)[-1]

    @property
    def options(self) -> tuple[str, ...]:
        """Return the arguments that begin with `-`."""
        return tuple(word for word in self.arguments if word.startswith("-") and word != "-")

    def operands(self, with_value: frozenset[str]) -> list[str]:
        """Return the arguments that are neither options nor their values.

        Args:
            with_value: The options whose value is the next argument.
        """
        return _operands(self.arguments, with_value)


@dataclass(frozen=True)
class _Wrapper:
    """How a program's own arguments end: options, those with a value, and how many operands come first."""

    with_value: frozenset[str] = frozenset()
    operands: int = 0


def _takes(*options: str, operands: int = 0) -> _Wrapper:
    return _Wrapper(frozenset(options), operands)


_PLAIN = _Wrapper()
_WRAPPERS = {
    "env": _takes("-u", "--unset", "-C", "--chdir"),
    "nice": _takes("-n", "--adjustment"),
    "ionice": _takes("-c", "--class", "-n", "--classdata"),
    "timeout": _takes("-s", "--signal", "-k", "--kill-after", operands=1),
    "chrt": _takes(operands=1),
    "taskset": _takes(operands=1),
    "cpulimit": _takes("-l", "--limit"),
    "stdbuf": _takes("-i", "-o", "-e"),
    "sudo": _takes("-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "-D", "-R", "-T"),
    "doas": _takes("-u", "-C"),
    "chpst": _takes("-u", "-U", "-e", "-n", "-l", "-L"),
    "envdir": _takes(operands=1),
    "xargs": _takes("-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E", "--max-args", "--max-procs", "--delimiter"),
    "flock": _takes("-w", "--timeout", "--wait", "-E", "--conflict-exit-code", operands=1),
    "lockf": _takes("-t", operands=1),
    "setlock": _takes(operands=1),
    "systemd-cat": _takes("-t", "-p", "--identifier", "--priority"),
    "logsave": _takes(operands=1),
    "exec": _takes("-a"),
    "cronitor": _takes(operands=2),
    "runuser": _takes("-u", "--user", "-g", "-s", "--shell"),
} | dict.fromkeys(
    (
        "nohup",
        "setsid",
        "time",
        "command",
        "builtin",
        "chronic",
        "cronic",
        "unbuffer",
        "run-one",
        "run-this-one",
        "solo",
    ),
    _PLAIN,
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_DEPTH_LIMIT = 12


def unwrap(simple: Simple) -> tuple[Invocation, ...]:
    """Return the programs that a simple command starts, the outermost first.

    `nice -n 19 flock -n /run/x php x.php` gives nice, flock and php; `bash -c "a; b"` gives bash with "a; b" as its
    script. A command of assignments alone gives nothing.
    """
    texts = [word.text for word in simple.words]
    return tuple(_unwrap([word.shown for word in simple.words], texts, 0))


def _unwrap(words: list[str], texts: list[str], depth: int) -> Iterator[Invocation]:
    if not words or depth > _DEPTH_LIMIT:
        return
    name = words[0].rsplit("/", 1)[-1]
    text = " ".join(texts)
    if name in _SHELLS or name in ("su", "runuser", "flock"):
        script = _script_of(words)
        if script is not None:
            yield Invocation(words[0], tuple(words[1:]), text, script)
            return
    wrapper = _WRAPPERS.get(name)
    if wrapper is None or (name == "command" and words[1:2] in (["-v"], ["-V"])):
        yield Invocation(words[0], tuple(words[1:]), text)
        return
    start = _inner_start(words, wrapper, env=name == "env" or name == "sudo")
    yield Invocation(words[0], tuple(words[1:start]), text)
    yield from _unwrap(words[start:], texts[start:], depth + 1)


def _script_of(words: list[str]) -> str | None:
    """Return the value of `-c`, also in a cluster such as `-lc`."""
    for at, word in enumerate(words[1:], start=1):
        if word == "--command" or re.fullmatch(r"-[a-z]*c", word):
            return words[at + 1] if at + 1 < len(words) else None
        if word.startswith("--command="):
            return word.split("=", 1)[1]
    return None


def _inner_start(words: list[str], wrapper: _Wrapper, *, env: bool) -> int:
    """Return where the started command begins."""
    at, operands = 1, wrapper.operands
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if word.startswith("-") and len(word) > 1:
            at += 2 if word in wrapper.with_value else 1
        elif env and _ASSIGNMENT.match(word):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return min(at, len(words))


def _operands(arguments: tuple[str, ...], with_value: frozenset[str]) -> list[str]:
    found = []
    skip = options_ended = False
    for word in arguments:
        if skip:
            skip = False
        elif word == "--" and not options_ended:
            options_ended = True
        elif word.startswith("-") and len(word) > 1 and not options_ended:
            skip = word in with_value
        else:
            found.append(word)
    return found
