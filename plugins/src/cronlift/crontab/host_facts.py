"""What is known of the old host besides its crontabs: zone, users, locale, packages."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HostUser:
    """One account of the host."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class HostFacts:
    """What is known of the old host; each thing is empty or None where it is not.

    Args:
        name: The host's name.
        timezone: IANA name of its zone.
        declared_flavour: What its inventory says: "debian", "cronie" or nothing.
        os_release: The text of /etc/os-release.
        users: Accounts by name.
        locale: The value of LANG.
        packages: Versions by name.
        environment: /etc/environment, by name.
        cron_options: The lines of /etc/default/cron or /etc/sysconfig/crond that set something.
        programs: Where the programs that the tabs name were found; an empty string where they were not.
        history: The lines of the cron log that say what ran.
        paths: Every path that was handed over, as on the host.
    """

    name: str = ""
    timezone: str | None = None
    declared_flavour: str = ""
    os_release: str = ""
    users: Mapping[str, HostUser] = field(default_factory=dict)
    locale: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    cron_options: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    history: str = ""
    paths: frozenset[str] = frozenset()

    @property
    def user_names(self) -> frozenset[str] | None:
        """Return the host's users for `parse_crontab`; None when they are not known."""
        return frozenset(self.users) or None


def read_facts(files: Mapping[str, str], paths: frozenset[str] = frozenset()) -> HostFacts:
    """Put together what files say of a host.

    Args:
        files: Texts by path: as on the host without the slash in front ("etc/passwd"), and those of an inventory below
            "facts/" and as "meta". "etc/localtime" is the target of that link.
        paths: Every path that was handed over.
    """
    meta = _assignments(files.get("meta", ""))
    locale = _assignments("\n".join(files.get(name, "") for name in ("etc/locale.conf", "etc/default/locale")))
    locale |= _assignments(files.get("facts/locale", ""))
    options = files.get("etc/default/cron", "") + "\n" + files.get("etc/sysconfig/crond", "")
    return HostFacts(
        name=meta.get("host", ""),
        timezone=_timezone(files),
        declared_flavour=meta.get("flavour", "").replace("unknown", ""),
        os_release=files.get("etc/os-release") or files.get("usr/lib/os-release", ""),
        users=_users(files.get("etc/passwd", "")) | _users(files.get("facts/passwd", "")),
        locale=locale.get("LANG") or None,
        packages=_table(files.get("facts/packages.tsv", "")),
        environment=_assignments(files.get("etc/environment", "")),
        cron_options=tuple(line.strip() for line in options.splitlines() if "=" in line and line.strip()[0] != "#"),
        programs=_table(files.get("facts/programs.tsv", "")),
        history=files.get("facts/history.log", ""),
        paths=paths,
    )


def _timezone(files: Mapping[str, str]) -> str | None:
    for name in ("facts/timezone", "etc/timezone"):
        if text := files.get(name, "").strip():
            return text.splitlines()[0].strip()
    link = files.get("etc/localtime", "")
    return link.split("zoneinfo/", 1)[1].strip() if "zoneinfo/" in link else None


def _users(text: str) -> dict[str, HostUser]:
    found = {}
    for line in text.splitlines():
        parts = line.split(":")
        if len(parts) == 7 and parts[0] and parts[2].isdigit() and parts[3].isdigit():
            found[parts[0]] = HostUser(parts[0], int(parts[2]), int(parts[3]), parts[5], parts[6])
    return found


def _table(text: str) -> dict[str, str]:
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[0]}


def _assignments(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and name and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) >= 2 and value[0] in "'\"" and value[-1] == value[0]
            found[name.strip()] = value[1:-1] if quoted else value
    return found
