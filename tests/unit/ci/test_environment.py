"""What a branch does to an environment is told from where it left its base."""

import subprocess

from ci import environment


def test_what_happened_on_the_base_meanwhile_is_no_change_of_an_environment(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@x", *words], check=True)

    def commit(lines):
        file.write_text(lines)
        git("add", ".")
        git("commit", "-qm", "x")

    file = tmp_path / "charts/environments/production.yaml"
    file.parent.mkdir(parents=True)
    git("init", "-q", "-b", "main")
    commit("old\n")
    git("checkout", "-qb", "work")
    commit("mine\n")
    git("checkout", "-q", "main")
    commit("theirs\n")
    git("checkout", "-q", "work")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(
        environment, "render", lambda name, root=tmp_path: (root / file.relative_to(tmp_path)).read_text()
    )
    assert environment.diff("production", "main").splitlines()[3:] == ["-old", "+mine"]
