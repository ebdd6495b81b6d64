"""A platform's repository with many teams and DAGs, as `make new-dag` writes them, committed on main."""

import shutil
from pathlib import Path

from ci.paths import ROOT
from cronlift.authoring.new_dag import NewDag
from tests.live.page import git

ENVIRONMENT = "jobImages:\n  legacy: registry.example.com/cronlift/legacy:8d1e44a09b7c\n"


def write_many_dags(root: Path, teams: int, dags_per_team: int) -> None:
    """Make the repository.

    Args:
        root: An empty folder, or one that is not there.
        teams: `team00`, `team01` and so on.
        dags_per_team: `job00`, `job01` and so on; each has a schedule of its own.
    """
    for folder in ("charts/cronlift", "charts/environments"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "charts/cronlift/values.schema.json", root / "charts/cronlift")
    (root / "charts/environments/production.yaml").write_text(ENVIRONMENT)
    names = [f"team{number:02}" for number in range(teams)]
    entries = (f"  {name}:\n    namespace: {name}\n    path: dags/{name}\n    owners: ['@{name}']\n" for name in names)
    (root / "teams.yaml").write_text("teams:\n" + "".join(entries))
    for number, name in enumerate(names):
        for job in range(dags_per_team):
            cron = f"{(7 * number + job) % 60} {(number + 5 * job) % 24} * * *"
            dag = NewDag(name, f"dags/{name}", f"job{job:02}", cron, "Europe/Paris", "legacy")
            for file, text in dag.files().items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_text(text)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "Begin")
