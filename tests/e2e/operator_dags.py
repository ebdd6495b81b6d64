"""DAGs that use what the operator can do, each once; the live tests write them into the working tree."""

from collections.abc import Mapping
from textwrap import indent

from tests.live.scratch_dag import FOLDER, ScratchDag

CONTAINER = """\
            - name: main
              image: "{{{{ images.legacy }}}}"
              command: ["bash", "-c"]
              args:
                - |
{script}
              resources:
                requests: {{cpu: 5m, memory: 8Mi}}
                limits: {{cpu: "1", memory: 64Mi}}
              securityContext:
                allowPrivilegeEscalation: false
                capabilities: {{drop: [ALL]}}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
spec:
{job}
  template:
    spec:
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        fsGroup: 1000
        seccompProfile: {{type: RuntimeDefault}}
      terminationGracePeriodSeconds: 1
{pod}
      containers:
{container}"""

COMPANIONS = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ job_name }}-settings"}
data: {greeting: "hello from the ConfigMap"}
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ job_name }}-token"}
stringData: {token: "{{ var.value.demo__e2e_token }}"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: "{{ job_name }}-scratch"}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
"""
COMPANION_USE = """\
              env:
                - name: GREETING
                  valueFrom: {configMapKeyRef: {name: "{{ job_name }}-settings", key: greeting}}
                - name: TOKEN
                  valueFrom: {secretKeyRef: {name: "{{ job_name }}-token", key: token}}
              volumeMounts:
                - {name: scratch, mountPath: /scratch}
"""
SIDECAR = """\
      initContainers:
        - name: proxy
          restartPolicy: Always
          image: "{{ images.legacy }}"
          command: ["bash", "-c", "trap 'exit 0' TERM; echo proxy is up; while :; do sleep 0.2; done"]
          resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {cpu: "1", memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""

FEATURES = '''\
"""Written by a live test, which removes it."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, task, task_group
from cronlift import KubernetesJobOperator


def job(task_id, manifest=None, **more):
    return KubernetesJobOperator(task_id=task_id, manifest=f"jobs/{stem}_{{manifest or task_id}}.yaml", **more)


def say_success(context):
    print("on_success_callback was called")


with DAG("{dag_id}", schedule=None, max_active_tasks=40):
    message = job("message", result_from="termination_message")
    shards = job("shards", result_from="log")
    mapped = KubernetesJobOperator.partial(
        task_id="mapped", manifest="jobs/{stem}_shard.yaml", result_from="log"
    ).expand(values=shards.output)

    @task
    def total(numbers):
        print("total", sum(numbers))

    total(mapped.output)
    job("from_values", values={{"result": message.output, "day": "{{{{ run_id }}}}"}})
    message >> job("from_xcom")
    job("indexed", result_from="termination_message")
    job("companions", log_manifest=True)
    job("sidecar")
    job("in_pool", "plain", pool="e2e_pool", pool_slots=2)
    job("with_outlet", "plain", outlets=[Asset("{stem}")])
    job("with_callback", "plain", on_success_callback=say_success)
    job("depends_on_past", "plain", depends_on_past=True, trigger_rule="all_done")
    job("no_logs", "chatty", logs="off")
    job("queued", start_timeout=timedelta(seconds=20))
    job("tail", "chatty", tail_lines=3)
    before = job("set_up", "plain").as_setup()
    after = job("tear_down", "plain").as_teardown(setups=before)
    before >> job("between", "plain") >> after

    @task_group
    def group(shard):
        job("in_group", "shard", values={{"shard": shard}}, result_from="log")

    group.expand(shard=[7])
'''

FAILURES = '''\
"""Written by a live test, which removes it."""

from datetime import timedelta

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator


def job(task_id, manifest=None, **more):
    return KubernetesJobOperator(task_id=task_id, manifest=f"jobs/{stem}_{{manifest or task_id}}.yaml", **more)


def say_failure(context):
    print("on_failure_callback of", context["ti"].task_id)


again = {{"retry_delay": timedelta(seconds=1)}}
with DAG("{dag_id}", schedule=None, max_active_tasks=40):
    job("never_starts", start_timeout=timedelta(seconds=8), delete_policy="always")
    job("too_long", execution_timeout=timedelta(seconds=75))
    job("never_again", retries=3, **again)
    job("twice", "fails", retries=1, **again)
    job("policy", "fails", retries=0, on_failure_callback=say_failure)
    job("no_json", result_from="log")
    job("other_namespace")
    job("endless", "endless")
    job("huge", "huge")
    job("quiet", "fails", logs="off")
'''


def container(script: str, more: str = "") -> str:
    """Return a container that runs a bash script."""
    return CONTAINER.format(script=indent(script.strip(), " " * 18)) + more


def manifest(script: str, *, job: str = "", pod: str = "", more: str = "") -> str:
    """Return a Job manifest.

    Args:
        script: What its container runs in bash.
        job: Lines of the Job's spec, indented by two.
        pod: Lines of the Pod's spec, indented by six.
        more: Lines of the container, indented by fourteen.
    """
    lines = JOB.format(job=job.rstrip(), pod=pod.rstrip(), container=_dedented(container(script, more)))
    return "\n".join(line for line in lines.splitlines() if line.strip()) + "\n"


def write(dag: ScratchDag, source: str, manifests: Mapping[str, str]) -> None:
    """Write a DAG file and its manifests, the manifests first."""
    for name, text in manifests.items():
        (FOLDER / "jobs" / f"{dag.stem}_{name}.yaml").write_text(text)
    dag.file.write_text(source.format(dag_id=dag.dag_id, stem=dag.stem))


def remove(dag: ScratchDag) -> None:
    """Remove what `write` wrote, the DAG file first: one without its manifests is an import error."""
    dag.file.unlink(missing_ok=True)
    for path in (FOLDER / "jobs").glob(f"{dag.stem}_*.yaml"):
        path.unlink()


def _dedented(text: str) -> str:
    return "".join(line[4:] if line.startswith("    ") else line for line in text.splitlines(keepends=True))
