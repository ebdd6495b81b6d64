"""The real crontabs of the folder that SAMPLES names, or our own, imported: every line's starts, in six time zones."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from ci.paths import ROOT
from cronlift.cli.main import main

LONG = bool(os.environ.get("LONG"))
ZONES = ["Europe/Paris", "Australia/Lord_Howe"]
if LONG:
    ZONES += ["UTC", "America/New_York", "America/Havana", "Asia/Kolkata"]
YEARS = "5" if LONG else "1"


def crontabs() -> list[str]:
    folder = os.environ.get("SAMPLES")
    return (
        [str(path) for path in sorted(Path(folder).glob("*.crontab"))]
        if folder
        else [str(ROOT / "tests/dags/crontabs")]
    )


@pytest.mark.parametrize("zone", ZONES)
def test_every_imported_dag_runs_when_the_old_daemon_did(tmp_path: Path, zone: str) -> None:
    words = ["--timezone", zone, "--team", "demo", "--repo", str(tmp_path)]
    done = CliRunner().invoke(main, ["import", *crontabs(), *words])
    assert done.exit_code in (0, 1), done.output
    proof = CliRunner().invoke(main, ["prove", str(tmp_path / "dags/demo"), "--years", YEARS])
    assert proof.exit_code == 0, proof.output
