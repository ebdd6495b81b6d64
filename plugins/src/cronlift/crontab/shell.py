"""A reader of shell commands: what is run, in which order, and which redirections stand at the end.

Written for this package: bashlex is GPL, tree-sitter needs a compiled grammar, and shlex forgets where words stood,
which is what a redirection must be cut out by. It knows the grammar of POSIX sh and what bash adds in one line; what it
cannot read it says (`Script.fault`), and nothing is cut from such a command.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cronlift.crontab.shell_tree import AndOr, Group, Pipeline, Redirection, Script, Simple, Word

_BLANKS = " \t"
_ENDS_WORD = " \t\n;&|<>()"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=")
_REDIRECTION = re.compile(r"(&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)")
_CLOSERS = frozenset({"then", "do", "elif", "else", "fi", "done", "esac", "}", ";;"})
_DEPTH_LIMIT = 40
"""Commands in commands; deeper ones are no cron job, and would end Python's own stack."""


def parse_shell(text: str, *, bash: bool = True, variables: Mapping[str, str] | None = None) -> Script:
    """Read a command as a shell does.

    Args:
        text: What `SHELL -c` gets.
        bash: Whether `&>`, `[[`, `((`, `<( )` and `$'…'` mean what they mean in bash; dash reads `a &> b` as two
            commands.
        variables: Variables whose values are known, such as the crontab's.

    Returns:
        The commands. When the text cannot be read to its end, `fault` says why, and the commands are those before.
    """
    reader = _Reader(text, bash, variables or {})
    try:
        script = reader.script(frozenset())
        reader.skip_blanks()
        if reader.at < len(text):
            raise _UnreadableError(f"{text[reader.at]!r} at character {reader.at + 1} is not expected there")
    except _UnreadableError as error:
        return Script(tuple(reader.done), str(error))
    return script


class _UnreadableError(Exception):
    """The text is no command of the shell, or of a kind that is not known."""


@dataclass
class _Reader:
    """A place in the text, and how to go on from it."""

    text: str
    bash: bool
    variables: Mapping[str, str]
    at: int = 0
    depth: int = 0
    nesting: int = 0
    done: list[AndOr] = field(default_factory=list)

    def script(self, closers: frozenset[str]) -> Script:
        """Read commands up to one of the closing words, which is left, or the end."""
        self.depth += 1
        items: list[AndOr] = []
        while True:
            self.skip_separators()
            if self.at >= len(self.text) or self._closing(closers):
                break
            item = self.and_or()
            items.append(item)
            if self.depth == 1:
                self.done.append(item)
            if not self._ended_item():
                break
        self.depth -= 1
        return Script(tuple(items))

    def and_or(self) -> AndOr:
        pipelines, operators = [self.pipeline()], []
        while (operator := self.take("&&", "||")) is not None:
            operators.append(operator)
            self.skip_separators(newlines_only=True)
            pipelines.append(self.pipeline())
        self.skip_blanks()
        background = self.peek() == "&" and not self.starts("&&")
        return AndOr(tuple(pipelines), tuple(operators), background)

    def pipeline(self) -> Pipeline:
        self.skip_blanks()
        negated = bool(re.compile(r"![ \t]").match(self.text, self.at))
        if negated:
            self.at += 1
        commands = [self.command()]
        while True:
            self.skip_blanks()
            if self.starts("||") or self.take("|&", "|") is None:
                break
            self.skip_separators(newlines_only=True)
            commands.append(self.command())
        return Pipeline(tuple(commands), negated)

    def command(self) -> Simple | Group:
        self._enter()
        found = self._command()
        self.nesting -= 1
        return found

    def _enter(self) -> None:
        self.nesting += 1
        if self.nesting > _DEPTH_LIMIT:
            raise _UnreadableError(f"commands are nested more than {_DEPTH_LIMIT} deep")

    def _command(self) -> Simple | Group:
        self.skip_blanks()
        start = self.at
        if self.bash and self.starts("(("):
            return self._delimited("((", "))", start)
        if self.take("(") is not None:
            body = self.script(frozenset({")"}))
            self.expect(")")
            return self._group("(", (body,), (), start)
        word = self._bare_word()
        if self.bash and word == "[[":
            return self._delimited("[[", "]]", start)
        if word in ("{", "if", "while", "until", "for", "select", "case", "function"):
            return self._compound(word, start)
        if word in _CLOSERS:
            raise _UnreadableError(f"{word!r} stands where a command is expected")
        return self._simple(start)

    def _compound(self, word: str, start: int) -> Group:
        self.at += len(word)
        if word == "{":
            bodies = (self.script(frozenset({"}"})),)
            self.expect("}")
            return self._group(word, bodies, (), start)
        if word == "if":
            return self._group(word, self._if_bodies(), (), start)
        words: tuple[Word, ...] = ()
        if word in ("for", "select"):
            words = self._words_to_separator()
        elif word == "function":
            words = (self._required_word(),)
            self.skip_blanks()
            self.take("()")
            return self._group(word, (Script((AndOr((Pipeline((self.command(),)),), ()),)),), words, start)
        elif word == "case":
            return self._case(start)
        parts = [] if word in ("for", "select") else [self.script(frozenset({"do"}))]
        self.skip_separators()
        self.expect("do")
        parts.append(self.script(frozenset({"done"})))
        self.expect("done")
        return self._group(word, tuple(parts), words, start)

    def _if_bodies(self) -> tuple[Script, ...]:
        bodies = [self.script(frozenset({"then"}))]
        self.expect("then")
        while True:
            bodies.append(self.script(frozenset({"elif", "else", "fi"})))
            if self._take_word("elif"):
                bodies.append(self.script(frozenset({"then"})))
                self.expect("then")
            elif self._take_word("else"):
                bodies.append(self.script(frozenset({"fi"})))
                self.expect("fi")
                return tuple(bodies)
            else:
                self.expect("fi")
                return tuple(bodies)

    def _case(self, start: int) -> Group:
        subject = self._required_word()
        self.skip_separators(newlines_only=True)
        self.expect("in")
        bodies: list[Script] = []
        while True:
            self.skip_separators()
            if self._take_word("esac"):
                return self._group("case", tuple(bodies), (subject,), start)
            self.take("(")
            self._required_word()
            while self.take("|") is not None:
                self._required_word()
            self.skip_blanks()
            self.expect(")")
            bodies.append(self.script(frozenset({";;", "esac"})))
            self.take(";;")

    def _delimited(self, opener: str, closer: str, start: int) -> Group:
        """Read `[[ … ]]` or `(( … ))`, whose inside has rules of its own."""
        end = self.text.find(closer, start + 2)
        if end < 0:
            raise _UnreadableError(f"`{opener}` is not closed")
        self.at = end + 2
        inside = [Word(each, None, start, end) for each in self.text[start + 2 : end].split()]
        return self._group(opener, (), tuple(inside), start)

    def _group(self, kind: str, bodies: tuple[Script, ...], words: tuple[Word, ...], start: int) -> Group:
        redirections: list[Redirection] = []
        while (found := self.redirection()) is not None:
            redirections.append(found)
        end = redirections[-1].end if redirections else self.at
        return Group(kind, bodies, words, tuple(redirections), start, end)

    def _simple(self, start: int) -> Simple | Group:
        assignments: list[Word] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        end = start
        while True:
            if (redirection := self.redirection()) is not None:
                redirections.append(redirection)
            elif (word := self.word()) is not None:
                if not words and _ASSIGNMENT.match(word.text):
                    assignments.append(word)
                else:
                    words.append(word)
            else:
                break
            end = self.at
            if len(words) == 1 and not assignments and self.starts("()"):
                self.at += 2
                body = Script((AndOr((Pipeline((self.command(),)),), ()),))
                return Group("function", (body,), tuple(words), (), start, self.at)
        if not (assignments or words or redirections):
            what = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
            raise _UnreadableError(f"a command is expected at character {self.at + 1}, and {what} stands there")
        return Simple(tuple(assignments), tuple(words), tuple(redirections), start, end)

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
        target = self._required_word()
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
            if letter in _ENDS_WORD:
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
        self._enter()
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
        raise _UnreadableError('a `"` is not closed')

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
        raise _UnreadableError("`${` is not closed")

    def _nested(self, closer: str) -> Script:
        script = self.script(frozenset({closer}))
        self.skip_blanks()
        self.expect(closer)
        return script

    def _backquoted(self) -> Script:
        found = re.compile(r"`((?:\\.|[^`\\])*)`").match(self.text, self.at)
        if found is None:
            raise _UnreadableError("a backquote is not closed")
        self.at = found.end()
        inside = re.sub(r"\\([`$\\])", r"\1", found[1])
        script = parse_shell(inside, bash=self.bash, variables=self.variables)
        if script.fault:
            raise _UnreadableError(f"in backquotes, {script.fault}")
        return script

    def _to(self, closer: str, start: int) -> str:
        end = self.text.find(closer, start)
        if end < 0:
            raise _UnreadableError(f"a `{closer}` is not closed")
        self.at = end + 1
        return self.text[start:end]

    def _words_to_separator(self) -> tuple[Word, ...]:
        found = []
        while (word := self.word()) is not None:
            if word.text == "do":
                self.at = word.start
                break
            found.append(word)
        return tuple(found)

    def _required_word(self) -> Word:
        word = self.word()
        if word is None:
            raise _UnreadableError(f"a word is missing at character {self.at + 1}")
        return word

    def _bare_word(self) -> str:
        """Return the next word without quotes or expansions in it, to see whether it is a reserved one."""
        found = re.compile(r"[^\s;&|<>()'\"$`\\]+").match(self.text, self.at)
        if found is None or (found.end() < len(self.text) and self.text[found.end()] not in _ENDS_WORD):
            return ""
        return found[0]

    def _closing(self, closers: frozenset[str]) -> bool:
        if self.peek() == ")":
            return ")" in closers
        if self.starts(";;"):
            return ";;" in closers
        return self._bare_word() in closers

    def _take_word(self, word: str) -> bool:
        self.skip_separators()
        if self._bare_word() != word:
            return False
        self.at += len(word)
        return True

    def _ended_item(self) -> bool:
        """Go past what ends a command: `;`, `&` or a line feed; False when something else follows."""
        self.skip_blanks()
        if self.starts(";;"):
            return False
        if self.peek() in (";", "&", "\n"):
            self.at += 1
            return True
        return False

    def expect(self, what: str) -> None:
        self.skip_blanks()
        if not self.starts(what):
            raise _UnreadableError(f"`{what}` is missing at character {self.at + 1}")
        self.at += len(what)

    def take(self, *operators: str) -> str | None:
        self.skip_blanks()
        for operator in operators:
            if self.starts(operator):
                self.at += len(operator)
                return operator
        return None

    def skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1
        if self.peek() == "#" and (self.at == 0 or self.text[self.at - 1] in _ENDS_WORD):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def skip_separators(self, *, newlines_only: bool = False) -> None:
        self.skip_blanks()
        while self.peek() == "\n" or (not newlines_only and self.peek() == ";" and not self.starts(";;")):
            self.at += 1
            self.skip_blanks()

    def starts(self, what: str) -> bool:
        return self.text.startswith(what, self.at)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]
