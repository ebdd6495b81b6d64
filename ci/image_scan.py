"""Give each image to the scanner of your choice before it leaves: SCAN="grype sbom:{sbom} --fail-on high".

Any command that looks at the image and ends with 0 when it may go. No scanner is built in: their databases come from
the network day by day, and which findings stop a release is the company's own rule.
"""

import shlex
import string
from collections.abc import Mapping

from ci.errors import CommandError, UserError
from ci.process import run

PLACES = ("sbom", "archive", "name", "tag")
"""Path of the bill of materials, path of the image's archive, name and tag of the image."""

SECONDS = 900.0


def scan_words(command: str, places: Mapping[str, str]) -> list[str]:
    """Return the words to run for one image; no shell reads them.

    Args:
        command: The user's, with `{sbom}` and so on.
        places: What each of `PLACES` is for this image.

    Raises:
        UserError: The command does not read, names something unknown, or nothing of the image.
    """
    cure = "For example: SCAN='grype sbom:{sbom} --fail-on high'. Known: " + ", ".join(
        f"{{{place}}}" for place in PLACES
    )
    try:
        words = shlex.split(command)
        named = {part for word in words for _, part, _, _ in string.Formatter().parse(word) if part is not None}
    except ValueError as error:
        raise UserError(f"SCAN={command!r} cannot be read: {error}", cure=cure) from error
    if unknown := sorted(named - set(PLACES)):
        raise UserError(f"SCAN={command!r} names what there is not", unknown, cure=cure)
    if not named & {"sbom", "archive"}:
        raise UserError(f"SCAN={command!r} looks at no image", cure=cure)
    return [word.format_map(places) for word in words]


def scan(command: str, places: Mapping[str, str]) -> None:
    """Run the scanner on one image.

    Raises:
        UserError: It found something (exit code 1); or the command is wrong, as in `scan_words`.
        CommandError: It ended otherwise, or could not be started.
    """
    words = scan_words(command, places)
    try:
        run(*words, timeout_seconds=SECONDS)
    except CommandError as error:
        if error.code != 1:
            raise
        raise UserError(
            f"The scan of image {places['name']}:{places['tag']} stops it",
            error.output.strip().splitlines()[-40:],
            cure="Update what it names (a rebuild brings Debian's fixes), or have the scanner ignore it, saying why.",
        ) from error
