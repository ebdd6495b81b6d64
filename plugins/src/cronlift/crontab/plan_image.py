"""What a line names, looked up in the legacy image and in the volumes of its Job."""

import re
from collections.abc import Collection, Mapping

from cronlift.crontab.command import CommandFacts
from cronlift.crontab.image import DEFAULT_PATH, Image, Presence
from cronlift.crontab.model import Flavour


def expand(path: str, variables: Mapping[str, str]) -> str | None:
    """Return a path with the variables whose values are known; None when others are left.

    Args:
        path: As the line names it.
        variables: Those of the tab, and HOME where it is known.
    """
    text = re.sub(r"^~(?=/|\Z)", variables.get("HOME", "~"), path)
    text = re.sub(r"\$\{?(\w+)\}?", lambda found: variables.get(found[1], found[0]), text.strip("\"'"))
    return None if re.search(r"[$`*?~\s]", text) else text


def is_mounted(path: str, volumes: Collection[str]) -> bool:
    """Tell whether a path is a volume's, or lies in one."""
    return any(f"{path.rstrip('/')}/".startswith(f"{each.rstrip('/')}/") for each in volumes)


def presences_of(
    facts: CommandFacts,
    image: Image | None,
    flavour: Flavour,
    variables: Mapping[str, str],
    volumes: Collection[str] = (),
    unused: str = "",
) -> dict[str, Presence]:
    """Look up each program and path that a line names: name -> whether it is there.

    Args:
        facts: What the line's command needs.
        image: What the image has; None when nothing is known of it.
        flavour: The daemon, which says where programs are looked for.
        variables: Those of the tab, and HOME where it is known.
        volumes: Paths at which the Job has volumes.
        unused: The file that the line's output no longer goes to.
    """
    found: dict[str, Presence] = {}
    shell = variables.get("SHELL", "")
    programs = dict.fromkeys((shell, *facts.programs) if shell.startswith("/") else facts.programs)
    if image is None:
        return dict.fromkeys((*programs, *facts.paths), Presence.UNKNOWN)
    search = variables.get("PATH") or DEFAULT_PATH[flavour]
    folder = expand(facts.folder or variables.get("HOME", ""), variables) if facts.folder is not None else None
    for name in programs:
        path = expand(name, variables)
        if path is None:
            found[name] = Presence.UNKNOWN
        elif path.startswith("/") and is_mounted(path, volumes):
            found[name] = Presence.VOLUME
        else:
            found[name] = image.has_program(path, search, folder or None)
    for name in facts.paths:
        path = expand(name, variables)
        if name in found:
            continue
        if name == unused:
            found[name] = Presence.UNUSED
        elif path is None:
            found[name] = Presence.UNKNOWN
        else:
            found[name] = Presence.VOLUME if is_mounted(path, volumes) else image.has(path)
    return found
