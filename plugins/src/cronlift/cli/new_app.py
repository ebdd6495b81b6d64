"""`cronlift new app`: a repository for new code, with its image and its CI."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from cronlift.authoring.names import app_name_faults
from cronlift.authoring.new_app import PROGRAMS, NewApp
from cronlift.cli.new import existing_faults, refuse, refusing, report, write_files
from cronlift.cli.repository import need_root
from cronlift.errors import AuthoringError

_BASE = "docker.io/library/debian:trixie-slim"
_REGISTRY = "registry.example.com"
_PLATFORM = "https://git.example.com/platform/cronlift.git"


@click.command("app")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--repository", help="Where its image is pushed. [default: beside the platform's first job image]")
@click.option("--platform", help="URL of the platform's repository. [default: git.url of its production]")
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The platform's repository."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, written, changed, next.")
def new_app_command(
    name: str, folder: Path | None, repository: str | None, platform: str | None, root: Path | None, as_json: bool
) -> None:
    """Write the repository of the app NAME into FOLDER, beside the platform's by default.

    Exit code: 0 well, 1 refused with every fault and nothing written, 2 wrong usage.
    """
    with refusing(as_json=as_json):
        home = need_root(root or Path.cwd())
        target = (folder or home.parent / name).resolve()
        values = _production(home)
        app = NewApp(
            name,
            repository or f"{_prefix(values)}/{name}",
            platform or _url(values),
            _base(home),
        )
        refuse(app_name_faults(name) + _place_faults(target, home) + existing_faults(target, app.files()))
        write_files(target, app.files(), PROGRAMS)
    shown = os.path.relpath(target)
    step = f"cd {shown} && git init --initial-branch=main && make test"
    report([os.path.join(shown, each) for each in app.files()], [], step, as_json=as_json)


def _place_faults(target: Path, home: Path) -> list[AuthoringError]:
    if not target.is_relative_to(home):
        return []
    what = "is inside the platform's repository, and an app has a repository of its own"
    return [AuthoringError(what, where=str(target), cure=f"Choose a folder beside it, such as {home.parent / 'app'}.")]


def _production(root: Path) -> Mapping[str, Any]:
    """Return the values of production, or of the last environment that there is."""
    folder = root / "charts/environments"
    files = [folder / "production.yaml", *sorted(folder.glob("*.yaml"), reverse=True)]
    for file in files:
        if file.is_file() and isinstance(values := yaml.safe_load(file.read_text(encoding="utf-8")), dict):
            return values
    return {}


def _prefix(values: Mapping[str, Any]) -> str:
    """Return where the platform's own job images are: registry and path of the first one."""
    references = [str(each) for each in (values.get("jobImages") or {}).values()]
    return references[0].rpartition("/")[0] or _REGISTRY if references else _REGISTRY


def _url(values: Mapping[str, Any]) -> str:
    return str((values.get("git") or {}).get("url") or _PLATFORM)


def _base(root: Path) -> str:
    """Return the base of the platform's own images, by digest where it has one."""
    file = root / "versions.env"
    if not file.is_file():
        return _BASE
    lines = [line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pins = {name: value.strip() for name, _, value in lines}
    image, digest = pins.get("DEBIAN_IMAGE") or _BASE, pins.get("DEBIAN_DIGEST", "")
    return f"{image}@{digest}" if digest else image
