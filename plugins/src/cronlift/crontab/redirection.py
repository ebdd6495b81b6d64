"""The redirection at the end of a command: where the output went, and how to cut it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from cronlift.crontab.shell_tree import Group, Redirection, Script, Simple

OUTPUT = frozenset({">", ">>", ">|", ">&", "&>", "&>>"})


@dataclass(frozen=True)
class FinalRedirection:
    """Where a command's output goes, said at its very end in a way that can be cut out.

    Args:
        start: Where it begins in the command.
        end: Where it ends.
        streams: What went to the file: "both", "stdout" or "stderr".
        path: The file, without expansions; relative to the folder in which the command then is.
        append: Whether the file grows (`>>`) or is written anew.
        whole: Whether it is the output of the whole command; False when others run before it in the same line, whose
            output went to cron's mail.
    """

    start: int
    end: int
    streams: str
    path: str
    append: bool
    whole: bool

    def cut_from(self, command: str) -> str:
        """Return the command without it."""
        return command[: self.start].rstrip(" \t") + command[self.end :]


def final_redirection(command: str, script: Script) -> FinalRedirection | None:
    """Return the redirection at the end of a command.

    Only a final, simple one is told: one file with a name that is known without running anything, nothing but
    descriptors 1 and 2, and no `&` after it. `2>&1 >f` sends only stdout to the file, as the shell does.

    Args:
        command: The text.
        script: The same, parsed.
    """
    if script.fault or not script.items or script.items[-1].background:
        return None
    item = script.items[-1]
    last = item.pipelines[-1].commands[-1]
    final = _trailing(last)
    if not final or not _ends_at(command, final[-1].end):
        return None
    opened = _opened(last.redirections)
    if opened is None:
        return None
    streams, path, append = opened
    whole = len(script.items) == 1 and len(item.pipelines) == 1 and len(item.pipelines[0].commands) == 1
    return FinalRedirection(final[0].start, final[-1].end, streams, path, append, whole)


def _ends_at(command: str, end: int) -> bool:
    """Tell whether nothing but `;` or a comment follows."""
    rest = command[end:].strip(" \t;")
    return not rest or rest.startswith("#")


def _trailing(last: Simple | Group) -> list[Redirection]:
    """Return the redirections of output that stand together at the end; none when others stand before."""
    words = (*last.assignments, *last.words) if isinstance(last, Simple) else ()
    end_of_words = max((word.end for word in words), default=last.start)
    if isinstance(last, Simple) and not last.words:
        return []
    outputs = [each for each in last.redirections if each.operator in OUTPUT]
    final: list[Redirection] = []
    for each in reversed(last.redirections):
        if each.operator not in OUTPUT or each.start < end_of_words:
            break
        final.insert(0, each)
    return final if len(final) == len(outputs) else []


def _opened(redirections: Sequence[Redirection]) -> tuple[str, str, bool] | None:
    """Follow descriptors 1 and 2 from left to right; return streams, file and whether it grows."""
    targets: dict[int, tuple[str, bool] | None] = {1: None, 2: None}
    for each in redirections:
        if each.operator not in OUTPUT:
            continue
        if each.target.value is None:
            return None
        name, descriptor = each.target.value, 1 if each.descriptor is None else each.descriptor
        if descriptor not in targets:
            return None
        if each.operator == ">&" and name in ("1", "2"):
            targets[descriptor] = targets[int(name)]
        elif each.operator == ">&" and (name.isdigit() or name == "-" or each.descriptor is not None):
            return None
        elif each.operator in (">&", "&>", "&>>"):
            targets = dict.fromkeys(targets, (name, each.operator == "&>>"))
        else:
            targets[descriptor] = (name, each.operator == ">>")
    files = {target for target in targets.values() if target is not None}
    if len(files) != 1:
        return None
    path, append = files.pop()
    both = targets[1] is not None and targets[2] is not None
    return "both" if both else "stdout" if targets[1] is not None else "stderr", path, append
