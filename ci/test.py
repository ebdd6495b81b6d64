"""Run every tier of tests that this machine can run, and say which it skipped and why.

Cheapest first. The live tiers share one platform: the one that runs already, else one that is brought up for them and
taken down after them. With CI=true a skipped tier is a failure.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from ci import down, up
from ci.cluster import choose
from ci.cluster.embedded.packages import ensure_packages, install_missing
from ci.errors import CiError
from ci.paths import KUBECONFIG, ROOT
from ci.stages import exit_with_words

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INTEGRATION_PROGRAMS = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
    "curl": "curl",
    "gnupg": "gpg",
    "postgresql": "pg_lsclusters",
    "pgbouncer": "/usr/sbin/pgbouncer",
    "procps": "ps",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "make": "make",
}
"""Package -> a program of it, or a file by its full path, beyond what the embedded cluster needs."""

NOTHING_SELECTED = 5
"""pytest's exit code when words such as `-k browser` leave no test in a tier."""


@dataclass(frozen=True)
class Tier:
    """One kind of test.

    Attributes:
        name: As the summary shows it.
        command: What runs it, behind this Python.
        live: It needs the platform to be up.
        why_not: Says why it cannot run here, or None when it can.
        prepare: Installs what its tests need beyond the platform.
    """

    name: str
    command: tuple[str, ...]
    live: bool = False
    why_not: Callable[[], str | None] = lambda: None
    prepare: Callable[[], None] = lambda: None


def needs_embedded() -> str | None:
    """Say why the embedded cluster's own tests cannot run now."""
    if os.geteuid() != 0:
        return "the embedded cluster needs root: sudo make test"
    return None


def needs_cluster() -> str | None:
    """Say why no local cluster can be had here."""
    if choose().name == "embedded" and os.geteuid() != 0:
        return "no Docker engine answers, and the embedded cluster needs root: sudo make test"
    return None


def ensure_browser() -> None:
    """Install Debian's Chromium unless there is a browser."""
    if not any(shutil.which(program) for program in BROWSERS):
        ensure_packages(["chromium"])


def _pytest(*words: str) -> tuple[str, ...]:
    return ("pytest", "-p", "no:cacheprovider", "--durations=10", "--durations-min=3", *words)


def _ensure_integration() -> None:
    install_missing()
    ensure_packages(
        [
            package
            for package, program in INTEGRATION_PROGRAMS.items()
            if not (os.path.exists(program) if program.startswith("/") else shutil.which(program))
        ]
    )


TIERS = (
    Tier("check", ("ci.check",)),
    Tier("integration", _pytest("tests/integration"), why_not=needs_embedded, prepare=_ensure_integration),
    Tier("e2e", _pytest("tests/e2e"), live=True, why_not=needs_cluster, prepare=ensure_browser),
    Tier("chaos", _pytest("tests/chaos"), live=True, why_not=needs_cluster),
    Tier("bench", _pytest("tests/bench"), live=True, why_not=needs_cluster),
    Tier("scale", _pytest("tests/scale"), live=True, why_not=needs_cluster),
)

LONG = {
    "live": (TIERS[1], TIERS[2], Tier("chart-install", ("ci.chart_install",), live=True, why_not=needs_cluster)),
    "chaos": (TIERS[3],),
    "bench": (TIERS[4],),
    "scale": (TIERS[5],),
    "fuzz": (Tier("fuzz", _pytest("tests/unit", "-m", "hypothesis")),),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a tier: `passed`, `failed` or `skipped`, with the reason and its seconds."""

    tier: Tier
    state: str
    reason: str
    seconds: float


def run_tiers(tiers: tuple[Tier, ...], words: list[str], environment: dict[str, str]) -> list[Outcome]:
    """Run tiers in order and return what became of each; a failed tier does not stop the next."""
    was_up = KUBECONFIG.is_file()
    platform: str | None = None
    outcomes: list[Outcome] = []
    try:
        for tier in tiers:
            started = time.monotonic()
            print(f"\n=== {tier.name}", flush=True)
            if reason := tier.why_not():
                outcomes.append(Outcome(tier, "skipped", reason, 0))
                continue
            try:
                tier.prepare()
                if tier.live and platform is None:
                    platform = "did not come up"
                    up.main()
                    platform = "up"
                if tier.live and platform != "up":
                    raise CiError(f"the platform {platform}")
                code = _run(tier, words, environment)
                if code == NOTHING_SELECTED and words:
                    state, reason = "passed", "no test selected"
                else:
                    state, reason = ("failed", f"exit code {code}") if code else ("passed", "")
            except (CiError, SystemExit) as error:
                sys.stderr.write(f"✗ {error}\n")
                state, reason = "failed", str(error).splitlines()[0]
            outcomes.append(Outcome(tier, state, reason, time.monotonic() - started))
    finally:
        if platform and not was_up:
            down.main()
    return outcomes


def _run(tier: Tier, words: list[str], environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", *tier.command, *(words if tier.command[0] == "pytest" else [])]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


def report(outcomes: list[Outcome], in_ci: bool) -> tuple[str, bool]:
    """Return the summary, and whether all is well: nothing failed and, in CI, nothing was skipped."""
    lines = []
    for outcome in outcomes:
        mark = {"passed": "✓", "failed": "✗", "skipped": "-"}[outcome.state]
        reason = f": {outcome.reason}" if outcome.reason else ""
        lines.append(f"{mark} {outcome.tier.name:<12} {outcome.state:<8} {outcome.seconds:6.0f} s{reason}")
    bad = {"failed", "skipped"} if in_ci else {"failed"}
    is_well = not any(outcome.state in bad for outcome in outcomes)
    if in_ci and any(outcome.state == "skipped" for outcome in outcomes):
        lines.append("A tier that CI skips is a failure.")
    return "\n".join(lines), is_well


def main() -> None:
    """Run the short forms of all tiers, or the long form that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", choices=sorted(LONG), help="the long form of one kind")
    parser.add_argument("--tier", choices=[tier.name for tier in TIERS], action="append", help="only this one")
    options, words = parser.parse_known_args()
    tiers = LONG[options.long] if options.long else TIERS
    if options.tier:
        tiers = tuple(tier for tier in tiers if tier.name in options.tier)
    environment = {"LONG": "1", "HYPOTHESIS_PROFILE": "fuzz"} if options.long else {}
    outcomes = run_tiers(tiers, words, environment)
    text, is_well = report(outcomes, os.environ.get("CI") == "true")
    print(f"\n{text}")
    raise SystemExit(0 if is_well else 1)


if __name__ == "__main__":
    with exit_with_words():
        main()
