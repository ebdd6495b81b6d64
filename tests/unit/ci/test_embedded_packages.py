import gzip
import json
import tarfile
from pathlib import Path

import pytest

from ci.cluster.embedded import packages
from ci.cluster.embedded.scratch_image import write_scratch_image
from ci.errors import UserError


def test_install_0_prints_the_exact_command_and_installs_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("INSTALL", "0")
    with pytest.raises(UserError) as raised:
        packages.ensure_packages(["ipset", "socat"])
    assert raised.value.cure == ("As root: apt-get update && apt-get install --yes --no-install-recommends ipset socat")
    assert not (tmp_path / "called").exists()


def test_another_distribution_is_told_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="neither Debian nor Ubuntu"):
        packages.ensure_packages(["ipset"])


def test_nothing_wanted_needs_no_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages.ensure_packages([])


def test_a_scratch_image_holds_the_program_and_its_name(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_bytes(b"\x7fELF")
    write_scratch_image(tmp_path / "hello.tar", program, "localhost/cronlift/hello:1")
    with tarfile.open(tmp_path / "hello.tar") as archive:

        def blob(digest: str) -> bytes:
            return archive.extractfile("blobs/" + digest.replace(":", "/")).read()

        (entry,) = json.load(archive.extractfile("index.json"))["manifests"]
        manifest = json.loads(blob(entry["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        (tmp_path / "layer.tar").write_bytes(gzip.decompress(blob(manifest["layers"][0]["digest"])))
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "localhost/cronlift/hello:1"
    assert config["config"]["Entrypoint"] == ["/hello"]
    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert layer.getmember("hello").mode == 0o755
