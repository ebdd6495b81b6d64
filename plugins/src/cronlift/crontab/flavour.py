"""Which daemon read the crontabs, found out from what was handed over."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cronlift.crontab.host_facts import HostFacts
from cronlift.crontab.model import Flavour, Source
from cronlift.errors import FlavourError

_RELEASES = {
    Flavour.DEBIAN: frozenset({"debian", "ubuntu", "raspbian", "linuxmint", "devuan", "kali"}),
    Flavour.CRONIE: frozenset(
        {"rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn", "suse", "opensuse", "arch"}
    ),
}
_RELEASE_FILES = {
    "etc/debian_version": Flavour.DEBIAN,
    "etc/redhat-release": Flavour.CRONIE,
    "etc/fedora-release": Flavour.CRONIE,
    "etc/SuSE-release": Flavour.CRONIE,
    "etc/arch-release": Flavour.CRONIE,
}
_SPOOLS = (
    (re.compile(r"(?:^|/)var/spool/cron/crontabs/[^/]+\Z"), Flavour.DEBIAN),
    (re.compile(r"(?:^|/)var/spool/cron/tabs/[^/]+\Z"), Flavour.CRONIE),
    (re.compile(r"(?:^|/)var/spool/cron/(?!crontabs\b|tabs\b|lastrun\b|atjobs\b|atspool\b)[^/]+\Z"), Flavour.CRONIE),
)
_RED_HAT_PATH = r"PATH=/sbin:/bin:/usr/sbin:/usr/bin\s*$"
_TEXTS = (
    (
        rb"Edit this file to introduce tasks to be run by cron",
        Flavour.DEBIAN,
        "the text that Debian puts into new tabs",
    ),
    (rb"edit the master and reinstall", Flavour.DEBIAN, "the header that Debian's crontab writes"),
    (rb"Unlike any other crontab you don't have to run", Flavour.DEBIAN, "the header of Debian's /etc/crontab"),
    (rb"run-parts --report", Flavour.DEBIAN, "`run-parts --report`, an option of Debian's"),
    (rb"For details see man 4 crontabs", Flavour.CRONIE, "the header of Red Hat's /etc/crontab"),
    (rb"(?m)^SHELL=/bin/bash\s*\n" + _RED_HAT_PATH.encode(), Flavour.CRONIE, "the settings on top of Red Hat's tabs"),
    (rb"(?m)^\s*CRON_TZ\s*=", Flavour.CRONIE, "CRON_TZ, which Debian does not know"),
    (rb"(?m)^\s*RANDOM_DELAY\s*=", Flavour.CRONIE, "RANDOM_DELAY, which Debian does not know"),
    (rb"(?m)^\s*[A-Za-z_]\w*\s*=\s*$", Flavour.CRONIE, "a setting without a value, which Debian rejects"),
    (rb"(?m)^[ \t]*(?:[\d*,/-]+[ \t]+){0,4}\d*~\d*[ \t]", Flavour.CRONIE, "a random `~` field, which Debian rejects"),
    (rb"(?m)^[ \t]*(?:[\d*,/-]+[ \t]+){5}www-data[ \t]", Flavour.DEBIAN, "the user www-data"),
    (rb"(?m)^[ \t]*(?:[\d*,/-]+[ \t]+){5}apache[ \t]", Flavour.CRONIE, "the user apache"),
    (rb"\b(?:apt-get|aptitude|dpkg)\b", Flavour.DEBIAN, "Debian's package tools"),
    (rb"\b(?:yum|dnf|zypper)\b", Flavour.CRONIE, "Red Hat's or SUSE's package tools"),
)
_COMPILED = tuple((re.compile(pattern), flavour, what) for pattern, flavour, what in _TEXTS)


@dataclass(frozen=True)
class Clue:
    """One thing that speaks for a daemon: `strong` ones are facts of a host, the others habits."""

    flavour: Flavour
    where: str
    what: str
    strong: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class FlavourGuess:
    """Which daemon it was.

    Args:
        flavour: The daemon; Debian when nothing speaks for either.
        clues: What speaks for it, the strong first.
        sure: Whether a fact of the host says so.
    """

    flavour: Flavour
    clues: tuple[Clue, ...]
    sure: bool

    def explain(self) -> str:
        """Return the guess with its reason, for people."""
        if not self.clues:
            return f"{self.flavour}, since nothing says which daemon read these crontabs; --flavour says it"
        return f"{self.flavour}, by {self.clues[0]}"


def sniff_flavour(sources: Sequence[Source], facts: HostFacts | None = None) -> FlavourGuess:
    """Find out which daemon read the crontabs.

    What the inventory found running decides; then facts of the host: its release, the place of its spool. Where there
    are none, habits do, by their number.

    Args:
        sources: The crontabs.
        facts: What else was handed over.

    Raises:
        FlavourError: Facts speak for both: two hosts were handed over as one.
    """
    if facts is not None and facts.declared_flavour in tuple(Flavour):
        declared = Flavour(facts.declared_flavour)
        return FlavourGuess(
            declared, (Clue(declared, "the inventory", f"the host's daemon is {declared}", True),), True
        )
    clues = sorted({*_facts_clues(facts or HostFacts()), *_path_clues(sources), *_text_clues(sources)}, key=_order)
    strong = [clue for clue in clues if clue.strong]
    if len({clue.flavour for clue in strong}) > 1:
        raise _conflict(strong)
    if strong:
        return FlavourGuess(strong[0].flavour, tuple(clue for clue in clues if clue.flavour is strong[0].flavour), True)
    counts = {flavour: sum(clue.flavour is flavour for clue in clues) for flavour in Flavour}
    chosen = Flavour.CRONIE if counts[Flavour.CRONIE] > counts[Flavour.DEBIAN] else Flavour.DEBIAN
    return FlavourGuess(chosen, tuple(clue for clue in clues if clue.flavour is chosen), False)


def _order(clue: Clue) -> tuple[bool, str, str]:
    return not clue.strong, clue.where, clue.what


def _conflict(strong: Iterable[Clue]) -> FlavourError:
    first = {flavour: next(clue for clue in strong if clue.flavour is flavour) for flavour in Flavour}
    return FlavourError(
        f"The files come from two hosts: {first[Flavour.DEBIAN]} (Debian's cron), {first[Flavour.CRONIE]} (cronie)",
        cure="Import each host's files by themselves, or say --flavour debian or --flavour cronie for all.",
    )


def _facts_clues(facts: HostFacts) -> Iterator[Clue]:
    ids = re.findall(r"(?m)^ID(?:_LIKE)?=[\"']?([^\"'\n]*)", facts.os_release)
    words = {word.split("-")[0] for each in ids for word in each.lower().split()}
    for flavour, names in _RELEASES.items():
        if found := sorted(words & names):
            yield Clue(flavour, "etc/os-release", f"the host is {found[0]}", True)
    for path, flavour in _RELEASE_FILES.items():
        if path in facts.paths:
            yield Clue(flavour, path, "only such hosts have it", True)


def _path_clues(sources: Iterable[Source]) -> Iterator[Clue]:
    for source in sources:
        for pattern, flavour in _SPOOLS:
            if source.kind == "user" and pattern.search(source.path):
                yield Clue(flavour, source.path, "its spool is there", True)


def _text_clues(sources: Iterable[Source]) -> Iterator[Clue]:
    for source in sources:
        if source.kind in ("run-parts", "anacrontab"):
            continue
        for pattern, flavour, what in _COMPILED:
            if pattern.search(source.content):
                yield Clue(flavour, source.path, what, False)
