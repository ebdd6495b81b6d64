"""The copies of one bundle: `versions/<hash>`, `manifest-<hash>.json`, and `latest`, the link to the newest.

A copy is built beside the others and renamed when it is whole. Files that are as they were are hard links to the copy
before, with their modification times, so that Airflow parses only what changed.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from cronlift.bundle.manifest import Manifest
from cronlift.bundle.tree import EXECUTABLE, LINK, Entry, scan, tree_hash
from cronlift.errors import ContentRefusedError, SourceMissingError

LATEST = "latest"
_TEMPORARY = ".building-"
TEMPORARY_MAX_AGE_SECONDS = 600
"""Older folders of a copy in the making belong to a process that was killed."""

MANIFESTS_KEPT = 16
"""In memory; a manifest never changes, because a version is its content."""

Read = Callable[[str, Entry], bytes]
"""Returns the content of a file, or the target of a link."""


class Store:
    """The folder of one bundle.

    Args:
        base: The bundle's own folder in Airflow's bundle storage.
    """

    def __init__(self, base: Path) -> None:
        self.base, self.versions, self.latest = base, base / "versions", base / LATEST
        self._manifests: dict[str, Manifest] = {}

    def current(self) -> str | None:
        """Return the version that `latest` shows; None when there is none."""
        try:
            return os.path.basename(os.readlink(self.latest))
        except OSError:
            return None

    def folder(self, version: str) -> Path:
        """Return where a version's copy is, or would be."""
        return self.versions / version

    def manifest(self, version: str) -> Manifest | None:
        """Return what a version holds; None when that is not known here.

        It is read once: asked every two seconds for each bundle, the reading alone would show in the idle CPU.
        """
        if version not in self._manifests and (found := Manifest.read(self._manifest_path(version))):
            if len(self._manifests) >= MANIFESTS_KEPT:
                self._manifests.clear()
            self._manifests[version] = found
        return self._manifests.get(version)

    def whole(self, version: str | None) -> Manifest | None:
        """Return a version's manifest if its copy is here with every file; None otherwise."""
        manifest = self.manifest(version) if version else None
        if manifest is None or version is None:
            return None
        folder = self.folder(version)
        try:
            for path, entry in manifest.entries.items():
                if os.lstat(folder / path).st_size != entry.size:
                    return None
        except OSError:
            return None
        return manifest if folder.is_dir() else None

    def build(self, manifest: Manifest, read: Read, like: Manifest | None, algorithm: str = "sha1") -> None:
        """Make a version's copy.

        Args:
            manifest: The version.
            read: Where its files come from.
            like: A version with a whole copy, to link unchanged files from; None to read all.
            algorithm: The repository's.

        Raises:
            SourceMissingError: What was read is not what the manifest says; nothing of it remains.
            OSError: The storage cannot be written.
        """
        temporary = self.base / f"{_TEMPORARY}{manifest.version}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        self.versions.mkdir(parents=True, exist_ok=True)
        try:
            for linked in (like, None) if like else (None,):
                self._fill(temporary, manifest, read, linked)
                if self._holds(temporary, manifest.version, algorithm):
                    break
                # A file of the copy before was written to; read all anew.
                shutil.rmtree(temporary)
            else:
                raise SourceMissingError(f"what was read is not tree {manifest.version}: it changed meanwhile")
            shutil.rmtree(self.folder(manifest.version), ignore_errors=True)
            manifest.write(self._manifest_path(manifest.version))
            temporary.rename(self.folder(manifest.version))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def flip(self, version: str) -> None:
        """Let `latest` show a version: nobody sees a moment without one."""
        temporary = self.base / f".{LATEST}-{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path("versions") / version)
        temporary.replace(self.latest)

    def touch(self, version: str, paths: Iterable[str], at_seconds: float) -> None:
        """Give files a new modification time; those that are gone are left out."""
        for path in paths:
            try:
                os.utime(self.folder(version) / path, (at_seconds, at_seconds), follow_symlinks=False)
            except FileNotFoundError:
                continue

    def reader(self, version: str) -> Callable[[str], bytes]:
        """Return what reads the files of a copy; nothing of one that is not there."""
        folder = self.folder(version)

        def read(path: str) -> bytes:
            file = folder / path
            return file.read_bytes() if file.is_file() else b""

        return read

    def prune(self) -> None:
        """Remove manifests without a copy, and what killed processes left. Copies are removed by Airflow alone."""
        for path in self.base.glob("manifest-*.json"):
            if not self.folder(path.stem.removeprefix("manifest-")).exists():
                path.unlink(missing_ok=True)
        for path in self.base.glob(f"{_TEMPORARY}*"):
            if time.time() - path.stat().st_mtime > TEMPORARY_MAX_AGE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)

    def known_versions(self) -> list[str]:
        """Return every version with a copy."""
        try:
            return sorted(path.name for path in self.versions.iterdir() if path.is_dir())
        except FileNotFoundError:
            return []

    def _fill(self, folder: Path, manifest: Manifest, read: Read, like: Manifest | None) -> None:
        folder.mkdir(parents=True)
        made = {""}
        for path, entry in sorted(manifest.entries.items()):
            parent = os.path.dirname(path)
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            if like is not None and entry.mode != LINK and like.entries.get(path) == entry:
                os.link(self.folder(like.version) / path, folder / path)
            elif entry.mode == LINK:
                os.symlink(os.fsdecode(read(path, entry)), folder / path)
            else:
                (folder / path).write_bytes(read(path, entry))
                # Read-only: a copy shares its files with others.
                (folder / path).chmod(0o555 if entry.mode == EXECUTABLE else 0o444)

    def _holds(self, folder: Path, version: str, algorithm: str) -> bool:
        try:
            return tree_hash(scan(folder, algorithm), algorithm) == version
        except ContentRefusedError:
            return False

    def _manifest_path(self, version: str) -> Path:
        return self.base / f"manifest-{version}.json"
