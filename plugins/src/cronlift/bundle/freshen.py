"""Which files Airflow must parse again after a change. It goes by modification times alone.

A changed file needs a new time of its own, also when the change took it back to what it was; and so does every file
that may use a changed helper module, manifest or text. Which those are cannot be known without running them, so: all
of the folder, unless the change is sure to concern nobody else.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from cronlift.bundle.judgement import MARKER
from cronlift.bundle.manifest import Changes, dag_files

_TEXT_SUFFIXES = (".md", ".rst", ".txt", ".svg", ".png")
_TEXT_NAMES = {"LICENSE", "CODEOWNERS", ".gitignore", ".gitattributes", ".editorconfig", MARKER}
_IMPORT = re.compile(rb"^[^\S\n]*(?:from\s+[\w.]+\s+import\s*\([^)]*\)|(?:from|import)\s[^\n]*)", re.MULTILINE)
_COMPUTED_IMPORT = re.compile(rb"import_module|__import__|spec_from_file_location|\brunpy\b")


def files_to_freshen(changes: Changes, paths: Iterable[str], read: Callable[[str], bytes]) -> set[str]:
    """Return the files that must be parsed again.

    Args:
        changes: What differs from the version that was parsed before.
        paths: Every file of the new version.
        read: Returns the content of one of them.

    Returns:
        Changed files with DAGs; those that name a changed text; and every one, if a manifest or anything else that
        is no text changed, or a module that another file imports.
    """
    everything = set(dag_files(paths))
    modules = set(dag_files(changes.all))
    texts = {path for path in changes.all if _is_text(path)}
    if changes.all - modules - texts or _is_imported(modules, everything, read):
        return everything
    names = [PurePosixPath(path).name.encode(errors="surrogateescape") for path in texts]
    naming = {file for file in everything if names and _mentions(read(file), names)}
    return (modules - changes.deleted) | naming


def _is_text(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix.lower() in _TEXT_SUFFIXES or pure.name in _TEXT_NAMES


def _mentions(content: bytes, names: Iterable[bytes]) -> bool:
    return any(name in content for name in names)


def _is_imported(modules: Iterable[str], files: Iterable[str], read: Callable[[str], bytes]) -> bool:
    """Tell whether a file imports one of the modules, or imports what cannot be told."""
    names = {path: _module_name(path).encode(errors="surrogateescape") for path in modules}
    if not names:
        return False
    for file in files:
        content = read(file)
        imported = set(re.findall(rb"\w+", b" ".join(_IMPORT.findall(content))))
        if any(name in imported for path, name in names.items() if path != file):
            return True
        if _COMPUTED_IMPORT.search(content) and names.keys() - {file}:
            return True
    return False


def _module_name(path: str) -> str:
    """Return the name under which a file is imported; a package's is that of its folder."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.name == "__init__.py" else pure.stem
