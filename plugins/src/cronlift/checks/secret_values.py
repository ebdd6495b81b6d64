"""Passwords and tokens that are written down in a file: git keeps them for ever, for everybody who may read.

Some values have a look of their own and count wherever they stand. Others are told by their place, such as
`DB_PASSWORD = "..."` or `mysql -p...`. Few false alarms matter more here than finding all: words, names of Secrets,
placeholders, and what a template, the shell or Airflow fills in pass. `cronlift.crontab.secrets` is the other way
round: it hides too much rather than too little.
"""

import re
from collections.abc import Iterator

from cronlift.checks.catalogue import CHECKS
from cronlift.checks.model import Fault
from cronlift.policy.clear_text import ENDINGS, NO_SECRETS

MAX_BYTES = 1024 * 1024
"""Larger files hold data, and nobody types a password into them."""

_CHECK = "secret-value"
_CURE = next(check.cure for check in CHECKS if check.id == _CHECK)
_TESTS = "tests/"
"""Passwords of tests open nothing: there, places say nothing."""
_SEALED = "kind: SealedSecret"
"""Its values are encrypted, and lie in git on purpose."""
_YAML = (".yaml", ".yml", ".j2")
_SHOWN_LETTERS = 4
_SHORT_LETTERS = 12
"""Of a shorter value one letter is shown: four could be most of a password."""

_KINDS = {
    "github": "a GitHub token",
    "gitlab": "a GitLab token",
    "aws": "an AWS access key",
    "slack": "a Slack token",
    "google": "a Google API key",
    "stripe": "a Stripe key",
    "jwt": "a JSON Web Token",
    "bearer": "a bearer token",
    "mysql": "a password of mysql",
}
_LOOKS = r"""(?<![A-Za-z0-9_])(?:
      (?P<github>gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})
    | (?P<gitlab>glpat-[A-Za-z0-9_-]{20,255})
    | (?P<aws>(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])
    | (?P<slack>xox[baprs]-[A-Za-z0-9-]{10,255})
    | (?P<google>AIza[A-Za-z0-9_-]{35})
    | (?P<stripe>[sr]k_live_[A-Za-z0-9]{16,255})
    | (?P<jwt>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})
    | [Bb]earer[ ](?P<bearer>(?=[A-Za-z._~+/-]{0,80}[0-9])[A-Za-z0-9._~+/-]{20,}=*)
    )
    | (?P<pem>-----BEGIN[ ](?:[A-Z0-9]+[ ]){0,3}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----)
      (?=[ ]*$|(?:\\n|\s){1,9}[A-Za-z0-9+/=]{16})
"""
_NAME = rf"(?:(?i:(?:\w{{1,40}}_|PG|MYSQL)?{ENDINGS})|[a-z]\w{{0,40}}(?:Password|Secret|Token|ApiKey|AccessKey))"
_FIRST, _NEXT = r"[^\s\"'$%@,\[\]{}<>|;&()`*!\#\\:=-]", r"[^\s\"',\[\]{}|;&()`]"
"""Letters of a value without quotes: the first one is none by which the shell, YAML or Jinja would fill it in."""
_PLACES = rf"""
    | \b(?:mysql(?:dump|admin|import|check)?|mariadb(?:-dump)?)\b
      (?:[^|;&\n]|\n[ ]*(?:-(?=[ ])|args:|command:)){{0,300}}?
      [\s"',\[]-p(?P<mysql>{_FIRST}{_NEXT}{{2,}})
    | (?<![\w$-])(?P<name>{_NAME})["']?[ ]*(?::[ ]*str[ ]*=|[:=])[ ]*(?P<quote>["'])(?P<quoted>[^"'\s]{{4,}})(?P=quote)
    | (?:^[ ]*(?:-[ ]+)?|[{{,][ ]*)(?P<key>{_NAME}):[ ]+(?P<plain>{_FIRST}{_NEXT}{{3,}})(?=[ ]*(?:$|[,}}]|[ ]\#))
    | (?P<option>--(?:[a-z]{{1,20}}-)?password|(?<![\w$.-])[A-Z0-9_]{{0,60}}(?:PASSWORD|PASSWD|PWD))
      =(?P<bare>{_FIRST}{_NEXT}{{3,}})
"""
_ANYWHERE = re.compile(_LOOKS, re.VERBOSE | re.MULTILINE)
_EVERYTHING = re.compile(_LOOKS + _PLACES, re.VERBOSE | re.MULTILINE)
_HINTS = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "akia", "asia", "xox", "aiza", "k_live_", "eyj"),
    *("bearer", "private key", "passw", "pwd", "secret", "token", "apikey", "api_key", "accesskey", "access_key"),
    *("privatekey", "private_key", "mysql", "mariadb"),
)
"""Without one of these, in small letters, nothing is found: most files are done with at once."""

_ALLOWED = re.compile(r"cronlift: allow-secret because \w")
_STANDS_IN = re.compile(
    r"\A\$|\{|\$\(|%\(|<|\.\.\.|\*\*\*|x{3}|example|change-?_?me|placeholder|redacted|dummy|\byour\b|your[-_]|[-_]here\b",
    re.IGNORECASE,
)
_NO_VALUES = frozenset(("password", "passwd", "secret", "token", "none", "null", "true", "false", "todo", "string"))
_WORDS = re.compile(r"(?:[A-Za-z]+|[0-9]{1,4})(?:[-._/:@]+(?:[A-Za-z]+|[0-9]{1,4}))*")
_CAPITALS = re.compile(r"[A-Z]+(?:[-_][A-Z]+)*")
_PASSWORD = re.compile(r"passw|pwd", re.IGNORECASE)
_TELLING_LETTERS = 8
"""A key or token is longer; what is shorter is a word."""


def secrets_in(file: str, text: str) -> Iterator[Fault]:
    """Yield the secrets that are written down in a file, without saying them.

    Args:
        file: Its path from the root.
        text: Its content.
    """
    small = text.lower()
    if not any(hint in small for hint in _HINTS):
        return
    lines = text.splitlines()
    looks_alone = file.startswith(_TESTS) or _SEALED in text
    for found in (_ANYWHERE if looks_alone else _EVERYTHING).finditer(text):
        kind, value, at = _said(found)
        line = text.count("\n", 0, at) + 1
        if _counts(file, found, value) and not any(map(_ALLOWED.search, lines[max(0, line - 2) : line])):
            yield Fault(file, line, _CHECK, f"{_shown(value)} looks like {kind}", _CURE)


def _said(found: re.Match[str]) -> tuple[str, str, int]:
    """Return the kind of a secret, its value, and where that begins."""
    if found["pem"]:
        return "a private key", found["pem"], found.start("pem")
    for group, kind in _KINDS.items():
        if value := found.groupdict().get(group):
            return kind, value, found.start(group)
    group = next(each for each in ("quoted", "plain", "bare") if found[each])
    return f"the value of {_name(found)}", found[group], found.start(group)


def _name(found: re.Match[str]) -> str:
    groups = found.groupdict()
    return groups.get("name") or groups.get("key") or groups.get("option") or ""


def _counts(file: str, found: re.Match[str], value: str) -> bool:
    """Tell whether a value is one, and not something that stands for one."""
    name = _name(found)
    if _STANDS_IN.search(value):
        return False
    if not name and not found.groupdict().get("mysql"):
        return True
    if value.lower() in _NO_VALUES or _CAPITALS.fullmatch(value) or len(set(value)) == 1:
        return False
    if found.groupdict().get("plain") and not file.endswith(_YAML):
        return False
    if not name or _PASSWORD.search(name):
        return name not in NO_SECRETS and not value.startswith(("/", "."))
    return (
        len(value) >= _TELLING_LETTERS
        and not _WORDS.fullmatch(value)
        and not value.startswith("/")
        and "://" not in value
    )


def _shown(value: str) -> str:
    return f"{value[: _SHOWN_LETTERS if len(value) >= _SHORT_LETTERS else 1]}..."
