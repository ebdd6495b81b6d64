"""`cronlift check` on a repository that breaks every check, and on one that breaks none."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from ci.paths import ROOT
from cronlift.airflow import facts_pool
from cronlift.checks.catalogue import CHECKS
from cronlift.cli.main import main
from cronlift.policy.example import GOOD_TEXT
from cronlift.policy.rules import RULES
from tests.unit.cli.checked_repo import (
    BAD,
    LATER,
    RULE_LINES,
    TEAMS,
    bad_repo,
    committed,
    git,
    good_repo,
    place_of,
    plain,
    with_task,
    write,
)

pytestmark = pytest.mark.usefixtures("parsing_workers")


def check(root: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["check", "--root", str(root), *map(str, words)])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good_repo(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = bad_repo(tmp_path_factory.mktemp("bad"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts_pool, "IMPORT_TIMEOUT_SECONDS", 10.0)
        done = check(root, "--json", "--file-budget", 2)
    assert done.exit_code == 1, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_there_is_a_bad_fixture_for_every_check_and_every_rule() -> None:
    assert {*BAD, *LATER} == {each.id for each in CHECKS}
    assert RULE_LINES.keys() == {each.id for each in RULES}


@pytest.mark.parametrize(("name", "file", "line"), [(name, file, line) for name, (_, file, line) in BAD.items()])
def test_a_bad_file_fails_its_check_at_its_line(report: dict[str, Any], name: str, file: str, line: int) -> None:
    (fault,) = [each for each in report["faults"] if each["check"] == name]
    assert (fault["file"], fault["line"]) == (place_of(file), line)
    assert fault["what"]
    assert fault["cure"].endswith(".")


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_a_bad_manifest_fails_its_rule_at_its_line(report: dict[str, Any], rule: str) -> None:
    (fault,) = [each for each in report["faults"] if each["check"] == f"policy/{rule}"]
    assert fault["file"] == f"dags/billing/jobs/rule_{rule.replace('-', '_')}.yaml"
    assert fault["line"] == RULE_LINES[rule]
    assert fault["cure"] == next(each.cure for each in RULES if each.id == rule)


def test_nothing_but_the_bad_files_is_at_fault(report: dict[str, Any]) -> None:
    assert {each["check"] for each in report["faults"]} == {*BAD, *(f"policy/{rule.id}" for rule in RULES)}
    assert len(report["faults"]) == len(BAD) + len(RULES)
    assert report["ok"] is False


def test_a_good_repository_passes(good: Path) -> None:
    done = check(good)
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert "✓ 3 DAGs in 3 files of 2 teams" in done.stderr


def test_a_check_leaves_nothing_beside_the_files(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    before = sorted(good.rglob("*"))
    check(good, good / "dags/audit")
    assert sorted(good.rglob("*")) == before


def test_a_fault_is_told_with_place_cure_and_check(good: Path, tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    write(root, {"tags.py": plain("billing__tags", tags="")})
    done = check(root, root / "dags/billing/tags.py")
    assert done.exit_code == 1
    assert done.stdout == (
        'dags/billing/tags.py:4: DAG billing__tags has no tag. Add tags=["billing"] to the DAG. [tags]\n'
    )
    assert "✗ 1 fault: 1 DAGs in 1 files" in done.stderr


def test_only_files_that_may_vary_are_parsed_by_a_second_airflow(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    start = facts_pool.started_workers

    def started(count: int, seed: int = 1) -> Any:
        seeds.append(seed)
        return start(count, seed)

    monkeypatch.setattr(facts_pool, "started_workers", started)
    assert check(good).exit_code == 0
    assert seeds == [1]
    root = good_repo(tmp_path / "repo")
    write(root, {
        "names.py": "NAMES = {'a', 'b', 'c', 'd', 'e', 'f', 'g'}\n",
        "order.py": plain("billing__order", head="from names import NAMES\n", description="' '.join(NAMES)"),
    })  # fmt: skip
    (fault,) = json.loads(check(root, "--json").stdout)["faults"]
    assert (fault["check"], fault["file"], fault["line"]) == ("varying", "dags/billing/order.py", 5)
    assert seeds == [1, 1, 2]


def test_every_fault_of_a_manifest_is_told_at_once_each_with_its_line_and_its_check_once(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    bad = GOOD_TEXT.replace("args:", "arg:").replace("report:1.4.2", "report").replace("cpu: 50m", "cpu: 50mm")
    bad = bad.replace("    spec:\n", "    spec:\n      restartPolcy: Never\n").replace(
        "- name: report", "- name: My_Report"
    )
    write(root, {"bad.py": with_task("bad"), "jobs/bad.yaml": bad})
    done = check(root, root / "dags/billing")
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0].removeprefix("dags/billing/jobs/bad.yaml:") for line in lines] == [
        "6", "9", "10", "11", "12",
    ]  # fmt: skip
    said = ["restartPolicy? [", "such as my-report. [", 'images.NAME }}". [', "args? [", "2Gi of memory. ["]
    for line, words in zip(lines, said, strict=True):
        assert words in line
        assert line.count("[manifest]") + line.count("image-version]") == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (TEAMS.replace("namespace:", "namespcae:", 1), 3, "there is no key 'namespcae'"),
        (TEAMS.replace("team-billing", "Team_Billing"), 3, "does not match"),
        ("teams: [billing]\n", 1, "is not of type 'object'"),
    ],
)
def test_a_teams_file_that_does_not_fit_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    root = good_repo(tmp_path / "repo")
    (root / "teams.yaml").write_text(text)
    done = check(root, "--json")
    faults = json.loads(done.stdout)["faults"]
    assert done.exit_code == 1
    (fault,) = [each for each in faults if words in each["what"]]
    assert (fault["check"], fault["file"], fault["line"]) == ("teams-file", "teams.yaml", line)


def test_a_file_of_no_teams_folder_is_told(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    write(root, {"/dags/loose.py": plain("loose"), "/dags/README.md": "Ours.\n", "/dags/.airflowignore": "x\n"})
    (fault,) = json.loads(check(root, "--json").stdout)["faults"]
    assert (fault["check"], fault["file"], fault["line"]) == ("no-team", "dags/loose.py", 0)
    assert fault["cure"] == "Move it into a team's folder."


def test_a_team_whose_folder_is_not_there_is_told(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    (root / "teams.yaml").write_text(TEAMS.replace("dags/billing", "dags/biling"))
    checks = {each["check"] for each in json.loads(check(root, "--json").stdout)["faults"]}
    assert checks == {"teams-file", "codeowners", "no-team"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--base", "no-such-branch"], "no-such-branch"),
        (["/usr"], "is in no team's folder"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(tmp_path: Path, words: list[str], said: str) -> None:
    root = good_repo(tmp_path / "repo")
    git(root, "init", "-q")
    done = check(root, *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_without_teams_file_the_command_says_where_to_go(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.exit_code == 2
    assert "--team" in done.stderr


def test_a_teams_own_repository_is_checked_by_name(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "good.py").write_text(with_task("good"))
    (tmp_path / "jobs/good.yaml").write_text(GOOD_TEXT)
    (tmp_path / "jobs/unused.yaml").write_text(GOOD_TEXT)
    done = check(tmp_path, "--team", "billing", "--json")
    found = json.loads(done.stdout)
    assert [(each["check"], each["file"]) for each in found["faults"]] == [("orphan-manifest", "jobs/unused.yaml")]
    assert found["dags"] == 1


@pytest.mark.parametrize("pods", ["{{ var.value.billing__pods }}", "{{ conn.billing__db.port }}", "{{ pods }}"])
def test_a_number_of_pods_that_the_run_decides_is_no_fault(tmp_path: Path, pods: str) -> None:
    root = good_repo(tmp_path / "repo")
    job = GOOD_TEXT.replace("spec:\n  template", f"spec:\n  parallelism: {pods}\n  template")
    dag = with_task("good").replace('.yaml")', '.yaml", values={"pods": XComArg(EmptyOperator(task_id="count"))})')
    dag = dag.replace("import DAG,", "import DAG, XComArg,")
    head = "from airflow.providers.standard.operators.empty import EmptyOperator\n"
    write(root, {"good.py": head + dag, "jobs/good.yaml": job})
    assert json.loads(check(root, root / "dags/billing", "--json").stdout)["faults"] == []


def test_what_the_import_writes_and_the_examples_keep_every_rule(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    for name in ("legacy", "invoices"):
        write(root, {f"/images/{name}/Dockerfile": ""})
    demo = {"namespace": "team-demo", "path": "dags/demo", "owners": ["@demo"], "manifestObjects": True}
    web = {"namespace": "team-web", "path": "dags/web", "owners": ["@web"]}
    (root / "teams.yaml").write_text(yaml.safe_dump({"teams": {"demo": demo, "web": web}}))
    shutil.rmtree(root / "dags")
    shutil.copytree(ROOT / "examples/operator", root / "dags/demo")
    crontabs = ["import", str(ROOT / "tests/dags/crontabs"), "--timezone", "Europe/Paris", "--team", "web"]
    assert CliRunner().invoke(main, [*crontabs, "--repo", str(root)]).exit_code in (0, 1)
    CliRunner().invoke(main, ["teams", "--root", str(root)])
    done = check(root, "--json")
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert found["dags"] >= 20


def test_what_the_bundle_would_refuse_is_told_in_its_words(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    write(root, {"around": "-> .", "helper": "-> good.py", "/dags/audit/shared": "-> ../billing"})
    with (root / "dags/audit/dump.sql").open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    faults = json.loads(check(root, "--json").stdout)["faults"]
    assert {(each["file"], each["what"]) for each in faults if each["check"] == "deliverable"} == {
        ("dags/audit/dump.sql", "dump.sql has 60 MiB, more than 50 MiB"),
        ("dags/audit/shared", "shared is a symbolic link to ../billing, which leaves the folder"),
        ("dags/billing/around", "around is a symbolic link to ., a folder around itself"),
    }


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("again", "-> jobs", "again is a symbolic link to a folder"),
        (".airflowignore", "!\n", "cannot read .airflowignore"),
    ],
)
def test_what_would_end_the_dag_processor_is_told_and_other_teams_are_checked(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    root = good_repo(tmp_path / "repo")
    write(root, {file: text, "/dags/audit/empty.py": plain("audit__wrong", owner="airflow")})
    faults = json.loads(check(root, "--json").stdout)["faults"]
    assert [(each["check"], each["file"]) for each in faults] == [
        ("owner", "dags/audit/empty.py"),
        ("deliverable", "dags/billing"),
    ]
    assert words in faults[1]["what"]


def test_a_mass_deletion_must_be_said_to_be_wanted(tmp_path: Path) -> None:
    root = committed(good_repo(tmp_path / "repo"))
    (root / "dags/audit/plain.py").unlink()
    (root / "dags/audit/README.md").write_text("Nothing here for now.\n")
    (fault,) = json.loads(check(root, "--base", "main", "--json").stdout)["faults"]
    assert (fault["check"], fault["file"], fault["line"]) == ("deliverable", "dags/audit", 0)
    assert fault["what"] == "1 of 1 Python files are gone from dags/audit"
    assert "add or edit the file dags/audit/.allow-deletion" in fault["cure"]
    (root / "dags/audit/.allow-deletion").write_text("The audit has ended.\n")
    assert check(root, "--base", "main").exit_code == 0


def test_a_marker_from_the_last_deletion_allows_no_other(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    (root / "dags/audit/.allow-deletion").write_text("The first audit has ended.\n")
    committed(root)
    (root / "dags/audit/plain.py").unlink()
    assert "Python files are gone" in check(root, "--base", "main").stdout
    assert check(root).exit_code == 0


def test_an_environment_without_an_image_that_a_manifest_uses_is_warned_of(tmp_path: Path) -> None:
    root = good_repo(tmp_path / "repo")
    job = (root / "dags/billing/jobs/good.yaml").read_text()
    image = next(line for line in job.splitlines() if "image:" in line)
    said = image.partition("image:")[0] + 'image: "{{ images.mailer }}"'
    line = job.splitlines().index(image) + 1
    write(
        root,
        {
            "jobs/good.yaml": job.replace(image, said),
            "/images/mailer/Dockerfile": "",
            "/charts/environments/local.yaml": "git: {period: 2s}\n",
            "/charts/environments/production.yaml": "jobImages: {legacy: registry.example/legacy:1}\n",
            "/charts/environments/staging.yaml": "jobImages: {mailer: registry.example/mailer:1}\n",
        },
    )
    found = json.loads(check(root, "--json").stdout)
    assert found["ok"]
    assert found["warnings"] == [
        f"charts/environments/production.yaml: jobImages has no 'mailer', which dags/billing/jobs/good.yaml:{line} "
        "uses: its DAG would be an import error there. "
        'Run make bump IMAGE=registry.example/mailer TAG=... ARGS="--add-as mailer --env production"'
    ]


@pytest.fixture(scope="module")
def fifty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of 50 teams with a DAG each, committed."""
    root = good_repo(tmp_path_factory.mktemp("fifty"))
    names = [f"team{number:02}" for number in range(50)]
    teams = {name: {"namespace": f"ns-{name}", "path": f"dags/{name}", "owners": ["@platform"]} for name in names}
    (root / "teams.yaml").write_text(yaml.safe_dump({"teams": teams}))
    for name in names:
        good = (root / "dags/billing/good.py").read_text().replace("billing", name)
        write(
            root,
            {
                f"/dags/{name}/good.py": good,
                f"/dags/{name}/jobs/good.yaml": (root / "dags/billing/jobs/good.yaml").read_text(),
            },
        )
    CliRunner().invoke(main, ["teams", "--root", str(root)])
    return committed(root)


def test_a_change_of_one_of_50_teams_checks_that_team_alone(fifty: Path) -> None:
    path = fifty / "dags/team07/jobs/good.yaml"
    before = path.read_text()
    path.write_text(before.replace("limits: {memory: 128Mi}", "limits: {cpu: 1}"))
    try:
        found = json.loads(check(fifty, "--base", "main", "--json").stdout)
    finally:
        path.write_text(before)
    assert found["teams"] == ["team07"]
    assert list(found["files"]) == ["dags/team07/good.py"]
    own = [each for each in found["faults"] if each["check"] != "no-team"]
    assert [(each["check"], each["file"], each["line"]) for each in own] == [
        ("policy/amounts", "dags/team07/jobs/good.yaml", 11)
    ]


def test_a_change_of_no_dag_parses_nothing(fifty: Path) -> None:
    (fifty / "README.md").write_text("Nothing of it.\n")
    try:
        found = json.loads(check(fifty, "--base", "main", "--json").stdout)
    finally:
        (fifty / "README.md").unlink()
    assert (found["teams"], found["files"]) == ([], {})
