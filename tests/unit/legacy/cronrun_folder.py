"""A job's folder as a manifest mounts it, and cronrun on it as a program of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEGACY = Path(__file__).parents[3] / "images" / "legacy"
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cronrun.main import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Ran:
    """What cronrun did."""

    code: int
    lines: list[str]

    @property
    def last(self) -> str:
        return self.lines[-1]


def write_job(folder: Path, command: str | bytes, **files: Any) -> Path:
    """Write a job's folder: `options` and `environment` as JSON, everything else as text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "command").write_bytes(command.encode() if isinstance(command, str) else command)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("_", "-")).write_text(text)
    return folder


def words(folder: Path, name: str = "demo__job") -> list[str]:
    """Return the command line that runs cronrun on a folder."""
    return [sys.executable, "-IS", "-c", START, str(LEGACY), "--folder", str(folder), name]


def cronrun(folder: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Run it to its end; stdout and stderr together."""
    done = subprocess.run(
        words(folder), env=dict(os.environ if environment is None else environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout.splitlines())
