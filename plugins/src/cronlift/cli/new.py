"""`cronlift new`: the first files of a team, of a DAG, and of a repository for an app."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click

from cronlift.errors import AuthoringError, FaultError

_KINDS = ("team", "dag", "app")


class _Kinds(click.Group):
    """Finds `cronlift new x` as `cronlift.cli.new_x.new_x_command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the kinds in the order in which an author needs them."""
        return list(_KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a kind; None when there is none of that name."""
        if cmd_name not in _KINDS:
            return None
        command: click.Command = getattr(import_module(f"cronlift.cli.new_{cmd_name}"), f"new_{cmd_name}_command")
        return command


@click.group("new", cls=_Kinds)
def new_command() -> None:
    """Write the first files of a team, a DAG or an app, which pass every check as they are."""


@contextmanager
def refusing(*, as_json: bool) -> Iterator[None]:
    """Turn faults into words, or into JSON, and exit code 1."""
    try:
        yield
    except FaultError as error:
        if as_json:
            faults = [{"where": each.where, "what": each.what, "cure": each.cure} for each in error.faults]
            click.echo(json.dumps({"ok": False, "written": [], "faults": faults}, indent=2, ensure_ascii=False))
        else:
            click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)


def existing_faults(root: Path, files: Mapping[str, str]) -> list[AuthoringError]:
    """Return a fault for each file that is there already: nothing is ever overwritten."""
    return [
        AuthoringError("is there already", where=name, cure="Choose another name, or remove it first.")
        for name in files
        if (root / name).exists()
    ]


def refuse(faults: list[AuthoringError]) -> None:
    """Raise all faults at once, if there are any.

    Raises:
        AuthoringError: With each of them.
    """
    if faults:
        raise AuthoringError.all_of(faults)


def write_files(root: Path, files: Mapping[str, str], programs: tuple[str, ...] = ()) -> None:
    """Write files that are not there yet, and the folders that they need.

    Args:
        root: What their names are relative to.
        files: Name -> text.
        programs: Names of those that are executable.

    Raises:
        AuthoringError: One cannot be written.
    """
    for name, text in files.items():
        file = root / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as target:
                target.write(text)
            if name in programs:
                file.chmod(0o755)
        except OSError as error:
            cure = "Make room or give the right to write there; what was written before it is complete."
            raise AuthoringError(f"cannot be written: {error.strerror}", where=str(file), cure=cure) from error


def report(written: list[str], changed: list[str], next_step: str, *, as_json: bool) -> None:
    """Tell what was written and what comes next."""
    if as_json:
        click.echo(json.dumps({"ok": True, "written": written, "changed": changed, "next": next_step}, indent=2))
        return
    mark = click.style("✓", fg="green")
    for name in written:
        click.echo(f"{mark} Wrote {name}")
    for name in changed:
        click.echo(f"{mark} Changed {name}")
    click.echo(f"Next: {next_step}")
