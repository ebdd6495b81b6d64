"""Write which settings Airflow has, for the chart to refuse a misspelt one: `python -m ci.chart_settings`.

Airflow passes over a setting that it does not know, so a typo in `config:` would change nothing and say nothing. Only
Airflow's own sections are written: those of providers depend on what the image holds.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from ci.paths import ROOT
from ci.pins import pins

FILE = ROOT / "charts/cronlift/files/airflow-settings.json"
UNDESCRIBED = {"api": {"jwt_audience"}, "scheduler": {"num_stuck_in_queued_retries"}}
"""Settings that Airflow 3.3.2 reads and its own reference does not describe."""

FREE = {"sentry"}
"""Sections whose options go on to a library."""


def content() -> str:
    """Return the file: section -> options, and old name -> new name, of the installed Airflow."""
    import airflow
    from airflow.configuration import conf

    described = yaml.safe_load(Path(airflow.__file__).with_name("config_templates").joinpath("config.yml").read_text())
    options = {
        section: sorted({*part["options"], *UNDESCRIBED.get(section, ())})
        for section, part in described.items()
        if section not in FREE
    }
    renamed = {
        f"{old}.{old_option}": f"{section}.{option}"
        for (section, option), (old, old_option, _) in conf.deprecated_options.items()
        if section in described and old_option not in options.get(old, ())
    }
    parts = {"options": options, "renamed": renamed}
    lines = [
        f'"airflow": {json.dumps(pins()["AIRFLOW_VERSION"])}',
        *(f'"{name}": {{\n    ' + ",\n    ".join(_lines(part)) + "\n  }" for name, part in parts.items()),
    ]
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


def _lines(part: Mapping[str, object]) -> list[str]:
    return [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(part.items())]


if __name__ == "__main__":
    FILE.write_text(content())
    print(FILE.relative_to(ROOT))
