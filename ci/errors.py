"""Errors that end a step with words for its user.

CiError
├── UserError      something the user can put right
└── CommandError   a program that we called failed
"""

import shlex
from collections.abc import Sequence
from pathlib import Path


class CiError(Exception):
    """Base of every error that a step raises on purpose."""


class UserError(CiError):
    """Say what failed, every fault found, and what to do.

    Args:
        what: What failed, one sentence without a full stop.
        faults: Each fault with its file:line or object; may be empty.
        cure: What the user does next.
    """

    def __init__(self, what: str, faults: Sequence[str] = (), *, cure: str) -> None:
        self.what, self.faults, self.cure = what, tuple(faults), cure
        super().__init__("\n".join([what + (":" if faults else ""), *(f"  {fault}" for fault in faults), cure]))


class CommandError(CiError):
    """Show a failed command, pasteable, with the end of what it printed.

    Args:
        command: Its words.
        code: Its exit code; negative for a signal.
        output: What it printed, stdout and stderr.
        log: The file that holds all of it, if there is one.
    """

    def __init__(self, command: Sequence[str], code: int, output: str, log: Path | None = None) -> None:
        self.command, self.code, self.output, self.log = tuple(command), code, output, log
        tail = "\n".join("  " + line for line in output.strip().splitlines()[-25:])
        lines = [f"Command failed with exit code {code}:", f"  {shlex.join(command)}"]
        if tail:
            lines += ["It printed:", tail]
        if log:
            lines.append(f"Whole log: {log}")
        super().__init__("\n".join(lines))
