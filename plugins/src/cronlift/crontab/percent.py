"""The rule of `%`: what of a line is the command, and what it reads from its standard input."""

from cronlift.crontab.model import Flavour


def split_percent(text: str, flavour: Flavour) -> tuple[str, str | None]:
    r"""Split a line's command at its first `%` without a backslash, as the daemon does before it starts the shell.

    Args:
        text: All that follows the time fields, and the user where there is one.
        flavour: The daemon; Debian also turns `\\` into `\` in the command.

    Returns:
        What `SHELL -c` gets, and the standard input; None when it is empty.

    Source: `child_process` in do_command.c of cron 3.0pl1-162 (Debian) and of cronie 1.7.2.
    """
    command: list[str] = []
    escaped = False
    for at, letter in enumerate(text):
        if escaped:
            if letter == "%" or (letter == "\\" and flavour is Flavour.DEBIAN):
                command[-1] = letter
            else:
                command.append(letter)
            escaped = False
        elif letter == "%":
            return "".join(command), _stdin(text[at + 1 :])
        else:
            command.append(letter)
            escaped = letter == "\\"
    return "".join(command), None


def _stdin(text: str) -> str | None:
    r"""Turn each `%` into a line feed and `\%` into `%`; a last line without a line feed gets one."""
    if not text:
        return None
    out: list[str] = []
    escaped = needs_newline = False
    for letter in text:
        written = letter
        if escaped:
            if letter != "%":
                out.append("\\")
        elif letter == "%":
            written = "\n"
        escaped = written == "\\"
        if not escaped:
            out.append(written)
            needs_newline = written != "\n"
    if escaped:
        out.append("\\")
    if needs_newline:
        out.append("\n")
    return "".join(out)
