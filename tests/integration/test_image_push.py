"""Images go to a registry under the tag of their content: once, proven before, by digest afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci.errors import CommandError
from ci.image_push import Registry
from ci.images import build
from ci.paths import ROOT
from tests.integration.own_registry import OwnRegistry, own_registry
from tests.unit.ci.image_archive import write_archive


@pytest.fixture
def registry():
    with own_registry() as found:
        yield found


def push(registry: OwnRegistry, *words: str, scan: str = "") -> subprocess.CompletedProcess[str]:
    """Say make push, as people and workflows do."""
    variables = ["make", f"PYTHON={sys.executable}", "push", f"REGISTRY={registry.address}/acme", "IMAGES=invoices",
                 f"SCAN={scan}"]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run([*variables, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_new_image_is_proven_and_pushed_and_a_known_one_left_alone(registry: OwnRegistry):
    [image] = build(["invoices"])
    first = push(registry)
    assert first.returncode == 0, first.stderr
    digest = registry.tags[f"acme/invoices:{image.tag}"]
    assert first.stdout.strip() == f"pushed  {registry.address}/acme/invoices:{image.tag}@{digest}"
    second = push(registry)
    assert second.stdout.strip() == f"there   {registry.address}/acme/invoices:{image.tag}@{digest}"
    assert registry.pushed == [f"acme/invoices:{image.tag}"]
    [told] = json.loads((ROOT / "build/images.json").read_text())
    assert (told["digest"], told["state"], told["sbom"]) == (digest, "there", "")

    third = push(registry, "ARGS=--all")
    assert third.returncode == 0, third.stderr
    [told] = json.loads((ROOT / "build/images.json").read_text())
    names = {each["name"] for each in json.loads(Path(told["sbom"]).read_text())["components"]}
    assert {"ruby", "libc6", "tini"} <= names
    assert digest.removeprefix("sha256:") in (ROOT / "build/images.sha256").read_text()


def test_what_the_scanner_refuses_is_not_pushed(registry: OwnRegistry):
    refused = push(registry, scan="sh -c 'echo CVE-2026-1 in $$0; exit 1' {sbom}")
    assert refused.returncode != 0
    assert "CVE-2026-1 in" in refused.stderr
    assert "invoices.cdx.json" in refused.stderr
    assert registry.pushed == []


def test_a_registry_that_is_not_there_is_no_registry_without_the_image(tmp_path: Path):
    registry = Registry("127.0.0.1:1/x")
    with pytest.raises(CommandError, match="refused"):
        registry.digest(registry.reference("a", "1"))


def test_an_image_comes_back_as_it_went(registry: OwnRegistry, tmp_path: Path):
    there = Registry(registry.address)
    reference = there.reference("a", "1")
    assert there.digest(reference) is None
    digest = there.push(write_archive(tmp_path / "a.tar", [{"x": b"1"}]), reference)
    assert there.digest(reference) == digest
    there.pull(reference, tmp_path / "b.tar")
    assert there.push(tmp_path / "b.tar", there.reference("a", "2")) == digest
