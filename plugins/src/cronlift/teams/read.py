"""Read teams.yaml strictly, by the chart's own schema: every fault at once, with its line, key and cure."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cronlift import uri_grammar
from cronlift.errors import ManifestError, TeamsFileError
from cronlift.job.documents import Document, Places
from cronlift.job.parse import parse
from cronlift.teams.model import FILE_NAME, TeamEntry

SCHEMA_FILE = "charts/cronlift/values.schema.json"


def read_teams(text: str, schema: Mapping[str, Any], file: str = FILE_NAME) -> dict[str, TeamEntry]:
    """Return the teams of a file.

    Args:
        text: Of the file.
        schema: The chart's values.schema.json, the one description of what a team may say.
        file: Its name, for messages.

    Returns:
        Name -> team, in the order of the file.

    Raises:
        TeamsFileError: With every fault that was found.
    """
    places = Places(file, has_lines=True)
    try:
        documents = parse(text, places)
    except ManifestError as error:
        raise TeamsFileError.all_of([TeamsFileError(error.what, where=error.where, cure=error.cure)]) from error
    if len(documents) != 1:
        what = "the file is empty" if not documents else f"the file holds {len(documents)} documents"
        raise TeamsFileError(what, where=file, cure="Write one, with the one key `teams:`.")
    faults = _schema_faults(documents[0], places, schema) or [*_shared(documents[0], places)]
    if faults:
        raise TeamsFileError.all_of(faults)
    return {name: _entry(name, said, documents[0], places) for name, said in documents[0].content["teams"].items()}


def teams_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the chart's schema that teams.yaml must fit: the one key `teams:`."""
    teams = schema["properties"]["teams"]
    return {
        "$schema": schema.get("$schema", "https://json-schema.org/draft/2020-12/schema"),
        "$defs": schema.get("$defs", {}),
        "type": "object",
        "additionalProperties": False,
        "required": ["teams"],
        "properties": {"teams": teams},
    }


def _schema_faults(document: Document, places: Places, schema: Mapping[str, Any]) -> list[TeamsFileError]:
    with uri_grammar.put_off():
        # A quarter of a second, which other commands do not wait for.
        import jsonschema  # type: ignore[import-untyped]

    errors = jsonschema.Draft202012Validator(teams_schema(schema)).iter_errors(document.content)
    faults = [fault for error in errors for fault in _in_words(error, document, places)]
    return sorted(faults, key=lambda fault: (_line_of(fault.where), fault.where))


def _in_words(error: Any, document: Document, places: Places) -> Iterator[TeamsFileError]:
    """Say what a JSON schema's error means to somebody who writes the file."""
    path = list(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:  # the key itself is at fault, which its path does not name
        cure = "Begin with a letter; then lower-case letters, digits and hyphens, 40 at most, such as `billing`."
        what = f"{error.instance!r} is no name of a team"
        yield TeamsFileError(what, where=places.of(document, *path, error.instance), cure=cure)
    elif error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        for key in (each for each in error.instance if each not in known):
            where = places.of(document, *path, key)
            yield TeamsFileError(f"there is no key {key!r}", where=where, cure=_nearest(key, known))
    elif error.validator == "required":
        for key in (each for each in error.validator_value if repr(each) == error.message.split(" is a ")[0]):
            said = error.schema["properties"][key].get("description", "")
            cure = f"Add `{key}:`. {said}"
            yield TeamsFileError(f"the key {key!r} is missing", where=places.of(document, *path), cure=cure)
    else:
        cure = str(error.schema.get("description", "")) or "See charts/cronlift/README.md."
        yield TeamsFileError(error.message, where=places.of(document, *path), cure=cure)


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."


def _shared(document: Document, places: Places) -> Iterator[TeamsFileError]:
    """Find what two teams claim: the chart refuses it too, but only when it is rendered."""
    namespaces: dict[str, str] = {}
    folders: dict[tuple[str, str], str] = {}
    for name, said in document.content["teams"].items():
        other = namespaces.setdefault(said["namespace"], name)
        if other != name:
            yield TeamsFileError(
                f"namespace {said['namespace']!r} is also that of team {other!r}",
                where=places.of(document, "teams", name, "namespace"),
                cure="Give each team its own.",
            )
        folder = (said.get("repo", ""), said["path"])
        other = folders.setdefault(folder, name)
        if other != name:
            yield TeamsFileError(
                f"path {said['path']!r} is also that of team {other!r}",
                where=places.of(document, "teams", name, "path"),
                cure="Give each team its own folder.",
            )


def _entry(name: str, said: Mapping[str, Any], document: Document, places: Places) -> TeamEntry:
    line = _line_of(places.of(document, "teams", name))
    return TeamEntry(name, said["namespace"], said["path"], tuple(said["owners"]), said.get("repo"), line, said)


def _line_of(where: str) -> int:
    """Return the line that a place names; 0 when it names none."""
    found = re.search(r":(\d+)", where)
    return int(found[1]) if found else 0
