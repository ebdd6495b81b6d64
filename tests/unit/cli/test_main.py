"""The `cronlift` command itself: its subcommands, and what it imports."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main


def run(*words) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    "command", ["new", "diff", "bump", "teams", "render", "validate", "doctor", "sweep", "migrate"]
)
def test_every_command_is_listed_and_explains_itself(command):
    assert f"  {command} " in run("--help")[1]
    code, out, _ = run(command, "-h")
    assert code == 0
    assert out.startswith(f"Usage: main {command} ")


@pytest.mark.parametrize(
    ("words", "message"), [(("nonsense",), "No such command"), (("validate",), "Missing argument")]
)
def test_wrong_usage_is_said_on_stderr(words, message):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "--base=nope", "--json"), "'nope'"),
        (("check", "--base=nope", "--format", "json"), "'nope'"),
        (("check", "--base=nope", "--format=json"), "'nope'"),
        (("diff", "--base=nope", "--json"), "'nope'"),
        (("check", "no-such-folder", "--json"), "no-such-folder"),
        (("diff", "--json", "--markdown"), "exclude each other"),
        (("validate", "--json"), "Missing argument"),
    ],
)
def test_wrong_usage_is_an_object_for_those_who_read_json(platform, words, message):
    code, out, err = run(*words)
    assert code == 2
    found = json.loads(out)
    assert found["ok"] is False
    assert message in found["error"]
    assert message in err


def test_version_is_the_packages():
    assert "version" in run("--version")[1]


def test_rendering_imports_neither_airflow_nor_a_client():
    """Airflow takes seconds to import, and the command is for editing manifests."""
    modules = "sorted({'airflow', 'aiohttp'} & set(sys.modules))"
    code = f"import sys; from cronlift.cli import render, validate; print({modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
