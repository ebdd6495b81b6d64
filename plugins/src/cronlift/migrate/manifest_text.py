"""Write a Job as YAML whose Jinja reads as it did in the DAG file."""

import re
from typing import Any

import yaml

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# Their values need no quoting in YAML; any other may hold quotes, which only a block leaves alone.
_HARMLESS = re.compile(
    r"\{\{\s*(ds|ds_nodash|ts|ts_nodash|run_id|(logical_date|data_interval_\w+)\s*\|\s*ds\w*)\s*\}\}"
)


class _Dumper(yaml.SafeDumper):
    """Indents lists, and chooses the style of strings."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def manifest_text(job: dict[str, Any]) -> str:
    """Return a Job as YAML.

    Raises:
        ValueError: A string's Jinja cannot be written as it is.
    """
    text = yaml.dump(job, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=10_000, allow_unicode=True)
    for string in _strings(job):
        for expression in _JINJA.findall(string):
            if any(line.strip() not in text for line in expression.splitlines()):
                raise ValueError(f"{expression} cannot be written into YAML. Write the manifest by hand")
    return str(text)


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    jinja = _JINJA.findall(text)
    block = "\n" in text or not all(_HARMLESS.fullmatch(each) for each in jinja)
    style = "|" if block else '"' if jinja else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [string for child in children for string in _strings(child)]
