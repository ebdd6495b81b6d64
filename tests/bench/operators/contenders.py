"""Who competes, and the DAG file of each: the same pod template for all."""

from dataclasses import dataclass
from pprint import pformat
from typing import Any

MARK = "cronlift.dev/benchmark"
"""Label of every Job and Pod of the benchmark, so that it deletes only what is its own."""

OURS, STOCK_JOB, STOCK_POD, PLAIN = "ours", "stock_job", "stock_pod", "plain"

IDLE = "idle"
"""Tasks whose trigger is Airflow's own and waits for a moment far away: what a deferred task costs by itself."""

TITLES = {
    OURS: "cronlift KubernetesJobOperator",
    STOCK_JOB: "stock KubernetesJobOperator, deferrable",
    STOCK_POD: "stock KubernetesPodOperator, deferrable",
    PLAIN: "kubectl create, no Airflow",
}

PREFIX = "e2e_bench_"
"""Of file names: the repo's linters and the live tests' cleaning know `e2e_`."""

ECHO = "echo hi"
WAIT = "sleep 120"


@dataclass(frozen=True)
class BenchDag:
    """One DAG of one contender.

    Attributes:
        contender: `OURS`, `STOCK_JOB`, `STOCK_POD` or `IDLE`.
        tasks: Tasks in it, independent of each other.
        script: What each Job runs.
    """

    contender: str
    tasks: int
    script: str = ECHO

    @property
    def manifest(self) -> str:
        """The manifest of our operator, relative to the DAG file."""
        return f"jobs/{PREFIX}{'echo' if self.script == ECHO else 'waiting'}.yaml"

    @property
    def stem(self) -> str:
        """The DAG file's name without suffix, and the DAG's id without its team."""
        return f"{PREFIX}{self.contender}_{self.tasks}" + ("" if self.script == ECHO else "_waiting")


def pod_template(image: str, script: str) -> dict[str, Any]:
    """Return the Pod that every contender runs; its container is called as the stock operators expect."""
    return {
        "metadata": {"labels": {MARK: "operators"}},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "cronlift-job",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "base",
                    "image": image,
                    "command": ["bash", "-c"],
                    "args": [script],
                    "resources": {
                        "requests": {"cpu": "1m", "memory": "8Mi"},
                        "limits": {"cpu": "1", "memory": "64Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def job(image: str, script: str, name: str | None = None) -> dict[str, Any]:
    """Return the Job around that Pod; without a name it is our operator's manifest."""
    metadata: dict[str, Any] = {"labels": {MARK: "operators"}}
    if name:
        metadata["name"] = name
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": pod_template(image, script)},
    }


def dag_source(dag: BenchDag, team: str, namespace: str, image: str) -> str:
    """Return the DAG file, as short as its author would write it.

    Args:
        dag: What it holds.
        team: Prefix of the DAG's id.
        namespace: Where its Jobs run; our operator takes it from the team.
        image: Image of the Job; our operator's is in its manifest.
    """
    imports, call = _CALLS[dag.contender]
    pod = f"POD = {pformat(pod_template(image, dag.script), sort_dicts=False)}\n\n"
    return _SOURCE.format(
        imports=imports,
        constants={OURS: "", IDLE: _IDLE_CLASS}.get(dag.contender, pod),
        dag_id=f"{team}__{dag.stem}",
        tasks=dag.tasks,
        operator=call.format(namespace=namespace, manifest=dag.manifest),
    )


_SOURCE = '''\
"""Written by the benchmark, which removes it."""

{imports}

{constants}\
# Airflow's limits of a DAG (16 active tasks, 16 active runs) are lifted for all contenders alike.
with DAG("{dag_id}", schedule=None, catchup=False, max_active_tasks=1000, max_active_runs=1000):
    for number in range({tasks}):
        {operator}
'''

_STOCK = "airflow.providers.cncf.kubernetes.operators"
_STOCK_ARGUMENTS = (
    'task_id=f"task_{{number:03}}", name="echo", namespace="{namespace}", pod_template_dict=POD, deferrable=True, '
    # Without a connection, the Job operator's trigger looks for a kubeconfig file unless it is told.
    "in_cluster=True"
)

_IDLE_CLASS = """\

class Idle(BaseOperator):
    def __init__(self, **more):
        super().__init__(**more)
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.standard.triggers.temporal.DateTimeTrigger",
            next_method="execute_complete",
            trigger_kwargs={"moment": datetime(2100, 1, 1, tzinfo=UTC)},
        )

"""

_CALLS = {
    IDLE: (
        "from datetime import UTC, datetime\n\nfrom airflow.sdk import DAG, BaseOperator\n"
        "from airflow.triggers.base import StartTriggerArgs",
        'Idle(task_id=f"task_{{number:03}}")',
    ),
    OURS: (
        "from airflow.sdk import DAG\nfrom cronlift import KubernetesJobOperator",
        'KubernetesJobOperator(task_id=f"task_{{number:03}}", manifest="{manifest}")',
    ),
    STOCK_JOB: (
        f"from {_STOCK}.job import KubernetesJobOperator\nfrom airflow.sdk import DAG",
        f"KubernetesJobOperator({_STOCK_ARGUMENTS}, labels={{{{{MARK!r}: 'operators'}}}}, backoff_limit=0, "
        "wait_until_job_complete=True)",
    ),
    STOCK_POD: (
        f"from {_STOCK}.pod import KubernetesPodOperator\nfrom airflow.sdk import DAG",
        f"KubernetesPodOperator({_STOCK_ARGUMENTS})",
    ),
}
