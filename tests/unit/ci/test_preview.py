"""A preview's name, time and values; the branch names that are refused; and what a failure leaves behind."""

import json
import socket
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ci import preview, preview_plan, preview_source
from ci.errors import CommandError, UserError
from ci.git_server import ONLY_BRANCHES, link_branches
from ci.paths import ROOT
from ci.preview_target import Target

ENVIRONMENT = yaml.safe_load((ROOT / "charts/environments/production.yaml").read_text())
TEAMS = {
    "demo": {"namespace": "team-demo", "path": "dags/demo", "owners": ["@a"], "quota": {"pods": 5}, "alerts": {}},
    "own": {"namespace": "team-own", "path": ".", "repo": "own", "owners": ["@b"]},
}


@pytest.mark.parametrize("ref", ["main", "feature/rates-2", "dependabot/pip/x_1.2", "release-1.0", "a@b", "fix#12"])
def test_usual_names_of_branches_are_taken(ref):
    assert preview_plan.check_branch(ref) == ref


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("", "not said which branch"), ("   ", "not said which branch"), ("-x", "looks like an option"),
        ("--upload-pack=touch /tmp/x", "looks like an option"), ("a b", "no name of a branch"),
        ("a;rm -rf .", "no name"), ("$(id)", "no name"), ("a'b", "no name"), ("a`id`", "no name"), ("a\nb", "no name"),
        ("a..b", "no name"), ("a//b", "no name"), ("/a", "no name"), ("a/", "no name"), ("a.lock", "no name"),
        ("a/.b", "no name"), ("a@{1}", "no name"), ("@", "no name"), ("a.", "no name"), ("a~1", "no name"),
        ("a:b", "no name"), ("é", "no name"), ("{{x}}", "no name"),
    ],
)  # fmt: skip
def test_what_could_be_more_than_a_branch_is_refused(ref, words):
    with pytest.raises(UserError, match=words):
        preview_plan.check_branch(ref)


@pytest.mark.parametrize("ref", ["work", "feature/a", "Feature-a", "x" * 80, "a_b", "-" * 3 + "a", "###"])
def test_every_branch_has_a_name_that_kubernetes_takes(ref):
    name = preview_plan.namespace_of(ref)
    assert len(name) <= 31
    assert name.startswith("preview-")
    assert preview_plan.re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_branches_that_look_alike_have_previews_of_their_own():
    names = {preview_plan.name_of(ref) for ref in ("feature/a", "feature-a", "Feature-a", "feature_a")}
    assert len(names) == 4
    assert "feature-a" in names


@pytest.mark.parametrize(
    ("text", "wanted"), [("90m", timedelta(minutes=90)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7))]
)
def test_a_time_is_minutes_hours_or_days(text, wanted):
    assert preview_plan.lifetime(text) == wanted


@pytest.mark.parametrize("text", ["", "0h", "8d", "24", "h", "-1h", "1w", "99999h"])
def test_a_time_that_does_not_read_or_lasts_too_long_is_refused(text):
    with pytest.raises(UserError, match="no time that a preview may live"):
        preview_plan.lifetime(text)


def test_of_the_environment_only_images_git_and_place_are_taken():
    found = preview_plan.values(ENVIRONMENT, TEAMS, "work", "https://git.example.com/x.git", ["192.0.2.7/32"])
    assert set(found) <= {
        "images",
        "imagePullSecrets",
        "jobImages",
        "openshift",
        "git",
        "networkPolicy",
        "pods",
        "teams",
    }
    assert found["git"]["ref"] == "work"
    assert found["git"]["auth"] == ENVIRONMENT["git"]["auth"]
    assert found["networkPolicy"]["gitCidrs"] == ["192.0.2.7/32"]
    assert found["images"] == ENVIRONMENT["images"]


def test_of_a_team_only_name_and_folder_are_taken_and_other_repositories_left_out():
    found = preview_plan.values(ENVIRONMENT, TEAMS, "work", "https://git.example.com/x.git", [])
    assert found["teams"] == {"demo": {"namespace": "team-demo", "path": "dags/demo", "owners": ["@a"]}}
    with pytest.raises(UserError, match=r"No team of teams\.yaml in work"):
        preview_plan.values(ENVIRONMENT, {"own": TEAMS["own"]}, "work", "https://git.example.com/x.git", [])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://git.example.com/x.git", "git.example.com"), ("ssh://git@host:22/x", "host"),
        ("git@github.com:acme/x.git", "github.com"), ("git://10.77.0.1:9418/x", "10.77.0.1"),
    ],
)  # fmt: skip
def test_the_git_server_is_the_host_of_the_url(url, host):
    assert preview_plan.git_host(url) == host


def test_a_server_without_an_address_is_refused_with_the_cure():
    with pytest.raises(UserError, match=r"networkPolicy\.gitCidrs"):
        preview_source.git_cidrs("https://nothing.invalid/x.git")
    assert preview_source.git_cidrs("git://127.0.0.1:9418/x") == ["127.0.0.1/32"]


def test_the_list_says_until_when_and_what_has_expired():
    now = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)

    def namespace(until, **more):
        notes = {"cronlift.dev/expires": until, "cronlift.dev/ref": "work", "cronlift.dev/commit": "a" * 40}
        return {"metadata": {"name": "preview-work", "annotations": notes, **more}}

    def removal(ref):
        return f"make preview-down REF={ref}"

    text = preview_plan.table([
        namespace("2026-01-31T18:00:01Z"), namespace("2026-01-31T17:59:59Z"), namespace(""),
        namespace("2026-01-31T17:59:59Z", deletionTimestamp="x"),
    ], now, removal)  # fmt: skip
    assert [line.split(maxsplit=3)[3] for line in text.splitlines()] == [
        "until 2026-01-31T18:00:01Z",
        "until 2026-01-31T17:59:59Z, expired; if it stays: make preview-down REF=work",
        "has no cronlift.dev/expires: it stays",
        "is being removed",
    ]
    assert "make preview REF=" in preview_plan.table([], now, removal)


@pytest.mark.parametrize(
    ("name", "context", "words"),
    [("local", "", ""), ("staging", "staging", " ENV=staging"), ("staging", "other", " ENV=staging CONTEXT=other")],
)
def test_the_command_that_removes_a_preview_finds_the_same_cluster(name, context, words):
    assert Target(name, context, {}).preview_down("work") == f"make preview-down REF=work{words}"


@dataclass(frozen=True)
class Cluster(Target):
    """A cluster with namespaces and, in them, objects by kind/name; helm fails where a test says so.

    Attributes:
        namespaces: Name -> kind/name -> object.
        fails: "template", "apply" or "ready".
        calls: What helm was called with.
    """

    namespaces: dict = field(default_factory=lambda: {"cronlift": {}})
    fails: str = ""
    calls: list = field(default_factory=list)

    def kubectl(self, *words, stdin=None, timeout_seconds=60):
        options = dict(word.split("=", 1) for word in words if "=" in word)
        place = self.namespaces.get(options.get("--namespace"), {})
        match words[:3]:
            case ("get", "namespace", name):
                found = self.namespaces.get(name, {}).get("Namespace")
            case ("get", "secret", name):
                found = place.get(f"Secret/{name}")
            case ("get", "cronjobs", _):
                return "cronjob.batch/reaper\n" if "CronJob" in place else ""
            case ("delete", "namespace", name):
                self.namespaces.pop(name, None)
                return ""
            case ("apply", *_):
                thing = json.loads(stdin)
                kind, metadata = thing["kind"], thing["metadata"]
                if kind == "Namespace":
                    self.namespaces.setdefault(metadata["name"], {})[kind] = thing
                else:
                    self.namespaces[metadata["namespace"]][f"{kind}/{metadata['name']}"] = thing
                return ""
        return json.dumps(found) if found else ""

    def helm(self, *words, stdin=None, timeout_seconds=60):
        self.calls.append(words)
        name = words[1] if words[0] == "template" else words[2]
        if words[0] == "upgrade" and self.fails != "apply":
            self.namespaces[name] |= {"CronJob": {}, f"Secret/{name}-cronlift-secrets": PASSWORD}
        if self.fails == words[0] or (words[0] == "upgrade" and self.fails):
            raise CommandError(["helm", words[0]], 1, "refused")
        return ""


PASSWORD = {"data": {"admin-password": "cGFzc3dvcmQ="}}
GIT_KEY = {"type": "Opaque", "data": {"ssh": "a2V5"}}
VALUES = {"git": {"url": "https://git.example.com/x.git", "auth": {"existingSecret": "git-key"}},
          "imagePullSecrets": [{"name": "pull"}]}  # fmt: skip


@pytest.fixture
def cluster(monkeypatch):
    """Return what makes a cluster with both Secrets; a branch is found without asking git."""
    monkeypatch.setattr(preview, "find_branch", lambda ref, url: ("a" * 40, TEAMS))
    monkeypatch.setattr(preview, "git_cidrs", lambda url: ["192.0.2.7/32"])
    monkeypatch.setattr(Target, "kubectl_words", lambda self: ["kubectl"])
    secrets = {"Secret/git-key": GIT_KEY, "Secret/pull": GIT_KEY}
    return lambda **more: Cluster("staging", "staging", VALUES, {"cronlift": dict(secrets)}, **more)


def test_a_preview_has_the_secrets_and_what_is_rendered_before_is_what_is_installed(cluster, capsys):
    target = cluster()
    preview.up("work", "24h", target)
    assert set(target.namespaces["preview-work"]) == {
        "Namespace", "Secret/git-key", "Secret/pull", "CronJob", "Secret/preview-work-cronlift-secrets",
    }  # fmt: skip
    rendered, installed = target.calls
    assert set(rendered) - {"template"} <= set(installed)
    assert "then make preview-down REF=work ENV=staging" in capsys.readouterr().out


def test_a_secret_that_is_not_there_is_told_with_the_others_before_anything_is_made(cluster):
    target = cluster()
    target.namespaces["cronlift"].clear()
    with pytest.raises(UserError, match=r"cronlift/pull\n  cronlift/git-key"):
        preview.up("work", "24h", target)
    assert set(target.namespaces) == {"cronlift"}


@pytest.mark.parametrize("fails", ["template", "apply"])
def test_what_the_chart_or_the_cluster_refuses_leaves_no_namespace_with_credentials(cluster, fails):
    target = cluster(fails=fails)
    with pytest.raises(CommandError, match="refused"):
        preview.up("work", "24h", target)
    assert set(target.namespaces) == {"cronlift"}


def test_what_does_not_get_ready_stays_to_be_looked_at_since_its_reaper_ends_it(cluster):
    target = cluster(fails="ready")
    with pytest.raises(CommandError):
        preview.up("work", "24h", target)
    assert "CronJob" in target.namespaces["preview-work"]


def test_a_preview_that_was_there_outlives_a_call_that_fails(cluster):
    target = cluster(fails="apply")
    target.namespaces["preview-work"] = {"Namespace": {"metadata": {"labels": {preview_plan.LABEL: "work"}}}}
    with pytest.raises(CommandError):
        preview.up("work", "24h", target)
    assert "preview-work" in target.namespaces


def test_a_namespace_that_is_no_preview_is_not_made_one(cluster):
    target = cluster()
    theirs = {"Namespace": {"metadata": {"labels": {}}}}
    target.namespaces["preview-work"] = dict(theirs)
    with pytest.raises(UserError, match="preview-work is no preview"):
        preview.up("work", "24h", target)
    assert target.namespaces["preview-work"] == theirs


def test_where_even_the_removal_fails_the_first_error_is_told_and_how_to_remove(cluster, monkeypatch, capsys):
    def silent(*_):
        raise CommandError(["kubectl"], 1, "no answer")

    monkeypatch.setattr(preview, "_remove", silent)
    with pytest.raises(CommandError, match="refused"):
        preview.up("work", "24h", cluster(fails="apply"))
    assert "make preview-down REF=work ENV=staging" in capsys.readouterr().err


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a branch, and one whose teams.yaml is broken."""
    tree = tmp_path / "tree"

    def git(*words):
        subprocess.run(["git", "-C", tree, "-c", "user.name=x", "-c", "user.email=x@x", *words], check=True,
                       capture_output=True)  # fmt: skip

    tree.mkdir()
    git("init", "-q", "-b", "main")
    for branch, text in (("work", yaml.safe_dump({"teams": TEAMS})), ("broken", "teams: ["), ("empty", "")):
        git("checkout", "-q", "-b", branch)
        (tree / "teams.yaml").write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", branch)
    git("tag", "v1")
    git("update-ref", "refs/hidden/x", "HEAD")
    return tree


def test_a_branch_is_found_with_its_own_teams(repository: Path):
    commit, teams = preview_source.find_branch("work", str(repository))
    assert len(commit) == 40
    assert set(teams) == {"demo", "own"}


@pytest.mark.parametrize("ref", ["nothing", "v1", "hidden/x"])
def test_a_branch_that_is_not_there_is_refused_in_gits_words(repository: Path, ref: str):
    with pytest.raises(UserError, match=f"There is no branch {ref} at(.|\n)*couldn't find remote ref"):
        preview_source.find_branch(ref, str(repository))


@pytest.mark.parametrize("ref", ["broken", "empty"])
def test_a_branch_whose_teams_do_not_read_is_refused(repository: Path, ref: str):
    with pytest.raises(UserError, match=f"teams.yaml of {ref} cannot be read"):
        preview_source.find_branch(ref, str(repository))


def test_the_local_git_server_serves_branches_of_a_worktrees_repository_and_nothing_else(repository, tmp_path):
    other, base = tmp_path / "other", tmp_path / "served"
    subprocess.run(["git", "-C", repository, "worktree", "add", "-q", "--detach", other], check=True)
    base.mkdir()
    for _ in range(2):
        link_branches(other, base / "branches.git")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["git", *ONLY_BRANCHES, "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={base}"]
    daemon = subprocess.Popen([*command, "--export-all", str(base)], stderr=subprocess.DEVNULL)
    try:
        found = ls_remote(f"git://127.0.0.1:{port}/branches.git")
    finally:
        daemon.terminate()
        daemon.wait()
    assert found == {"refs/heads/work", "refs/heads/broken", "refs/heads/empty"}


def ls_remote(url: str) -> set[str]:
    """Ask until the daemon answers."""
    deadline = time.monotonic() + 20
    while (done := subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, check=False)).returncode:
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)
    return {line.split()[1] for line in done.stdout.splitlines()} - {"HEAD"}


@pytest.mark.parametrize("ref", ["", "-x", "a b", "$(id)"])
def test_make_preview_refuses_before_it_touches_anything(ref: str, tmp_path: Path):
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "ci.preview", "up"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "REF": ref, "CRONLIFT_STATE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "make preview REF=my-branch" in done.stderr
