"""What pages of the documentation say of the chart's objects, beside the objects themselves."""

import re

import yaml

from ci.paths import ROOT
from cronlift.policy.rules import breaches
from cronlift.policy.team import read_team
from tests.chart.rendering import TEAMS, render
from tests.chart.test_kubernetes_schemas import LOCAL, kubeconform, schemas  # noqa: F401 - a fixture
from tests.unit.job.manifests import checked

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


def job_that_reads_secrets():
    [text] = re.findall(r"^```yaml\n(.*?)^```$", section("secrets", "Secrets of jobs"), re.MULTILINE | re.DOTALL)
    return text


def test_the_job_that_reads_secrets_is_one_that_is_admitted(tmp_path, schemas):  # noqa: F811
    text = job_that_reads_secrets()
    assert checked(text, tmp_path) == ""
    job = yaml.safe_load(text.replace("{{ images.legacy }}", "example.com/legacy:1"))
    assert list(breaches(job, read_team({"namespace": "team-billing"}))) == []
    code, words = kubeconform(yaml.safe_dump({**job, "metadata": {"name": "transfer"}}), schemas(LOCAL))
    assert code == 0, words


def test_the_secrets_that_the_job_reads_are_those_of_the_example_in_its_teams_namespace():
    made = set()
    for thing in render(TEAMS, ROOT / "examples/chart/job-secrets.yaml"):
        if thing["kind"] in ("ExternalSecret", "SealedSecret"):
            spec, metadata = thing["spec"], thing["metadata"]
            assert metadata["namespace"] == "team-billing"
            keys = [each["secretKey"] for each in spec.get("data", [])] + list(spec.get("encryptedData", {}))
            made |= {(spec.get("target", metadata)["name"], key) for key in keys}
    pod = yaml.safe_load(job_that_reads_secrets())["spec"]["template"]["spec"]
    [container] = pod["containers"]
    read = {(entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
            for entry in container["env"]}  # fmt: skip
    folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for volume in pod["volumes"]:
        [file] = [word for word in container["command"] if word.startswith(folders[volume["name"]])]
        read.add((volume["secret"]["secretName"], file.rpartition("/")[2]))
    assert read == made
