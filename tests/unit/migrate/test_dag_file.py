"""DAG files of other operators, as a whole."""

import ast
from pathlib import PurePosixPath
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml

from cronlift.job.review import check_sources
from cronlift.job.sources import Sources
from cronlift.migrate.dag_file import Migration, migrate

STOCK = "from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator\n"
K8S = "from kubernetes.client import models as k8s\n"
OLD = "from airflow_kjo import KubernetesJobOperator\n"
FILE = PurePosixPath("/dags/billing/nightly.py")


def migrated(source: str, there: dict[str, str] | None = None) -> Migration:
    found = migrate(source, FILE, (there or {}).get)
    ast.parse(found.source)
    return found


def task(arguments: str, imports: str = STOCK) -> str:
    return f"{imports}\nKubernetesJobOperator(\n{indent(dedent(arguments).strip(), '    ')},\n)\n"


def manifest_of(arguments: str) -> dict[str, Any]:
    found = migrated(task(f"task_id='a', image='i',\n{arguments}", STOCK + K8S))
    assert [note for note in found.notes if note.left] == []
    (text,) = found.manifests.values()
    check_sources(Sources("jobs/a.yaml", {"jobs/a.yaml": text}), None)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def faults(source: str) -> list[str]:
    found = migrated(source)
    assert (found.source, found.manifests) == (source, {})
    return [note.text for note in found.notes if note.left]


def test_the_job_goes_into_a_file_and_everything_else_stays() -> None:
    source = '''\
"""Nightly."""

from datetime import timedelta

from airflow.sdk import DAG
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator  # stock

with DAG("billing__nightly"):  # é
    export = KubernetesJobOperator(
        task_id="export",   # odd   spaces
        image="registry/billing:4",
        # twice at most
        retries=1,
        cmds=["./export", "--day={{ ds }}"], deferrable=True,
        execution_timeout=timedelta(hours=1)
    )
    export
'''
    found = migrated(source)
    assert (
        found.source
        == '''\
"""Nightly."""

from datetime import timedelta

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator  # stock

with DAG("billing__nightly"):  # é
    export = KubernetesJobOperator(
        task_id="export",   # odd   spaces
        manifest="jobs/export.yaml",
        # twice at most
        retries=1,
        execution_timeout=timedelta(hours=1)
    )
    export
'''
    )
    assert found.manifests == {
        "jobs/export.yaml": dedent(
            """\
            apiVersion: batch/v1
            kind: Job
            spec:
              template:
                spec:
                  containers:
                    - name: base
                      image: registry/billing:4
                      command:
                        - ./export
                        - "--day={{ ds }}"
            """
        )
    }


@pytest.mark.parametrize(
    ("arguments", "path", "value"),
    [
        ("env_vars={'A': '1'}", "template spec containers 0 env", [{"name": "A", "value": "1"}]),
        ("env_vars=[k8s.V1EnvVar(name='A', value='1')],\npod_runtime_info_envs=[k8s.V1EnvVar(name='P', value_from="
         "k8s.V1EnvVarSource(field_ref=k8s.V1ObjectFieldSelector(field_path='status.podIP')))]",
         "template spec containers 0 env 1 valueFrom", {"fieldRef": {"fieldPath": "status.podIP"}}),
        ("configmaps=['c'],\nenv_from=[k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name='s'))]",
         "template spec containers 0 envFrom", [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]),
        ("container_resources=k8s.V1ResourceRequirements(limits={'cpu': '1'})",
         "template spec containers 0 resources", {"limits": {"cpu": "1"}}),
        ("image_pull_secrets='a, b'", "template spec imagePullSecrets", [{"name": "a"}, {"name": "b"}]),
        ("labels={'a': 'b'}", "template metadata labels", {"a": "b"}),
        ("completions=3,\ncompletion_mode='Indexed'", "completionMode", "Indexed"),
        ("do_xcom_push=True", "template spec containers 0 terminationMessagePath", "/airflow/xcom/return.json"),
        ("base_container_name='main'", "template spec containers 0 name", "main"),
    ],
)  # fmt: skip
def test_arguments_become_fields_of_the_job(arguments: str, path: str, value: object) -> None:
    found: Any = manifest_of(arguments)["spec"]
    for step in path.split():
        found = found[int(step) if step.isdigit() else step]
    assert found == value


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("get_logs=False", {"logs": "off"}),
        ("get_logs=True", {}),
        ("on_finish_action='delete_pod'", {"delete_policy": "always"}),
        ("on_finish_action='keep_pod'", {"delete_policy": "never"}),
        ("do_xcom_push=True", {"result_from": "termination_message"}),
        ("kubernetes_conn_id='kubernetes_default'", {}),
        ("wait_until_job_complete=True, job_poll_interval=5, startup_timeout_seconds=60", {}),
        ("outlets=[a], pool='x'", {"outlets": "[a]", "pool": "x"}),
    ],
)
def test_arguments_of_the_stock_operator_become_ours(arguments: str, call: dict[str, object]) -> None:
    found = migrated(task(f"task_id='a',\nimage='i',\n{arguments}"))
    assert arguments_of(found.source) == {"task_id": "a", "manifest": "jobs/a.yaml", **call}


def arguments_of(source: str) -> dict[str, object]:
    call = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        str(each.arg): each.value.value if isinstance(each.value, ast.Constant) else ast.unparse(each.value)
        for each in call.keywords
    }


def test_a_template_file_stays_the_manifest() -> None:
    found = migrated(task("task_id='a', job_template_file='/dags/billing/jobs/x.yaml', deferrable=True"))
    assert (arguments_of(found.source)["manifest"], found.manifests) == ("jobs/x.yaml", {})


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("yaml_template_fields={'a': 1, 'b': x}", {"values": "{'a': 1, 'b': x}"}),
        ("in_cluster=True, config_file=None", {}),
        ("log_yaml=True", {"log_manifest": True}),
        ("log_yaml=False", {}),
        ("yaml_write_path='/tmp', yaml_write_filename='x.yaml'", {"log_manifest": True}),
        ("tail_logs=True", {"tail_lines": 100}),
        ("tail_logs_line_count=5", {"tail_lines": 5}),
        ("tail_logs_every=60", {"tail_lines": 100, "tail_every": "timedelta(seconds=60)"}),
        ("delete_completed_job=True", {}),
        ("delete_completed_job=False", {}),
    ],
)  # fmt: skip
def test_arguments_of_the_old_operator_become_ours(arguments: str, call: dict[str, object]) -> None:
    found = migrated(task(f"task_id='a',\nyaml_file_name='x.yaml',\n{arguments}", OLD))
    assert arguments_of(found.source) == {"task_id": "a", "manifest": "x.yaml", **call}
    assert found.manifests == {}


@pytest.mark.parametrize(
    ("imports", "text"),
    [
        ("", "from datetime import timedelta\nfrom cronlift import KubernetesJobOperator\n"),
        ("from datetime import timedelta as td\n", "td(seconds=60)"),
        ("import datetime as dt\n", "dt.timedelta(seconds=60)"),
    ],
)
def test_timedelta_is_imported_when_it_is_not_there(imports: str, text: str) -> None:
    source = task("task_id='a', yaml_file_name='x.yaml', tail_logs_every=60", imports + OLD)
    assert text in migrated(source).source


def test_a_computed_yaml_name_is_handed_on() -> None:
    found = migrated(task("task_id='a', yaml_file_name=PATH + 'x.yaml'", OLD))
    assert arguments_of(found.source)["manifest"] == "PATH + 'x.yaml'"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (task("task_id='a', image=IMAGE"), "image is no literal (IMAGE)"),
        (task("task_id=f'{x}', image='i'"), "task_id is no literal"),
        (task("task_id='a', name='n'"), "image is not given in the call"),
        (task("task_id='a', image='i', secrets=[s]"), "secretKeyRef"),
        (task("task_id='a', image='i', kubernetes_conn_id='other'"), "cluster=NAME"),
        (task("task_id='a', image='i', unwrap_single=False"), "unwrap_single"),
        (task("task_id='a', image='i', cmds=['{{ var.value[\"x\"] }} \\n']"), "cannot be written"),
        (task("task_id='a', image='i', job_template_file='x.yaml'"), "Write those into the file"),
        (task("**more"), "Write each as name=value"),
        (STOCK + "KubernetesJobOperator.partial(task_id='a').expand(image=['i'])\n", ".partial(manifest="),
        (STOCK + "class Mine(KubernetesJobOperator): ...\n", "no plain call"),
        (task("task_id='a', yaml_file_name='/elsewhere/x.yaml'", OLD), "outside the DAG file's folder"),
        (task("task_id='a', yaml_file_name='x.yaml.tmpl'", OLD), "Rename the file"),
        (task("task_id='a', yaml_file_name='x.yaml', cluster_context='c'", OLD), "cluster=NAME"),
        (task("task_id='a', yaml_file_name='x.yaml', tail_logs=x", OLD), "tail_logs is no literal (x)"),
        (task("task_id='a', yaml_file_name='x.yaml', kube_launcher=x", OLD), "no launcher"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_left_with_the_cure(source: str, words: str) -> None:
    (text,) = faults(source)
    assert text.startswith("left as it is: ")
    assert words in text


def test_every_fault_of_a_call_is_told_at_its_line() -> None:
    found = migrated("\n" + task("task_id='a', image=IMAGE, secrets=[s], volumes=v"))
    assert [(note.line, note.left) for note in found.notes if note.left] == [(4, True)] * 3


def test_calls_that_are_left_keep_their_import() -> None:
    found = migrated(f"{STOCK}a = KubernetesJobOperator(task_id='a', image='i')\nKubernetesJobOperator(**more)\n")
    assert found.source == (
        f"import cronlift\n{STOCK}"
        "a = cronlift.KubernetesJobOperator(task_id='a', manifest=\"jobs/a.yaml\")\nKubernetesJobOperator(**more)\n"
    )


@pytest.mark.parametrize(
    ("imports", "name", "after"),
    [
        (STOCK.replace("\n", " as Job\n"), "Job", "from cronlift import KubernetesJobOperator as Job\n"),
        (
            STOCK.replace("import ", "import KubernetesDeleteJobOperator, "),
            "KubernetesJobOperator",
            STOCK.replace("KubernetesJob", "KubernetesDeleteJob") + "from cronlift import KubernetesJobOperator\n",
        ),
        ("import airflow_kjo\n", "airflow_kjo.KubernetesJobOperator", "import cronlift\nimport airflow_kjo\n"),
        (
            "from airflow.providers.cncf.kubernetes.operators import job\n",
            "job.KubernetesJobOperator",
            "import cronlift\nfrom airflow.providers.cncf.kubernetes.operators import job\n",
        ),
    ],
)
def test_imports_of_every_form_are_put_right(imports: str, name: str, after: str) -> None:
    arguments = "yaml_file_name='x.yaml'" if "kjo" in imports else "job_template_file='x.yaml'"
    found = migrated(f"{imports}{name}(task_id='a', {arguments})\n")
    called = name if "." not in name else "cronlift.KubernetesJobOperator"
    assert found.source == f"{after}{called}(task_id='a', manifest='x.yaml')\n"


def test_a_file_without_these_operators_stays_as_it_is() -> None:
    source = "from cronlift import KubernetesJobOperator\nKubernetesJobOperator(task_id='a', manifest='x.yaml')\n"
    assert migrated(source) == Migration(source)


def test_a_second_run_changes_nothing() -> None:
    once = migrated(task("task_id='a', image='i'")).source
    assert migrated(once) == Migration(once)


def test_a_manifest_that_is_there_is_not_overwritten() -> None:
    found = migrated(task("task_id='a', image='i'"), {"jobs/a.yaml": "other"})
    assert list(found.manifests) == ["jobs/nightly_a.yaml"]
    both = {"jobs/a.yaml": "other", "jobs/nightly_a.yaml": "other"}
    assert "is there with another content" in migrated(task("task_id='a', image='i'"), both).notes[-1].text


def test_two_tasks_of_one_name_get_a_manifest_each() -> None:
    source = STOCK + "".join(f"KubernetesJobOperator(task_id='a', image='{image}')\n" for image in ("i", "k"))
    assert list(migrated(source).manifests) == ["jobs/a.yaml", "jobs/nightly_a.yaml"]


def test_no_python_is_told_by_the_parser() -> None:
    with pytest.raises(SyntaxError):
        migrated("with DAG(:\n")
