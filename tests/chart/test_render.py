"""What the chart makes of values: objects, names, settings."""

import json
import subprocess
from collections import Counter

import pytest
import yaml

from ci.tools import tool
from cronlift.airflow import settings
from cronlift.airflow.links import TITLES
from cronlift.cli.main import main
from tests.chart.rendering import (
    CHART,
    EVERYTHING,
    LOCAL,
    MINIMAL,
    TEAMS,
    TWO_TEAMS,
    every_values,
    helm,
    render,
    template,
)


@every_values
def test_two_renders_are_byte_identical(values):
    words = ["template", "cronlift", str(CHART), "--namespace=cronlift"]
    words += [f"--values={path}" for path in (MINIMAL, *values)]
    once, again = (subprocess.run([tool("helm"), *words], capture_output=True, check=True).stdout for _ in range(2))
    assert once == again


def test_an_upgrade_renders_what_an_install_renders():
    assert template(TEAMS, LOCAL).stdout == template(TEAMS, LOCAL, more=("--is-upgrade",)).stdout


def test_objects_of_the_local_release_are_these():
    assert Counter(thing["kind"] for thing in render(TEAMS, LOCAL)) == {
        "ConfigMap": 1, "CronJob": 1, "Deployment": 4, "Job": 2, "Namespace": 1, "NetworkPolicy": 11,
        "PersistentVolumeClaim": 1, "Pod": 1, "Role": 3, "RoleBinding": 3, "Secret": 1, "Service": 2,
        "ServiceAccount": 10, "StatefulSet": 1,
    }  # fmt: skip


@every_values
def test_no_object_comes_twice(values):
    names = Counter(
        (thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in render(*values)
    )
    assert [name for name, count in names.items() if count > 1] == []


@every_values
def test_no_variable_comes_twice(values):
    faults = {
        name: double
        for name, container in render(*values).containers()
        if (double := [env for env, n in Counter(e["name"] for e in container.get("env", [])).items() if n > 1])
    }
    assert faults == {}


@every_values
def test_a_variable_is_expanded_only_after_its_definition(values):
    for name, container in render(*values).containers():
        seen: set[str] = set()
        for entry in container.get("env", []):
            used = [word.partition(")")[0] for word in entry.get("value", "").split("$(")[1:]]
            assert set(used) <= seen, f"{name}: {entry['name']}"
            seen.add(entry["name"])


def test_every_team_is_a_bundle_of_its_folder():
    environment = render(TWO_TEAMS, sets=("dagProcessor.refreshIntervalSeconds=7",)).environment("dag-processor")
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]["value"])
    assert [(bundle["name"], bundle["kwargs"]) for bundle in bundles] == [
        ("billing", {"path": "/git/current/dags/billing", "refresh_interval": 7}),
        ("demo", {"path": "/git/current/dags/demo", "refresh_interval": 7}),
    ]


def test_bundle_class_can_be_imported():
    from airflow._shared.module_loading import import_string

    value = render(TEAMS).environment("dag-processor")["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]["value"]
    assert import_string(json.loads(value)[0]["classpath"]).__name__ == "LocalDagBundle"


def test_operator_learns_deployment_teams_and_images_from_the_environment():
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        environment = render(TEAMS, sets=("jobImages.legacy=example.com/legacy:1",)).environment(component)
        assert environment["CRONLIFT_DEPLOYMENT"]["value"] == "cronlift/cronlift"
        assert json.loads(environment["CRONLIFT_TEAMS"]["value"]) == {
            "demo": {"namespace": "team-demo", "serviceAccount": "cronlift-job"}
        }
        assert json.loads(environment["CRONLIFT_JOB_IMAGES"]["value"]) == {"legacy": "example.com/legacy:1"}


def test_airflow_learns_other_clusters_and_the_pods_that_call_them_have_their_kubeconfigs():
    rendered = render(EVERYTHING)
    told = rendered.environment("scheduler")["CRONLIFT_CLUSTERS"]["value"]
    assert json.loads(told) == {
        "gpu": {"kubeconfig": "/etc/cronlift/clusters/gpu/kubeconfig", "context": "admin@gpu"},
        "old": {"kubeconfig": "/etc/cronlift/clusters/old/kubeconfig", "context": ""},
    }
    files = {}
    for component, spec in rendered.pods():
        secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
        for mount in spec["containers"][0]["volumeMounts"]:
            if mount["name"].startswith("cluster-"):
                [item] = secrets[mount["name"]]["items"]
                path = f"{mount['mountPath']}/{item['path']}"
                files.setdefault(component, {})[path] = (secrets[mount["name"]]["secretName"], item["key"])
    wanted = {
        "/etc/cronlift/clusters/gpu/kubeconfig": ("gpu-kubeconfig", "config"),
        "/etc/cronlift/clusters/old/kubeconfig": ("old-kubeconfig", "kubeconfig"),
    }
    assert files == {"triggerer": wanted, "sweep": wanted}


def test_airflow_learns_only_the_links_that_are_set():
    def links(*values):
        return json.loads(render(*values).environment("triggerer")["CRONLIFT_LINKS"]["value"])

    assert links(EVERYTHING) == {"logs": "https://logs.example.com/?q={namespace}/{job}"}
    assert links(TEAMS) == {}


def test_the_links_of_the_chart_are_those_that_the_package_has():
    assert set(yaml.safe_load((CHART / "values.yaml").read_text())["links"]) == set(TITLES)


def test_settings_of_the_chart_are_read_by_the_package():
    environment = {name: entry.get("value", "") for name, entry in render(EVERYTHING).environment("triggerer").items()}
    assert set(settings.read_clusters(environment)) == {"gpu", "old"}
    assert settings.read_deployment(environment) == "cronlift/cronlift"
    assert settings.read_images(environment)["legacy"] == "registry.example.com:5000/legacy:abc"
    environment = {name: entry.get("value", "") for name, entry in render(TWO_TEAMS).environment("triggerer").items()}
    assert {team.namespace for team in settings.read_teams(environment).values()} == {"team-billing", "team-demo"}


def test_the_sweep_runs_one_at_a_time_as_its_values_say():
    cron_job = render(EVERYTHING).one("CronJob", "cronlift-sweep")["spec"]
    assert (cron_job["schedule"], cron_job["concurrencyPolicy"]) == ("7 * * * *", "Forbid")
    [container] = cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["cronlift", "sweep", "--yes", "--min-age", "30"]


def test_the_words_of_the_sweep_are_understood_by_the_command():
    spec = dict(render(TEAMS).pods())["sweep"]
    words = spec["containers"][0]["args"]
    with main.make_context("cronlift", words[1:]) as cronlift:
        command = main.get_command(cronlift, words[1])
        assert command.make_context("sweep", words[2:], cronlift).params["yes"] is True


def test_the_sweep_can_be_switched_off_and_leaves_nothing():
    rendered = render(TEAMS, sets=("sweep.enabled=false",))
    assert [thing["metadata"]["name"] for thing in rendered if "sweep" in thing["metadata"]["name"]] == []
    assert "cronlift-sweep" not in json.dumps(rendered)


def test_every_airflow_setting_of_the_chart_exists_in_the_pinned_airflow():
    from airflow.configuration import conf

    known = {
        f"AIRFLOW__{section.upper()}__{option.upper()}"
        for section, options in conf.configuration_description.items()
        for option in options["options"]
    }
    used = {entry["name"] for _, container in render(TEAMS, LOCAL).containers() for entry in container.get("env", [])}
    assert {name for name in used if name.startswith("AIRFLOW__")} - known == set()


def test_own_settings_win_over_those_of_the_chart():
    environment = render(EVERYTHING).environment("scheduler")
    assert environment["AIRFLOW__CORE__PARALLELISM"]["value"] == "64"
    assert environment["AIRFLOW__EMAIL__FROM_EMAIL"]["value"] == "airflow@example.com"


def test_a_new_bundle_list_restarts_only_its_readers():
    before = dict(render(TEAMS).pods())
    after = dict(render(TEAMS, sets=("dagProcessor.refreshIntervalSeconds=9",)).pods())
    assert {name for name in before if before[name] != after[name]} == {"dag-processor", "scheduler"}


def test_a_new_airflow_image_makes_new_jobs_and_the_same_image_the_same():
    def jobs(tag):
        return {job["metadata"]["name"] for job in render(sets=(f"images.airflow.tag={tag}",)).of("Job")}

    assert jobs("a") == jobs("a")
    assert jobs("a").isdisjoint(jobs("b"))


def test_no_object_but_the_test_pod_is_a_hook():
    hooks = [
        thing["kind"] for thing in render(TEAMS, LOCAL) if "helm.sh/hook" in thing["metadata"].get("annotations", {})
    ]
    assert hooks == ["Pod"]


def test_readers_of_dag_files_have_git_sync_and_nobody_else():
    with_git = {
        component
        for component, spec in render(TEAMS).pods()
        if "git-sync" in [container["name"] for container in spec.get("initContainers", [])]
    }
    assert with_git == {"dag-processor", "scheduler"}


def test_git_sync_is_a_sidecar_that_gates_the_main_container():
    spec = dict(render(TEAMS).pods())["dag-processor"]
    sidecar = spec["initContainers"][0]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/", "port": "git-metrics"}
    budget = sidecar["startupProbe"]["failureThreshold"] * sidecar["startupProbe"]["periodSeconds"]
    assert budget > 60 * (60 + 2), "the probe would kill git-sync before it has said what is wrong"
    assert "--depth=0" in sidecar["args"]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://example.com/r.git", 443),
        ("http://example.com/r.git", 80),
        ("https://example.com:8443/r.git", 8443),
        ("ssh://git@example.com:2222/r.git", 2222),
        ("ssh://git@example.com/r.git", 22),
        ("git@example.com:team/r.git", 22),
        ("git://10.1.2.3/r.git", 9418),
        ("git://10.1.2.3:9999/r.git", 9999),
    ],
)
def test_network_policy_opens_the_port_of_the_git_url(url, port):
    policy = render(sets=(f"git.url={url}",)).one("NetworkPolicy", "cronlift-dag-processor")
    assert {"ports": [{"port": port}]} in policy["spec"]["egress"]


def test_logs_volume_keeps_its_users_on_one_node_unless_it_is_shared():
    def bound(*values):
        return {component for component, spec in render(*values).pods() if "affinity" in spec}

    assert bound(TEAMS) == {"api-server", "scheduler", "triggerer"}
    assert bound(EVERYTHING) == set()


def test_a_digest_follows_the_tag():
    images = {container["image"] for name, container in render(EVERYTHING).containers() if name == "migrate/migrate"}
    assert images == {"registry.example.com:5000/airflow:abc@sha256:" + "0123456789" * 6 + "0123"}


def test_own_database_and_own_secret_leave_out_what_the_chart_makes():
    rendered = render(EVERYTHING)
    assert not rendered.of("StatefulSet")
    assert not rendered.of("Secret")
    assert "bootstrap" not in dict(rendered.pods())
    reference = {"secretKeyRef": {"name": "own-database", "key": "url"}}
    assert rendered.environment("scheduler")["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]["valueFrom"] == reference


@every_values
def test_every_object_is_in_the_releases_or_a_teams_namespace(values):
    allowed = {"cronlift", "team-billing", "team-demo"}
    assert {t["metadata"].get("namespace") for t in render(*values) if t["kind"] != "Namespace"} <= allowed


@every_values
def test_helm_lint_finds_nothing(values):
    words = [f"--values={path}" for path in (MINIMAL, *values)]
    answer = helm("lint", "--strict", str(CHART), *words)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_helm_lint_accepts_every_values_file_of_the_chart():
    for path in sorted((CHART / "ci").glob("*-values.yaml")):
        answer = helm("lint", "--strict", str(CHART), f"--values={path}")
        assert answer.returncode == 0, answer.stdout + answer.stderr


def test_no_line_of_a_rendered_object_is_left_of_a_template():
    for thing in yaml.safe_load_all(template(TEAMS, LOCAL).stdout):
        assert "{{" not in json.dumps({**thing, "data": None})
