"""Everything that needs no cluster: python -m ci.check [--only NAME...] [--base REF]; the same on a laptop and in CI.

Each check is one command, run from the root; a failing one shows that command, ready to paste, and what it printed.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ci import paths
from ci.errors import UserError
from ci.repo_files import matching, repo_files, shell_scripts
from ci.stages import exit_with_words
from ci.tools import tool

BIN = Path(sys.executable).parent
"""Where the lock's programs are: beside the Python that runs this."""

AT_ONCE = max(2, os.cpu_count() or 1)
TIMEOUT_SECONDS = 2700.0


@dataclass(frozen=True)
class Check:
    """One command that says whether one thing is right.

    Attributes:
        name: As printed and as `--only` takes it.
        command: What runs, from the root; empty when there is nothing to look at.
    """

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What became of a check: `passed`, `failed` or `nothing to check`."""

    name: str
    verdict: str
    seconds: float
    command: str
    output: str


def main() -> None:
    """Run the checks, print a line for each, then every failure in full; exit 1 when there is one."""
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these alone")
    parser.add_argument("--base", metavar="REF", help="run what a change since REF needs (make plan says what that is)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    options = parser.parse_args()
    started = time.monotonic()
    chosen = choose(checks(paths.ROOT, options.base), options.only or _needed(options.base))
    build_tools(chosen)
    results = run_all(chosen, paths.ROOT, quiet=options.json)
    failed = [result for result in results if result.verdict == "failed"]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in failed:
            print(f"\n{render_failure(result)}")
        passed = sum(result.verdict == "passed" for result in results)
        words = f"{len(failed)} of {len(results)} checks failed" if failed else f"{passed} checks passed"
        print(f"\n{words} in {time.monotonic() - started:.0f} s.", end=" ")
        print("Next: paste a command from above" if failed else "Next: make test")
    if failed:
        raise SystemExit(1)


def checks(root: Path, base: str | None = None) -> list[Check]:
    """Return every check, the slow ones first, so that they start first.

    Args:
        root: The repo.
        base: A commit: of 50 teams, only those are checked that a change since it can affect; None checks all.
    """
    files = repo_files(root)
    # The old server's scripts move as they are: nobody has to rewrite them for a linter.
    ours = [name for name in files if "/rootfs/" not in name]
    python = str(BIN / "python")
    pytest = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    tests = {folder: matching(files, f"tests/{folder}/*test_*.py") for folder in ("unit", "dags", "chart")}
    yaml_files = [name for name in matching(ours, "*.yaml", "*.yml") if "/templates/" not in name]
    dockerfiles = matching(files, "*Dockerfile")
    workflows = matching(files, ".github/workflows/*")
    schema = matching(files, "charts/cronlift/values.schema.json")
    sources = matching(files, "plugins/src/*.py")
    contracts = "importlinter" in (root / "pyproject.toml").read_text() or matching(files, ".importlinter")
    return [
        # Two parts, because two cores are the least that we count on.
        Check("package tests", (*pytest, "tests/unit", "--ignore=tests/unit/ci") if tests["unit"] else ()),
        Check("chart tests", (*pytest, "tests/chart") if tests["chart"] else ()),
        Check("tests of ci", (*pytest, "tests/unit/ci") if matching(files, "tests/unit/ci/test_*.py") else ()),
        Check("types", _given(sources, "mypy")),
        Check("DAG tests", (*pytest, "tests/dags") if tests["dags"] else ()),
        Check("workflows", _given(workflows, "actionlint", "-shellcheck", str(BIN / "shellcheck"), *workflows)),
        Check("workflow security", _given(workflows, "zizmor", "--offline", "--quiet", "--no-progress", ".github")),
        Check("imports", _given(sources if contracts else [], "lint-imports")),
        Check("lint", _given(["."], "ruff", "check", "--quiet", "--output-format=concise", ".")),
        Check("format", _given(["."], "ruff", "format", "--check", "--quiet", "--output-format=concise", ".")),
        Check("yaml", _given(yaml_files, "yamllint", "--strict", *yaml_files)),
        Check("shell", _given(scripts := shell_scripts(root, ours), "shellcheck", "--external-sources", *scripts)),
        Check("dockerfiles", _given(dockerfiles, "hadolint", "--no-color", *dockerfiles)),
        Check("teams", _given(schema, "cronlift", "teams", "--check")),
        Check("lock", _given(["uv.lock"], "uv", "lock", "--check", "--quiet")),
        Check("DAGs", _given(["teams.yaml"], "cronlift", "check", *dag_words(base))),
        Check("admission policy", (python, "-m", "ci.admission_policy", "--check")),
        Check("pins", (python, "-m", "ci.pin_check")),
        Check("foreign paths", (python, "-m", "ci.foreign_paths")),
        Check("secrets", (python, "-m", "ci.secret_scan")),
    ]


def dag_words(base: str | None) -> list[str]:
    """Return the words of `cronlift check`: what to compare with, and a form that marks the lines of a pull request."""
    words = [f"--base={base}"] if base else []
    return [*words, *(["--format=github"] if os.environ.get("GITHUB_ACTIONS") == "true" else [])]


def choose(known: list[Check], names: list[str] | None) -> list[Check]:
    """Return the named checks, or all.

    Raises:
        UserError: A name is unknown.
    """
    if names is None:
        return known
    unknown = sorted(set(names) - {check.name for check in known})
    if unknown:
        raise UserError(
            f"No such check: {', '.join(unknown)}",
            cure="The checks are: " + ", ".join(repr(check.name) for check in known) + ".",
        )
    return [check for check in known if check.name in names]


def _needed(base: str | None) -> list[str] | None:
    if base is None:
        return None
    from ci.plan import for_change  # it asks this module for the checks that there are

    return list(for_change(base).checks)


def build_tools(chosen: list[Check]) -> None:
    """Build what the chosen checks call, before their time limits run; takes minutes once, then nothing."""
    needs = {"chart tests": ("helm", "helm3", "ct", "kubeconform", "promtool"), "workflows": ("actionlint",)}
    for check in chosen:
        for name in needs.get(check.name, ()) if check.command else ():
            tool(name)


def run_all(chosen: list[Check], root: Path, *, quiet: bool) -> list[Result]:
    """Run the checks side by side and print a line as each ends."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(run_check, check, root) for check in chosen]
        for future in concurrent.futures.as_completed(running):
            if not quiet:
                print(render_line(future.result(), colour=sys.stdout.isatty()), flush=True)
    return [future.result() for future in running]


def run_check(check: Check, root: Path) -> Result:
    """Run one check to its end."""
    started = time.monotonic()
    if not check.command:
        return Result(check.name, "nothing to check", 0.0, "", "")
    command = list(check.command)
    if command[0] == str(BIN / "actionlint"):
        command[0] = str(tool("actionlint"))
    try:
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        code, output = 127, str(error)
    verdict = "failed" if code else "passed"
    return Result(check.name, verdict, time.monotonic() - started, shlex.join(command), output)


def render_line(result: Result, *, colour: bool) -> str:
    """Return the one line of a check."""
    mark, number = {"passed": ("✓", 32), "failed": ("✗", 31)}.get(result.verdict, ("·", 33))
    shown = f"\033[{number}m{mark}\033[0m" if colour else mark
    tail = f"{result.seconds:.1f} s" if result.command else result.verdict
    return f"{shown} {result.name} {tail}"


def render_failure(result: Result) -> str:
    """Return a failed check's command, ready to paste, and its output."""
    root = f"{paths.ROOT}/"
    lines = result.output.rstrip().splitlines()
    return "\n".join([f"✗ {result.name}:", f"  {result.command.replace(root, '')}", *("  " + line for line in lines)])


def _given(files: list[str], program: str, *words: str) -> tuple[str, ...]:
    return (str(BIN / program), *words) if files else ()


if __name__ == "__main__":
    with exit_with_words():
        main()
