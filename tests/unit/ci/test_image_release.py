"""From the image to the registry: what is refused before anything is pushed, and what is written down."""

import sys
from pathlib import Path

import pytest

from ci import image_push, image_recipes, image_release, image_structure
from ci.errors import CommandError, UserError
from ci.image_push import Registry, open_registry
from ci.image_release import Released, own_images, record
from ci.image_scan import scan, scan_words
from ci.paths import ROOT

PLACES = {"sbom": "/b/legacy.cdx.json", "archive": "/c/legacy.tar", "name": "legacy", "tag": "0123"}
SCANNER = f"{sys.executable} -c 'import sys; print(sys.argv[1:]); sys.exit({{code}})' {{sbom}}"


def test_every_image_of_the_repo_has_a_structure_that_reads():
    for name in own_images():
        assert image_structure.read_structure(name).commands, name


def test_what_a_dockerfile_copies_is_an_input_of_its_tag():
    for name in own_images():
        plan = image_recipes.plan(name, with_registry=True)
        for line in plan.dockerfile.read_text().splitlines():
            words = line.split()
            if words[:1] == ["COPY"] and "--from=" not in line:
                for source in [word for word in words[1:-1] if not word.startswith("--")]:
                    path = plan.context / source
                    assert path.exists(), f"{name}: {line}"
                    assert image_recipes.is_input(name, path), f"{name}: {line}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "has no images/new/structure.yaml, so nothing would test it"),
        ("[]", "it is no mapping"),
        ("{user: root, entrypoint: []}", "commands is missing"),
        ("{user: root, entrypoint: []}", "user is 'root': give numbers, and not root's"),
        ("{user: '0:0', entrypoint: [], commands: []}", "user is '0:0'"),
        ("{user: '1', entrypoint: [], commands: []}", "commands is empty"),
        ("{user: '1', entrypoint: [], commands: [{run: x}]}", "number 1 needs run and prints"),
        ("{user: '1', entrypoint: [], commands: [{run: x, prints: x}], absnt: []}", "unknown key 'absnt'"),
    ],
)
def test_a_structure_that_tests_nothing_is_refused(tmp_path: Path, monkeypatch, text: str | None, words: str):
    monkeypatch.setattr(image_recipes, "ROOT", tmp_path)
    (tmp_path / "images/new").mkdir(parents=True)
    if text is not None:
        (tmp_path / "images/new/structure.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        image_structure.read_structure("new")
    assert words in str(refused.value)


def test_structure_bill_and_readme_do_not_change_a_tag():
    for name in image_structure.NAME, "README.md":
        assert not image_recipes.is_input("legacy", ROOT / "images/legacy" / name)
    assert image_recipes.is_input("legacy", ROOT / "images/legacy/packages.txt")


def test_a_clean_scan_lets_the_image_go():
    scan(SCANNER.replace("{code}", "0"), PLACES)


def test_findings_stop_the_image_and_are_shown():
    with pytest.raises(UserError, match=r"scan of image legacy:0123 stops it(.|\n)*legacy.cdx.json"):
        scan(SCANNER.replace("{code}", "1"), PLACES)


def test_a_scanner_that_breaks_is_no_clean_scan():
    with pytest.raises(CommandError, match="exit code 3"):
        scan(SCANNER.replace("{code}", "3"), PLACES)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("grype sbom:{sbmo}", "sbmo"),
        ("grype --version", "looks at no image"),
        ("grype 'sbom:{sbom}", "cannot be read"),
        ("grype {sbom", "cannot be read"),
    ],
)
def test_a_scan_that_would_look_at_nothing_is_refused(command: str, words: str):
    with pytest.raises(UserError, match=words):
        scan_words(command, PLACES)


def test_a_scans_words_reach_no_shell():
    assert scan_words("x {sbom} ';rm' $HOME", PLACES) == ["x", "/b/legacy.cdx.json", ";rm", "$HOME"]


@pytest.mark.parametrize("address", ["", "ghcr", "https://ghcr.io/x", "-x.io", "ghcr.io/x y", "ghcr.io/x:tag"])
def test_a_place_that_is_none_is_refused(address: str):
    with pytest.raises(UserError, match="is no place to push to"):
        Registry(address)


@pytest.mark.parametrize(
    ("address", "reference"),
    [("ghcr.io/Acme/cronlift/", "ghcr.io/acme/cronlift/x:1"), ("localhost:5000", "localhost:5000/x:1")],
)
def test_a_reference_is_place_name_and_tag(address: str, reference: str):
    assert Registry(address).reference("x", "1") == reference


def test_half_a_login_is_refused(monkeypatch):
    monkeypatch.setattr(image_push.shutil, "which", lambda program: program)
    with pytest.raises(UserError, match="Only one of"), open_registry("ghcr.io/x", {"REGISTRY_USER": "x"}):
        pass


@pytest.mark.parametrize("name", ["postgres", "nothing"])
def test_only_our_own_images_are_pushed(name: str):
    with pytest.raises(UserError, match="no such image of ours"):
        own_images([name])


def test_what_was_done_is_written_for_the_steps_that_follow(tmp_path: Path):
    (tmp_path / "a.cdx.json").write_text("x")
    digest = "sha256:" + "1" * 64
    record([
        Released("a", "0123", "ghcr.io/x/a:0123", digest, "pushed", str(tmp_path / "a.cdx.json")),
        Released("b", "4567", "localhost/cronlift/b:4567", "", "built", ""),
    ], tmp_path)  # fmt: skip
    assert (tmp_path / "images.sha256").read_text().splitlines() == [
        f"{'1' * 64}  ghcr.io/x/a",
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  a.cdx.json",
    ]
    assert '"digest": "sha256:1111' in (tmp_path / "images.json").read_text()


def test_nothing_is_built_when_the_registry_has_all(monkeypatch):
    class There:
        reference = staticmethod(lambda name, tag: f"r.io/{name}:{tag}")
        digest = staticmethod(lambda reference: "sha256:1")

    monkeypatch.setattr(image_release, "build", lambda names: pytest.fail("it built"))
    found = image_release.push_all(["invoices"], There(), "", describe_all=False)
    assert [(each.name, each.state, each.digest) for each in found] == [("invoices", "there", "sha256:1")]
