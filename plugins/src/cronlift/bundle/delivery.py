"""From the tree that git-sync publishes to the copy that Airflow parses: take it over, or keep the last good one."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cronlift.bundle.freshen import files_to_freshen
from cronlift.bundle.judgement import judge
from cronlift.bundle.manifest import Manifest, compare, dag_files
from cronlift.bundle.objects import ObjectStore
from cronlift.bundle.source import Source, find_source, kept_sources
from cronlift.bundle.store import Store
from cronlift.bundle.tree import Entry, scan, tree_hash
from cronlift.errors import BundleError, ContentRefusedError, SourceMissingError

PARSE_SECONDS = 120.0
"""Airflow kills a parse after 50 s (dag_file_processor_timeout); after this, nothing waits for one any more."""


@dataclass(frozen=True)
class Outcome:
    """What a refresh came to.

    Args:
        version: What `latest` shows; None when there is no good copy at all.
        commit: The newest commit that this version was seen in.
        flipped: Whether it is another one than before.
        refusal: Why the newest tree was not taken over; empty when it was.
    """

    version: str | None
    commit: str
    flipped: bool
    refusal: str


@dataclass
class _Unsettled:
    """Files that were changed while parses ran: what these read may be old, and they end after the change."""

    paths: frozenset[str]
    parses: frozenset[int]
    deadline: float
    ended: bool = False


@dataclass
class Delivery:
    """One bundle. Not safe for two threads or processes at once: hold a lock.

    Args:
        store: Its copies.
        link: git-sync's link.
        path: The bundle's folder in the repository; "." for all of it.
        known_files: Returns how many files with DAGs Airflow knows of, for a pod without any copy.
        examine: Looks at a new copy before it is shown; raises `ContentRefusedError` when Airflow would fail over it.
        parses: Returns the ids of processes that parse files now.
        clock: Wall clock, seconds.
    """

    store: Store
    link: Path
    path: str
    known_files: Callable[[], int] = lambda: 0
    examine: Callable[[Path], object] = lambda _folder: None
    parses: Callable[[], Iterable[int]] = tuple
    clock: Callable[[], float] = time.time
    _seen: Source | None = None
    _refused: tuple[Path, ContentRefusedError] | None = None
    _unconfirmed: str = ""
    _latest_seconds: float = 0.0
    _unsettled: list[_Unsettled] = field(default_factory=list)

    @property
    def wants_another_look(self) -> bool:
        """Whether the last refresh saw a tree that only a second look can confirm."""
        return bool(self._unconfirmed)

    def refresh(self) -> Outcome:
        """Take over what git-sync publishes, if it is whole and acceptable. Never raises for the source's sake."""
        before, refusal = self.store.current(), ""
        self._latest_seconds = max(self._latest_seconds, self.clock())
        self._settle()
        try:
            self._take()
        except BundleError as error:
            refusal = str(error)
        except OSError as error:
            refusal = f"the storage {self.store.base} cannot be used: {error}"
        version = self.store.current()
        manifest = self.store.manifest(version) if version else None
        if manifest is None or not self.store.folder(manifest.version).is_dir():
            return Outcome(None, "", False, refusal)
        commit = self._seen.commit if self._seen and not refusal else manifest.commit
        return Outcome(version, commit, version != before, refusal)

    def provide(self, version: str) -> bool:
        """Have a copy of a version, for a run that is pinned to it; `latest` stays.

        Returns:
            False when neither git-sync's trees nor its object store have it, yet or any more.
        """
        if self.store.whole(version):
            return True
        like = self.store.whole(self.store.current())
        for attempt in (self._provide_from_objects, self._provide_from_trees):
            try:
                if attempt(version, like):
                    return True
            except BundleError:
                continue
        return False

    def _take(self) -> None:
        source = find_source(self.link, self.path)
        current = self.store.whole(self.store.current())
        if current and self._seen == source:
            return
        if self._refused and self._refused[0] == source.worktree:
            raise self._refused[1]
        try:
            self._take_from(source, current)
        except ContentRefusedError as error:
            at = f"commit {source.commit or source.worktree.name}"
            refusal = ContentRefusedError(f"{at} is not taken over: {error}")
            self._refused = (source.worktree, refusal)
            raise refusal from error
        self._seen, self._refused, self._unconfirmed = source, None, ""

    def _take_from(self, source: Source, current: Manifest | None) -> None:
        entries = scan(source.folder, source.algorithm)
        new = Manifest(tree_hash(entries, source.algorithm), source.commit, entries)
        if current and new.version == current.version:
            return
        is_gits = self._confirm(source, new)
        shown = self.store.current()
        old = current or (self.store.manifest(shown) if shown else None)
        judge(new, old, self.known_files() if old is None else 0, self.path, is_gits=is_gits)
        if self.store.whole(new.version) is None:
            self.store.build(new, _worktree_reader(source), current, source.algorithm)
        self.examine(self.store.folder(new.version))
        if find_source(self.link, self.path) != source:
            raise SourceMissingError(f"git-sync moved on from commit {source.commit} meanwhile")
        self._show(new, old)

    def _confirm(self, source: Source, new: Manifest) -> bool:
        """Be sure that the tree was read whole, for git-sync may be just deleting it; tell whether git says the same.

        git's own object says what it should be: a file that is missing is never right. Where git's object cannot be
        read, or filters (LFS, line ends) make files differ from it, a tree counts that reads the same at two refreshes.
        """
        commit = f"commit {source.commit or source.worktree.name}"
        wanted, missing = "", set[str]()
        with suppress(SourceMissingError):
            objects = self._objects(source.algorithm)
            wanted = objects.folder_hash(source.commit, self.path)
            if wanted != new.version:
                missing = objects.paths(wanted) - set(new.entries)
        if missing:
            raise SourceMissingError(
                f"git-sync has not checked {commit} out whole: {len(missing)} files are missing, such as "
                f"{min(missing)}. The next commit is checked out anew; or start this pod anew"
            )
        if new.version not in (wanted, self._unconfirmed):
            self._unconfirmed = new.version
            raise SourceMissingError(f"{commit} is looked at once more")
        return new.version == wanted

    def _show(self, new: Manifest, old: Manifest | None) -> None:
        """Flip `latest`; changed files get a time after every parse that has ended."""
        changed = set(dag_files(new.entries))
        if old:
            reader = self.store.reader(new.version)
            changed = files_to_freshen(compare(old.entries, new.entries), new.entries, reader)
        parses = frozenset(self.parses())
        self.store.touch(new.version, changed, self._touch_seconds())
        self.store.flip(new.version)
        if parses and changed:
            self._unsettled.append(_Unsettled(frozenset(changed), parses, time.monotonic() + PARSE_SECONDS))

    def _settle(self) -> None:
        """Touch changed files once more when the parses that ran at the change have ended and been recorded."""
        if not self._unsettled:
            return
        running, version, left = set(self.parses()), self.store.current(), []
        for each in self._unsettled:
            if each.ended and version:
                self.store.touch(version, each.paths, self._touch_seconds())
                continue
            # Airflow records a parse within the loop in which it finds it ended: wait for one more refresh.
            each.ended = not (each.parses & running) or time.monotonic() > each.deadline
            left.append(each)
        self._unsettled = left

    def _touch_seconds(self) -> float:
        """Return now, or when the clock was set back, a time after all that it has shown."""
        now = self.clock()
        return now if now >= self._latest_seconds - 1 else self._latest_seconds + 1

    def _provide_from_objects(self, version: str, like: Manifest | None) -> bool:
        algorithm = "sha256" if len(version) == 64 else "sha1"
        objects = self._objects(algorithm)
        manifest = Manifest(version, "", objects.entries(version))
        self.store.build(manifest, lambda _, entry: objects.blob(entry), like, algorithm)
        return True

    def _provide_from_trees(self, version: str, like: Manifest | None) -> bool:
        for source in kept_sources(self.link, self.path):
            try:
                entries = scan(source.folder, source.algorithm)
            except BundleError:
                continue
            if tree_hash(entries, source.algorithm) == version:
                manifest = Manifest(version, source.commit, entries)
                self.store.build(manifest, _worktree_reader(source), like, source.algorithm)
                return True
        return False

    def _objects(self, algorithm: str) -> ObjectStore:
        return ObjectStore(self.link.parent / ".git" / "objects", algorithm)


def _worktree_reader(source: Source) -> Callable[[str, Entry], bytes]:
    def read(path: str, entry: Entry) -> bytes:
        file = source.folder / path
        try:
            return bytes(file.readlink()) if entry.mode == "120000" else file.read_bytes()
        except OSError as error:
            raise SourceMissingError(f"{file} is gone: {error.strerror}") from error

    return read
