"""Passwords in commands and settings: hidden in everything that is shown, and moved to a Secret.

What counts is the place (`mysql -pX`, `--password=X`, `PGPASSWORD=X`, `scheme://user:X@`), not the look of a value.
What comes from an expansion (`$DB_PASS`) is no password written down, and stays. Each repetition in the patterns has a
bound, so that no line, however long, keeps the search busy.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cronlift.crontab.names import KNOWN_USERS

MASK = "***"
WORTH_HIDING_LETTERS = 6
"""A shorter password is hidden where it stands as one; hiding the same letters elsewhere would blot out the text."""

_VALUE = r"(?:'(?P<single>[^']*)'|\"(?P<double>(?:\\.|[^\"\\])*)\"|(?P<bare>(?:\\.|[^\s'\"\\;|&<>()`])+))"
_HIDDEN = (
    r"(?:pass(?:w(?:or)?d|phrase|wd)?|(?<!old)pwd(?<!\bpwd)|secret(?:[-_]?(?:access[-_]?)?key)?"
    r"|(?:access[-_]?|auth[-_]?|api[-_]?|bearer)?token|api[-_]?key|access[-_]?key|private[-_]?key|cron[-_]?key"
    r"|auth[-_]?key|credentials?)"
)
"""How names of passwords end. PWD and OLDPWD are the shell's folders."""
_MYSQL = r"(?:mysql\w*|mariadb[\w-]*|innobackupex|xtrabackup|mariabackup|mytop|automysqlbackup)"
_MONGO = r"(?:mongo(?:sh|dump|restore|export|import)?)"
_PLACEHOLDER = re.compile(r"\$(?:\w+|\{[^}]*\}|\(.*)?\Z|`|\*{3}\Z|%\w*%\Z|\Z", re.DOTALL)


@dataclass(frozen=True)
class Secret:
    """One password that is written down in a text.

    Args:
        name: Of the environment variable that is to bring it, for example "MYSQL_PASSWORD".
        value: The password; never shown.
        start: Where the value begins, without its quotes.
        end: Where it ends.
        quote: The quotes around it: "'", '"' or nothing.
    """

    name: str
    value: str
    start: int
    end: int
    quote: str = ""

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r}, value='{MASK}', start={self.start}, end={self.end})"


@dataclass(frozen=True)
class _Rule:
    """A place where passwords stand: `pattern` ends in `_VALUE`, `name` gives the variable's name."""

    pattern: re.Pattern[str]
    name: Callable[[re.Match[str]], str]
    program: re.Pattern[str] | None = None


def _rule(pattern: str, name: str | Callable[[re.Match[str]], str], program: str = "") -> _Rule:
    named = name if callable(name) else (lambda _, fixed=name: fixed)
    started = re.compile(rf"(?:^|[\s;|&(`/'\"])(?:{program})(?=\s)") if program else None
    return _Rule(re.compile(pattern, re.IGNORECASE if not program else 0), named, started)


def _from_option(found: re.Match[str]) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", found["option"]).strip("_").upper()


_RULES = (
    # Assignments of a crontab (blanks around the sign) and of a shell.
    _rule(
        rf"(?<![\w$-])(?P<option>(?:[a-z0-9]{{1,40}}[-_.]){{0,8}}?[a-z0-9]{{0,40}}?{_HIDDEN}(?:[-_]?[0-9]{{1,3}})?)"
        rf"[ \t]*=[ \t]*{_VALUE}",
        _from_option,
    ),
    _rule(rf"(?<![\w-])(?P<option>[A-Z0-9]{{0,40}}_(?:PW|PSW)|SSHPASS)={_VALUE}", _from_option),
    # Long options: --password=X, --password X, -password X, /pass:X, -pass:X.
    _rule(
        rf"(?<!\S)--?(?P<option>(?:[a-z0-9]{{1,40}}[-._]){{0,8}}(?:{_HIDDEN}[0-9]{{0,2}}|pw))(?:=|[ \t]+){_VALUE}",
        _from_option,
    ),
    _rule(rf"(?<!\S)(?:/|--?)(?P<option>(?:[a-z0-9]{{1,40}}[-._]){{0,8}}{_HIDDEN}):{_VALUE}", _from_option),
    _rule(rf"(?<!\S)(?:-{{1,2}}param:|-D)(?P<option>[\w.-]{{0,60}}?{_HIDDEN})={_VALUE}", _from_option),
    # JSON: "password": "X", with a backslash before the quotes or without.
    _rule(
        rf"\"(?P<option>[\w.-]{{0,60}}?{_HIDDEN})\\?\"[ \t]*:[ \t]*\\?\"(?P<bare>[^\"\\\s]+)",
        _from_option,
    ),
    # Addresses: scheme://user:X@host and ?token=X.
    _rule(r"(?<![a-z0-9])[a-z][a-z0-9+.-]{0,20}://[^\s/:@'\"]{0,200}:(?P<bare>[^\s/@'\"]+)@", "URL_PASSWORD"),
    _rule(r"(?<![a-z0-9])[a-z][a-z0-9+.-]{0,20}://(?P<bare>[\w-]{20,200})@", "URL_TOKEN"),
    _rule(
        rf"[?&](?P<option>(?:[\w.-]{{0,60}}[_.-])?(?:{_HIDDEN}|pwd|key|sig|signature|auth|hash))=(?P<bare>[^\s&'\"#;|<>]+)",
        _from_option,
    ),
    _rule(r"api\.telegram\.org/bot(?P<bare>[0-9]+:[\w-]{20,})", "TELEGRAM_TOKEN"),
    _rule(r"discord(?:app)?\.com/api/webhooks/[0-9]+/(?P<bare>[\w-]{20,})", "DISCORD_WEBHOOK"),
    _rule(r"hooks\.slack\.com/(?:services|workflows)/(?P<bare>[\w/-]{8,})", "SLACK_WEBHOOK"),
    _rule(
        r"(?:outlook\.office(?:365)?\.com/webhook|webhook\.office\.com/webhookb2)/(?P<bare>[^\s'\"]{20,})",
        "TEAMS_WEBHOOK",
    ),
    _rule(r"maker\.ifttt\.com/trigger/[^\s/]{1,200}/(?:json/)?with/key/(?P<bare>[\w-]+)", "IFTTT_KEY"),
    _rule(r"freedns\.afraid\.org/dynamic/update\.php\?(?P<bare>[\w=]+)", "FREEDNS_KEY"),
    # Headers.
    _rule(r"authorization:\s*(?:bearer|basic|token|apikey)\s+(?P<bare>[^\s'\"]+)", "AUTHORIZATION"),
    _rule(
        r"(?P<option>(?<![a-z-])(?:[a-z]{1,30}-){0,6}(?:token|key|secret|auth)):\s*(?P<bare>[^\s'\"]+)(?=['\"])",
        _from_option,
    ),
    _rule(rf"(?<!\w)login[ \t]+\S{{1,200}}[ \t]+password[ \t]+{_VALUE}", "NETRC_PASSWORD"),
    # Values with a look of their own, wherever they stand.
    _rule(r"(?<![\w-])(?P<bare>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{15,})", "GIT_TOKEN"),
    _rule(r"(?<![\w-])(?P<bare>xox[abprs]-[\w-]{10,})", "SLACK_TOKEN"),
    _rule(r"(?<![\w.-])(?P<bare>eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)", "JWT"),
    _rule(r"(?<!\w)(?P<bare>AKIA[0-9A-Z]{16})(?!\w)", "AWS_ACCESS_KEY_ID"),
    # Short options, which mean a password to these programs alone.
    _rule(rf"(?<!\S)-p{_VALUE}", "MYSQL_PASSWORD", _MYSQL),
    _rule(rf"(?<!\S)-p[ \t]*{_VALUE}", "SSHPASS", "sshpass"),
    _rule(rf"(?<!\S)-p[ \t]*{_VALUE}", "MONGO_PASSWORD", _MONGO),
    _rule(rf"(?<!\S)-a[ \t]*{_VALUE}", "REDIS_PASSWORD", "redis-cli"),
    _rule(rf"(?<!\S)-p[ \t]*{_VALUE}", "FTP_PASSWORD", "ncftp(?:put|get|ls|batch)?"),
    _rule(rf"(?<!\S)-w[ \t]*{_VALUE}", "LDAP_PASSWORD", "ldap(?:search|add|modify|delete|passwd|whoami)"),
    _rule(rf"(?<!\S)-P[ \t]*{_VALUE}", "DATABASE_PASSWORD", "sqlcmd|bcp|isql|tsql"),
    _rule(rf"(?<!\S)-P[ \t]+{_VALUE}", "ZIP_PASSWORD", "zip|unzip"),
    _rule(rf"(?<!\S)-P[ \t]*{_VALUE}", "MQTT_PASSWORD", "mosquitto_(?:pub|sub|rr)"),
    _rule(rf"(?<!\S)-P[ \t]*{_VALUE}", "IPMI_PASSWORD", "ipmitool"),
    _rule(rf"(?<!\S)-xp[ \t]+{_VALUE}", "MAIL_PASSWORD", r"send[eE]mail(?:\.pl)?"),
    _rule(rf"(?<!\S)-p[ \t]+{_VALUE}", "DATABASE_PASSWORD", "beeline|cqlsh|cypher-shell"),
    _rule(rf"(?<!\S)-w[ \t]+{_VALUE}", "DATABASE_PASSWORD", "vsql|nzsql"),
    _rule(rf"(?<!\S)using[ \t]+{_VALUE}", "DATABASE_PASSWORD", "db2"),
    _rule(rf"(?<!\S)-[a-zA-Z]*b[a-zA-Z]*[ \t]+\S{{1,400}}[ \t]+\S{{1,400}}[ \t]+{_VALUE}", "HTTP_PASSWORD", "htpasswd"),
    _rule(rf"(?<!\S)(?:'|\")?(?://|\\\\)[^\s'\"]{{1,400}}(?:'|\")?[ \t]+(?!-){_VALUE}", "SMB_PASSWORD", "smbclient"),
    _rule(rf"(?<!\S)-p(?!\s){_VALUE}", "ARCHIVE_PASSWORD", "7z[ar]?|rar|unrar"),
    _rule(rf"(?<!\S)(?:-k[ \t]+|-pass(?:in|out)?[ \t]+pass:){_VALUE}", "OPENSSL_PASSWORD", "openssl"),
    _rule(
        r"(?<!\S)(?:-[a-zA-Z]*[uU][ \t]*|--(?:proxy-)?user[ \t=]+)(?P<q>['\"]?)[^\s:'\"]+:(?P<bare>[^\s'\"]+)",
        "HTTP_PASSWORD",
        "curl|http|https",
    ),
    _rule(r"(?<!\S)(?:-u|--user)[ \t=]*(?P<q>['\"]?)(?P<bare>[\w.-]{16,}):(?=['\"\s])", "HTTP_TOKEN", "curl"),
    _rule(
        r"(?:(?<!\S)(?:-b|--cookie)[ \t=]*|[Cc]ookie:[ \t]*)(?P<q>['\"]?)[^\s=;'\"]{1,100}=(?P<bare>[^\s;'\"]+)",
        "HTTP_COOKIE",
        "curl|wget",
    ),
    _rule(r"(?<!\S)-auth=(?P<q>['\"]?)[^\s:'\"]+:(?P<bare>[^\s'\"]+)", "HTTP_PASSWORD", "lynx"),
    _rule(r"(?<!\S)-u[ \t]*(?P<q>['\"]?)[^\s,'\"]+,(?P<bare>[^\s'\"]+)", "FTP_PASSWORD", "lftp"),
    _rule(r"(?<!\S)-U[ \t]*(?P<q>['\"]?)[^\s%'\"]+%(?P<bare>[^\s'\"]+)", "SMB_PASSWORD", "smbclient|rpcclient|net"),
    _rule(
        r"(?<!\S)(?!-)(?:userid=)?[^\s/@='\"]+/(?P<bare>[^\s/@'\"]+(?=@[\w./:-])|[^\s/@'\".]+(?=\s|\Z))",
        "ORACLE_PASSWORD",
        "sqlplus|sqlldr|exp|imp|expdp|impdp",
    ),
)
_HINT = re.compile(
    r"pass|pwd|secret|token|key|credential|_psw|_pw=|://|auth|[?&]sig|[?&]hash|slack|telegram|discord"
    r"|cookie|gh[pousr]_|github_pat_|glpat-|xox|eyj|akia|--?pw|ifttt|afraid|webhook",
    re.IGNORECASE,
)
"""Without one of these in a text no rule but those of programs applies: most texts are done with at once."""
_CALL = re.compile("|".join(rule.program.pattern for rule in _RULES if rule.program))
_REMARK = re.compile(
    rf"(?<![\w-])(?:[\w-]{{0,40}}?{_HIDDEN}|pw)(?:[ \t]*:[ \t]*\S{{4,}}|[ \t]+is[ \t]+(?=\S*[0-9])\S{{4,}})",
    re.IGNORECASE,
)
"""What people note down in comments: `# password: X`, `# the password is X` where X has a digit."""
_TELLING_LETTERS = 8
_PIPED = re.compile(
    rf"\b(?:echo|printf)[ \t]+(?:-n[ \t]+)?{_VALUE}[ \t]*\|[ \t]*"
    r"(?:sudo[ \t]+(?:-\w+[ \t]+){0,9}-\w*S|kinit\b|cryptsetup\b"
    r"|[^|;&\n]{0,200}(?:--pass(?:wd|word)-(?:on-)?stdin|--passphrase-fd))"
)
"""A password that a program reads from its standard input."""


@lru_cache(maxsize=8192)
def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return the passwords that are written down in a text, in its order, none over another.

    Args:
        text: A command, its standard input, a line of a crontab, or any other text.
    """
    found: list[Secret] = []
    taken = bytearray(len(text))
    for secret in _candidates(text):
        if not any(taken[secret.start : secret.end]):
            found.append(secret)
            taken[secret.start : secret.end] = b"\1" * (secret.end - secret.start)
    return _numbered(sorted(found, key=lambda each: each.start))


def mask(text: str, known: tuple[str, ...] = ()) -> str:
    """Return the text with `***` in place of each password.

    Args:
        text: What is to be shown.
        known: Passwords found elsewhere, hidden wherever they stand, unless they are short or the name of a user.
    """
    if text.lstrip(" \t").startswith("#"):
        text = _REMARK.sub(lambda found: re.sub(r"\S+\Z", MASK, found[0]), text)
    secrets = find_secrets(text)
    for secret in reversed(secrets):
        text = text[: secret.start] + MASK + text[secret.end :]
    for value in sorted({*known, *(each.value for each in secrets)}, key=len, reverse=True):
        if len(value) >= WORTH_HIDING_LETTERS and value not in KNOWN_USERS:
            text = text.replace(value, MASK)
    return text


def telling_passwords(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the passwords in texts that are no words of a language, so that they can be hidden wherever they stand.

    Args:
        texts: Lines of crontabs.
    """
    found = {each.value for text in texts for each in find_secrets(text)}
    return tuple(sorted(each for each in found if len(each) >= _TELLING_LETTERS and re.search(r"[0-9]", each)))


def externalise(text: str) -> tuple[str, Mapping[str, str]]:
    """Take the passwords out of a command: each becomes a variable that the shell expands.

    Args:
        text: What `SHELL -c` gets.

    Returns:
        The command with `"${NAME}"` in their places, with regard to the quotes there, and the values by name.
    """
    values: dict[str, str] = {}
    for secret in reversed(find_secrets(text)):
        values[secret.name] = _unescaped(secret)
        reference = f"${{{secret.name}}}"
        if secret.quote == "'":
            reference = f"'\"{reference}\"'"
        elif not secret.quote:
            reference = f'"{reference}"'
        text = text[: secret.start] + reference + text[secret.end :]
    return text, dict(reversed(values.items()))


def _candidates(text: str) -> Iterator[Secret]:
    quote_at = _quotes(text)
    hinted, called = _HINT.search(text) is not None, _CALL.search(text) is not None
    for rule in _RULES:
        if not (called if rule.program else hinted):
            continue
        for start, end in _places(rule, text):
            for found in rule.pattern.finditer(text, start, end):
                yield from _secret(found, rule.name(found), quote_at)
    for found in _PIPED.finditer(text):
        yield from _secret(found, "SUDO_PASSWORD" if "sudo" in found[0] else "PIPED_PASSWORD", quote_at)


def _places(rule: _Rule, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a rule applies: the whole text, or from its program to the end of that command."""
    if rule.program is None:
        yield 0, len(text)
        return
    for program in rule.program.finditer(text):
        yield program.end(), _command_end(text, program.end())


def _command_end(text: str, start: int) -> int:
    quote = ""
    at = start
    while at < len(text):
        letter = text[at]
        if letter == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in ";|&\n":
            return at
        at += 1
    return len(text)


def _secret(found: re.Match[str], name: str, quote_at: Callable[[int], str]) -> Iterator[Secret]:
    groups = found.groupdict()
    kind = next((each for each in ("single", "double", "bare") if groups.get(each) is not None), "")
    if not kind or _PLACEHOLDER.match(found[kind]):
        return
    start, end = found.span(kind)
    quote = {"single": "'", "double": '"'}.get(kind, groups.get("q") or quote_at(start))
    yield Secret(name if re.match(r"[A-Za-z_]", name) else f"SECRET_{name}", found[kind], start, end, quote)


def _quotes(text: str) -> Callable[[int], str]:
    """Return what tells the quotes that a place stands in; the text is gone through once, when first asked."""
    marks: list[str] = []

    def quote_at(at: int) -> str:
        if not marks:
            marks.extend(_walk_quotes(text))
        return marks[at]

    return quote_at


def _walk_quotes(text: str) -> Iterator[str]:
    quote = ""
    escaped = False
    for letter in text:
        yield quote
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
    yield quote


def _unescaped(secret: Secret) -> str:
    if secret.quote == "'":
        return secret.value
    pattern = r"\\([$`\"\\])" if secret.quote == '"' else r"\\(.)"
    return re.sub(pattern, r"\1", secret.value)


def _numbered(secrets: list[Secret]) -> tuple[Secret, ...]:
    """Give different values of one name names of their own."""
    values: dict[str, str] = {}
    found = []
    for secret in secrets:
        name, number = secret.name, 1
        while values.get(name, secret.value) != secret.value:
            number += 1
            name = f"{secret.name}_{number}"
        values[name] = secret.value
        found.append(Secret(name, secret.value, secret.start, secret.end, secret.quote))
    return tuple(found)
