"""The files that a command writes to on its way: by redirections that are not its last, and by `tee`."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cronlift.crontab.redirection import OUTPUT, FinalRedirection
from cronlift.crontab.shell_tree import Redirection, Script, Simple
from cronlift.crontab.wrappers import Invocation

_PASSING = ("/dev/", "/tmp/", "/proc/", "/sys/")  # noqa: S108 - the Pod's own
"""Where nobody expects a file to last."""
_KERNEL = ("/proc/sys", "/sys/")


@dataclass(frozen=True)
class Output:
    """A file that a command writes to.

    Args:
        path: As written, without expansions; relative to the folder in which the command then is.
        is_log: Whether it is a log and no data: errors go there too, or it is called one.
    """

    path: str
    is_log: bool


@dataclass(frozen=True)
class Written:
    """A file with a known name that output goes to: by a redirection, or by `tee` (None)."""

    path: str
    how: Redirection | None


def written_files(script: Script, simples: Sequence[Simple], invocations: Iterable[Invocation]) -> list[Written]:
    """Return every file with a known name that output goes to.

    Args:
        script: The command.
        simples: Its simple commands, those in `bash -c "…"` too.
        invocations: What they start.
    """
    commands = dict.fromkeys([*script.everything(), *simples])
    redirections = dict.fromkeys(each for command in commands for each in command.redirections)
    found = [Written(path, each) for each in redirections if (path := _target(each))]
    for invocation in invocations:
        if invocation.name == "tee":
            found += [Written(path, None) for path in invocation.operands(frozenset()) if "$" not in path]
    return found


def kernel_files(written: Iterable[Written]) -> Iterator[str]:
    """Tell of what is written to the kernel's files, a sentence each: `echo 3 > /proc/sys/vm/drop_caches`."""
    for each in written:
        if each.path.startswith(_KERNEL):
            yield f"`{each.path}` is a switch of the old host's kernel."


def outputs_of(
    written: Iterable[Written], script: Script, final: FinalRedirection | None, locks: Collection[str]
) -> tuple[Output, ...]:
    """Return the files that a command writes to before its last redirection, each once.

    Args:
        written: See `written_files`.
        script: The command.
        final: Its redirection at the end, which is dealt with by itself.
        locks: Files of locks, which hold nothing.
    """
    last = script.items[-1].pipelines[-1].commands[-1].redirections if final is not None else ()
    found: dict[str, Output] = {}
    for each in written:
        if each.how in last or each.path in locks or each.path.startswith(_PASSING):
            continue
        before = found.get(each.path)
        found[each.path] = Output(each.path, _is_log(each) or (before is not None and before.is_log))
    return tuple(found.values())


def _target(redirection: Redirection) -> str:
    """Return the file that a redirection of output opens; empty for others, and for `2>&1`."""
    name = redirection.target.value or ""
    if redirection.operator not in OUTPUT or (redirection.operator == ">&" and (name.isdigit() or name == "-")):
        return ""
    return name


def _is_log(written: Written) -> bool:
    errors = written.how is not None and (written.how.descriptor == 2 or written.how.operator in (">&", "&>", "&>>"))
    return errors or "log" in written.path.lower()
