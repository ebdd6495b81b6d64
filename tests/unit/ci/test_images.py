"""Tags follow the inputs alone; archives are reused and pruned; the registry is asked only when it matters."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ci import image_build, image_recipes, images
from ci.errors import UserError
from ci.paths import ROOT

Tag = Callable[..., str]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that images are built from, in place of the repo."""
    for name in ("images", "plugins", "ci/cluster/standins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "uv.lock", tmp_path)
    monkeypatch.setattr(image_recipes, "ROOT", tmp_path)
    image_recipes.names.cache_clear()
    yield tmp_path
    image_recipes.names.cache_clear()


def tags(*, with_registry: bool = False) -> dict[str, str]:
    return {name: image_recipes.plan(name, with_registry=with_registry).tag for name in image_recipes.names()}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, tag in tags().items() if before.get(name) != tag}


def test_every_folder_with_a_dockerfile_is_an_image_and_upstream_ones_follow(tree: Path) -> None:
    assert image_recipes.names() == ["airflow", "invoices", "legacy", "postgres", "git-sync"]
    (tree / "images/new").mkdir()
    (tree / "images/new/Dockerfile").write_text("FROM scratch\n")
    image_recipes.names.cache_clear()
    assert "new" in image_recipes.names()


@pytest.mark.usefixtures("tree")
def test_a_variant_is_its_source_with_other_arguments_and_is_built_only_when_asked_for() -> None:
    source = image_recipes.plan("airflow", with_registry=False)
    for name, (of, arguments) in image_recipes.VARIANTS.items():
        variant = image_recipes.plan(name, with_registry=False)
        assert of == "airflow"
        assert (variant.dockerfile, variant.context) == (source.dockerfile, source.context)
        assert set(variant.arguments) == {*source.arguments, *arguments}
        assert variant.tag != source.tag
        assert name not in image_recipes.names()


@pytest.mark.parametrize(
    ("path", "rebuilt"),
    [
        ("images/legacy/rootfs/opt/weblogs/bin/rotate.sh", {"legacy"}),
        ("images/legacy/Dockerfile", {"legacy"}),
        ("images/invoices/data/rates.csv", {"invoices"}),
        ("plugins/src/cronlift/errors.py", {"airflow"}),
        ("uv.lock", {"airflow"}),
        ("ci/cluster/standins/git-sync/git-sync", {"git-sync"}),
    ],
)
def test_an_edit_without_a_commit_changes_the_tag_of_its_image_alone(tree: Path, path: str, rebuilt: set[str]) -> None:
    before = tags()
    with (tree / path).open("a") as file:
        file.write("# edited\n")
    assert changed(before) == rebuilt


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda tree: (tree / "images/legacy/rootfs/opt/new.sh").write_text(""), id="a new file"),
        pytest.param(lambda tree: (tree / "images/legacy/rootfs/opt/link").symlink_to("weblogs"), id="a new link"),
        pytest.param(
            lambda tree: (tree / "images/legacy/rootfs/opt/linkwatch/manage.py").chmod(0o644), id="a lost x-bit"
        ),
        pytest.param(
            lambda tree: (tree / "images/legacy/rootfs/opt/linkwatch/manage.py").rename(
                tree / "images/legacy/rootfs/opt/linkwatch/admin.py"
            ),
            id="a new name",
        ),
    ],
)
def test_names_links_and_x_bits_are_inputs(tree: Path, edit: Callable[[Path], object]) -> None:
    before = tags()
    edit(tree)
    assert changed(before) == {"legacy"}


def test_times_bytecode_and_a_clones_umask_are_no_inputs(tree: Path) -> None:
    before = tags()
    script = tree / "images/legacy/rootfs/opt/weblogs/bin/rotate.sh"
    os.utime(script, (1, 1))
    script.chmod(0o700)
    cache = tree / "plugins/src/cronlift/__pycache__"
    cache.mkdir()
    (cache / "errors.cpython-313.pyc").write_bytes(b"x")
    (tree / "images/legacy/README.md").write_text("new words")
    assert tags() == before


@pytest.mark.usefixtures("tree")
def test_a_pin_changes_the_tags_of_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tags()
    real = image_recipes.pins()
    monkeypatch.setattr(image_recipes, "pins", lambda: {**real, "UV_VERSION": "0.0.1"})
    assert changed(before) == {"airflow"}
    monkeypatch.setattr(image_recipes, "pins", lambda: {**real, "DEBIAN_RELEASE": "forky"})
    assert changed(before) == set(before)


@pytest.mark.usefixtures("tree")
def test_upstream_images_are_pulled_by_their_pin_where_a_registry_answers() -> None:
    plan = image_recipes.plan("postgres", with_registry=True)
    assert plan.upstream.startswith(image_recipes.pins()["POSTGRES_IMAGE"])
    assert not image_recipes.plan("postgres", with_registry=False).upstream
    assert not set(tags(with_registry=True).values()) & set(tags(with_registry=False).values())
    own = image_recipes.plan("legacy", with_registry=True)
    assert dict(own.arguments)["BASE"].startswith(image_recipes.pins()["DEBIAN_IMAGE"])


def test_every_dockerfile_can_be_built_on_the_registrys_base() -> None:
    dockerfiles = [*(ROOT / "images").glob("*/Dockerfile"), *(ROOT / "ci/cluster/standins").glob("*/Dockerfile")]
    assert len(dockerfiles) >= 5
    for path in dockerfiles:
        assert f"ARG BASE={image_recipes.pins()['DEBIAN_IMAGE']}\n" in path.read_text(), path


def test_every_stand_in_is_for_an_image_that_the_chart_takes_from_a_registry() -> None:
    folders = {path.parent.name for path in (ROOT / "ci/cluster/standins").glob("*/Dockerfile")}
    assert folders == set(image_recipes.UPSTREAM)


@pytest.fixture
def cached(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds every image of the local base, and no way to build."""
    monkeypatch.setenv("CRONLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REGISTRY", raising=False)

    def refuse(*_: object) -> None:
        raise AssertionError("neither the network nor a builder is needed")

    monkeypatch.setattr(image_build, "registry_answers", refuse)
    monkeypatch.setattr(image_build, "choose_builder", refuse)
    folder = tmp_path / "cache/images"
    folder.mkdir(parents=True)
    for name, tag in tags().items():
        (folder / f"{name}-{tag}.tar").write_text("")
    return folder


@pytest.mark.usefixtures("cached")
def test_what_the_cache_holds_is_neither_built_nor_asked_for() -> None:
    found = images.build()
    assert {image.name: image.tag for image in found} == tags()
    assert [image.name for image in images.build(["legacy", "airflow"])] == ["legacy", "airflow"]


@pytest.mark.usefixtures("cached")
def test_a_missing_image_is_built_and_the_oldest_archives_go(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [cached / f"legacy-{number:012d}.tar" for number in range(5)]
    for age, path in enumerate(old):
        path.write_text("")
        os.utime(path, (time.time() - 1000 - age, time.time() - 1000 - age))
    other = cached / "legacy-tools-0123456789ab.tar"
    other.write_text("")
    tag = tags()["legacy"]
    (cached / f"legacy-{tag}.tar").unlink()

    forgotten: list[str] = []

    class Writer:
        def build(self, plan: image_recipes.Plan, reference: str, archive: Path, log: Path) -> None:
            archive.write_text(f"{reference} {plan.base}")

        def forget(self, reference: str) -> None:
            forgotten.append(reference)

        def close(self) -> None:
            pass

    monkeypatch.setattr(image_build, "registry_answers", lambda: False)
    monkeypatch.setattr(image_build, "choose_builder", lambda log: Writer())
    [image] = images.build(["legacy"])
    assert image.archive.read_text() == f"localhost/cronlift/legacy:{tag} {image_recipes.base_tag()}"
    assert sorted(cached.glob("legacy-*.tar")) == sorted([image.archive, old[0], old[1], other])
    assert forgotten == [f"localhost/cronlift/legacy:{number:012d}" for number in (2, 3, 4)]
    assert not list(cached.glob("*.half"))


@pytest.mark.usefixtures("cached")
def test_an_unknown_image_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"(?s)legcy.*Known: airflow, invoices, legacy"):
        images.build(["legcy"])


def test_registry_is_auto_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, choice in (("auto", None), ("", None), ("yes", True), ("no", False)):
        monkeypatch.setenv("REGISTRY", value)
        assert image_build.registry_choice() is choice
    monkeypatch.setenv("REGISTRY", "maybe")
    with pytest.raises(UserError, match="REGISTRY=maybe"):
        image_build.registry_choice()
