"""A repository with a fault for every check, each at a place of its own, and one without any."""

import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import yaml

from ci.paths import ROOT
from cronlift.policy.example import GOOD_TEXT, bad_job
from cronlift.policy.rules import RULES

TEAMS = """\
teams:
  billing:
    namespace: team-billing
    path: dags/billing
    owners: ["@billing"]
    images: [registry.example/]
    quota: {requests.cpu: "16", requests.memory: 64Gi}
  audit:
    namespace: team-audit
    path: dags/audit
    owners: ["@billing"]
"""
OWNERS = """\
# Who reviews what. The last line that matches a file decides.
# Above the mark: yours. The platform's owners review whatever belongs to no team, this file and teams.yaml too.
* @platform

# Below: written by `cronlift teams` from teams.yaml; change that file, not these lines.
/dags/audit/ @billing
/tests/dags/audit/ @billing
/dags/billing/ @billing
/tests/dags/billing/ @billing
"""
GOOD_DAG = """\
from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "billing__{name}",
    schedule=CronTriggerTimetable("0 3 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={{"owner": "billing"}},
    tags=["billing"],
):
    KubernetesJobOperator(task_id="report", manifest="jobs/{name}.yaml")
"""
WITH = '{"owner": "billing"}'


def plain(dag_id: str, *, head: str = "", schedule: str = "None", owner: str = "billing", **more: str) -> str:
    """Return a DAG file without tasks but one, that keeps every check but for what is said."""
    said = {"catchup": "False", "tags": '["billing"]', **more}
    words = "".join(f", {key}={value}" for key, value in said.items() if value)
    return (
        f"{head}from airflow.providers.standard.operators.empty import EmptyOperator\nfrom airflow.sdk import DAG\n"
        f'\nwith DAG("{dag_id}", schedule={schedule}, default_args={{"owner": "{owner}"}}{words}):\n'
        '    EmptyOperator(task_id="x")\n'
    )


def with_task(name: str) -> str:
    return GOOD_DAG.format(name=name)


BAD: dict[str, tuple[dict[str, str], str, int]] = {
    "import": ({"import_.py": "from airflow.sdk import DAG\nimport no_such_module\n"}, "import_.py", 2),
    "timeout": (
        {"timeout.py": "import time\n\nfrom airflow.sdk import DAG\n\ntime.sleep(60)\n"}, "timeout.py", 5,
    ),
    "variable": (
        {"variable.py": 'from airflow.sdk import Variable\n\nhost = Variable.get("host")  # for a DAG\n'},
        "variable.py", 3,
    ),
    "connection": (
        {"connection.py": 'from airflow.sdk import Connection\n\nhost = Connection.get("db").host  # of a DAG\n'},
        "connection.py", 3,
    ),
    "network": (
        {"network.py": 'import socket\nfrom airflow.sdk import DAG\n\nsocket.create_connection(("127.0.0.1", 9))\n'},
        "network.py", 4,
    ),
    "process": (
        {"process.py": "import subprocess\n\nfrom airflow.sdk import DAG\n\nsubprocess.run([\"git\", \"describe\"])\n"},
        "process.py", 5,
    ),
    "database": (
        {"database.py": "from airflow.sdk import DAG\nfrom airflow.utils.session import create_session\n\n"
                        "with create_session() as session:\n    session.connection()\n"},
        "database.py", 4,
    ),
    "varying": (
        {"varying.py": plain("billing__varying", description="repr({'a', 'b', 'c', 'd', 'e', 'f', 'g'})")},
        "varying.py", 4,
    ),
    "parse-time": (
        {"slow.py": plain("billing__slow", head="import time\n\nend = time.process_time() + 2.5\n"
                          "while time.process_time() < end:\n    pass\n\n")},
        "slow.py", 0,
    ),
    "dag-id": ({"other_id.py": plain("invoices")}, "other_id.py", 4),
    "dag-id-unique": (
        {"first.py": plain("billing__same"), "second.py": plain("billing__same")}, "second.py", 4,
    ),
    "no-task": (
        {"empty.py": 'from airflow.sdk import DAG\n\ndag = DAG("billing__empty", schedule=None, tags=["billing"],\n'
                     '          default_args={"owner": "billing"})\n'},
        "empty.py", 3,
    ),
    "owner": ({"owner.py": plain("billing__owner", owner="airflow")}, "owner.py", 4),
    "tags": ({"tags.py": plain("billing__tags", tags="")}, "tags.py", 4),
    "catchup": (
        {"catchup.py": plain(
            "billing__catchup", catchup="", head="from datetime import UTC, datetime\n",
            schedule='"@daily"', start_date="datetime(2026, 1, 1, tzinfo=UTC)")},
        "catchup.py", 5,
    ),
    "timezone": ({"timezone.py": plain("billing__timezone", schedule='"0 3 * * *"')}, "timezone.py", 4),
    "timetable": (
        {"never.py": plain(
            "billing__never", head="from airflow.sdk import CronTriggerTimetable\n",
            schedule='CronTriggerTimetable("0 0 31 2 *", timezone="UTC")')},
        "never.py", 5,
    ),
    "manifest": (
        {"manifest.py": with_task("manifest"), "jobs/manifest.yaml": "apiVersion: batch/v1\nkind: CronJob\n"},
        "jobs/manifest.yaml", 2,
    ),
    "orphan-manifest": ({"/dags/audit/jobs/orphan.yaml": GOOD_TEXT}, "/dags/audit/jobs/orphan.yaml", 0),
    "ruff": (
        {"ruff.py": plain("billing__ruff").replace("from airflow.sdk import DAG", "from airflow import DAG")},
        "ruff.py", 4,
    ),
    "codeowners": ({"/.github/CODEOWNERS": OWNERS.replace("@billing", "@somebody")}, "/.github/CODEOWNERS", 6),
    "secret-value": (
        {"secret.py": plain("billing__secret", head='DB_PASSWORD = "swordfish"\n')}, "secret.py", 1,
    ),
    "environment": (
        {"/charts/environments/broken.yaml": "images: {}\njobImages: {legacy: [\n"},
        "/charts/environments/broken.yaml", 3,
    ),
    "deliverable": ({"data": "-> /srv/no-such-data"}, "data", 0),
    "no-team": ({"/dags/nobody/daily.py": plain("nobody__daily")}, "/dags/nobody/daily.py", 0),
}  # fmt: skip
"""Check -> files that break it, below dags/billing unless they begin with a slash, "-> " for a link; the file and line
that it names."""

RULE_LINES = {
    "namespace": 30,
    "account": 28,
    "image-version": 13,
    "image-origin": 13,
    "amounts": 17,
    "quota": 5,
    "host-path": 30,
    "host-namespaces": 28,
    "host-ports": 30,
    "privileged": 28,
    "capabilities": 28,
    "host-probes": 30,
    "seccomp-unconfined": 10,
    "selinux": 12,
    "apparmor": 12,
    "proc-mount": 28,
    "sysctls": 12,
    "non-root": 22,
    "user": 8,
    "escalation": 23,
    "drop-capabilities": 26,
    "seccomp": 21,
    "volume-kinds": 29,
    "clear-text": 30,
}
"""Rule of the policy -> the line that is told of the manifest that `bad_repo` writes for it."""

LATER = {"teams-file": "a teams.yaml that cannot be read leaves nothing else to check"}


def place_of(file: str) -> str:
    return file.removeprefix("/") if file.startswith("/") else f"dags/billing/{file}"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / place_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text.removeprefix("-> "))
        else:
            path.write_text(dedent(text))


def good_repo(root: Path) -> Path:
    (root / "charts/cronlift").mkdir(parents=True)
    shutil.copy(ROOT / "charts/cronlift/values.schema.json", root / "charts/cronlift")
    shutil.copy(ROOT / "pyproject.toml", root)
    write(root, {"/teams.yaml": TEAMS, "/.github/CODEOWNERS": OWNERS})
    write(root, {"good.py": with_task("good"), "jobs/good.yaml": GOOD_TEXT, "plain.py": plain("billing__plain")})
    write(root, {"/dags/audit/plain.py": plain("audit__plain")})
    return root


def bad_repo(root: Path) -> Path:
    good_repo(root)
    for files, _, _ in BAD.values():
        write(root, files)
    for rule in RULES:
        job = bad_job(rule)
        if rule.id != "namespace":
            del job["metadata"]
        name = f"rule_{rule.id.replace('-', '_')}"
        write(root, {f"{name}.py": with_task(name), f"jobs/{name}.yaml": yaml.safe_dump(job, sort_keys=False)})
    return root


def committed(root: Path) -> Path:
    """Make a repository of a folder, with all of it on the branch main."""
    git(root, "init", "-q", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "Begin")
    return root


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)
