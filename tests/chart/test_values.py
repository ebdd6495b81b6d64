"""Values that are refused, and the agreement of values.yaml, schema, README and pins."""

import importlib.util
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from ci import chart_facts, chart_settings
from ci.chart_readme import reference
from ci.pins import pins
from tests.chart.rendering import CHART, LOCAL, TEAMS, TWO_TEAMS, refusal, render

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
BLOCKS = [key for key, part in SCHEMA["properties"].items() if part.get("additionalProperties") is False]


def parts(schema, path=""):
    """Yield (path, schema) of every described key."""
    for key, part in schema.get("properties", {}).items():
        yield f"{path}{key}", part
        yield from parts(part, f"{path}{key}.")


def paths(values, prefix=""):
    """Yield every key of the defaults, as a path."""
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


@pytest.mark.parametrize("block", BLOCKS)
def test_a_typo_in_any_block_is_refused(block):
    assert "typo" in refusal(sets=(f"{block}.typo=1",))


def test_a_typo_at_the_top_is_refused():
    assert "schedular" in refusal(sets=("schedular.replicas=1",))


def blocks(schema, path=()):
    """Yield the path of every block of keys that the schema names, those of teams and repositories too."""
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "object" and schema.get("properties"):
        yield path
    for key, part in schema.get("properties", {}).items():
        yield from blocks(part, (*path, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from blocks(schema["additionalProperties"], (*path, "x"))


def test_a_typo_in_any_inner_block_is_refused_with_its_path():
    found = list(blocks(SCHEMA))
    assert {
        ("images", "airflow"),
        ("teams", "x", "alerts"),
        ("metrics", "serviceMonitor"),
        ("repositories", "x", "auth"),
    } <= {*found}
    for path in found:
        values = {"typo": 1}
        for key in reversed(path):
            values = {key: values}
        errors = jsonschema.Draft202012Validator(SCHEMA).iter_errors(values)
        told = {tuple(error.absolute_path) for error in errors if error.validator == "additionalProperties"}
        assert path in told, path


def test_a_typo_in_a_team_is_refused():
    assert "namespce" in refusal(TEAMS, sets=("teams.demo.namespce=x",))


def test_every_object_of_the_schema_refuses_unknown_keys():
    for path, part in [*parts(SCHEMA), *[(f"$defs.{name}", part) for name, part in SCHEMA["$defs"].items()]]:
        free = path.endswith(
            (".affinity", ".valueFrom", "global")
        )  # Kubernetes' own words, checked with the rendered objects
        if part.get("type") == "object" and not free:
            assert "additionalProperties" in part, path


def test_every_key_of_the_schema_is_described():
    for path, part in [*parts(SCHEMA), *(row for definition in SCHEMA["$defs"].values() for row in parts(definition))]:
        assert part.get("description", "").endswith("."), path


def test_values_and_schema_have_the_same_keys():
    def keys(values, schema, path=""):
        for key in {*values, *schema["properties"]} - {"global"}:
            assert key in values, f"{path}{key} is in the schema only"
            assert key in schema["properties"], f"{path}{key} is in values.yaml only"
            if schema["properties"][key].get("properties"):
                keys(values[key], schema["properties"][key], f"{path}{key}.")

    keys(DEFAULTS, SCHEMA)


def test_values_fit_on_300_lines_and_start_each_block_with_a_sentence():
    lines = (CHART / "values.yaml").read_text().splitlines()
    assert len(lines) <= 300
    for key in set(DEFAULTS) - {"imagePullSecrets"}:
        number = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
        assert lines[number - 1].startswith("# "), key


@pytest.mark.parametrize(
    "path", [TEAMS, LOCAL, TWO_TEAMS, *sorted((CHART / "ci").glob("*-values.yaml"))], ids=lambda p: p.name
)
def test_values_file_of_the_repo_fits_the_schema(path):
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


def test_readme_holds_the_table_of_the_schema():
    assert reference() in (CHART / "README.md").read_text(), "run: python -m ci.chart_readme"


@pytest.mark.parametrize(("image", "pin"), [("postgres", "POSTGRES"), ("gitSync", "GIT_SYNC")])
def test_upstream_images_are_the_pinned_ones(image, pin):
    value = DEFAULTS["images"][image]
    assert f"{value['repository']}:{value['tag']}" == pins()[f"{pin}_IMAGE"]
    assert value["digest"] == pins()[f"{pin}_DIGEST"]


def test_app_version_is_the_pinned_airflow():
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == pins()["AIRFLOW_VERSION"]


def test_all_faults_are_told_at_once():
    words = refusal(
        sets=(
            "images.airflow.repository=",
            "images.airflow.tag=",
            "git.url=",
            "triggerer.replicas=2",
            "git.auth.type=ssh",
        )
    )
    for key in (
        "images.airflow.repository",
        "images.airflow.tag",
        "git.url",
        "triggerer.replicas",
        "git.auth.existingSecret",
    ):
        assert f"- {key}" in words
    assert "5 fault(s)" in words


def test_a_renamed_key_is_refused_with_the_new_one():
    words = refusal(sets=("webserver.replicas=2", "executor=CeleryExecutor", "images.airflow.tag="))
    assert "- webserver is a key of the official chart: use apiServer." in words
    assert "- executor is a key of the official chart: leave it out, the chart runs LocalExecutor" in words
    assert "- images.airflow.tag" in words


def test_the_schema_lets_renamed_keys_pass_so_that_the_chart_can_tell_the_new_one():
    renamed = yaml.safe_load((CHART / "files/renamed-values.yaml").read_text())
    assert set(SCHEMA["patternProperties"]) == {f"^({'|'.join(renamed)})$"}
    known = set(paths(DEFAULTS))
    for old, entry in renamed.items():
        assert old not in known, old
        assert "cure" in entry or entry["now"] in known or entry["now"].startswith("teams.<name>."), old


OWN_DATABASE = ("postgres.enabled=false", "database.existingSecret=x")


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("images.airflow.tag=latest",), "images.airflow.tag is latest"),
        (("images.gitSync.tag=",), "images.gitSync.tag and .digest are empty, which means latest"),
        (("git.url=example.com/r.git",), "git.url is example.com/r.git, which has no scheme: give https://example.com"),
        (("repositories.x.url=r.git",), "repositories.x.url is r.git, which has no scheme"),
        (("git.url=https://user:secret@example.com/r.git",), "git.url holds credentials"),
        (("git.auth.existingSecret=x",), "git.auth.type is none"),
        (("git.url=", "repositories.x.url=https://example.com/x.git", "teams.demo.repo=x"), "git.url is empty"),
        (("repositories.x.url=https://u:p@example.com/x.git",), "repositories.x.url holds credentials"),
        (
            ("repositories.x.url=https://x", "repositories.x.auth.type=ssh"),
            "repositories.x.auth.existingSecret is empty",
        ),
        (("git.auth.type=ssh", "git.auth.existingSecret=x"), "give the ssh URL of the repository"),
        (
            ("git.url=ssh://git@example.com/r.git", "git.auth.type=https", "git.auth.existingSecret=x"),
            "git.auth.type is https but git.url is ssh://git@example.com/r.git",
        ),
        (("git.url=git@example.com:r.git",), "git.url is reached over ssh but git.auth.type is none"),
        (("git.url=git://example.com/r.git", "git.caSecret=x"), "git.caSecret is set but git.url is not https"),
        (("openshift.enabled=true", "git.auth.type=ssh", "git.auth.existingSecret=x"), "use https with a token"),
        (("canary.image=x:latest",), "canary.image is latest"),
        (("postgres.enabled=false",), "database.existingSecret is empty"),
        (("database.host=db",), "database.host is set but postgres.enabled is true"),
        (("database.tls.mode=require",), "database.tls.mode is set but postgres.enabled is true"),
        (("database.pgbouncer.enabled=true",), "database.pgbouncer.enabled is true but postgres.enabled"),
        ((*OWN_DATABASE, "database.tls.mode=verify-full"), "database.tls.caSecret is empty"),
        ((*OWN_DATABASE, "database.tls.caSecret=x"), "database.tls.mode is prefer, which verifies nothing"),
        ((*OWN_DATABASE, "database.pgbouncer.enabled=true"), "database.pgbouncer.enabled needs database.host"),
        (
            (*OWN_DATABASE, "database.pgbouncer.enabled=true", "database.host=x"),
            "database.pgbouncer.directHost is empty",
        ),
        (("ingress.enabled=true",), "ingress.enabled is true but apiServer.baseUrl is empty"),
        (("httpRoute.enabled=true", "apiServer.baseUrl=https://x"), "httpRoute.parentRefs is empty"),
        (("auth.manager=oidc",), "auth.oidc.issuer is empty"),
        (("auth.manager=oidc",), "auth.oidc.existingSecret is empty"),
        (("auth.manager=oidc",), "so nobody could do anything"),
        (("auth.manager=oidc",), "the provider sends people back to it"),
        (("auth.oidc.issuer=https://x",), "set auth.manager=oidc"),
        (("logs.remote.url=s3://x", "logs.remote.existingSecret=x"), "logs.remote.connectionId is empty"),
        (("logs.remote.connectionId=x",), "logs.remote.url is empty"),
        (("logs.remote.url=s3://x", "logs.volume.existingClaim=x"), "task logs go to one of them"),
        (("metrics.prometheusRule.enabled=true",), "set metrics.enabled=true"),
        (
            ("metrics.enabled=true", "metrics.prometheusRule.enabled=true", "git.copy=false"),
            "nothing would tell CronliftGitStale: set metrics.serviceMonitor.enabled=true",
        ),
        (("notifications.enabled=true",), "no team says where news go: give teams.<name>.alerts.emails"),
        (
            ("notifications.enabled=true", "teams.demo.alerts.emails[0]=a@example.com"),
            "notifications.smtp.host is empty although teams.demo.alerts.emails is set: name your mail server",
        ),
        (
            ("notifications.enabled=true", "teams.demo.alerts.emails[0]=a@example.com"),
            "notifications.smtp.from is empty",
        ),
        (("notifications.smtp.host=mail",), "set notifications.enabled=true"),
        (("teams.demo.repo=x",), "teams.demo.repo is x, which is not in repositories"),
        (("teams.demo.path=dags/billing",), "teams.demo.path is also that of team billing"),
        (("config.core.executor=KubernetesExecutor",), "leave it out"),
        (("extra.env[0].name=A", "extra.env[1].name=A"), "extra.env has A twice"),
        (("extra.env[0].name=CRONLIFT_TEAMS",), "names that begin with CRONLIFT_ are the chart's own"),
        (
            (*OWN_DATABASE, "database.host=db", "database.tls.mode=require", "extra.env[0].name=PYTHONPATH"),
            "extra.env has PYTHONPATH, which the chart sets with these values",
        ),
        (
            (
                "logs.remote.url=s3://x",
                "logs.remote.connectionId=store",
                "logs.remote.existingSecret=x",
                "extra.env[0].name=AIRFLOW_CONN_STORE",
            ),
            "extra.env has AIRFLOW_CONN_STORE, which the chart sets",
        ),
        (("extra.env[0].name=AIRFLOW__CORE__FERNET_KEY",), "AIRFLOW__CORE__FERNET_KEY belongs to the chart"),
        (("database.existingSecret=x",), "postgres.enabled is true"),
        (("scheduler.replicas=2",), "logs.volume.accessMode=ReadWriteMany"),
        (("scheduler.replicas=2",), "name it in logs.volume.existingClaim"),
        (("ingress.enabled=true", "apiServer.baseUrl=https://10.0.0.1:8443"), "is an address (https://10.0.0.1:8443)"),
        (("apiServer.service.nodePort=30080",), "apiServer.service.type=NodePort"),
        (("apiServer.service.loadBalancerSourceRanges={10.0.0.0/8}",), "set apiServer.service.type=LoadBalancer"),
        (("teams.demo.namespace=cronlift",), "teams.demo.namespace is the release's own"),
        (("teams.demo.namespace=team-billing",), "teams.demo.namespace is also that of team billing"),
        (("config.core.fernet_key=x",), "config.core.fernet_key belongs to the chart"),
        (("config.core.fernet_key_cmd=x",), "config.core.fernet_key_cmd belongs to the chart"),
        (("config.api.port=1",), "config.api.port belongs to the chart: the Service and the probes use 8080"),
        (("config.core.parallelizm=1",), "config.core.parallelizm is no setting of Airflow 3."),
        (("config.webserver.workers=1",), "config.webserver.workers belongs to the chart: set apiServer.workers"),
        (("config.webserver.expose_config=true",), "is an old name: use api.expose_config"),
        (("extra.env[0].name=AIRFLOW__CORE__PARALLELIZM",), "AIRFLOW__CORE__PARALLELIZM is no setting of Airflow"),
        (("teams.demo.namespace=kube-system",), "teams.demo.namespace is kube-system, which belongs to the cluster"),
    ],
    ids=lambda value: value[0].partition("=")[0] if isinstance(value, tuple) else "",
)
def test_an_impossible_combination_is_refused_with_its_cure(sets, words):
    assert words in re.sub(r"\s+", " ", refusal(TWO_TEAMS, sets=sets))


def test_the_stores_of_logs_that_the_chart_knows_are_those_of_the_pinned_airflow():
    words = re.sub(r"\s+", " ", refusal(TEAMS, sets=("logs.remote.url=abfs://logs",)))
    [stores] = re.findall(
        r"logs.remote.url is abfs://logs, and Airflow knows no such store: begin it with one of (.*)\.", words
    )
    source = Path(importlib.util.find_spec("airflow.config_templates.airflow_local_settings").origin).read_text()
    assert set(stores.split(", ")) == set(re.findall(r'remote_base_log_folder\.startswith\("(.*?)"\)', source))


@pytest.mark.parametrize(
    "setting",
    ["config.elasticsearch.host=x", "config.opensearch.host_cmd=x", "extra.env[0].name=AIRFLOW__OPENSEARCH__HOST"],
)
def test_a_store_that_is_named_elsewhere_may_have_any_url(setting):
    render(TEAMS, sets=("logs.remote.url=elastic://logs", setting))


@pytest.mark.parametrize("tag", ["20240131", "123e45", "012345", "1.10"])
def test_a_tag_that_yaml_reads_as_a_number_is_refused(tmp_path, tag):
    values = tmp_path / "values.yaml"
    values.write_text(f"images: {{airflow: {{tag: {tag}}}}}\n")
    assert "images.airflow.tag is a number without quotes" in re.sub(r"\s+", " ", refusal(TEAMS, values))
    quoted = tmp_path / "quoted.yaml"
    quoted.write_text(f'images: {{airflow: {{tag: "{tag}"}}}}\n')
    assert f":{tag}" in render(TEAMS, quoted).pod("scheduler")["containers"][0]["image"]


def test_numbers_keep_all_their_digits(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text("triggerer: {capacity: 2000000}\nconfig: {aws: {account: 111122223333, ratio: 0.5}}\n")
    environment = render(TEAMS, values).environment("triggerer")
    assert environment["AIRFLOW__TRIGGERER__CAPACITY"]["value"] == "2000000"
    assert environment["AIRFLOW__AWS__ACCOUNT"]["value"] == "111122223333"
    assert environment["AIRFLOW__AWS__RATIO"]["value"] == "0.5"


@pytest.mark.parametrize(
    "setting",
    [
        "teams.Demo.namespace=x",
        "teams.demo.path=/dags",
        "teams.demo.path=../x",
        "teams.demo.podSecurity=none",
        "jobImages.legacy=example.com/legacy",
        "jobImages.legacy=example.com/legacy:latest",
        "git.period=5",
        "apiServer.replicas=0",
        "apiServer.service.type=Nodeport",
        "apiServer.service.loadBalancerSourceRanges={10.0.0.1}",
        "scheduler.resources.limits.memory=lots",
        "apiServer.baseUrl=airflow.example.com",
        "sweep.schedule=hourly",
        "sweep.minAgeMinutes=-1",
        "clusters.gpu.key=kubeconfig",
        "clusters.GPU.existingSecret=x",
        "links.logs=logs.example.com",
        "repositories.x.ref=main",
        "auth.manager=fab",
        "auth.oidc.issuer=https://id.example.com/",
        "auth.oidc.roles.staff=Root",
        "pods.tolerations=all",
        "openshift.enabled=maybe",
        "dbClean.keepDays=0",
        "logs.volume.keepDays=-1",
        "migrate.downgradeTo=3.2",
        "notifications.smtp.security=ssl",
        "notifications.smtp.from=nobody",
        "notifications.lateAfterMinutes=0",
        "dbClean.schedule=daily",
        "metrics.serviceMonitor.interval=30",
        "database.host=user@db",
        "database.tls.mode=on",
        "database.pgbouncer.directPort=0",
        "logs.remote.url=bucket",
        "canary.image=python",
        "canary.image=localhost:5000/python",
        "apiServer.terminationGracePeriodSeconds=4",
        "teams.demo.pool.slots=-1",
        "teams.demo.alerts.emails[0]=nobody",
        "teams.demo.egress=none",
        "ingress.annotations.x=1",
        "extra.env[0].value=x",
    ],
)
def test_a_malformed_value_is_refused(setting):
    assert "values don't meet the specifications" in refusal(TEAMS, sets=(setting,))


@pytest.mark.parametrize("image", ["legacy:1", "localhost:5001/cronlift/legacy:abc", "localhost/cronlift/legacy:abc"])
def test_a_pinned_job_image_is_accepted(image):
    render(sets=(f"jobImages.legacy={image}",))


def test_settings_that_the_chart_knows_are_those_of_the_pinned_airflow():
    assert chart_settings.content() == chart_settings.FILE.read_text(), "run: python -m ci.chart_settings"
    known = json.loads(chart_settings.FILE.read_text())["options"]
    for name in yaml.safe_load((CHART / "files/owned-settings.yaml").read_text()):
        section, _, option = name.partition(".")
        assert option in known[section] or name == "core.sql_alchemy_conn", name


def test_counted_pages_are_up_to_date():
    things = chart_facts.rendered()
    for path, new in (
        (chart_facts.RBAC, chart_facts.rbac_page(things)),
        (chart_facts.FIGURES, chart_facts.figures_page(things)),
    ):
        assert chart_facts.page(path, new) == path.read_text(), "run: python -m ci.chart_facts"
