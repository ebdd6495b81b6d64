"""`cronlift new app`: the repository that it writes is sound in every tool's eyes."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ci.check import BIN
from ci.tools import tool
from cronlift.cli.main import main


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["new", "app", *words])
    return done.exit_code, done.stdout, done.stderr


def said(*words: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [str(each) for each in words], cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def app(platform: Path) -> Path:
    code, out, err = run("invoice-mailer")
    assert (code, err) == (0, "")
    assert "Next: cd ../../../invoice-mailer && git init" in out
    return platform.parent / "invoice-mailer"


def test_its_program_passes_its_test_and_the_test_can_fail(app: Path) -> None:
    assert said("make", "test", cwd=app) == "✓ app/run greets whom it is told to\n"
    (app / "app/run").write_text("#!/bin/sh\necho wrong\n")
    done = subprocess.run(["make", "test"], cwd=app, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "app/run world said: wrong" in done.stderr


def test_its_workflow_is_sound_and_asks_for_no_more_than_it_needs(app: Path) -> None:
    workflow = app / ".github/workflows/ci.yaml"
    subprocess.run(["git", "init", "-q", app], check=True)
    said(tool("actionlint"), "-shellcheck", BIN / "shellcheck", workflow, cwd=app)
    said(BIN / "zizmor", "--offline", "--quiet", "--no-progress", ".github", cwd=app)
    read = yaml.safe_load(workflow.read_text())
    assert read["permissions"] == {}
    assert {name: job["permissions"] for name, job in read["jobs"].items()} == {
        "test": {"contents": "read"},
        "release": {"contents": "read"},
    }
    assert "secrets." not in workflow.read_text().partition("  release:")[0]
    assert 'docker login --username "$REGISTRY_USER" --password-stdin registry.example.com' in workflow.read_text()


def test_its_scripts_image_and_job_are_sound(app: Path) -> None:
    said(BIN / "shellcheck", "app/run", "test/run", "ci/open-pull-request", cwd=app)
    said(BIN / "hadolint", "Dockerfile", cwd=app)
    said(BIN / "cronlift", "validate", "job.yaml", cwd=app)
    text = (app / "Dockerfile").read_text()
    assert "USER 10001:10001\n" in text
    assert "latest" not in text


def test_where_its_image_and_the_platform_are_comes_from_production(app: Path) -> None:
    assert "IMAGE ?= registry.example.com/cronlift/invoice-mailer\n" in (app / "Makefile").read_text()
    assert [path for path in app.rglob("*") if path.is_file() and "@NAME@" in path.read_text()] == []


def test_a_folder_inside_the_platform_or_with_files_in_the_way_is_refused(app: Path, platform: Path) -> None:
    assert "is inside the platform's repository" in run("other", str(platform / "apps/other"))[2]
    code, _, err = run("invoice-mailer")
    assert code == 1
    assert "job.yaml: is there already" in err


GH = """\
#!/bin/sh
# The first `create` fails, as for a token without the right; later ones are remembered, and `list` shows them.
cd "${0%/*}"
echo "$@" >> said
case "$2" in
  list) cat opened 2> /dev/null || true ;;
  create)
    if mkdir failed 2> /dev/null; then echo "Resource not accessible" >&2; exit 1; fi
    echo https://git.example.com/platform/pull/7 | tee opened ;;
esac
"""


def test_a_release_whose_pull_request_could_not_be_opened_gets_it_from_the_next_run(app: Path, platform: Path) -> None:
    person = ("-c", "user.name=x", "-c", "user.email=x@x.invalid")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*person, "commit", "-qm", "Begin")):
        said("git", *words, cwd=platform)
    origin, programs = platform.parent / "platform.git", platform.parent / "programs"
    said("git", "clone", "-q", "--bare", platform, origin, cwd=platform)
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)

    def bump() -> "subprocess.CompletedProcess[str]":
        command = ["make", "bump", "TAG=0.1.0", f"PLATFORM={origin}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "GH_TOKEN": "x", "CRONLIFT": str(BIN / "cronlift")}
        return subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)

    first, second, third = bump(), bump(), bump()
    assert first.returncode != 0
    assert "Resource not accessible" in first.stderr
    assert (second.returncode, third.returncode) == (0, 0), second.stderr + third.stderr
    assert second.stdout.endswith("https://git.example.com/platform/pull/7\n")
    assert "Its pull request is there too: https://git.example.com/platform/pull/7" in third.stdout
    asked = (programs / "said").read_text().splitlines()
    assert [words.split()[1] for words in asked] == ["create", "list", "create", "list"]
    assert {f"--repo {origin} --head bump-invoice-mailer-0.1.0" in words for words in asked} == {True}
