"""The month's end: many small Jobs that differ in a line or two, from one base manifest."""

from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

NOTIFY = """\
{% import "jobs/parts.yaml.j2" as parts %}
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      {{ parts.pod_security() | indent(6) }}
      containers:
        - name: main
          image: "{{ images.legacy }}"
          command: [echo, "The month {{ data_interval_start | ds }} is closed"]
          {{ parts.container_defaults() | indent(10) }}
"""

with DAG(
    "demo__month_end",
    schedule=CronTriggerTimetable("0 4 1 * *", timezone="Europe/Paris"),
    catchup=False,
    template_searchpath=[str(Path(__file__).parent)],  # jobs/ beside this file is found without it, too
    default_args={"owner": "demo"},
    tags=["demo", "example"],
    doc_md=__doc__,
):
    invoices = KubernetesJobOperator(task_id="invoices", manifest="jobs/month_end_invoices.yaml.j2")
    archive = KubernetesJobOperator(task_id="archive", manifest="jobs/month_end_archive.yaml.j2", delete_policy="never")
    # A short one may stand in the DAG file, as text or as a dict.
    notify = KubernetesJobOperator(task_id="notify", manifest=NOTIFY)
    check = KubernetesJobOperator(
        task_id="check",
        manifest={
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "template": {
                    "spec": {
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 1000,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": "main",
                                "image": "{{ images.legacy }}",
                                "command": ["test", "-n", "{{ ds }}"],
                                "resources": {
                                    "requests": {"cpu": "50m", "memory": "32Mi"},
                                    "limits": {"cpu": "1", "memory": "128Mi"},
                                },
                                "securityContext": {
                                    "allowPrivilegeEscalation": False,
                                    "readOnlyRootFilesystem": True,
                                    "capabilities": {"drop": ["ALL"]},
                                },
                            }
                        ],
                    }
                }
            },
        },
    )
    [invoices, archive] >> check >> notify
