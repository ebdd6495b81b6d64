"""Faults as people, GitHub's annotations and SARIF readers want them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cronlift.checks.model import Fault

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(faults: Sequence[Fault]) -> str:
    """Return a line for each fault: `file:line: what. Cure. [check]`."""
    return "".join(f"{fault}\n" for fault in faults)


def as_github(faults: Sequence[Fault]) -> str:
    """Return GitHub's workflow commands, which it shows beside the lines of the pull request.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for each in faults:
        place = f"file={_property(each.file)}" + (f",line={each.line}" if each.line else "")
        text = f"{each.what.rstrip('.')}. {each.cure}".rstrip()
        lines.append(f"::error {place},title={_property(each.check)}::{_data(text)}\n")
    return "".join(lines)


def as_sarif(faults: Sequence[Fault], rules: Mapping[str, str], version: str) -> str:
    """Return SARIF 2.1.0, for code scanning.

    Args:
        faults: The faults.
        rules: Id of every check -> what it says.
        version: Of this package.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    driver = {
        "name": "cronlift check",
        "version": version,
        "rules": [{"id": name, "shortDescription": {"text": text}} for name, text in rules.items()],
    }
    run = {"tool": {"driver": driver}, "results": [_result(each) for each in faults]}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(fault: Fault) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": fault.file, "uriBaseId": "%SRCROOT%"}}
    physical["region"] = {"startLine": max(1, fault.line)}
    return {
        "ruleId": fault.check,
        "level": "error",
        "message": {"text": f"{fault.what.rstrip('.')}. {fault.cure}".rstrip()},
        "locations": [{"physicalLocation": physical}],
    }


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
