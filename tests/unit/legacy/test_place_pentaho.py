"""The slot for Pentaho, with a stand-in."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.legacy.cronrun_folder import LEGACY


def place(folder: str, slot: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", LEGACY / "place-pentaho", folder, slot, root], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.fixture
def slot(tmp_path: Path) -> Path:
    folder = tmp_path / "slot" / "data-integration"
    folder.mkdir(parents=True)
    (folder / "kitchen.sh").write_text("#!/bin/sh\n")
    (folder / "kitchen.sh").chmod(0o755)
    return tmp_path / "slot"


def test_pentaho_goes_to_its_old_place_with_its_settings(slot: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/environment").write_text("OLD=1\n")
    done = place("/opt/pentaho", slot, root)
    assert (done.returncode, done.stderr) == (0, "")
    assert (root / "opt/pentaho/data-integration/kitchen.sh").stat().st_mode & 0o111
    assert (root / "etc/environment").read_text().splitlines() == [
        "OLD=1",
        "PENTAHO_JAVA_HOME=/usr/lib/jvm/default-java",
        "SKIP_WEBKITGTK_CHECK=1",
    ]


def test_nothing_happens_without_pentaho(slot: Path, tmp_path: Path) -> None:
    assert place("", slot, tmp_path / "root").returncode == 0
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(("folder", "words"), [("/opt/pentaho", "Copy it from the old host"), ("opt", "/opt/pentaho")])
def test_empty_slot_and_relative_path_fail_with_the_cure(tmp_path: Path, folder: str, words: str) -> None:
    (tmp_path / "slot").mkdir()
    done = place(folder, tmp_path / "slot", tmp_path / "root")
    assert done.returncode == 1
    assert words in done.stderr
