"""What the chart makes of values: objects, names, settings."""

import json
import pwd
import subprocess
from collections import Counter

import pytest
import yaml
from airflow.utils.platform import getuser

from ci import chart_lint
from ci.paths import ROOT
from ci.pins import pins
from ci.tools import tool
from cronlift.airflow import settings
from cronlift.airflow.links import TITLES
from cronlift.cli.main import main
from tests.chart.rendering import (
    CASES,
    CHART,
    CLOUD,
    EVERYTHING,
    KEPT,
    LOCAL,
    MINIMAL,
    OPENSHIFT,
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


@every_values
def test_an_upgrade_renders_what_an_install_renders(values):
    assert template(*values).stdout == template(*values, more=("--is-upgrade",)).stdout


@every_values
def test_helm_3_renders_what_helm_4_renders(values):
    words = ["template", "cronlift", str(CHART), "--namespace=cronlift"]
    words += [f"--values={path}" for path in (MINIMAL, *values)]
    words += [f"--kube-version={pins()['KUBERNETES_VERSION']}"]  # one built from source believes in 1.20
    answer = subprocess.run([tool("helm3"), *words], capture_output=True, text=True, check=True)
    by_three = [thing for thing in yaml.load_all(answer.stdout, yaml.CSafeLoader) if thing]
    assert sorted(by_three, key=json.dumps) == sorted(render(*values), key=json.dumps)


def test_objects_of_the_local_release_are_these():
    assert Counter(thing["kind"] for thing in render(TEAMS, LOCAL)) == {
        "ConfigMap": 2, "CronJob": 2, "Deployment": 4, "Job": 2, "Namespace": 1, "NetworkPolicy": 12,
        "PersistentVolumeClaim": 1, "Pod": 3, "Role": 3, "RoleBinding": 3, "Secret": 1, "Service": 2,
        "ServiceAccount": 11, "StatefulSet": 1, "ValidatingAdmissionPolicy": 1, "ValidatingAdmissionPolicyBinding": 1,
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


def bundles_of(*values, component="dag-processor", **arguments):
    value = render(*values, **arguments).environment(component)["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]
    return json.loads(value["value"])


def test_every_team_is_a_bundle_that_copies_its_folder():
    sets = ("dagProcessor.refreshIntervalSeconds=7", "git.url=https://github.com/acme/dags.git")
    common = {"link": "/git/current", "refresh_interval": 7, "url": "https://github.com/acme/dags.git",
              "view_url": "", "metrics_url": "http://127.0.0.1:9301/metrics"}  # fmt: skip
    for component in ("dag-processor", "scheduler"):
        assert [
            (bundle["name"], bundle["kwargs"]) for bundle in bundles_of(TWO_TEAMS, component=component, sets=sets)
        ] == [
            ("billing", {"path": "dags/billing", **common}),
            ("demo", {"path": "dags/demo", **common}),
        ]


def test_without_copies_a_bundle_is_the_folder_in_git_syncs_tree():
    (bundle,) = bundles_of(TEAMS, sets=("git.copy=false",))
    assert bundle["kwargs"] == {"path": "/git/current/dags/demo", "refresh_interval": 2}


@pytest.mark.parametrize("copy", ["true", "false"])
def test_bundle_class_can_be_made_by_airflow(copy, monkeypatch):
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    value = json.dumps(bundles_of(TEAMS, sets=(f"git.copy={copy}",)))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", value)
    bundle = DagBundlesManager().get_bundle("demo")
    assert type(bundle).__name__ == {"true": "GitSyncBundle", "false": "LocalDagBundle"}[copy]
    assert bundle.supports_versioning == (copy == "true")


def test_copies_have_a_volume_that_can_be_written():
    for component in ("dag-processor", "scheduler"):
        rendered = render(TEAMS)
        mounts = {mount["mountPath"]: mount for mount in rendered.pod(component)["containers"][0]["volumeMounts"]}
        place = rendered.environment(component)["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"]["value"]
        assert "readOnly" not in mounts[place]
        (volume,) = [each for each in rendered.pod(component)["volumes"] if each["name"] == mounts[place]["name"]]
        assert volume["emptyDir"] == {}


def test_pitfall_1_second_commit_within_half_a_minute_is_stored():
    environment = render(TEAMS).environment("dag-processor")
    assert environment["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"]["value"] == "0"
    assert environment["AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL"]["value"] == "1"


def test_operator_learns_deployment_teams_and_images_from_the_environment():
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        environment = render(TEAMS).environment(component)
        assert environment["CRONLIFT_DEPLOYMENT"]["value"] == "cronlift/cronlift"
        assert json.loads(environment["CRONLIFT_TEAMS"]["value"]) == {
            "demo": {"namespace": "team-demo", "serviceAccount": "cronlift-job", "rules": {}}
        }


def test_job_images_are_a_file_for_those_who_render_manifests():
    rendered = render(TEAMS, sets=("jobImages.legacy=example.com/legacy:1",))
    content = rendered.one("ConfigMap", "cronlift-job-images")["data"]
    assert json.loads(content["images.json"]) == {"legacy": "example.com/legacy:1"}
    readers = set()
    for component, spec in rendered.pods():
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0].get("volumeMounts", [])}
        if "job-images" in mounts:
            readers.add(component)
            path = rendered.environment(component)["CRONLIFT_JOB_IMAGES_FILE"]["value"]
            assert path == f"{mounts['job-images']}/images.json"
    assert readers == {"dag-processor", "scheduler", "triggerer"}


ALLOWED = "teams.demo.images={registry.example.com/demo/}"


@pytest.mark.parametrize(
    ("sets", "image", "restarted"),
    [
        ((), "example.com/legacy:2", set()),
        ((), "example.com/other:1", set()),
        ((ALLOWED,), "example.com/legacy:2", set()),
        ((ALLOWED,), "example.com/other:1", {"api-server", "scheduler", "dag-processor", "triggerer"}),
    ],
    ids=["tag", "repository", "tag-with-allowed-images", "repository-with-allowed-images"],
)
def test_job_images_restart_airflow_only_for_a_new_repository_and_a_team_with_images(sets, image, restarted):
    def templates(reference):
        deployments = render(TEAMS, sets=(*sets, f"jobImages.legacy={reference}")).of("Deployment")
        return {thing["metadata"]["name"].removeprefix("cronlift-"): thing["spec"]["template"] for thing in deployments}

    before, after = templates("example.com/legacy:1"), templates(image)
    assert {name for name in after if after[name] != before[name]} == restarted


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
    content = render(EVERYTHING).one("ConfigMap", "cronlift-job-images")["data"]["images.json"]
    images = settings.read_images({settings.IMAGES_VARIABLE: content})
    assert images["legacy"] == "registry.example.com:5000/legacy:abc"
    assert environment[settings.IMAGES_FILE_VARIABLE]
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
    used = {
        entry["name"].removesuffix("_CMD")
        for values in CASES.values()
        for _, container in render(*values).containers()
        for entry in container.get("env", [])
    }
    providers = {"AIRFLOW__FAB__CONFIG_FILE", "AIRFLOW__FAB__ENABLE_PROXY_FIX"}
    assert {name for name in used if name.startswith("AIRFLOW__")} - known == providers


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


@every_values
def test_no_object_but_the_test_pods_is_a_hook(values):
    hooks = {
        (thing["kind"], thing["metadata"]["annotations"]["helm.sh/hook"])
        for thing in render(*values)
        if "helm.sh/hook" in thing["metadata"].get("annotations", {})
    }
    assert hooks == {("Pod", "test")}


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
    login = ("git.auth.type=ssh", "git.auth.existingSecret=key") if port in (22, 2222) else ()
    policy = render(sets=(f"git.url={url}", *login)).one("NetworkPolicy", "cronlift-dag-processor")
    assert {"ports": [{"port": port}]} in policy["spec"]["egress"]


def test_logs_volume_keeps_its_users_on_one_node_unless_it_is_shared():
    def bound(*values):
        return {component for component, spec in render(*values).pods() if "affinity" in spec}

    assert bound(TEAMS) == {"api-server", "scheduler", "triggerer", "log-clean"}
    assert bound(EVERYTHING) == set()
    together = render(TEAMS).pod("scheduler")["affinity"]["podAffinity"]
    assert len(together["requiredDuringSchedulingIgnoredDuringExecution"]) == 1


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
    of_cluster = ("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    assert {t["metadata"].get("namespace") for t in render(*values) if t["kind"] not in of_cluster} <= allowed


@every_values
def test_helm_lint_finds_nothing(values):
    words = [f"--values={path}" for path in (MINIMAL, *values)]
    answer = helm("lint", "--strict", str(CHART), *words)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_chart_testing_accepts_every_values_file_of_the_chart(capsys):
    chart_lint.main()
    words = capsys.readouterr().out
    for path in sorted((CHART / "ci").glob("*-values.yaml")):
        assert path.name in words


def test_no_line_of_a_rendered_object_is_left_of_a_template():
    for thing in yaml.safe_load_all(template(TEAMS, LOCAL).stdout):
        if thing["kind"] != "ValidatingAdmissionPolicy":  # whose words name {{ images.NAME }} of manifests
            assert "{{" not in json.dumps({**thing, "data": None})


def test_the_database_by_parts_gives_no_container_a_url():
    for name, container in render(TWO_TEAMS, CLOUD).containers():
        environment = {entry["name"]: entry for entry in container.get("env", [])}
        if "CRONLIFT_DATABASE_HOST" in environment:
            assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment, name
            source = environment["CRONLIFT_DATABASE_PASSWORD"]["valueFrom"]["secretKeyRef"]
            assert source == {"name": "airflow-database", "key": "password"}, name
            assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {
                "/opt/cronlift",
                "/etc/cronlift/database",
            }


def test_only_the_migration_goes_around_pgbouncer():
    def hosts(component):
        spec = render(TWO_TEAMS, CLOUD).pod(component)
        return {
            (entry["value"], port["value"])
            for container in [*spec.get("initContainers", []), *spec["containers"]]
            for entry in container.get("env", [])
            for port in container["env"]
            if entry["name"] == "CRONLIFT_DATABASE_HOST" and port["name"] == "CRONLIFT_DATABASE_PORT"
        }

    assert hosts("migrate") == {("postgres.databases", "5432")}
    others = ("api-server", "scheduler", "dag-processor", "triggerer", "metrics", "sweep", "db-clean", "notifier")
    for component in others:
        assert hosts(component) == {("pgbouncer.databases", "6432")}, component


def test_more_than_one_pod_is_spread_and_budgeted_and_a_single_one_is_not():
    rendered = render(TWO_TEAMS, CLOUD)
    budgets = {thing["metadata"]["name"] for thing in rendered.of("PodDisruptionBudget")}
    components = ("api-server", "dag-processor", "scheduler", "triggerer")
    assert budgets == {f"cronlift-{component}" for component in components}
    spread = {component for component, spec in rendered.pods() if "topologySpreadConstraints" in spec}
    assert spread == set(components)
    assert not render(TEAMS).of("PodDisruptionBudget")
    assert not [name for name, spec in render(TEAMS).pods() if "topologySpreadConstraints" in spec]


def test_what_is_said_of_all_pods_reaches_every_pod_and_a_component_may_say_more():
    rendered = render(TWO_TEAMS, CLOUD)
    for component, spec in rendered.pods():
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}, component
        assert spec["tolerations"] == [{"key": "platform", "operator": "Exists", "effect": "NoSchedule"}], component
        assert "nodeAffinity" in spec["affinity"], component
        wanted = "front" if component == "api-server" else "platform"
        assert spec["priorityClassName"] == wanted, component
    annotations = rendered.one("Deployment", "cronlift-api-server")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["example.com/scrape"] == "false"
    assert annotations["example.com/tier"] == "front"


def test_own_affinity_and_the_shared_logs_volume_go_together():
    own = "pods.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone"
    terms = render(TEAMS, sets=(own,)).pod("scheduler")["affinity"]["podAffinity"]
    keys = [term["topologyKey"] for term in terms["requiredDuringSchedulingIgnoredDuringExecution"]]
    assert keys == ["zone", "kubernetes.io/hostname"]


@every_values
def test_a_pod_template_is_selected_by_its_own_labels(values):
    for thing in render(*values):
        if thing["kind"] in ("Deployment", "StatefulSet"):
            wanted = thing["spec"]["selector"]["matchLabels"]
            assert wanted.items() <= thing["spec"]["template"]["metadata"]["labels"].items(), thing["metadata"]["name"]
            assert set(wanted) == {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}


def test_a_jobs_name_changes_with_all_of_its_template():
    def names(*sets):
        return {job["metadata"]["name"] for job in render(TEAMS, sets=sets).of("Job")}

    assert names().isdisjoint(names("pods.labels.a=b"))
    assert names().isdisjoint(names("pods.priorityClassName=high"))


@every_values
def test_a_job_of_the_release_is_tried_for_a_day_and_leaves_no_heap_of_pods(values):
    jobs = {thing["metadata"]["name"]: thing["spec"] for thing in render(*values).of("Job")}
    assert jobs
    for name, spec in jobs.items():
        assert spec["backoffLimit"] == 300, name
        assert spec["template"]["spec"]["restartPolicy"] == "OnFailure", name
        assert "activeDeadlineSeconds" not in spec, name


def test_a_downgrade_gives_up_soon_and_keeps_its_pods_to_be_read():
    """One that helm has lost track of would else wait for a moment without Airflow, and take a living database down."""
    rendered = render(TEAMS, sets=("migrate.downgradeTo=3.2.1",))
    [spec] = [job["spec"] for job in rendered.of("Job") if "-migrate-" in job["metadata"]["name"]]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (3, "Never")


def test_each_repository_has_a_sidecar_of_its_own_and_a_team_reads_its_own():
    rendered = render(TWO_TEAMS, CLOUD)
    spec = rendered.pod("dag-processor")
    sidecars = {c["name"]: c for c in spec["initContainers"] if c["name"].startswith("git-sync")}
    assert list(sidecars) == ["git-sync", "git-sync-billing", "git-sync-tools"]
    assert "--ref=production" in sidecars["git-sync-billing"]["args"]
    assert "--ref=main" in sidecars["git-sync-tools"]["args"]
    assert len({container["ports"][0]["containerPort"] for container in sidecars.values()}) == 3
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    assert (secrets["git-billing-secret"], secrets["git-tools-secret"]) == ("billing-git", "tools-git")
    bundles = json.loads(rendered.environment("scheduler")["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]["value"])
    places = {bundle["name"]: (bundle["kwargs"]["link"], bundle["kwargs"]["path"]) for bundle in bundles}
    assert places == {"billing": ("/repositories/billing/current", "."), "demo": ("/git/current", "dags/demo")}
    ports = {name: container["ports"][0]["containerPort"] for name, container in sidecars.items()}
    assert f":{ports['git-sync-billing']}/" in bundles[0]["kwargs"]["metrics_url"]
    ports = [rule["ports"][0]["port"] for rule in rendered.one("NetworkPolicy", "cronlift-scheduler")["spec"]["egress"]]
    assert {443, 2222} <= set(ports)


def test_git_sync_knows_the_authority_of_the_server_and_the_proxy_and_nothing_else_of_yours():
    sets = ("git.caSecret=company-ca", "extra.env[0].name=HTTPS_PROXY", "extra.env[0].value=http://proxy:3128",
            "extra.env[1].name=TOKEN", "extra.env[1].value=x")  # fmt: skip
    spec = render(TEAMS, sets=sets).pod("dag-processor")
    sidecar = spec["initContainers"][0]
    environment = {entry["name"]: entry.get("value") for entry in sidecar["env"]}
    assert environment["HTTPS_PROXY"] == "http://proxy:3128"
    assert "TOKEN" not in environment
    mounts = {mount["name"]: mount["mountPath"] for mount in sidecar["volumeMounts"]}
    assert environment["GIT_SSL_CAINFO"] == f"{mounts['git-ca']}/ca.crt"
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["git-ca"]["secret"]["secretName"] == "company-ca"


def test_remote_logs_need_no_volume():
    rendered = render(TWO_TEAMS, CLOUD)
    assert not rendered.of("PersistentVolumeClaim")
    for component in ("api-server", "scheduler", "triggerer"):
        volumes = {volume["name"]: volume for volume in rendered.pod(component)["volumes"]}
        assert "emptyDir" in volumes["logs"]
        environment = rendered.environment(component)
        assert environment["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"]["value"] == "s3://company-airflow/logs"
        assert environment["AIRFLOW_CONN_LOGS"]["valueFrom"]["secretKeyRef"]["name"] == "airflow-logs"


def test_people_come_in_by_the_host_and_path_of_the_base_url():
    rendered = render(TWO_TEAMS, CLOUD)
    [rule] = rendered.one("Ingress", "cronlift-api-server")["spec"]["rules"]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("airflow.example.com", "/etl")
    route = rendered.one("HTTPRoute", "cronlift-api-server")["spec"]
    assert route["hostnames"] == ["airflow.example.com"]
    assert route["rules"][0]["matches"][0]["path"]["value"] == "/etl"


def test_a_load_balancer_may_be_internal_and_let_in_only_some():
    example = ROOT / "examples/chart/internal-load-balancer.yaml"
    service = render(TEAMS, example).one("Service", "cronlift-api-server")
    assert service["metadata"]["annotations"] == {"networking.gke.io/load-balancer-type": "Internal"}
    assert (service["spec"]["type"], service["spec"]["loadBalancerSourceRanges"]) == ("LoadBalancer", ["10.0.0.0/8"])
    plain = render(TEAMS).one("Service", "cronlift-api-server")
    assert "annotations" not in plain["metadata"]
    assert "loadBalancerSourceRanges" not in plain["spec"]


def test_a_path_of_the_base_url_is_that_of_probes_and_of_the_pods_own_calls():
    rendered = render(TWO_TEAMS, CLOUD)
    [container] = rendered.pod("api-server")["containers"]
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert probes == {"/etl/execution/health/ping"}
    url = rendered.environment("scheduler")["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]["value"]
    assert url == "http://cronlift-api-server:8080/etl/execution/"
    assert rendered.environment("metrics")["CRONLIFT_API_PING"]["value"] == f"{url}health/ping"
    [path] = {
        render(sets=(f"apiServer.baseUrl=https://airflow.example.com{end}",)).pod("api-server")["containers"][0][
            "livenessProbe"
        ]["httpGet"]["path"]
        for end in ("", "/")
    }
    assert path == "/execution/health/ping"


def test_the_api_server_serves_on_until_proxies_know_that_it_ends():
    spec = render(TEAMS, LOCAL).pod("api-server")
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert 0 < pause < spec["terminationGracePeriodSeconds"]


def test_who_reads_logs_may_reach_what_networkpolicy_adds():
    way = {"ports": [{"port": 9000}]}
    policies = render(TEAMS, sets=("networkPolicy.extraEgress[0].ports[0].port=9000",))
    for component in ("api-server", "scheduler", "triggerer"):
        assert way in policies.one("NetworkPolicy", f"cronlift-{component}")["spec"]["egress"], component


def test_with_oidc_there_is_no_password_at_all():
    rendered = render(TWO_TEAMS, CLOUD)
    spec = rendered.pod("api-server")
    assert "write-passwords" not in [container["name"] for container in spec["initContainers"]]
    environment = rendered.environment("api-server")
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS" not in environment
    assert json.loads(environment["CRONLIFT_OIDC"]["value"])["roles"] == {"platform": "Admin", "staff": "Viewer"}
    assert environment["CRONLIFT_OIDC_CLIENT_SECRET"]["valueFrom"]["secretKeyRef"]["name"] == "airflow-oidc"
    assert "CRONLIFT_OIDC_CLIENT_SECRET" not in rendered.environment("scheduler")


def test_the_login_believes_the_proxy_only_where_tls_ends_before_it():
    def variables(*sets, values=(TWO_TEAMS, CLOUD)):
        return set(render(*values, sets=sets).environment("api-server"))

    assert "AIRFLOW__FAB__ENABLE_PROXY_FIX" in variables()
    assert "AIRFLOW__FAB__ENABLE_PROXY_FIX" not in variables("apiServer.baseUrl=http://airflow.example.com")
    assert "AIRFLOW__FAB__ENABLE_PROXY_FIX" not in variables(values=(EVERYTHING,))


def test_own_objects_are_rendered_as_templates():
    rendered = render(TWO_TEAMS, CLOUD)
    assert rendered.one("ConfigMap", "cronlift-own")["data"] == {"key": "value"}
    assert rendered.one("ConfigMap", "second-own")["metadata"]["namespace"] == "cronlift"


def test_own_variables_win_over_settings():
    environment = render(TWO_TEAMS, CLOUD).environment("scheduler")
    assert environment["AIRFLOW__CORE__PARALLELISM"]["value"] == "16"
    assert environment["HTTPS_PROXY"]["value"] == "http://proxy.example.com:3128"


def test_a_pool_of_a_team_counts_tasks_whose_job_runs():
    pools = json.loads(render(TWO_TEAMS, CLOUD).environment("migrate")["CRONLIFT_POOLS"]["value"])
    assert pools == {"billing": {"slots": 8, "description": "Jobs of team billing", "include_deferred": True}}


NAMES = {"ports": [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")]}
"""DNS, before the translation of its Service and, on OpenShift, after it."""


def test_a_team_that_narrows_its_egress_keeps_names():
    def egress(*values):
        return render(*values).one("NetworkPolicy", "cronlift-egress", "team-billing")["spec"]["egress"]

    assert egress(TWO_TEAMS, CLOUD) == [
        NAMES,
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    ]
    assert egress(TWO_TEAMS)[1]["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0"


def test_a_team_that_names_no_egress_at_all_has_names_alone(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text("teams: {billing: {egress: []}}\n")
    policy = render(TWO_TEAMS, values).one("NetworkPolicy", "cronlift-egress", "team-billing")
    assert policy["spec"]["egress"] == [NAMES]


def test_names_are_open_at_the_ports_of_dns_after_the_translation_of_its_service():
    def rules(*sets):
        rendered = render(TWO_TEAMS, CLOUD, sets=sets)
        policies = (("cronlift-default-deny", "cronlift"), ("cronlift-egress", "team-billing"))
        return [rendered.one("NetworkPolicy", *policy)["spec"]["egress"][0] for policy in policies]

    assert rules() == [NAMES] * 2
    gardener = {"ports": [{"port": 8053, "protocol": "UDP"}, {"port": 8053, "protocol": "TCP"}]}
    assert rules("networkPolicy.dnsPorts={8053}") == [gardener] * 2


def test_a_repository_may_have_its_whole_history_where_the_first_has_not():
    sets = ("git.depth=1", "repositories.tools.url=https://x/t.git", "repositories.tools.depth=0")
    spec = render(TWO_TEAMS, sets=sets).pod("dag-processor")
    depths = {c["name"]: a for c in spec["initContainers"] for a in c.get("args", []) if a.startswith("--depth")}
    assert depths == {"git-sync": "--depth=1", "git-sync-tools": "--depth=0"}


def test_a_releases_dots_do_not_come_into_the_names_of_services():
    answer = helm("template", "etl.v2", str(CHART), "--namespace=cronlift", f"--values={MINIMAL}")
    names = [t["metadata"]["name"] for t in yaml.safe_load_all(answer.stdout) if t and t["kind"] == "Service"]
    assert names, answer.stderr
    assert all(name.startswith("etl-v2-cronlift-") for name in names)


def test_on_openshift_no_pod_names_a_user():
    for component, spec in render(TWO_TEAMS, OPENSHIFT).pods():
        contexts = [spec["securityContext"], *(c["securityContext"] for c in spec["containers"])]
        contexts += [container["securityContext"] for container in spec.get("initContainers", [])]
        for context in contexts:
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context), component


def test_airflow_has_a_name_where_the_user_has_none_in_the_image(monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for component in ("api-server", "scheduler", "dag-processor", "triggerer", "migrate", "sweep"):
        environment = render(TWO_TEAMS, OPENSHIFT).environment(component)
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # in the order in which Python asks them
            monkeypatch.delenv(name, raising=False)
            if name in environment:
                monkeypatch.setenv(name, environment[name]["value"])
        assert getuser.__wrapped__() == "airflow", component


def test_alerts_of_a_team_go_where_the_team_says():
    rendered = render(TWO_TEAMS, CLOUD)
    billing = rendered.one("AlertmanagerConfig", "cronlift-team-billing")["spec"]
    assert billing["route"]["matchers"] == [{"name": "team", "value": "billing", "matchType": "="}]
    [receiver] = billing["receivers"]
    assert receiver["emailConfigs"][0]["to"] == "billing@example.com"
    assert receiver["webhookConfigs"][0]["urlSecret"] == {"name": "billing-hook", "key": "url"}


def test_the_notifier_knows_where_each_team_wants_its_news_and_no_address_of_a_webhook():
    rendered = render(TWO_TEAMS, CLOUD)
    environment = rendered.environment("notifier")
    assert json.loads(environment["CRONLIFT_ROUTES"]["value"]) == {
        "billing": {"emails": ["billing@example.com"], "webhook": "/run/webhooks/billing/url"},
        "demo": {"emails": ["platform@example.com"], "webhook": ""},
    }
    assert environment["CRONLIFT_SMTP_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "airflow-mail"
    volumes = {volume["name"]: volume for volume in rendered.pod("notifier")["volumes"]}
    assert volumes["webhook-billing"]["secret"]["secretName"] == "billing-hook"
    assert "webhook-demo" not in volumes


def test_of_what_would_tell_everything_twice_there_are_never_two():
    rendered = render(TWO_TEAMS, CLOUD)
    for name in ("metrics", "notifier"):
        spec = rendered.one("Deployment", f"cronlift-{name}")["spec"]
        one_goes_first = spec["strategy"].get("rollingUpdate") == {"maxSurge": 0, "maxUnavailable": 1}
        assert spec["replicas"] == 1, name
        assert spec["strategy"]["type"] == "Recreate" or one_goes_first, name


def test_while_the_database_goes_down_nothing_of_airflow_runs():
    rendered = render(TEAMS, sets=("migrate.downgradeTo=3.2.1",))
    assert {thing["spec"]["replicas"] for thing in rendered.of("Deployment")} == {0}
    assert {thing["spec"]["suspend"] for thing in rendered.of("CronJob")} == {True}
    assert rendered.environment("migrate")["CRONLIFT_DOWNGRADE_TO"]["value"] == "3.2.1"
    assert not [thing for thing in render(TEAMS).of("CronJob") if "suspend" in thing["spec"]]


def test_history_is_not_deleted_unless_somebody_asks_for_it():
    assert "db-clean" not in dict(render(TEAMS).pods())


def test_old_logs_are_deleted_where_a_volume_holds_them_unless_they_are_kept_for_ever():
    def cleaned(*sets, values=(TEAMS,)):
        return {
            name
            for name, spec in render(*values, sets=sets).pods()
            for volume in spec.get("volumes", [])
            if name == "log-clean" and "persistentVolumeClaim" in volume
        }

    assert cleaned() == cleaned("logs.volume.existingClaim=own") == {"log-clean"}
    assert cleaned("logs.volume.keepDays=0") == cleaned("logs.volume.keepDays=null") == set()
    assert cleaned("logs.remote.url=s3://bucket/logs") == cleaned(values=(TWO_TEAMS, CLOUD)) == set()
    assert not [t for t in render(TEAMS, sets=("logs.volume.keepDays=0",)) if "log-clean" in t["metadata"]["name"]]


def test_the_clean_up_of_logs_goes_where_the_volume_is_and_cleans_what_the_others_mount():
    sets = ("logs.volume.existingClaim=own", "logs.volume.keepDays=7")
    rendered = render(TEAMS, sets=sets)
    spec, scheduler = rendered.pod("log-clean"), rendered.pod("scheduler")
    assert spec["affinity"] == scheduler["affinity"]
    [container] = spec["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["args"][-3:] == ["/opt/cronlift/clean_logs.py", mounts["logs"], "7"]
    logs = [volume for volume in scheduler["volumes"] if volume["name"] == "logs"]
    assert [volume for volume in spec["volumes"] if volume["name"] == "logs"] == logs
    assert mounts.items() <= {m["name"]: m["mountPath"] for m in scheduler["containers"][0]["volumeMounts"]}.items()
    assert "affinity" not in render(TWO_TEAMS, EVERYTHING).pod("log-clean")


def test_logs_outlive_an_uninstall_as_the_database_does():
    claim = render(TEAMS).one("PersistentVolumeClaim", "cronlift-logs")
    assert claim["metadata"]["annotations"] == KEPT


def test_helm_test_has_a_pod_each_for_api_bundles_and_jobs():
    rendered = render(TWO_TEAMS, CLOUD)
    commands = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["command"][-2:] for pod in rendered.of("Pod")}
    assert commands["cronlift-test-api-health"][-1] == "http://cronlift-api-server:8080/etl"
    assert commands["cronlift-test-bundles"] == ["billing", "demo"]
    assert commands["cronlift-test-canary"] == ["billing=team-billing", "demo=team-demo"]
    assert rendered.one("Pod", "cronlift-test-canary")["spec"]["serviceAccountName"] == "cronlift-triggerer"


def test_every_script_that_a_pod_runs_is_in_the_scripts():
    for values in CASES.values():
        rendered = render(*values)
        scripts = set(rendered.one("ConfigMap", "cronlift-scripts")["data"])
        for name, container in rendered.containers():
            words = [*container.get("command", []), *container.get("args", [])]
            words += [entry.get("value", "") for entry in container.get("env", [])]
            used = {part.rpartition("/")[2] for word in words for part in word.split() if "/opt/cronlift/" in part}
            assert used <= scripts, name
            if used:
                assert "/opt/cronlift" in [mount["mountPath"] for mount in container["volumeMounts"]], name
