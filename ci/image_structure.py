"""Run a built image and compare it with what it is meant to be: images/<name>/structure.yaml.

```yaml
user: "10001:10001"              # required; numeric and not root, or no restricted pod could run it
entrypoint: [/usr/bin/tini, --]  # required; [] for none
absent: [/usr/bin/gcc]           # further paths that must not be there
commands:                        # required; each runs with a read-only root, no capability and no network
  - run: ruby --version          # words for a shell, or a list of words for none
    prints: ruby 3               # must occur in what it prints; {PIN} is a pin of versions.env
    code: 0                      # exit code
    writable: [/tmp]             # folders that are writable, as an emptyDir is
```
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from ci import image_recipes
from ci.errors import UserError
from ci.image_files import paths_in
from ci.image_runner import Finished
from ci.images import Image
from ci.pins import pins

NAME = "structure.yaml"
NEVER = ("/usr/bin/gcc", "/usr/bin/make", "/usr/bin/pip", "/usr/bin/pip3")
"""What is in no image: build tools would serve an intruder."""

EMPTY = ("/run/secrets/", "/root/.ssh/")
"""Folders that builders may leave behind, but nothing in them: secrets of a build must not stay."""

KEYS = {"user", "entrypoint", "absent", "commands"}
COMMAND_KEYS = {"run", "prints", "code", "writable"}


@dataclass(frozen=True)
class Command:
    """One command and what it must do.

    Attributes:
        words: As they run.
        prints: Must occur in stdout or stderr.
        code: Exit code.
        writable: Folders that are writable.
    """

    words: tuple[str, ...]
    prints: str
    code: int = 0
    writable: tuple[str, ...] = ("/tmp",)  # noqa: S108 - a path in the container


@dataclass(frozen=True)
class Structure:
    """What an image is meant to be."""

    user: str
    entrypoint: tuple[str, ...]
    absent: tuple[str, ...]
    commands: tuple[Command, ...]


class Runner(Protocol):
    """An image that can be run."""

    config: dict[str, Any]
    """Its OCI configuration: User, Entrypoint, Env."""

    def run(self, *command: str, writable: Sequence[str]) -> Finished:
        """Run a command to its end, without the entrypoint."""


def read_structure(name: str) -> Structure:
    """Return the structure of an image of this repo.

    Raises:
        UserError: It has none, or its file has faults; all of them at once.
    """
    path = image_recipes.ROOT / "images" / name / NAME
    where = path.relative_to(image_recipes.ROOT)
    if not path.is_file():
        raise UserError(
            f"Image {name} has no {where}, so nothing would test it",
            cure="Write one; ci/image_structure.py shows its keys, images/invoices has a short one.",
        )
    given = yaml.safe_load(path.read_text())
    if wrong := list(_faults(given)):
        raise UserError(f"{where} cannot be used", wrong, cure="ci/image_structure.py shows its keys.")
    return Structure(
        user=given["user"],
        entrypoint=tuple(given["entrypoint"]),
        absent=tuple(given.get("absent", ())),
        commands=tuple(_command(each) for each in given["commands"]),
    )


def faults(image: Image, structure: Structure, runner: Runner) -> list[str]:
    """Return in what an image is not what it is meant to be; empty when it is."""
    found = []
    user, entrypoint = str(runner.config.get("User") or ""), tuple(runner.config.get("Entrypoint") or ())
    if user != structure.user:
        found.append(f"it runs as user {user!r}, not {structure.user!r}")
    if entrypoint != structure.entrypoint:
        found.append(f"its entrypoint is {list(entrypoint)}, not {list(structure.entrypoint)}")
    paths = paths_in(image.archive)
    left = {path for path in paths if path.startswith(EMPTY)}
    found += [f"it holds {path}" for path in sorted(paths & {*NEVER, *structure.absent} | left)]
    for command in structure.commands:
        done = runner.run(*command.words, writable=command.writable)
        shown = command.words[2] if command.words[:2] == ("/bin/sh", "-c") else " ".join(command.words)
        if done.code != command.code:
            found.append(f"`{shown}` ended with {done.code}, not {command.code}: {done.out.strip()[-400:]}")
        elif command.prints not in done.out:
            found.append(f"`{shown}` does not print {command.prints!r} but: {done.out.strip()[-400:]}")
    return found


def _faults(given: Any) -> list[str]:
    if not isinstance(given, dict):
        return ["it is no mapping"]
    found = [f"unknown key {key!r}" for key in sorted(set(given) - KEYS)]
    found += [f"{key} is missing" for key in sorted(KEYS - {"absent"} - set(given))]
    user = str(given.get("user", "1"))
    if not user.split(":")[0].isdigit() or user.split(":")[0].strip("0") == "":
        found.append(f'user is {user!r}: give numbers, and not root\'s, as in "10001:10001"')
    commands = given.get("commands") or []
    if "commands" in given and not commands:
        found.append("commands is empty: run the image's program at least once")
    for number, each in enumerate(commands, start=1):
        if not isinstance(each, dict) or not {"run", "prints"} <= set(each) <= COMMAND_KEYS:
            found.append(f"commands: number {number} needs run and prints, and may have code and writable")
    return found


def _command(given: dict[str, Any]) -> Command:
    words = given["run"]
    return Command(
        words=("/bin/sh", "-c", words) if isinstance(words, str) else tuple(map(str, words)),
        prints=str(given["prints"]).format_map(pins()),
        code=int(given.get("code", 0)),
        writable=tuple(given.get("writable", ("/tmp",))),  # noqa: S108 - a path in the container
    )
