"""`cronlift bump`: an image's new tag comes into values and manifests."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import yaml

from cronlift.authoring.bump import (
    Change,
    Named,
    Version,
    add_job_image,
    bump_text,
    bump_values,
    named_images,
    read_version,
)
from cronlift.cli.new import refusing
from cronlift.cli.repository import load_teams, need_root
from cronlift.errors import AuthoringError

_SUFFIXES = (".yaml", ".yml", ".j2", ".json", ".py")
_ENVIRONMENTS = "charts/environments"


@dataclass
class _Plan:
    """What is to be written: file -> text before and after, and every change."""

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def add(self, file: str, before: str, after: str, changes: list[Change]) -> None:
        if before != after:
            self.texts[file] = (before, after)
        self.changes += changes


@click.command("bump")
@click.argument("image")
@click.argument("tag")
@click.option("--env", "environments", multiple=True, help="Only in these environments; repeatable. [default: all]")
@click.option(
    "--add-as", "name", metavar="NAME", help="Add IMAGE to jobImages under this name where it is not there yet."
)
@click.option("--dry-run", is_flag=True, help="Write nothing; print the diff.")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, written, changes.")
def bump_command(
    image: str,
    tag: str,
    environments: tuple[str, ...],
    name: str | None,
    dry_run: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Bring TAG of IMAGE into the environments' values, and into manifests that name it in full.

    IMAGE is a name, such as legacy or airflow, or a repository, such as registry.example.com/billing/mailer. TAG may be
    a digest, or tag@digest. A second call changes nothing.

    Exit code: 0 well, 1 refused and nothing written, 2 wrong usage.
    """
    with refusing(as_json=as_json):
        folder = need_root(root or Path.cwd())
        plan = _plan(folder, image, read_version(tag), environments, name)
        if not dry_run:
            for file, (_, after) in plan.texts.items():
                (folder / file).write_bytes(after.encode("utf-8", "surrogateescape"))
    if as_json:
        changes = [asdict(each) for each in plan.changes]
        written = [] if dry_run else list(plan.texts)
        click.echo(json.dumps({"ok": True, "written": written, "changes": changes}, indent=2))
    elif dry_run:
        click.echo("".join(_diff(plan)), nl=False)
    else:
        for each in plan.changes:
            click.echo(
                f"{click.style('✓', fg='green')} {each.file}:{each.line}: {each.before or 'nothing'} -> {each.after}"
            )
        click.echo(f"{len(plan.changes)} changed in {len(plan.texts)} files" if plan.changes else "Nothing to change")


def _plan(root: Path, image: str, version: Version, environments: tuple[str, ...], name: str | None) -> _Plan:
    values = _values_files(root, environments)
    named = [each for file, text in values.items() for each in _named(file, text)]
    manifests = dict(_manifests(root))
    plan = _Plan()
    if name is not None:
        repositories = frozenset([image])
        _add_first(plan, values, named, Named(name, image), version)
    else:
        repositories = _repositories(image, named, manifests)
        for file, text in values.items():
            plan.add(file, text, *bump_values(file, text, repositories, version))
    for file, text in manifests.items():
        plan.add(file, text, *bump_text(file, text, repositories, version))
    return plan


def _repositories(image: str, named: list[Named], manifests: dict[str, str]) -> frozenset[str]:
    """Return what IMAGE stands for: the repositories of that name, or itself.

    Raises:
        AuthoringError: Nothing names it.
    """
    repositories = frozenset(each.repository for each in named if image in (each.name, each.repository))
    if not repositories and any(
        bump_text(file, text, frozenset([image]), Version("0"))[1] for file, text in manifests.items()
    ):
        repositories = frozenset([image])
    if not repositories:
        known = sorted({f"{each.name} ({each.repository})" for each in named})
        raise AuthoringError(
            f"nothing names the image {image!r}",
            where=f"{_ENVIRONMENTS}, dags",
            cure=f"Known: {', '.join(known) or 'none'}. A first release: --add-as NAME.",
        )
    return repositories


def _add_first(plan: _Plan, values: dict[str, str], named: list[Named], new: Named, version: Version) -> None:
    """Add an image to the values that have job images; where it is there, bring it to the version.

    Raises:
        AuthoringError: The name or the reference cannot be, or the name is another image's.
    """
    faults = []
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", new.name):
        faults.append(AuthoringError(f"{new.name!r} is no name of a job image", cure="A good one is invoice_mailer."))
    if not re.fullmatch(r"[^\s:@]+(:\d+/[^\s:@]+)?", new.repository) or "/" not in new.repository:
        cure = "Write it in full and without a tag, such as registry.example.com/billing/invoice-mailer."
        faults.append(AuthoringError(f"{new.repository!r} is no repository", cure=cure))
    if taken := [each for each in named if each.name == new.name and each.repository != new.repository]:
        cure = "Choose another name."
        faults.append(AuthoringError(f"the name {new.name!r} is taken by {taken[0].repository}", cure=cure))
    if faults:
        raise AuthoringError.all_of(faults)
    reference = f"{new.repository}{version}"
    for file, text in values.items():
        if new in _named(file, text):
            plan.add(file, text, *bump_values(file, text, frozenset([new.repository]), version))
        elif "jobImages" in (yaml.safe_load(text) or {}):
            after = add_job_image(text, new.name, reference)
            line = next(
                at for at, each in enumerate(after.splitlines(), 1) if each.strip() == f"{new.name}: {reference}"
            )
            plan.add(file, text, after, [Change(file, line, "", reference)])


def _values_files(root: Path, environments: tuple[str, ...]) -> dict[str, str]:
    """Return the environments' files and their texts.

    Raises:
        AuthoringError: An environment is not there.
    """
    files = {file.stem: file for file in sorted((root / _ENVIRONMENTS).glob("*.yaml"))}
    if unknown := [each for each in environments if each not in files]:
        raise AuthoringError(
            f"there is no environment {', '.join(map(repr, unknown))}",
            where=_ENVIRONMENTS,
            cure=f"Known: {', '.join(files) or 'none'}.",
        )
    chosen = environments or tuple(files)
    return {files[each].relative_to(root).as_posix(): _text(files[each]) for each in chosen}


def _named(file: str, text: str) -> list[Named]:
    try:
        return named_images(text)
    except yaml.YAMLError as error:
        raise AuthoringError(
            f"is no YAML: {error}", where=file, cure="Correct it first; nothing was written."
        ) from error


def _manifests(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of the teams' folders that may name an image, with their texts."""
    folders = {root / team.path for team in load_teams(root).values() if team.repo is None and team.path != "."}
    for folder in sorted({root / "dags", *folders}):
        for file in sorted(each for each in folder.rglob("*") if each.suffix in _SUFFIXES and each.is_file()):
            if "__pycache__" not in file.parts:
                yield file.relative_to(root).as_posix(), _text(file)


def _text(file: Path) -> str:
    """Read a file so that writing it back gives every byte again, its line ends and what is no UTF-8 too."""
    return file.read_bytes().decode("utf-8", "surrogateescape")


def _diff(plan: _Plan) -> Iterator[str]:
    for file, (before, after) in plan.texts.items():
        lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
        yield from difflib.unified_diff(*lines, file, file)
