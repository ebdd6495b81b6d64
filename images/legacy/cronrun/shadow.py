"""What a line would need, looked up without running it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from typing import NamedTuple

OPERATORS = frozenset({"|", "||", "&&", ";", "&", "(", ")", "{", "}", "|&", "!"})
AFTER_THESE = frozenset({"if", "then", "else", "elif", "do", "while", "until", "time"})
NO_PROGRAMS = frozenset({"for", "case", "select", "function", "done", "fi", "esac", "in", "[[", "]]"})
REDIRECTIONS = frozenset({">", ">>", "<", "&>", "&>>", ">|", "<>", ">&", "<&"})
EXPANDED = frozenset("$`*?[~")
SHELL_SECONDS = 20


class Finding(NamedTuple):
    """One thing that a line needs.

    Args:
        well: Whether it is there; None when that cannot be said without running the line.
        text: What it is, in words.
    """

    well: bool | None
    text: str


def look(command: str, shell: str, environment: Mapping[str, str], folder: str) -> list[Finding]:
    """Look up the programs, folders and files that a command names.

    Args:
        command: What the shell would get.
        shell: Path of the shell.
        environment: What the shell would see.
        folder: Where it would start.
    """
    if not os.access(shell, os.X_OK):
        return [Finding(False, f"shell {shell} cannot be run here. Add it to the image")]
    found = [Finding(True, f"shell {shell}")]
    checked = _ask(shell, ["-n", "-c", command], environment, folder)
    if checked.returncode:
        return [*found, Finding(False, f"{shell} cannot read the command: {checked.stdout.strip()[-300:]}")]
    try:
        pieces = list(split(command))
    except ValueError as error:
        return [*found, Finding(None, f"the command's words cannot be told apart ({error})")]
    for role, word in pieces:
        if any(each in EXPANDED for each in word):
            found.append(Finding(None, f"{role} {word} is only known when it runs"))
        elif role == "program":
            found.append(_program(word, shell, environment, folder))
        elif role in {"writes", "reads"}:
            found.append(_file(role, os.path.join(folder, word)))
        elif word.startswith("/"):
            found.append(_path(word))
    return list(dict.fromkeys(found))


def split(command: str) -> Iterator[tuple[str, str]]:
    """Yield the words that matter: ("program" | "writes" | "reads" | "argument", word).

    Raises:
        ValueError: A quote is not closed.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    role = "program"
    for word in lexer:
        if word in REDIRECTIONS:
            role, back = ("reads" if word == "<" else "writes"), role
        elif role in {"writes", "reads"}:
            if not (word.isdigit() or word == "-"):  # as in 2>&1 and >&-
                yield role, word
            role = back
        elif word in OPERATORS or (word and set(word) <= set("();|&")):
            role = "program"
        elif role == "program":
            if word in AFTER_THESE or _is_assignment(word):
                continue
            role = "argument"
            if word not in NO_PROGRAMS:
                yield "program", word
        else:
            yield "argument", word


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _program(word: str, shell: str, environment: Mapping[str, str], folder: str) -> Finding:
    """Ask the job's own shell, which knows its builtins; `command -v` runs nothing."""
    if "/" in word:
        return _program_file(word, os.path.join(folder, word))
    answer = _ask(shell, ["-c", 'command -v -- "$1"', shell, word], environment, folder)
    if answer.returncode == 0:
        return Finding(True, f"program {word}: {answer.stdout.strip() or 'found'}")
    return Finding(False, f"program {word} is not in the image (PATH={environment.get('PATH', '')})")


def _program_file(word: str, path: str) -> Finding:
    if not os.path.exists(path):
        return Finding(False, f"program {word} is not in the image. Add it under rootfs/")
    if not os.access(path, os.X_OK):
        return Finding(False, f"program {word} is there, but may not be run by this user")
    return Finding(True, f"program {word}")


def _file(role: str, path: str) -> Finding:
    if role == "reads":
        there = os.access(path, os.R_OK)
        return Finding(there, f"reads {path}" + ("" if there else ", which cannot be read"))
    target = path if os.path.exists(path) else os.path.dirname(path) or "/"
    may = os.access(target, os.W_OK)
    return Finding(
        may, f"writes {path}" + ("" if may else f", but {target} cannot be written to. Mount a volume there")
    )


def _path(word: str) -> Finding:
    if os.path.exists(word):
        return Finding(True, f"path {word}")
    if os.path.isdir(os.path.dirname(word)):
        return Finding(None, f"path {word} is not there yet, its folder is")
    return Finding(False, f"path {word} is not there, nor is its folder")


def _ask(
    shell: str, arguments: list[str], environment: Mapping[str, str], folder: str
) -> subprocess.CompletedProcess[str]:
    quiet = {name: value for name, value in environment.items() if name not in {"BASH_ENV", "ENV"}}
    try:
        return subprocess.run(
            [shell, *arguments], env=quiet, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=SHELL_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess([shell], 1, str(error), "")
