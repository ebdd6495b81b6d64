"""A reader of shell commands: what is run, in which order, and which redirections stand at the end.

Written for this package: bashlex is GPL, tree-sitter needs a compiled grammar, and shlex forgets where words stood,
which is what a redirection must be cut out by. It knows the grammar of POSIX sh and what bash adds in one line; what it
cannot read it says (`Script.fault`), and nothing is cut from such a command.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cronlift.crontab.shell_tree import AndOr, Group, Pipeline, Redirection, Script, Simple, Word
from cronlift.crontab.shell_words import UnreadableError, WordReader

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=")
_CLOSERS = frozenset({"then", "do", "elif", "else", "fi", "done", "esac", "}", ";;"})


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
            raise UnreadableError(f"{text[reader.at]!r} at character {reader.at + 1} is not expected there")
    except UnreadableError as error:
        return Script(tuple(reader.done), str(error))
    return script


@dataclass
class _Reader(WordReader):
    """A place in the text, and how to read the next command from there."""

    depth: int = 0
    done: list[AndOr] = field(default_factory=list)

    def inner(self, text: str) -> Script:
        """Read another text in the same way."""
        return parse_shell(text, bash=self.bash, variables=self.variables)

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
        self.enter()
        found = self._command()
        self.nesting -= 1
        return found

    def _command(self) -> Simple | Group:
        self.skip_blanks()
        start = self.at
        if self.bash and self.starts("(("):
            return self._delimited("((", "))", start)
        if self.take("(") is not None:
            body = self.script(frozenset({")"}))
            self.expect(")")
            return self._group("(", (body,), (), start)
        word = self.bare_word()
        if self.bash and word == "[[":
            return self._delimited("[[", "]]", start)
        if word in ("{", "if", "while", "until", "for", "select", "case", "function"):
            return self._compound(word, start)
        if word in _CLOSERS:
            raise UnreadableError(f"{word!r} stands where a command is expected")
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
            words = (self.required_word(),)
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
        subject = self.required_word()
        self.skip_separators(newlines_only=True)
        self.expect("in")
        bodies: list[Script] = []
        while True:
            self.skip_separators()
            if self._take_word("esac"):
                return self._group("case", tuple(bodies), (subject,), start)
            self.take("(")
            self.required_word()
            while self.take("|") is not None:
                self.required_word()
            self.skip_blanks()
            self.expect(")")
            bodies.append(self.script(frozenset({";;", "esac"})))
            self.take(";;")

    def _delimited(self, opener: str, closer: str, start: int) -> Group:
        """Read `[[ … ]]` or `(( … ))`, whose inside has rules of its own."""
        end = self.text.find(closer, start + 2)
        if end < 0:
            raise UnreadableError(f"`{opener}` is not closed")
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
            raise UnreadableError(f"a command is expected at character {self.at + 1}, and {what} stands there")
        return Simple(tuple(assignments), tuple(words), tuple(redirections), start, end)

    def _words_to_separator(self) -> tuple[Word, ...]:
        found = []
        while (word := self.word()) is not None:
            if word.text == "do":
                self.at = word.start
                break
            found.append(word)
        return tuple(found)

    def _closing(self, closers: frozenset[str]) -> bool:
        if self.peek() == ")":
            return ")" in closers
        if self.starts(";;"):
            return ";;" in closers
        return self.bare_word() in closers

    def _take_word(self, word: str) -> bool:
        self.skip_separators()
        if self.bare_word() != word:
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
