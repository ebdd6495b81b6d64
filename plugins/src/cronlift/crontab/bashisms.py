"""What bash understands and dash does not: on Debian /bin/sh is dash, and cron's default shell."""

import re
from collections.abc import Iterator

_PATTERNS = (
    (r"&>>?", "`&>` starts the command in the background and empties the file; write > FILE 2>&1"),
    (r"(?<![\w$])\[\[(?=\s)", "`[[` is no command; write [ … ]"),
    (r"\$\{?RANDOM\b|\bRANDOM\b(?=[^=\w]*[%+*)/-])", "RANDOM is empty"),
    (
        r"\$\{?(?:SECONDS|HOSTNAME|UID|EUID|BASHPID|BASH_\w+|PIPESTATUS|OSTYPE|MACHTYPE|HOSTTYPE)\b",
        "this variable is empty",
    ),
    (r"(?:^|[;&|({]|\bthen\b|\bdo\b)\s*source\s", "`source` is no command; write `.` and a path"),
    (r"<\(|(?<![\d>])>\(", "process substitution is a syntax error"),
    (r"(?<!\$)\{[\w.-]*(?:\.\.|,)[\w.,-]*\}", "braces are not expanded"),
    (r"<<<", "`<<<` is a syntax error; write printf '%s\\n' … |"),
    (r"\|&", "`|&` is a syntax error; write 2>&1 |"),
    (r"(?<![\w$(])\(\((?!\()", "`(( ))` is read as two groups; write [ … ] or $(( ))"),
    (r"\$'", "`$'…'` keeps its backslashes"),
    (r"\b\w+\+?=\((?!\()", "arrays are a syntax error"),
    (r"\$\{#?\w+\[", "arrays are a syntax error"),
    (r"\$\{\w+(?:/|:\s*\d|\^|,)", "this expansion is a bad substitution"),
    (r"(?:^|[;&|({])\s*function\s+\w", "`function` is no command; write NAME() { …; }"),
    (r"(?:^|[;&|({])\s*(?:declare|typeset|let|shopt|pushd|popd|disown|mapfile|readarray)\b", "this is no command"),
    (r"\bset\s+-o\s+pipefail\b|\bset\s+-\w*o\s+pipefail\b", "`pipefail` is not an option of dash before 0.5.13"),
    (r"(?:^|[;&|({])\s*echo\s+-[en]*e", "`echo -e` prints the -e"),
    (r"(?<!\w)\[\s[^]]*\s==\s", "`==` in [ ] is an error; write ="),
)
_COMPILED = tuple((re.compile(pattern), what) for pattern, what in _PATTERNS)


def find_bashisms(command: str) -> Iterator[str]:
    """Yield what dash makes of each thing in a command that only bash understands, a sentence each.

    Args:
        command: What `sh -c` gets.
    """
    bare = re.sub(r"'[^']*'", lambda found: "'" + "_" * (len(found[0]) - 2) + "'", command)
    unquoted = re.sub(r'"(?:\\.|[^"\\])*"', lambda found: _keep_expansions(found[0]), bare)
    for pattern, what in _COMPILED:
        if found := pattern.search(unquoted):
            yield f"sh is dash here, not bash: at `{found[0].strip()}`, {what}."


def _keep_expansions(quoted: str) -> str:
    """Blank out a string in double quotes, but for the expansions in it."""
    kept = re.findall(r"\$\{[^}]*\}|\$\w+|\$\([^)]*\)", quoted)
    return '"' + " ".join(kept) + '"'
