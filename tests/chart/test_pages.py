"""What pages of the documentation say of the chart's objects, beside the objects themselves."""

import re

from ci.paths import ROOT
from tests.chart.rendering import TEAMS, render

ALL_WHO_WRITE = ("dbClean.enabled=true", "metrics.enabled=true")
OUTSIDE = ("teams.demo.createNamespace=false", "policy.enabled=false")


def page(name):
    return (ROOT / f"docs/{name}.md").read_text()


def section(name, heading):
    return page(name).partition(f"## {heading}\n")[2].partition("\n## ")[0]


def reaches_the_database(thing):
    spec = thing["spec"]
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
    containers = [c for key in ("initContainers", "containers") for c in template.get("spec", {}).get(key, [])]
    variables = {entry["name"] for container in containers for entry in container.get("env", [])}
    return "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in variables


def test_a_restore_stops_every_kind_of_object_that_reaches_the_database():
    [words] = re.findall(r"kubectl -n cronlift delete (\S+)", section("backup", "Restore"))
    things = [thing for thing in render(TEAMS, sets=ALL_WHO_WRITE) if "spec" in thing and reaches_the_database(thing)]
    assert {f"{thing['kind'].lower()}s" for thing in things} == set(words.split(","))


def test_a_restore_brings_back_everything_but_the_sweeper():
    upgrades = re.findall(r"^helm upgrade.*", section("backup", "Restore"), re.MULTILINE)
    assert len(upgrades) == 2
    for line in upgrades:
        [setting] = re.findall(r"--set (\S+)", line)
        assert not [thing for thing in render(TEAMS, sets=(setting,)) if thing["metadata"]["name"] == "cronlift-sweep"]


def test_every_kind_of_the_whole_cluster_is_in_the_rights_to_install_with_its_way_out():
    def kinds(*sets):
        return {thing["kind"] for thing in render(TEAMS, sets=sets) if "namespace" not in thing["metadata"]}

    rights = page("install").partition("## ")[0]
    assert kinds()
    for kind in kinds():
        assert f"`{re.sub('y$', 'ie', kind.lower())}s`" in rights
    assert kinds(*OUTSIDE) == set()
    for setting in OUTSIDE:
        assert setting.removeprefix("teams.demo.").replace("=", ": ") in rights
