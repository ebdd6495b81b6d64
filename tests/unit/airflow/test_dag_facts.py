"""DAG files as two worker processes tell of them: one tree, parsed once, and looked at from every side."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from cronlift.airflow.facts_pool import Bundle, load_facts
from cronlift.facts.model import DagFacts, FileFacts, Finding

pytestmark = pytest.mark.usefixtures("parsing_workers")

AT = datetime(2026, 3, 27, 12, tzinfo=UTC)
JOB = """\
apiVersion: batch/v1
kind: Job
spec:
  parallelism: 2
  template:
    spec:
      containers:
        - name: main
          image: "{{ images.legacy }}"
          args: ["{{ ds }}", "{{ params.shop }}"]
          resources: {requests: {cpu: 250m, memory: 64Mi}, limits: {memory: 128Mi}}
"""
FILES = {
    "alpha/jobs/export.yaml": JOB,
    "alpha/jobs/late.yaml": JOB.replace("{{ ds }}", "{{ shop }}"),
    "alpha/jobs/pod.yaml": "apiVersion: v1\nkind: Pod\nspec: {}\n",
    "beta/jobs/any.yaml": JOB.replace("parallelism: 2", 'parallelism: "{{ var.value.beta__workers }}"').replace(
        "requests: {cpu: 250m, memory: 64Mi}, limits: {memory: 128Mi}", "limits: {memory: 128Mi}"
    ),
    "beta/any.py": """\
        from airflow.sdk import DAG
        from cronlift import KubernetesJobOperator

        with DAG("beta__any", schedule=None, params={"shop": "paris"}):
            KubernetesJobOperator(task_id="any", manifest="jobs/any.yaml")
        """,
    "alpha/shared.py": "NAME = 'alpha'\n",
    "beta/shared.py": "NAME = 'beta'\n",
    "alpha/good.py": """\
        from datetime import timedelta
        from airflow.sdk import DAG, CronTriggerTimetable
        from cronlift import KubernetesJobOperator
        from shared import NAME

        with DAG(
            f"{NAME}__good",
            schedule=CronTriggerTimetable("30 2 * * *", timezone="Europe/Paris"),
            catchup=False,
            default_args={"owner": "alpha", "retries": 1},
            tags=["b", "a"],
            max_active_runs=1,
            is_paused_upon_creation=True,
            params={"shop": "paris"},
        ):
            export = KubernetesJobOperator(task_id="export", manifest="jobs/export.yaml")
            late = KubernetesJobOperator.partial(task_id="late", manifest="jobs/late.yaml").expand(
                values=[{"shop": "lyon"}, {"shop": "nice"}]
            )
            export >> late
        """,
    "alpha/defaults.py": """\
        from datetime import datetime
        from airflow.sdk import DAG

        def make(**more):
            return DAG("alpha__defaults", schedule="@weekly", **more)

        dag = make(start_date=datetime(2026, 1, 1))
        """,
    "beta/same_module.py": """\
        from datetime import UTC, datetime
        from airflow.sdk import dag
        from shared import NAME

        @dag(f"{NAME}__decorated", schedule="0 5 1 * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=True)
        def decorated(): ...

        decorated()
        """,
    "alpha/broken.py": """\
        from airflow.sdk import DAG
        import no_such_module
        """,
    "alpha/syntax.py": "from airflow.sdk import DAG\nwith DAG('x'\n",
    "alpha/variable.py": """\
        from airflow.sdk import DAG, Variable

        host = Variable.get("host", default="none")
        """,
    "alpha/asks_for_all.py": """\
        from airflow.sdk import DAG, Connection, Variable

        port = int(Variable.get("port"))
        names = Variable.get("names", deserialize_json=True)
        host = Connection.get("db").host
        dag = DAG("alpha__all", schedule=Variable.get("cron"))
        no_such_name
        Variable.set("names", "x")
        """,
    "alpha/sets.py": """\
        from airflow.sdk import DAG, Variable

        Variable.set("names", "x")
        """,
    "alpha/connection.py": """\
        from airflow.sdk import DAG, Connection

        host = Connection.get("db").host
        """,
    "alpha/network.py": """\
        import socket
        from airflow.sdk import DAG

        try:
            socket.create_connection(("127.0.0.1", 9))
        except OSError:
            pass
        dag = DAG("alpha__network", schedule=None, catchup=False)
        """,
    "alpha/asks_the_machine.py": """\
        import ctypes.util
        import platform
        from airflow.sdk import DAG

        platform.processor()
        ctypes.util.find_library("c")
        """,
    "alpha/process.py": """\
        import os
        from contextlib import suppress
        from subprocess import Popen, run
        from airflow.sdk import DAG

        with suppress(OSError, RuntimeError, PermissionError, Exception):
            run(["echo", "password"])
        with suppress(Exception):
            run("echo password", shell=True)
        with suppress(Exception):
            os.system("true")
        with suppress(Exception):
            os.posix_spawn("/bin/true", ["true"], {})
        with suppress(Exception):
            os.execv("/bin/true", ["true"])
        with suppress(Exception):
            os.spawnv(os.P_WAIT, "/bin/true", ["true"])
        """,
    "alpha/database.py": """\
        from airflow.sdk import DAG
        from airflow.utils.session import provide_session

        @provide_session
        def names(session=None):
            return session.connection()

        names()
        """,
    "alpha/other_team.py": """\
        from airflow.sdk import DAG

        dag = DAG("beta__mine", schedule=None)
        """,
    "alpha/manifests.py": """\
        from airflow.sdk import DAG
        from cronlift import KubernetesJobOperator

        with DAG("alpha__manifests", schedule=None):
            KubernetesJobOperator(task_id="none", manifest="jobs/none.yaml")
            KubernetesJobOperator(task_id="pod", manifest="jobs/pod.yaml")
        """,
    "alpha/varying.py": """\
        from datetime import datetime
        from airflow.sdk import DAG

        dag = DAG("alpha__varying", schedule=None, description=str(datetime.now()))
        """,
    "alpha/address.py": """\
        from airflow.sdk import DAG

        def make(): ...

        dag = DAG("alpha__address", schedule=None, description=f"Made by {make}")
        quoted = DAG("alpha__quoted", schedule=None, description="<function make at 0x7f0000000000>")
        """,
    "alpha/exits.py": "from airflow.sdk import DAG\nimport os\nos._exit(7)\n",
    "alpha/quits.py": "from airflow.sdk import DAG\nimport sys\nsys.exit(3)\n",
    "alpha/no_dag.py": "WORDS = 'nothing of it here'\n",
}  # fmt: skip


def write(root: Path) -> Path:
    for name, text in FILES.items():
        path = root / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text) if name.endswith(".py") else text)
    return root


def bundles(root: Path) -> list[Bundle]:
    beta = {"namespace": "team-beta", "containerDefaults": {"requests": {"cpu": "50m"}}}
    teams = {"alpha": {"namespace": "team-alpha"}, "beta": beta}
    return [Bundle(name, root / "dags" / name, settings) for name, settings in teams.items()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def facts(root: Path) -> dict[str, FileFacts]:
    os.environ["AIRFLOW_VAR_HOST"] = "a laptop's own"
    try:
        found = load_facts(root, bundles(root), at=AT, runs=3, images={"legacy": "registry.example/legacy:1"})
    finally:
        del os.environ["AIRFLOW_VAR_HOST"]
    return {each.path.removeprefix("dags/"): each for each in found}


def dag(facts: dict[str, FileFacts], name: str) -> DagFacts:
    assert facts[name].findings == ()
    (found,) = facts[name].dags
    return found


def test_files_are_those_that_airflow_would_parse(facts: dict[str, FileFacts]) -> None:
    assert sorted(facts) == sorted(
        name for name in FILES if name.endswith(".py") and "DAG" in FILES[name].upper() and "airflow" in FILES[name]
    )


def test_a_dag_tells_its_settings_its_place_and_its_next_runs(facts: dict[str, FileFacts]) -> None:
    found = dag(facts, "alpha/good.py")
    assert (found.dag_id, found.team, found.file, found.line) == ("alpha__good", "alpha", "dags/alpha/good.py", 6)
    assert (found.owners, found.tags) == (("alpha",), ("a", "b"))
    assert (found.catchup, found.catchup_explicit) == (False, True)
    assert (found.timezone, found.timezone_explicit) == ("Europe/Paris", True)
    assert (found.max_active_runs, found.paused_upon_creation) == (1, True)
    assert found.schedule == "30 2 * * *"
    # 2:30 of the 29th is not there; Airflow takes 3:30.
    assert found.next_runs == ("2026-03-28T01:30:00+00:00", "2026-03-29T01:30:00+00:00", "2026-03-30T00:30:00+00:00")


def test_tasks_tell_what_they_would_create(facts: dict[str, FileFacts]) -> None:
    export, late = dag(facts, "alpha/good.py").tasks
    assert (export.task_id, export.operator, export.mapped, export.upstream) == (
        "export",
        "KubernetesJobOperator",
        False,
        (),
    )
    assert (export.manifest, export.files) == ("dags/alpha/jobs/export.yaml", ("dags/alpha/jobs/export.yaml",))
    assert (export.retries, export.pool, export.unrendered) == (1, "default_pool", "")
    assert export.images == ("registry.example/legacy:1",)
    assert export.requests == {"cpu": 0.5, "memory": 128 * 2**20}
    assert export.limits == {"memory": 256 * 2**20}
    (job,) = export.documents
    assert job["metadata"]["namespace"] == "team-alpha"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["2026-03-27", "paris"]
    assert (late.mapped, late.upstream) == (True, ("export",))
    assert late.documents[0]["spec"]["template"]["spec"]["containers"][0]["args"] == ["lyon", "paris"]


def test_a_task_whose_pods_are_counted_at_the_run_tells_what_one_of_them_gets(facts: dict[str, FileFacts]) -> None:
    assert facts["beta/any.py"].findings == ()
    (task,) = dag(facts, "beta/any.py").tasks
    assert task.requests == {"cpu": 0.05, "memory": 128 * 2**20}
    assert task.limits == {"memory": 128 * 2**20}


def test_what_a_file_leaves_out_is_not_explicit(facts: dict[str, FileFacts]) -> None:
    found = dag(facts, "alpha/defaults.py")
    assert (found.catchup_explicit, found.timezone, found.timezone_explicit) == (False, "UTC", False)
    assert found.line == 5
    assert found.next_runs == ("2026-03-29T00:00:00+00:00", "2026-04-05T00:00:00+00:00", "2026-04-12T00:00:00+00:00")


def test_modules_of_one_name_in_two_teams_do_not_meet(facts: dict[str, FileFacts]) -> None:
    found = dag(facts, "beta/same_module.py")
    assert (found.dag_id, found.line) == ("beta__decorated", 8)
    assert (found.catchup, found.catchup_explicit, found.timezone_explicit) == (True, True, True)
    assert found.next_runs == ("2026-04-01T05:00:00+00:00", "2026-05-01T05:00:00+00:00", "2026-06-01T05:00:00+00:00")


@pytest.mark.parametrize(
    ("name", "kind", "line", "words"),
    [
        ("broken.py", "import", 2, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("syntax.py", "import", 2, "SyntaxError: '(' was never closed"),
        ("variable.py", "variable", 3, "asks for variable 'host'"),
        ("sets.py", "variable", 3, "asks for variable 'names'"),
        ("connection.py", "connection", 3, "asks for connection 'db'"),
        ("network.py", "network", 5, "127.0.0.1"),
        ("database.py", "database", 8, "uses Airflow's database"),
        ("other_team.py", "dag-id", 3, "DAG id 'beta__mine' does not begin with the name of its team, 'alpha'"),
        ("varying.py", "varying", 4, "another value at each parse"),
        ("address.py", "varying", 5, "DAG alpha__address holds the address of an object"),
        ("exits.py", "import", None, "exit code 7"),
        ("quits.py", "import", 3, "SystemExit: 3"),
    ],
)
def test_a_fault_is_told_once_with_its_line(
    facts: dict[str, FileFacts], name: str, kind: str, line: int | None, words: str
) -> None:
    (found,) = facts[f"alpha/{name}"].findings
    assert (found.kind, found.line, found.file) == (kind, line, f"dags/alpha/{name}")
    assert words in found.message


def test_all_that_a_file_asks_for_is_told_and_nothing_that_follows_from_it(facts: dict[str, FileFacts]) -> None:
    found = facts["alpha/asks_for_all.py"]
    assert [(each.kind, each.line) for each in found.findings] == [
        ("variable", 3), ("variable", 4), ("connection", 5), ("variable", 6),
    ]  # fmt: skip
    assert found.dags == ()


def test_another_teams_dag_is_told_by_its_id_and_its_cure_once(facts: dict[str, FileFacts]) -> None:
    (found,) = facts["alpha/other_team.py"].findings
    assert "/" not in found.message
    assert found.cure == "Call the DAG 'alpha__mine', or move the file to the other team's folder."


def test_every_process_is_told_with_its_line_and_without_its_arguments(facts: dict[str, FileFacts]) -> None:
    found = facts["alpha/process.py"].findings
    assert {each.kind for each in found} == {"process"}
    assert [(each.line, each.message.rpartition("(")[2]) for each in found] == [
        (7, "subprocess.Popen echo)"),
        (9, "subprocess.Popen /bin/sh)"),
        (11, "os.system true)"),
        (13, "os.posix_spawn /bin/true)"),
        (15, "os.exec /bin/true)"),
        (17, "os.fork)"),
    ]
    assert all("a Job" in each.cure for each in found)


def test_what_python_and_packages_start_themselves_is_nobodys_fault(facts: dict[str, FileFacts]) -> None:
    assert facts["alpha/asks_the_machine.py"].findings == ()


def test_every_task_with_a_fault_is_told_of(facts: dict[str, FileFacts]) -> None:
    none, pod = facts["alpha/manifests.py"].findings
    assert (none.file, none.line, none.kind) == ("dags/alpha/manifests.py", 5, "manifest")
    assert "no such manifest file 'jobs/none.yaml'" in none.message
    assert (pod.file, pod.line, pod.kind) == ("dags/alpha/jobs/pod.yaml", 2, "manifest")
    assert pod == Finding(pod.file, 2, "kind: the manifest holds no Job, but Pod", pod.cure, "manifest")


def test_facts_survive_json(facts: dict[str, FileFacts]) -> None:
    for each in facts.values():
        assert FileFacts.from_json(json.loads(json.dumps(each.to_json()))) == each


def test_an_equal_tree_elsewhere_has_equal_hashes_and_a_change_has_another(
    root: Path, tmp_path: Path, facts: dict[str, FileFacts]
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(root, copy)
    (copy / "dags/alpha/defaults.py").write_text((copy / "dags/alpha/defaults.py").read_text().replace("week", "month"))
    names = ("alpha/good.py", "alpha/defaults.py")
    found = load_facts(
        copy, bundles(copy), at=AT, runs=1, files=[copy / "dags" / name for name in names],
        images={"legacy": "registry.example/legacy:1"},
    )  # fmt: skip
    assert [each.path for each in found] == ["dags/alpha/defaults.py", "dags/alpha/good.py"]
    same = {each.dags[0].dag_id: each.dags[0].hash == dag(facts, each.path[5:]).hash for each in found}
    assert same == {"alpha__good": True, "alpha__defaults": False}
