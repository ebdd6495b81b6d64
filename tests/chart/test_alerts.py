"""The alert rules as the chart renders them, by promtool; and that they and the dashboard ask for real metrics."""

import json
import re
import shutil
import subprocess

import yaml

from ci.paths import ROOT
from ci.tools import tool
from tests.chart.rendering import TWO_TEAMS, render
from tests.chart.test_scripts import load

CASES = ROOT / "tests/chart/alerts/cronlift.yaml"
ALL = tuple(f"metrics.{name}enabled=true" for name in ("", "serviceMonitor.", "prometheusRule.", "dashboard."))
METRIC = re.compile(r"\bcronlift_\w+")


def rules(*more):
    """Return the spec of the rendered PrometheusRule."""
    return render(TWO_TEAMS, sets=(*ALL, *more)).one("PrometheusRule", "cronlift-metrics")["spec"]


def test_each_alert_is_raised_when_it_should_be_and_not_before(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    shutil.copy(CASES, tmp_path)
    answer = subprocess.run(
        [tool("promtool"), "test", "rules", CASES.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_alert_has_a_case():
    names = {rule["alert"] for group in rules()["groups"] for rule in group["rules"]}
    assert {name for name in names if f"alertname: {name}" not in CASES.read_text()} == set()


def test_how_late_is_late_is_a_value():
    assert "> 1200" in json.dumps(rules("metrics.prometheusRule.lateAfterMinutes=20"))


def test_alerts_and_dashboard_ask_for_metrics_that_exist():
    known = set(load("metrics").HELP)
    dashboard = render(TWO_TEAMS, sets=ALL).one("ConfigMap", "cronlift-dashboard")["data"]["cronlift.json"]
    assert json.loads(dashboard)["uid"] == "cronlift"
    assert set(METRIC.findall(json.dumps(rules()))) <= known
    assert set(METRIC.findall(dashboard)) <= known
