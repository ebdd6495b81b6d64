"""What a new DAG begins with: the DAG file, its Job and its test, which pass every check as they are."""

from dataclasses import dataclass

DAG = '''\
"""Say here what {name} does and for whom: Airflow shows it beside the DAG."""

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "{dag_id}",
    schedule=CronTriggerTimetable("{cron}", timezone="{zone}"),
    catchup=False,
    default_args={{"owner": "{team}"}},
    tags=["{team}"],
    doc_md=__doc__,
):
    KubernetesJobOperator(task_id="{task}", manifest="jobs/{name}.yaml")
'''
MANIFEST = """\
# What {dag_id} runs: a plain Kubernetes Job. Replace args by your command; give it what it needs, and no more.
apiVersion: batch/v1
kind: Job
spec:
  backoffLimit: 0  # one attempt; retries are the task's
  template:
    spec:
      restartPolicy: Never
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: main
          image: "{{{{ images{reference} }}}}"
          args: [/bin/sh, -c, 'echo "{name} of {{{{ ds }}}}"']
          resources:
            requests: {{cpu: 50m, memory: 32Mi}}
            limits: {{cpu: "1", memory: 128Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
"""
TEST = '''\
"""When {dag_id} runs, and what. A pull request that changes either changes this file too."""

from tests.dags.conftest import FactsOf


def test_{name}_runs_when_it_is_meant_to(facts_of: FactsOf) -> None:
    dag = facts_of("{dag_id}")
    assert (dag.schedule, dag.timezone) == ("{cron}", "{zone}")


def test_{name}_is_one_job_that_asks_for_little(facts_of: FactsOf) -> None:
    (task,) = facts_of("{dag_id}").tasks
    assert task.manifest == "{path}/jobs/{name}.yaml"
    assert task.requests == {{"cpu": 0.05, "memory": 32 * 1024**2}}
'''


@dataclass(frozen=True)
class NewDag:
    """A DAG that is to be written.

    Args:
        team: Its team.
        path: The team's folder.
        name: The DAG id without the team; the name of its files.
        cron: Five fields.
        zone: IANA time zone.
        image: A job image of the deployment, by its name.
    """

    team: str
    path: str
    name: str
    cron: str
    zone: str
    image: str

    @property
    def dag_id(self) -> str:
        """Return the DAG id: the team, two underscores, the name."""
        return f"{self.team}__{self.name}"

    def files(self) -> dict[str, str]:
        """Return path from the repository's root -> text: the DAG, its Job, its test."""
        tests = f"tests/{self.path}" if self.path.startswith("dags/") else f"tests/dags/{self.team}"
        words = {
            **{"team": self.team, "path": self.path, "name": self.name, "cron": self.cron, "zone": self.zone},
            **{"reference": self._image_reference(), "dag_id": self.dag_id, "task": self.name},
        }
        return {
            f"{self.path}/{self.name}.py": DAG.format(**words),
            f"{self.path}/jobs/{self.name}.yaml": MANIFEST.format(**words),
            f"{tests}/test_{self.name}.py": TEST.format(**words),
        }

    def _image_reference(self) -> str:
        """Return what stands behind `images` in Jinja: a name with a hyphen would be a subtraction."""
        return f"['{self.image}']" if "-" in self.image else f".{self.image}"
