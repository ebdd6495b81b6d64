import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci import tools
from ci.errors import CommandError, UserError
from ci.paths import ROOT
from ci.pins import pins
from ci.tools import KUBE_PARTS, RECIPES, link_flags, progress, tool


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRONLIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "ci/tools/pause", tmp_path / "sources/pause")
    monkeypatch.setattr(tools, "MODULES", tmp_path / "sources")
    return tmp_path / "sources/pause"


@pytest.mark.parametrize("name", RECIPES)
def test_go_mod_has_the_version_that_versions_env_pins(name: str) -> None:
    recipe, text = RECIPES[name], (ROOT / "ci/tools" / name / "go.mod").read_text()
    assert re.search(r"^go (\S+)$", text, re.MULTILINE)[1] == pins()["GO_VERSION"]
    if recipe.pin:
        required = re.findall(rf"^(?:require )?\s*{re.escape(recipe.module)} (v\S+)", text, re.MULTILINE)
        assert required == [pins()[recipe.pin]]


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.module])
def test_every_module_is_verified_by_a_committed_sum(name: str) -> None:
    recipe = RECIPES[name]
    sums = (ROOT / "ci/tools" / name / "go.sum").read_text()
    assert f"{recipe.module} {pins()[recipe.pin]} h1:" in sums


def test_kubernetes_staging_modules_are_of_the_same_release() -> None:
    text = (ROOT / "ci/tools/kube/go.mod").read_text()
    replaced = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", text))
    assert replaced == {pins()["KUBERNETES_VERSION"].replace("v1.", "v0.", 1)}


def test_the_linker_tells_kubernetes_its_version() -> None:
    flags = link_flags(RECIPES["kube"])
    assert "version.gitVersion=v1.34.4" in flags
    assert "version.gitMajor=1" in flags
    assert "version.gitMinor=34" in flags


def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"(?s)no tool 'kubctl'.*kubectl"):
        tool("kubctl")


def test_kubectl_is_a_part_of_kube() -> None:
    assert "kubectl" in KUBE_PARTS
    assert set(KUBE_PARTS) == set(RECIPES["kube"].aliases)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "looking for what changed"),
        ("go: downloading k8s.io/api v0.34.4\n", "fetching modules: k8s.io/api"),
        ("go: downloading x v1\nfmt\nnet/http\n", "2 packages, now net/http"),
    ],
)
def test_progress_follows_the_build(output: str, said: str) -> None:
    assert progress(output) == said


def test_a_tool_is_built_once_for_its_content(own_cache: Path, own_sources: Path) -> None:
    first = tool("pause")
    built = first.stat().st_mtime_ns
    assert tool("pause").stat().st_mtime_ns == built
    (own_sources / "main.go").write_text((own_sources / "main.go").read_text() + "\n// changed\n")
    assert tool("pause") != first


def test_two_steps_that_want_a_tool_build_it_once(own_cache: Path) -> None:
    steps = [
        subprocess.Popen([sys.executable, "-m", "ci.tools", "pause"], cwd=ROOT, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    outputs = [step.communicate(timeout=120) for step in steps]
    assert outputs[0][0] == outputs[1][0]
    assert sum("✓ Build pause" in progress for _, progress in outputs) == 1
    assert [path.name for path in (own_cache / "tools").glob("*.half")] == []


def test_a_failed_build_shows_the_compilers_words_and_leaves_no_tool(own_cache: Path, own_sources: Path) -> None:
    (own_sources / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(CommandError, match=r"undefined: undefined"):
        tool("pause")
    assert not list((own_cache / "tools").glob("pause-*"))
