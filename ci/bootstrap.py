"""Make .venv from the lock: uv from PyPI into the cache, then `uv sync --frozen`.

Runs with the machine's bare Python, so it imports nothing but the standard library and ci's own small modules.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from ci.errors import CommandError, UserError
from ci.paths import ROOT, cache_dir
from ci.pins import pins
from ci.process import run
from ci.stages import Stage, exit_with_words

VENV = ROOT / ".venv"
STAMP = VENV / ".lock-hash"
INPUTS = ("uv.lock", "pyproject.toml", "plugins/pyproject.toml", "versions.env")


def main() -> None:
    """Bring .venv to the state of the lock; does nothing when it is there already."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever python3 the machine has
        found = ".".join(map(str, sys.version_info[:3]))
        raise UserError(
            f"Python {found} is too old, cronlift needs >= 3.11",
            cure="Install a newer Python and say `make PYTHON=python3.12 ...`.",
        )
    if sys.version_info >= (3, 14):
        raise UserError(
            "Airflow 3.3 does not run on Python 3.14 or newer",
            cure="Install Python 3.11 to 3.13 and say `make PYTHON=python3.13 ...`.",
        )
    wanted = lock_hash()
    if STAMP.is_file() and STAMP.read_text() == wanted and (VENV / "bin/python").exists():
        return
    log = cache_dir() / "logs" / "bootstrap.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    with Stage("Make the Python environment", log=log, expected_seconds=60):
        uv = install_uv(log)
        # A compiled environment starts several times faster; some machines switch bytecode off.
        run(
            uv, "sync", "--frozen", "--no-python-downloads", "--python", sys.executable, "--compile-bytecode",
            cwd=ROOT, log=log, env={"UV_PROJECT_ENVIRONMENT": str(VENV)},
        )  # fmt: skip
        (VENV / "bin/uv").unlink(missing_ok=True)
        (VENV / "bin/uv").symlink_to(uv)
        STAMP.write_text(wanted)


def lock_hash() -> str:
    """Return the hash of what decides the environment's content."""
    parts = [str(ROOT), sys.version, *((ROOT / name).read_text() for name in INPUTS)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def install_uv(log: Path) -> Path:
    """Return the pinned uv, installed from PyPI into the cache on first use."""
    home = cache_dir() / f"uv-{pins()['UV_VERSION']}-py{sys.version_info.major}.{sys.version_info.minor}"
    uv = home / "bin/uv"
    if uv.is_file():
        return uv
    shutil.rmtree(home, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", home, log=log)
    except CommandError as error:
        shutil.rmtree(home, ignore_errors=True)
        if not _install_venv_module(log):
            raise UserError(
                "Python's venv module does not work on this machine",
                [error.output.strip().splitlines()[-1] if error.output.strip() else str(error)],
                cure="Debian and Ubuntu: apt-get install python3-venv; then run the same command again.",
            ) from error
        run(sys.executable, "-m", "venv", home, log=log)
    run(home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={pins()['UV_VERSION']}", log=log)
    return uv


def _install_venv_module(log: Path) -> bool:
    """Install python3-venv where we may: Debian's packages, root, not forbidden by INSTALL=0."""
    if os.geteuid() != 0 or not shutil.which("apt-get") or os.environ.get("INSTALL") == "0":
        return False
    sys.stderr.write("Installing the distribution package python3-venv\n")
    run("apt-get", "update", log=log)
    run("apt-get", "install", "-y", "--no-install-recommends", "python3-venv", log=log)
    return True


if __name__ == "__main__":
    with exit_with_words():
        main()
