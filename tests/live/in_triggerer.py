"""Run the `cronlift` command where the chart's rights are: in the triggerer's Pod."""

import json
from typing import Any

from ci.kubectl import kubectl
from ci.release import NAMESPACE

TRIGGERER = "deployment/cronlift-triggerer"


def cronlift(*words: str, **variables: str) -> tuple[int, str]:
    """Run `cronlift WORDS` there and return its exit code and what it wrote to stdout.

    Args:
        words: Subcommand and options.
        variables: Environment variables to set for it.
    """
    settings = [f"{name}={value}" for name, value in variables.items()]
    script = 'out=$("$@"); code=$?; printf "%s\\n%s" "$code" "$out"'
    options = (f"--namespace={NAMESPACE}", "--container=triggerer")
    answer = kubectl("exec", TRIGGERER, *options, "--", "sh", "-c", script, "sh", "env", *settings, "cronlift", *words)
    code, _, output = answer.partition("\n")
    return int(code), output


def cronlift_json(*words: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """Run `cronlift WORDS --json` there and return its exit code and its report."""
    code, output = cronlift(*words, "--json", **variables)
    return code, json.loads(output)
