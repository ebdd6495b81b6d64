"""`cronlift bump`: a tag comes into values and manifests, and every other byte stays."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main

LEGACY = "registry.example.com/cronlift/legacy"
DIGEST = "sha256:" + "a" * 64
MANIFEST = f"""\
# image: {LEGACY}:old is what this comment says
kind: Job
{{% if x %}}
    image: "{LEGACY}:8d1e44a09b7c"  # the old server
    other: {{name: a, image: {LEGACY}@sha256:{"b" * 64}}}
    image: {LEGACY}-slim:1
    image: '{{{{ images.legacy }}}}'
    env: [{{name: REF, value: "{LEGACY}:8d1e44a09b7c"}}]
"""


@pytest.fixture
def job(platform: Path) -> Path:
    file = platform / "dags/demo/jobs/x.yaml.j2"
    file.parent.mkdir()
    file.write_text(MANIFEST)
    return file


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["bump", *words])
    return done.exit_code, done.stdout, done.stderr


def production(platform: Path) -> str:
    return (platform / "charts/environments/production.yaml").read_text()


@pytest.mark.parametrize("image", ["legacy", LEGACY])
def test_values_and_manifests_get_the_tag_and_nothing_else_changes(platform: Path, job: Path, image: str) -> None:
    before = production(platform)
    code, out, err = run(image, "1.10")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"✓ charts/environments/production.yaml:7: {LEGACY}:8d1e44a09b7c -> {LEGACY}:1.10",
        f"✓ dags/demo/jobs/x.yaml.j2:4: {LEGACY}:8d1e44a09b7c -> {LEGACY}:1.10",
        f"✓ dags/demo/jobs/x.yaml.j2:5: {LEGACY}@sha256:{'b' * 64} -> {LEGACY}:1.10",
        "3 changed in 2 files",
    ]
    assert production(platform) == before.replace("legacy:8d1e44a09b7c", "legacy:1.10")
    lines = MANIFEST.splitlines()
    lines[3] = f'    image: "{LEGACY}:1.10"  # the old server'
    lines[4] = f"    other: {{name: a, image: {LEGACY}:1.10}}"
    assert job.read_text().splitlines() == lines


def test_a_second_call_changes_nothing(platform: Path, job: Path) -> None:
    run("legacy", "2")
    before = production(platform), job.read_text()
    assert run("legacy", "2") == (0, "Nothing to change\n", "")
    assert (production(platform), job.read_text()) == before


def test_dry_run_prints_the_diff_and_writes_nothing(platform: Path) -> None:
    before = production(platform)
    code, out, _ = run("legacy", "2", "--dry-run")
    assert code == 0
    assert f"-  legacy: {LEGACY}:8d1e44a09b7c\n+  legacy: {LEGACY}:2\n" in out
    assert production(platform) == before


def test_a_tag_that_yaml_would_take_for_a_number_gets_quotes(platform: Path) -> None:
    run("airflow", "1.10")
    assert '    tag: "1.10"  # content\n' in production(platform)
    run("airflow", "123e45")
    assert '    tag: "123e45"  # content\n' in production(platform)


def test_a_new_tag_takes_away_the_digest_that_would_win_over_it(platform: Path) -> None:
    file = platform / "charts/environments/production.yaml"
    file.write_text(production(platform).replace("  # content", f"\n    digest: {DIGEST}"))
    run("airflow", "2.0.0")
    assert '    tag: 2.0.0\n    digest: ""\n' in production(platform)


def test_a_digest_is_taken_where_there_is_a_place_for_it(platform: Path) -> None:
    assert run("legacy", f"2.0@{DIGEST}")[0] == 0
    assert f"  legacy: {LEGACY}:2.0@{DIGEST}\n" in production(platform)
    code, _, err = run("airflow", DIGEST)
    assert code == 1
    assert "charts/environments/production.yaml:4: the image has no key digest" in err


def test_one_environment_can_go_ahead(platform: Path) -> None:
    staging = platform / "charts/environments/staging.yaml"
    staging.write_text(production(platform))
    run("legacy", "2", "--env", "staging")
    assert "legacy:2" in staging.read_text()
    assert "legacy:8d1e44a09b7c" in production(platform)


def test_line_ends_and_bytes_that_are_no_text_stay(platform: Path) -> None:
    file = platform / "dags/demo/x.yaml"
    file.write_bytes(b"# \xff\r\nimage: " + LEGACY.encode() + b":1\r\n")
    run("legacy", "2")
    assert file.read_bytes() == b"# \xff\r\nimage: " + LEGACY.encode() + b":2\r\n"


def test_an_image_that_only_manifests_name_is_bumped_too(platform: Path, job: Path) -> None:
    assert (
        run(f"{LEGACY}-slim", "2")[1]
        == f"✓ dags/demo/jobs/x.yaml.j2:6: {LEGACY}-slim:1 -> {LEGACY}-slim:2\n1 changed in 1 files\n"
    )


def test_a_first_release_is_added_under_a_name_and_then_bumped(platform: Path) -> None:
    words = ("registry.example.com/b/mailer", "0.1.0", "--add-as", "mailer")
    assert run(*words)[1].startswith(
        "✓ charts/environments/production.yaml:8: nothing -> registry.example.com/b/mailer:0.1.0\n"
    )
    assert run(*words)[1] == "Nothing to change\n"
    run("mailer", "0.2.0")
    assert production(platform).endswith("  mailer: registry.example.com/b/mailer:0.2.0\n")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        pytest.param(("legacy", "latest"), "'latest' means another image every day", id="latest"),
        pytest.param(("legacy", "latest@" + DIGEST), "'latest' means another image", id="latest with a digest"),
        pytest.param(("legacy", "a b"), "'a b' is no tag", id="no tag"),
        pytest.param(("legacy", ""), "'' is no tag", id="empty"),
        pytest.param(("legacy", "sha256:abc"), "'sha256:abc' is no tag", id="short digest"),
        pytest.param(("nope", "1"), "nothing names the image 'nope'. Known: airflow (", id="unknown"),
        pytest.param(("legacy", "1", "--env", "test"), "no environment 'test'. Known: production.", id="environment"),
        pytest.param(("x/y", "1", "--add-as", "legacy"), f"'legacy' is taken by {LEGACY}", id="name taken"),
        pytest.param(("x:1", "1", "--add-as", "A"), "'A' is no name", id="no name"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(platform: Path, words: tuple[str, ...], fault: str) -> None:
    before = production(platform)
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert fault in err
    assert production(platform) == before


def test_json_lists_the_changes(platform: Path) -> None:
    found = json.loads(run("legacy", "2", "--json")[1])
    assert found["written"] == ["charts/environments/production.yaml"]
    assert found["changes"] == [
        {
            "file": "charts/environments/production.yaml",
            "line": 7,
            "before": f"{LEGACY}:8d1e44a09b7c",
            "after": f"{LEGACY}:2",
        }
    ]
