"""The alert rules as the chart renders them, by promtool; and that they and the dashboard ask for real metrics."""

import json
import re
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


def dashboard(*more):
    """Return the rendered dashboard."""
    text = render(TWO_TEAMS, sets=(*ALL, *more)).one("ConfigMap", "cronlift-dashboard")["data"]["cronlift.json"]
    return json.loads(text)


def questions(found):
    """Return title -> query of a dashboard's panels."""
    return {panel["title"]: target["expr"] for panel in found["panels"] for target in panel["targets"]}


def promtool(folder, cases):
    """Return what is wrong with the cases, beside the rendered rules."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules()))
    (folder / "cases.yaml").write_text(cases)
    words = (tool("promtool"), "test", "rules", "cases.yaml")
    answer = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


def test_each_alert_is_raised_when_it_should_be_and_not_before(tmp_path):
    assert promtool(tmp_path, CASES.read_text()) == ""


def test_every_alert_has_a_case():
    names = {rule["alert"] for group in rules()["groups"] for rule in group["rules"]}
    assert {name for name in names if f"alertname: {name}" not in CASES.read_text()} == set()


def test_how_late_is_late_is_a_value():
    late = "metrics.prometheusRule.lateAfterMinutes=20"
    assert json.dumps(rules(late)).count("> 1200") == 2
    on_the_dashboard = questions(dashboard(late))
    assert "> 1200" in on_the_dashboard["Did not run"]
    assert "> 1200" in on_the_dashboard["Waiting"]
    assert "20 min over their time" in json.dumps(dashboard(late))


def test_the_dashboard_asks_for_git_sync_of_the_chosen_deployment_alone():
    assert 'git_sync_count_total{namespace="$namespace"' in questions(dashboard())["git-sync: good rounds a minute"]
    [variable] = [entry for entry in dashboard()["templating"]["list"] if entry["name"] == "namespace"]
    assert 'deployment="$deployment"' in variable["query"]["query"]


def test_two_exporters_at_once_count_once_on_the_dashboard(tmp_path):
    names = ("dag_last_run_failed", "dag_next_run_timestamp_seconds", "dag_waiting_seconds", "import_errors",
             "dag_paused", "database_up", "task_instances", "component_heartbeat_age_seconds")  # fmt: skip
    labels = 'deployment="d/d",team="demo",pod="{0}",instance="{0}"'
    series = [
        {"series": f"cronlift_{name}{{{labels.format(pod)}}}", "values": "1x600"} for name in names for pod in "ab"
    ]
    asked = {title: expr for title, expr in questions(dashboard()).items() if any(name in expr for name in names)}
    assert len(asked) == len(names)
    cases = [
        {
            "expr": f"sum({expr.replace('$deployment', 'd/d').replace('$team', '.*')}) > 0 or vector(0)",
            "eval_time": "20m",
            "exp_samples": [{"labels": "{}", "value": 0 if title == "Waiting" else 1}],
        }
        for title, expr in asked.items()
    ]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": cases}]
    assert promtool(tmp_path, yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests})) == ""


def test_every_question_about_a_metric_leaves_the_exporters_pod_out():
    exprs = [rule["expr"] for group in rules()["groups"] for rule in group["rules"] if "absent(" not in rule["expr"]]
    for expr in (*exprs, *questions(dashboard()).values()):
        of_one_pod = re.sub(r"max without \(pod, instance, [a-z, ]+\) \(cronlift_\w+\{", "", expr)
        assert METRIC.findall(of_one_pod) == [], expr


def test_alerts_and_dashboard_ask_for_metrics_that_exist():
    known = set(load("metrics").HELP)
    assert dashboard()["uid"] == "cronlift"
    assert set(METRIC.findall(json.dumps(rules()))) <= known
    assert set(METRIC.findall(json.dumps(dashboard()))) <= known
