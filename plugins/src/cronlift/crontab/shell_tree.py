"""What a shell command is made of."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One word.

    Args:
        text: As written.
        value: What the shell makes of it when it holds no expansions but known variables; None otherwise.
        start: Where it begins in the command.
        end: Where it ends.
        scripts: The command substitutions in it.
    """

    text: str
    value: str | None
    start: int
    end: int
    scripts: tuple["Script", ...] = ()

    @property
    def shown(self) -> str:
        """Return the value, or the text where the value is not known."""
        return self.text if self.value is None else self.value


@dataclass(frozen=True)
class Redirection:
    """One redirection: `2>&1` has descriptor 2, operator ">&", target "1"."""

    descriptor: int | None
    operator: str
    target: Word
    start: int
    end: int


@dataclass(frozen=True)
class Simple:
    """A simple command: assignments, words, redirections."""

    assignments: tuple[Word, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Group:
    """A compound command.

    Args:
        kind: Its first word: "(", "{", "if", "for", "while", "until", "select", "case", "[[", "((" or "function".
        bodies: The lists of commands in it.
        words: What stands before them, such as the subject of a `case`.
        redirections: Those after it.
        start: Where it begins.
        end: Where it ends.
    """

    kind: str
    bodies: tuple["Script", ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Pipeline:
    """Commands joined by `|`."""

    commands: tuple[Simple | Group, ...]
    negated: bool = False


@dataclass(frozen=True)
class AndOr:
    """Pipelines joined by `&&` and `||`; `operators[0]` stands between the first two."""

    pipelines: tuple[Pipeline, ...]
    operators: tuple[str, ...]
    background: bool = False


@dataclass(frozen=True)
class Script:
    """A list of commands.

    Args:
        items: The commands between `;`, `&` and line feeds.
        fault: What could not be read; None when all was.
    """

    items: tuple[AndOr, ...] = ()
    fault: str | None = None

    def commands(self) -> Iterator[Simple | Group]:
        """Yield the commands at this level, in the order of the text."""
        for item in self.items:
            for pipeline in item.pipelines:
                yield from pipeline.commands

    def everything(self) -> Iterator[Simple | Group]:
        """Yield every command, those in groups and substitutions too, the outer ones first."""
        for command in self.commands():
            yield command
            words = [*command.words, *(each.target for each in command.redirections)]
            inner: list[Script] = []
            if isinstance(command, Group):
                inner += command.bodies
            else:
                words += command.assignments
            inner += [script for word in words for script in word.scripts]
            for script in inner:
                yield from script.everything()
