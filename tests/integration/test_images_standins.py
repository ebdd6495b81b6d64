"""The stand-ins behave as the upstream images do in what the chart depends on."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci.image_runner import Running, Unpacked
from tests.integration.image_fixtures import Open, image  # noqa: F401 - a fixture

DATABASE = {"POSTGRES_USER": "airflow", "POSTGRES_PASSWORD": "it's $ecret", "POSTGRES_DB": "air",
            "PGDATA": "/var/lib/postgresql/data/pgdata"}  # fmt: skip
SQL = ["env", f"PGPASSWORD={DATABASE['POSTGRES_PASSWORD']}", "psql", "-h", "127.0.0.1", "-U", "airflow", "air", "-Atc"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def start_database(image: Open, data: Path) -> Iterator[Callable[..., Running]]:  # noqa: F811
    started: list[Running] = []

    def start(*arguments: str, **environment: str) -> Running:
        running = image("postgres").start(
            *arguments, user=(999, 999), environment=DATABASE | environment,
            volumes={"/var/lib/postgresql/data": data}, writable=["/tmp", "/var/run/postgresql"],
        )  # fmt: skip
        started.append(running)
        return running

    yield start
    for each in started:
        each.stop()


def wait_for_database(running: Running) -> None:
    running.wait_until(lambda: running.execute(*SQL, "select 1").out.strip() == "1")


def test_postgres_makes_its_database_takes_options_and_keeps_data(start_database: Callable[..., Running]) -> None:
    first = start_database("-c", "max_connections=33")
    wait_for_database(first)
    assert first.execute(*SQL, "show max_connections").out.strip() == "33"
    assert first.execute(*SQL, "show server_version").out.startswith("17.")
    assert first.execute(*SQL, "create table kept as select 42 as answer").code == 0
    first.signal("INT")
    assert first.process.wait(30) == 0
    assert "received fast shutdown request" in first.log.read_text()
    second = start_database()
    wait_for_database(second)
    assert second.execute(*SQL, "select answer from kept").out.strip() == "42"
    assert "initdb" not in second.log.read_text()


def test_postgres_refuses_a_wrong_password(start_database: Callable[..., Running]) -> None:
    # As upstream, its own host needs no password unless initdb is told so.
    running = start_database(POSTGRES_INITDB_ARGS="--auth-host=scram-sha-256 --data-checksums")
    wait_for_database(running)
    wrong = ["env", "PGPASSWORD=wrong", *SQL[2:], "select 1"]
    assert "password authentication failed" in running.execute(*wrong).out
    assert running.execute(*SQL, "show data_checksums").out.strip() == "on"
    rule = "select auth_method from pg_hba_file_rules where address = 'all'"
    assert running.execute(*SQL, rule).out.strip() == "scram-sha-256"


def test_postgres_takes_the_password_from_a_file(start_database: Callable[..., Running], data: Path) -> None:
    (data / "password").write_text(DATABASE["POSTGRES_PASSWORD"] + "\n")
    running = start_database(POSTGRES_PASSWORD="", POSTGRES_PASSWORD_FILE="/var/lib/postgresql/data/password")
    wait_for_database(running)


def test_postgres_without_a_password_says_so(start_database: Callable[..., Running]) -> None:
    running = start_database(POSTGRES_PASSWORD="")
    assert running.process.wait(30) == 1
    assert "POSTGRES_PASSWORD" in running.log.read_text()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository outside, as the container sees it under /repo; owned by another uid."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    return folder


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "dag.py").write_text(text)
    git(folder, "add", "dag.py")
    git(folder, "commit", "--quiet", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def sync(image: Open, repo: Path, root: Path) -> Iterator[Callable[..., Running]]:  # noqa: F811
    """Start git-sync with the chart's flags, each of which a test may give anew."""
    started: list[Running] = []
    unpacked: Unpacked = image("git-sync")

    def start(*more: str, **environment: str) -> Running:
        flags = [
            "--repo=file:///repo", "--ref=main", "--depth=0", "--root=/git", "--link=current", "--period=500ms",
            "--init-period=200ms", "--init-max-failures=60", "--max-failures=-1", "--sync-timeout=20s",
            "--stale-worktree-timeout=6h", "--submodules=off", "--http-bind=:9301", "--http-metrics",
            "--git-config=http.lowSpeedLimit:100,http.lowSpeedTime:8",
        ]  # fmt: skip
        running = unpacked.start(
            *flags, *more, environment={"HOME": "/tmp", **environment}, volumes={"/repo": repo, "/git": root}
        )
        started.append(running)
        return running

    yield start
    for each in started:
        each.stop()


def get(running: Running, path: str) -> tuple[int, str]:
    script = (
        "import sys, urllib.request, urllib.error\n"
        "try: a = urllib.request.urlopen('http://127.0.0.1:9301' + sys.argv[1])\n"
        "except urllib.error.HTTPError as error: a = error\n"
        "print(a.status, a.read().decode())"
    )
    done = running.execute("python3", "-c", script, path)
    code, _, text = done.out.partition(" ")
    return (int(code), text) if code.isdigit() else (0, done.out)


def count(running: Running, status: str) -> int:
    found = re.search(rf'^git_sync_count_total{{status="{status}"}} (\d+)$', get(running, "/metrics")[1], re.MULTILINE)
    return int(found[1]) if found else -1


def published(root: Path) -> str:
    link = root / "current"
    return (link / "dag.py").read_text() if link.exists() else ""


def test_git_sync_publishes_commits_under_a_link(sync: Callable[..., Running], repo: Path, root: Path) -> None:
    running = sync()
    running.wait_until(lambda: get(running, "/")[0] == 200)
    assert published(root) == "one"
    assert (root / "current").readlink().as_posix() == f".worktrees/{git(repo, 'rev-parse', 'HEAD')}"
    first = (root / "current").resolve()
    head = commit(repo, "two")
    running.wait_until(lambda: published(root) == "two")
    assert (root / "current").readlink().name == head
    assert (first / "dag.py").read_text() == "one"
    assert (root / "current/dag.py").stat().st_uid == 65533
    running.wait_until(lambda: count(running, "noop") > 0)
    assert (count(running, "success"), count(running, "error")) == (2, 0)
    running.signal("TERM")
    assert running.process.wait(20) in (0, 143)


def test_git_sync_is_not_ready_before_the_first_sync_and_stays_ready_after(
    sync: Callable[..., Running], repo: Path, root: Path
) -> None:
    hidden = repo.rename(repo.with_name("hidden"))
    repo.mkdir()
    running = sync()
    running.wait_until(lambda: count(running, "error") > 0)
    assert get(running, "/")[0] == 503
    for path in list(hidden.iterdir()):
        path.rename(repo / path.name)
    running.wait_until(lambda: get(running, "/")[0] == 200)
    (repo / ".git").rename(repo / "gone")
    errors = count(running, "error")
    running.wait_until(lambda: count(running, "error") > errors)
    assert get(running, "/")[0] == 200
    assert published(root) == "one"


def test_git_sync_ends_after_too_many_first_failures(sync: Callable[..., Running]) -> None:
    running = sync("--ref=no-such-branch", "--init-max-failures=2")
    assert running.process.wait(30) == 1
    assert "too many failures, aborting" in running.log.read_text()
    assert "no-such-branch" in running.log.read_text()


def test_git_sync_refuses_an_unknown_flag_and_ignores_an_unknown_variable(
    sync: Callable[..., Running], root: Path
) -> None:
    wrong = sync("--perid=5s")
    assert wrong.process.wait(30) == 1
    assert "unknown flag: --perid=5s" in wrong.log.read_text()
    right = sync(GITSYNC_PERID="5s")
    right.wait_until(lambda: published(root) == "one")


def test_git_sync_syncs_at_once_on_its_signal(sync: Callable[..., Running], repo: Path, root: Path) -> None:
    running = sync("--period=1h", "--sync-on-signal=SIGHUP")
    running.wait_until(lambda: published(root) == "one")
    commit(repo, "two")
    running.execute("sh", "-c", "kill -HUP $(pidof -x python3 || pgrep -f /git-sync || echo 2)")
    running.wait_until(lambda: published(root) == "two")


def test_git_sync_repairs_a_broken_root(sync: Callable[..., Running], repo: Path, root: Path) -> None:
    running = sync()
    running.wait_until(lambda: published(root) == "one")
    (root / "current/.git").unlink()
    commit(repo, "two")
    running.wait_until(lambda: published(root) == "two")
    (root / ".git/HEAD").write_text("broken")
    commit(repo, "three")
    running.wait_until(lambda: published(root) == "three")


def test_git_sync_shallow_clones_and_single_runs(sync: Callable[..., Running], repo: Path, root: Path) -> None:
    head = commit(repo, "two")
    assert sync("--depth=1", "--one-time").process.wait(60) == 0
    assert published(root) == "two"
    assert (root / ".git/shallow").read_text().split() == [head]
