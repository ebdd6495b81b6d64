"""Every DAG of the working tree, parsed as the dag-processor does it, without a database and without a network."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.paths import ROOT
from cronlift.airflow.facts_pool import Bundle, load_facts
from cronlift.facts.model import DagFacts

# Airflow writes its configuration file when it is first imported: not into the home of whoever runs the tests.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cronlift-airflow-"))

IMAGES = {path.parent.name: f"registry.example/{path.parent.name}:1" for path in (ROOT / "images").glob("*/Dockerfile")}
TEAMS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "teams.yaml").read_text())["teams"]
LIVE_TESTS_PREFIX = "e2e_"
"""Files that a live test, running at the same time, writes into the working tree and removes."""


FactsOf = Callable[[str], DagFacts]
"""Finds a DAG of the working tree by its id, as `cronlift check` sees it."""


@dataclass(frozen=True)
class Parsed:
    """What a folder of DAG files gave: DAGs by id, and errors by file."""

    dags: dict[str, Any]
    import_errors: dict[str, str]


@pytest.fixture(autouse=True)
def deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    teams = {name: {"namespace": team["namespace"]} for name, team in TEAMS.items()}
    monkeypatch.setenv("CRONLIFT_DEPLOYMENT", "cronlift/cronlift")
    monkeypatch.setenv("CRONLIFT_TEAMS", json.dumps(teams))
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", json.dumps(IMAGES))


@pytest.fixture(scope="session")
def facts_of(request: pytest.FixtureRequest) -> FactsOf:
    """Find DAGs of the teams whose tests run: their folders are parsed once, in processes of their own."""
    tested = {item.path.parent.relative_to(ROOT / "tests").as_posix() for item in request.session.items}
    bundles = [Bundle(name, ROOT / team["path"], team) for name, team in TEAMS.items() if team["path"] in tested]
    found = load_facts(ROOT, bundles, images=IMAGES)
    dags = {dag.dag_id: dag for file in found for dag in file.dags}

    def find(dag_id: str) -> DagFacts:
        findings = [f"{each.file}:{each.line}: {each.message}" for file in found for each in file.findings]
        assert dag_id in dags, "\n".join([f"no DAG {dag_id!r} in {sorted(dags)}", *findings])
        return dags[dag_id]

    return find


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], Parsed]:
    """Parse a copy of a team's folder as the bundle of that team."""

    def parse_folder(folder: Path, team: str) -> Parsed:
        from airflow.dag_processing.dagbag import DagBag

        bundle = tmp_path / team
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(LIVE_TESTS_PREFIX):
                copy = bundle / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        bundles = [{"name": team, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(bundle)}}]  # fmt: skip
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
        bag = DagBag(dag_folder=str(bundle))
        errors = {Path(path).name: text for path, text in bag.import_errors.items()}
        return Parsed(dict(bag.dags), errors)

    return parse_folder
