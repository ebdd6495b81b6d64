"""The words of a shell command: quotes, expansions, redirections."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cronlift.crontab.shell_tree import Redirection, Script, Word

ENDS_WORD = " \t\n;&|<>()"

_BLANKS = " \t"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REDIRECTION = re.compile(r"(&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)")
_DEPTH_LIMIT = 40
"""Commands in commands; deeper ones are no cron job, and would end Python's own stack."""


class UnreadableError(Exception):
    """The text is no command of the shell, or of a kind that is not known; `parse_shell` turns it into a fault."""


@dataclass
class WordReader:
    """A place in the text, and how to read the next word from there.

    Args:
        text: The command.
        bash: Whether the shell is bash.
        variables: Variables whose values are known.
        at: The place.
        nesting: How many commands the place is in.
    """

    text: str
    bash: bool
    variables: Mapping[str, str]
    at: int = 0
    nesting: int = 0

    def script(self, closers: frozenset[str]) -> Script:
        """Read commands up to a closing word: the reader of commands does it."""
        raise NotImplementedError

    def inner(self, text: str) -> Script:
        """Read another text, that of backquotes, in the same way: the reader of commands does it."""
        raise NotImplementedError

    def redirection(self) -> Redirection | None:
        """Read a redirection with the digit before it, if one is next."""
        self.skip_blanks()
        start = self.at
        digits = re.compile(r"[0-9]+(?=[<>])").match(self.text, start)
        found = _REDIRECTION.match(self.text, digits.end() if digits else start)
        if found is None or (found[1].startswith("&") and not self.bash):
            return None
        if self.bash and found[1] in ("<", ">") and self.text.startswith("(", found.end()):
            return None  # process substitution: a word
        self.at = found.end()
        target = self.required_word()
        return Redirection(int(digits[0]) if digits else None, found[1], target, start, self.at)

    def word(self) -> Word | None:
        """Read the next word; None when an operator or the end is next."""
        self.skip_blanks()
        start = self.at
        value: list[str] | None = []
        scripts: list[Script] = []
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter in "<>" and self.bash and self.text.startswith("(", self.at + 1):
                self.at += 2
                scripts.append(self._nested(")"))
                value = None
                continue
            if letter == "(" and value is not None and re.search(r"=\Z", self.text[start : self.at]):
                self._array(scripts)
                value = None
                continue
            if letter in ENDS_WORD:
                break
            part = self._part(letter, scripts)
            if letter == "~" and self.at == start + 1:
                part = None  # somebody's home
            value = None if part is None or value is None else [*value, part]
        if self.at == start:
            return None
        return Word(
            self.text[start : self.at], None if value is None else "".join(value), start, self.at, tuple(scripts)
        )

    def _array(self, scripts: list[Script]) -> None:
        """Read the elements of `name=( … )`."""
        self.enter()
        self.at += 1
        while (element := self.word()) is not None:
            scripts += element.scripts
        self.expect(")")
        self.nesting -= 1

    def _part(self, letter: str, scripts: list[Script]) -> str | None:
        """Read one piece of a word; return its value, or None when only the shell knows it."""
        if letter == "\\":
            found = self.text[self.at + 1 : self.at + 2]
            self.at += 2
            return found
        if letter == "'":
            return self._to("'", self.at + 1)
        if letter == '"':
            self.at += 1
            return self._double_quoted(scripts)
        if letter == "$":
            return self._expansion(scripts)
        if letter == "`":
            scripts.append(self._backquoted())
            return None
        self.at += 1
        return None if letter in "*?" else letter

    def _double_quoted(self, scripts: list[Script]) -> str | None:
        value: list[str] | None = []
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == '"':
                self.at += 1
                return None if value is None else "".join(value)
            part: str | None
            if letter == "\\":
                follows = self.text[self.at + 1 : self.at + 2]
                part = follows if follows and follows in '$`"\\\n' else "\\" + follows
                self.at += 2
            elif letter == "$":
                part = self._expansion(scripts)
            elif letter == "`":
                scripts.append(self._backquoted())
                part = None
            else:
                part = letter
                self.at += 1
            value = None if part is None or value is None else [*value, part]
        raise UnreadableError('a `"` is not closed')

    def _expansion(self, scripts: list[Script]) -> str | None:
        """Read what begins with `$`."""
        if self.text.startswith("$((", self.at) and (end := self._arithmetic_end()):
            self.at = end
            return None
        if self.text.startswith("$(", self.at):
            self.at += 2
            scripts.append(self._nested(")"))
            return None
        if self.text.startswith("${", self.at):
            inside = self._braced()
            return self.variables.get(inside)
        if self.bash and self.text.startswith("$'", self.at):
            self._to("'", self.at + 2)
            return None
        self.at += 1
        found = _NAME.match(self.text, self.at)
        if found:
            self.at = found.end()
            return self.variables.get(found[0])
        if self.text[self.at : self.at + 1] and self.text[self.at] in "?$!#@*-0123456789":
            self.at += 1
            return None
        return "$"

    def _arithmetic_end(self) -> int:
        """Return where `$(( … ))` ends; 0 when the last two brackets do not close together: then it is `$( ( … ) )`."""
        level = 0
        for found in re.compile(r"[()]").finditer(self.text, self.at + 1):
            level += 1 if found[0] == "(" else -1
            if level == 1 and found[0] == ")":
                return found.end() + 1 if self.text.startswith(")", found.end()) else 0
        return 0

    def _braced(self) -> str:
        """Read `${…}` with what is nested in it; return the inside."""
        start, level = self.at + 2, 0
        for found in re.compile(r"\\.|\$\{|\}|'[^']*'").finditer(self.text, self.at):
            if found[0] == "${":
                level += 1
            elif found[0] == "}":
                level -= 1
                if level == 0:
                    self.at = found.end()
                    return self.text[start : found.start()]
        raise UnreadableError("`${` is not closed")

    def _nested(self, closer: str) -> Script:
        script = self.script(frozenset({closer}))
        self.skip_blanks()
        self.expect(closer)
        return script

    def _backquoted(self) -> Script:
        found = re.compile(r"`((?:\\.|[^`\\])*)`").match(self.text, self.at)
        if found is None:
            raise UnreadableError("a backquote is not closed")
        self.at = found.end()
        inside = re.sub(r"\\([`$\\])", r"\1", found[1])
        script = self.inner(inside)
        if script.fault:
            raise UnreadableError(f"in backquotes, {script.fault}")
        return script

    def _to(self, closer: str, start: int) -> str:
        end = self.text.find(closer, start)
        if end < 0:
            raise UnreadableError(f"a `{closer}` is not closed")
        self.at = end + 1
        return self.text[start:end]

    def required_word(self) -> Word:
        """Read a word, which must be there."""
        word = self.word()
        if word is None:
            raise UnreadableError(f"a word is missing at character {self.at + 1}")
        return word

    def bare_word(self) -> str:
        """Return the next word without quotes or expansions in it, to see whether it is a reserved one."""
        found = re.compile(r"[^\s;&|<>()'\"$`\\]+").match(self.text, self.at)
        if found is None or (found.end() < len(self.text) and self.text[found.end()] not in ENDS_WORD):
            return ""
        return found[0]

    def enter(self) -> None:
        """Go one command deeper, as far as is allowed."""
        self.nesting += 1
        if self.nesting > _DEPTH_LIMIT:
            raise UnreadableError(f"commands are nested more than {_DEPTH_LIMIT} deep")

    def expect(self, what: str) -> None:
        """Go past a word or an operator, which must be there."""
        self.skip_blanks()
        if not self.starts(what):
            raise UnreadableError(f"`{what}` is missing at character {self.at + 1}")
        self.at += len(what)

    def take(self, *operators: str) -> str | None:
        """Go past the first of the operators that is next; return it, or None."""
        self.skip_blanks()
        for operator in operators:
            if self.starts(operator):
                self.at += len(operator)
                return operator
        return None

    def skip_blanks(self) -> None:
        """Go past blanks, and a comment behind them."""
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1
        if self.peek() == "#" and (self.at == 0 or self.text[self.at - 1] in ENDS_WORD):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def skip_separators(self, *, newlines_only: bool = False) -> None:
        """Go past blanks, line feeds and, unless told otherwise, semicolons."""
        self.skip_blanks()
        while self.peek() == "\n" or (not newlines_only and self.peek() == ";" and not self.starts(";;")):
            self.at += 1
            self.skip_blanks()

    def starts(self, what: str) -> bool:
        """Tell whether the text goes on with this."""
        return self.text.startswith(what, self.at)

    def peek(self) -> str:
        """Return the next character; empty at the end."""
        return self.text[self.at : self.at + 1]
