"""From the files that a change touches to what has to run: `python -m ci.plan [--base REF]`.

Pure but for `facts` and `changed_files`. A file that no rule knows needs everything: a gap in the rules costs time and
never lets a fault pass. In a GitHub workflow the plan is also written as the step's outputs.
"""

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from ci import check, environment, image_recipes
from ci.errors import UserError
from ci.merge_base import merge_base
from ci.paths import ROOT
from ci.process import run
from ci.repo_files import matching
from ci.stages import exit_with_words

DAGS, ENVIRONMENTS, LIVE, EVERYTHING = "the DAG diff", "the chart diff", "a live run", "everything"
UNIT, CHART, CI, DAG_TESTS, TYPES, IMPORTS = (
    "package tests", "chart tests", "tests of ci", "DAG tests", "types", "imports",
)  # fmt: skip
SELECTED = (UNIT, CHART, CI, DAG_TESTS, TYPES, IMPORTS)
"""Checks that a change may leave out. All others take a second or two, and always run."""

RULES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("dags/*",), (DAG_TESTS, DAGS)),
    (("teams.yaml",), (DAG_TESTS, CHART, UNIT, DAGS, ENVIRONMENTS, LIVE)),
    (("plugins/*",), (UNIT, DAG_TESTS, CHART, TYPES, IMPORTS, DAGS, LIVE)),
    (("charts/*",), (CHART, UNIT, ENVIRONMENTS, LIVE)),
    (("charts/environments/*",), (DAGS,)),  # which images the DAGs' Jobs run
    (("images/*",), (UNIT, CI, LIVE)),
    (("examples/*",), (DAG_TESTS, CHART)),
    (("inventory/*",), (UNIT,)),
    (("tests/unit/ci/*",), (CI,)),
    (("tests/unit/*", "tests/manifests/*"), (UNIT,)),
    (("tests/chart/*",), (CHART,)),
    (("tests/dags/*",), (DAG_TESTS,)),
    (("tests/e2e/*", "tests/live/*", "tests/integration/*", "tests/chaos/*", "tests/bench/*"), (LIVE,)),
    (("tests/scale/*",), (LIVE,)),
    # Pages whose words or commands a test reads.
    (("docs/airflow-facts.md", ".github/*", "docs/ci.md", "docs/preview.md"), (CI,)),
    (("docs/import-a-crontab.md", "docs/cutover.md", "docs/migration.md"), (UNIT,)),
    (("docs/checks.md", "docs/observability.md"), (UNIT,)),
    (("docs/job-operator.md", "docs/migration.md"), (DAG_TESTS,)),
    (("docs/rbac.md", "docs/chart-figures.md", "docs/clouds.md"), (CHART,)),
    (("docs/new-app.md", "docs/new-dag.md"), (LIVE,)),
    (("docs/*", "*.md", "LICENSE", ".editorconfig", ".gitattributes", ".gitignore"), ()),
)
"""Patterns of files, `*` crossing folders, and what they need; a file that matches several needs all of it."""

IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Facts:
    """What the rules ask of the repo.

    Attributes:
        checks: Names of all checks, in their order.
        images: Names of the repo's own images.
        environments: Names of the environments.
        teams: Folder of its DAGs -> team; None where teams.yaml cannot be read, and then everything runs: `cronlift
            check` is to say what is wrong with it.
    """

    checks: tuple[str, ...]
    images: tuple[str, ...]
    environments: tuple[str, ...]
    teams: Mapping[str, str] | None


@dataclass(frozen=True)
class Plan:
    """What has to run.

    Attributes:
        checks: For `make check --only`.
        teams: Teams whose DAGs may be another thing now.
        images: To be built and run.
        environments: Whose rendered chart is compared.
        dag_diff: Whether the DAGs are compared.
        live: Whether the platform is brought up.
        reasons: What -> the first file that asked for it.
    """

    checks: tuple[str, ...]
    teams: tuple[str, ...]
    images: tuple[str, ...]
    environments: tuple[str, ...]
    dag_diff: bool
    live: bool
    reasons: Mapping[str, str]

    @property
    def has_summary(self) -> bool:
        """Whether there is something to show to a reviewer."""
        return self.dag_diff or bool(self.environments)


def plan(changed: Iterable[str], facts: Facts) -> Plan:
    """Return what a change needs.

    Args:
        changed: Files that differ, deleted ones too, relative to the repo's root.
        facts: Of the repo after the change.
    """
    files = sorted(changed)
    reasons: dict[str, str] = {}
    for file in files:
        for need in _needs(file):
            reasons.setdefault(need, file)
    if facts.teams is None:
        reasons.setdefault(EVERYTHING, "teams.yaml")
    everything = EVERYTHING in reasons
    images = tuple(name for name in facts.images if everything or any(_feeds(file, name) for file in files))
    # The package and teams.yaml decide about the DAGs of all teams; a team's own file only about its own.
    shared = everything or bool(matching(files, "plugins/*", "teams.yaml"))
    teams = {team for folder, team in (facts.teams or {}).items() if shared or matching(files, f"{folder}/*")}
    return Plan(
        checks=tuple(name for name in facts.checks if everything or name not in SELECTED or name in reasons),
        teams=tuple(sorted(teams)),
        images=images,
        environments=facts.environments if everything or ENVIRONMENTS in reasons else (),
        dag_diff=everything or DAGS in reasons,
        live=everything or LIVE in reasons,
        reasons=reasons,
    )


def _needs(file: str) -> list[str]:
    found = [needs for patterns, needs in RULES if matching([file], *patterns)]
    return [need for needs in found for need in needs] if found else [EVERYTHING]


def _feeds(file: str, image: str) -> bool:
    return image_recipes.is_input(image, image_recipes.ROOT / file)


def facts(root: Path = ROOT) -> Facts:
    """Read what the rules ask of the repo."""
    return Facts(
        checks=tuple(each.name for each in check.checks(root)),
        images=tuple(name for name in image_recipes.names() if name not in image_recipes.UPSTREAM),
        environments=tuple(environment.names(root)),
        teams=_teams(root / "teams.yaml"),
    )


def _teams(file: Path) -> dict[str, str] | None:
    try:
        teams = yaml.safe_load(file.read_bytes())["teams"]
        return {team["path"]: name for name, team in teams.items() if not team.get("repo")}
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return None


def changed_files(base: str, root: Path = ROOT) -> list[str]:
    """Return the files that differ from where this branch left `base`, uncommitted and new ones too.

    Raises:
        UserError: There is no such commit, or it has no common ancestor with this one.
    """
    names = run("git", "diff", "--name-only", "--no-renames", "-z", merge_base(base, root), cwd=root).split("\0")
    names += run("git", "ls-files", "--others", "--exclude-standard", "-z", cwd=root).split("\0")
    return sorted({name for name in names if name})


def for_change(base: str) -> Plan:
    """Return the plan of the working tree against a commit."""
    return plan(changed_files(base), facts())


def outputs(found: Plan) -> dict[str, str]:
    """Return the plan as outputs of a workflow's step: words separated by spaces, true or false.

    Raises:
        UserError: An image's folder has a name that no registry would take.
    """
    if wrong := [name for name in found.images if not IMAGE_NAME.fullmatch(name)]:
        raise UserError("These folders of images/ cannot be images", wrong, cure="Use a-z, 0-9 and -.")
    return {
        "images": " ".join(found.images),
        "summary": str(found.has_summary).lower(),
        "live": str(found.live).lower(),
    }


def _why_everything(found: Plan) -> str:
    """Return why all of it runs; empty when it need not."""
    if (file := found.reasons.get(EVERYTHING)) is None:
        return ""
    return f" (no rule for {file})" if _needs(file) == [EVERYTHING] else f" ({file} cannot be read)"


def words(found: Plan, files: Sequence[str]) -> str:
    """Return the plan for people, with the file that asked for each part."""
    left_out = [name for name in SELECTED if name not in found.checks]
    everything = _why_everything(found)

    def line(what: str, value: str, need: str) -> str:
        reason = everything or (f" ({found.reasons[need]})" if need in found.reasons else "")
        return f"{what:<14} {value}{reason if value not in ('no', 'none') else ''}"

    return "\n".join(
        [
            f"{len(files)} files changed",
            f"{'checks':<14} {len(found.checks)}" + (f", without {', '.join(left_out)}" if left_out else ", all"),
            line("teams", ", ".join(found.teams) or "none", DAGS),
            line("images", ", ".join(found.images) or "none", ""),
            line("DAG diff", "yes" if found.dag_diff else "no", DAGS),
            line("chart diff", ", ".join(found.environments) or "none", ENVIRONMENTS),
            line("live run", "yes" if found.live else "no", LIVE),
        ]
    )


def main() -> None:
    """Print the plan; in a workflow, write it as outputs too."""
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("--base", default="origin/main", help="the commit to compare with (origin/main)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    files = changed_files(options.base)
    found = plan(files, facts())
    if sink := os.environ.get("GITHUB_OUTPUT"):
        with Path(sink).open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in outputs(found).items())
    print(json.dumps(asdict(found), indent=2) if options.json else words(found, files))


if __name__ == "__main__":
    with exit_with_words():
        main()
