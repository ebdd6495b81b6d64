"""Collect a manifest's template and every template that it extends, includes or imports.

This happens while the DAG file is parsed, where the files are. The triggerer, which renders the manifest, never sees
the DAG folder: it gets the sources with the DAG, so a run keeps the YAML that its DAG version had.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_referenced_templates

from cronlift.errors import ManifestError
from cronlift.job.environment import bare_environment
from cronlift.job.naming import ANNOTATION_TEMPLATED
from cronlift.job.plain import says_plain

FILE_SUFFIXES = (".yaml", ".yml", ".json", ".j2")
# The sources lie in the serialized DAG, which every scheduler loop and every trigger start reads.
TOTAL_LIMIT_BYTES = 256 * 1024
INLINE_NAME = "manifest"
# Examined templates that are remembered within a process; some KiB each.
CACHED_TEMPLATES = 256


@dataclass(frozen=True)
class Sources:
    """A manifest's templates, complete.

    Args:
        entry: Name of the template to render; a path as the DAG wrote it, or "manifest" for inline text.
        files: Name -> source of every template.
        document: The manifest itself when the DAG gave a dict; each string in it is a template, and `files` are those
            that they refer to.
        templated: Whether they are Jinja; see `cronlift.job.plain` for those that are not.
    """

    entry: str
    files: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] | None = None
    templated: bool = True


def is_path(manifest: str) -> bool:
    """Tell a path from YAML text: a path is one line and ends like a manifest file."""
    return "\n" not in manifest.strip() and manifest.strip().endswith(FILE_SUFFIXES)


def collect(manifest: str | dict[str, Any], folders: Sequence[Path], *, templated: bool = True) -> Sources:
    """Read a manifest and all that it refers to.

    Args:
        manifest: A path, YAML text, or a dict.
        folders: Where paths and template names are looked up, first match wins; the DAG file's folder comes first.
        templated: False for plain YAML, which refers to nothing.

    Returns:
        The sources, syntax-checked.

    Raises:
        ManifestError: A file is missing, has a Jinja syntax error, refers to a template by a name that is computed,
            or all of them together are too large.
    """
    if not templated:
        return _collect_plain(manifest, folders)
    files: dict[str, str] = {}
    document = None
    if isinstance(manifest, dict):
        entry, document = INLINE_NAME, manifest
        pending = [name for text in texts_in(manifest) for name in _references(INLINE_NAME, text, folders)]
    elif is_path(manifest):
        entry, pending = manifest.strip(), [manifest.strip()]
    else:
        entry, files = INLINE_NAME, {INLINE_NAME: manifest}
        pending = _references(INLINE_NAME, manifest, folders)
    while pending:
        name = pending.pop()
        if name not in files:
            files[name] = _read(name, folders, asked_by=None if name == entry else entry)
            _refuse_plain(name, files[name])
            pending.extend(_references(name, files[name], folders))
    _refuse_too_large(entry, files, document)
    return Sources(entry, files, document)


def _refuse_plain(name: str, text: str) -> None:
    """Refuse to render what says that it is no template: its braces are the shell's, and would come out as others."""
    if says_plain(text):
        raise ManifestError(
            f'the manifest says {ANNOTATION_TEMPLATED}: "false", and the task renders it',
            where=name,
            cure="Give the operator templated=False, or remove the annotation.",
        )


def _collect_plain(manifest: str | dict[str, Any], folders: Sequence[Path]) -> Sources:
    if isinstance(manifest, dict):
        found = Sources(INLINE_NAME, document=manifest, templated=False)
    elif is_path(manifest):
        entry = manifest.strip()
        found = Sources(entry, {entry: _read(entry, folders, asked_by=None)}, templated=False)
    else:
        found = Sources(INLINE_NAME, {INLINE_NAME: manifest}, templated=False)
    _refuse_too_large(found.entry, found.files, found.document)
    return found


def texts_in(value: Any) -> Iterator[str]:
    """Yield each string of a dict or list, at any depth; the keys of a dict are no templates."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_in(each)


def _read(name: str, folders: Sequence[Path], asked_by: str | None) -> str:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ManifestError(
            f"manifest path {name!r} leaves the DAG's folder",
            cure="Write it relative to the DAG file, such as jobs/export.yaml, or add its folder to the DAG's "
            "template_searchpath.",
        )
    found = _find(name, folders)
    if found is None:
        searched = ", ".join(str(folder) for folder in folders) or "no folder"
        raise ManifestError(
            f"no such manifest file {name!r}" + (f", which {asked_by} refers to" if asked_by else ""),
            cure=f"Looked in {searched}. Create the file there or correct the path, which is relative to the DAG file.",
        )
    try:
        return found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"cannot read the file: {error}", where=name, cure="Make it readable UTF-8.") from error


def _find(name: str, folders: Sequence[Path]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _references(name: str, source: str, folders: Sequence[Path]) -> list[str]:
    """Return the names that a template refers to, less those that it may do without and that are not there."""
    needed, dispensable = _references_in(name, source)
    return [*needed, *(each for each in dispensable if _find(each, folders))]


# A DAG file may have hundreds of tasks with one manifest: 2 ms each without this.
@lru_cache(maxsize=CACHED_TEMPLATES)
def _references_in(name: str, source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that a template refers to, and those of them that it may do without."""
    try:
        environment = bare_environment()
        tree = environment.parse(source, name=name)
        environment.compile(source, name=name)  # finds filters and tests that do not exist
        references = list(find_referenced_templates(tree))
    except TemplateSyntaxError as error:
        raise ManifestError(
            f"Jinja syntax error: {error.message}",
            where=f"{name}:{error.lineno}",
            cure="Correct the template; text that only looks like Jinja goes between {% raw %} and {% endraw %}.",
        ) from error
    except (RecursionError, SyntaxError, MemoryError) as error:
        # Jinja makes Python of a template, whose own limits are 20 loops and 100 blocks in each other.
        raise ManifestError(
            "loops, blocks or an expression are nested too deep", where=name, cure="Take it apart."
        ) from error
    except TemplateError as error:
        # Jinja works out what is constant while it compiles; it does not tell the line.
        raise ManifestError(f"an expression fails: {error}", where=name, cure="Correct the expression.") from error
    if None in references:
        raise ManifestError(
            "a template is included by a computed name, which cannot be found before the run",
            where=name,
            cure="Write the name as a literal; choose between literal includes with {% if %}.",
        )
    dispensable = _dispensable(tree)
    needed = tuple(each for each in references if each is not None and each not in dispensable)
    return needed, tuple(each for each in references if each in dispensable)


def _dispensable(tree: nodes.Template) -> set[str]:
    """Return names in `include ... ignore missing` and in lists of alternatives."""
    found: set[str] = set()
    for include in tree.find_all(nodes.Include):
        listed = isinstance(include.template, (nodes.List, nodes.Tuple))
        if include.ignore_missing or listed:
            found |= {
                str(each.value)
                for each in [include.template, *include.template.find_all(nodes.Const)]
                if isinstance(each, nodes.Const)
            }
    return found


def _refuse_too_large(entry: str, files: dict[str, str], document: dict[str, Any] | None) -> None:
    total = sum(len(text.encode()) for text in (*files.values(), *texts_in(document)))
    if total > TOTAL_LIMIT_BYTES:
        more = len(files) - (document is None)
        raise ManifestError(
            f"the manifest and its {more} included files hold {total} bytes, "
            f"more than the {TOTAL_LIMIT_BYTES} that may travel with a DAG",
            where=entry,
            cure="Put large data into the image, a ConfigMap of its own, or a volume.",
        )
