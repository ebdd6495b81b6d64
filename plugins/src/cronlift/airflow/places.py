"""Findings with their places, told from the repository's root."""

import re
from pathlib import Path
from typing import Any

from cronlift.airflow.import_errors import Source, explain, explain_schedule
from cronlift.airflow.task_facts import folders_of, from_root
from cronlift.errors import ManifestError
from cronlift.facts.model import Finding

_FRAME = re.compile(r'^\s*File "(?P<file>.+?)", line (?P<line>\d+)', re.MULTILINE)
_PLACE = re.compile(r"^(?P<file>[^:\s]+)(?::(?P<line>\d+))?(?:: .*)?$")


class Place:
    """Where things are, told from the root."""

    def __init__(self, file: Path, root: Path, folder: Path) -> None:
        self._file, self._root, self._folder = file, root, folder

    def here(self, message: str, *, line: int | None, **more: Any) -> Finding:
        """Return a finding of the DAG file."""
        return Finding(from_root(self._file, self._root), line, message, **more)

    def of_request(self, request: Any) -> Finding:
        """Return the finding of something that was asked for."""
        file = request.file or self._file
        return Finding(from_root(file, self._root), request.line, request.what, request.cure, request.kind)

    def of_address(self, dag_id: str, line: int | None, address: str) -> Finding:
        """Return the finding of an object's address in a DAG."""
        what = f"DAG {dag_id} holds the address of an object ({address.strip()}), which is another at each parse"
        return self.here(what, line=line, cure="Write what you mean, such as the function's __name__.", kind="varying")

    def of_traceback(self, text: str) -> Finding:
        """Return the finding of a traceback: the innermost line of the bundle, and the error's last words."""
        frames = [(Path(each["file"]), int(each["line"])) for each in _FRAME.finditer(text)]
        ours = [each for each in frames if each[0].is_relative_to(self._folder)]
        file, line = ours[-1] if ours else (self._file, None)
        lines = text.rstrip().splitlines()
        last = max((index for index, each in enumerate(lines) if _FRAME.match(each)), default=-1)
        rest = lines[last + 1 :]
        while len(rest) > 1 and rest[0].startswith("    "):
            del rest[0]
        message = _short_type("\n".join(rest))
        if "AirflowTaskTimeout" in message:
            return Finding(from_root(file, self._root), line, message, kind="timeout")
        said = explain(message, _source(file, line))
        return Finding(from_root(file, self._root), said.line or line, said.what, said.cure, said.kind)

    def of_error(self, error: Exception, dag: Any, line: int | None, what: str, kind: str = "import") -> Finding:
        """Return the finding of an error about a DAG as a whole; `what` says what failed, its schedule why."""
        source = _source(self._file, line)
        said = explain_schedule(dag.timetable, source) or explain(words_of(error), source)
        return self.here(f"{what}: {said.what}", line=said.line or line, cure=said.cure, kind=kind)

    def of_task(self, error: Exception, text: str, dag: Any, line: int | None) -> Finding:
        """Return the finding of an error about a DAG's tasks."""
        kind = f"{type(error).__name__}: "
        said = explain(f"{kind}{text}", _source(self._file, line))
        what = said.what.removeprefix(kind)
        return self.here(what if dag.dag_id in what else f"DAG {dag.dag_id}: {what}", line=line, cure=said.cure)

    def of_fault(self, fault: ManifestError, dag: Any, line: int | None) -> Finding:
        """Return the finding of a fault of a manifest, in the manifest where it is told."""
        kind, rule = ("policy", str(fault.rule)) if hasattr(fault, "rule") else ("manifest", "")
        found = _PLACE.match(fault.where)
        if found is not None:
            file = next((each / found["file"] for each in folders_of(dag) if (each / found["file"]).is_file()), None)
            if file is not None:
                place = from_root(file, self._root), int(found["line"]) if found["line"] else None
                return Finding(*place, _with_field(fault), fault.cure, kind, rule)
        return self.here(fault.what, line=line, cure=fault.cure, kind=kind, rule=rule)


def _source(file: Path, line: int | None) -> Source:
    try:
        return Source(file.read_text(encoding="utf-8", errors="replace"), line)
    except OSError:  # a zip file's
        return Source("", line)


def _with_field(fault: ManifestError) -> str:
    """Return what is wrong, with the field in front where the place has one."""
    _, _, path = fault.where.partition(": ")
    return f"{path}: {fault.what}" if path else fault.what


def words_of(error: BaseException) -> str:
    """Return an error's class and text."""
    return f"{type(error).__name__}: {error}"


def _short_type(message: str) -> str:
    """Cut the module in front of an error's class."""
    kind, separator, rest = message.partition(":")
    return f"{kind.rpartition('.')[2]}{separator}{rest}" if re.fullmatch(r"[\w.]+", kind) else message
