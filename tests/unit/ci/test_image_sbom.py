"""What an image consists of, from its layers to the document."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from ci.errors import UserError
from ci.image_files import paths_in, read_files
from ci.image_packages import Package, is_record, packages_in
from ci.image_sbom import SCHEMA, write_sbom
from ci.images import Image
from tests.unit.ci.image_archive import write_archive, write_docker_archive

STATUS = b"""\
Package: libssl3t64
Status: install ok installed
Architecture: amd64
Source: openssl (3.5.1-1)
Version: 3.5.1-1+deb13u1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-4
"""
RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
METADATA = b"Metadata-Version: 2.4\nName: Apache_Airflow.Core\nVersion: 3.3.2\nLicense-Expression: Apache-2.0\n\nX\n"
SITE = "opt/venv/lib/python3.13/site-packages"


def jar(**poms: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in poms.items():
            archive.writestr(f"META-INF/maven/g/{name}/pom.properties", text)
    return buffer.getvalue()


FILES = {
    "etc/os-release": RELEASE,
    "var/lib/dpkg/status": STATUS,
    f"{SITE}/apache_airflow_core-3.3.2.dist-info/METADATA": METADATA,
    "usr/share/rubygems-integration/all/specifications/rake-13.2.1.gemspec": b"",
    "usr/lib/ruby/gems/3.3.0/specifications/default/json-2.9.1.gemspec": b"",
    "usr/lib/ruby/gems/3.3.0/specifications/nokogiri-1.18.2-x86_64-linux-gnu.gemspec": b"",
    "opt/pentaho/lib/x.jar": jar(kettle="groupId=pentaho\nartifactId=kettle\nversion=9.4\n#groupId=no\n"),
    "opt/broken.jar": b"no zip",
    "home/legacy/notes.txt": b"",
}


def names(found: list[Package]) -> set[str]:
    return {f"{each.kind}:{each.name}@{each.version}" for each in found}


def test_each_package_managers_records_are_read():
    found = packages_in({path: content for path, content in FILES.items() if is_record(path)})
    assert names(found) == {
        "deb:libssl3t64@3.5.1-1+deb13u1", "deb:tzdata@2025b-4", "pypi:apache-airflow-core@3.3.2", "gem:rake@13.2.1",
        "gem:json@2.9.1", "gem:nokogiri@1.18.2", "maven:kettle@9.4",
    }  # fmt: skip


def test_only_records_are_read_from_an_image():
    assert {path for path in FILES if not is_record(path)} == {"home/legacy/notes.txt"}


@pytest.mark.parametrize("write", [write_archive, write_docker_archive])
def test_a_later_layer_replaces_and_takes_away(tmp_path: Path, write):
    archive = write(tmp_path / "x.tar", [
        {"a": b"1", "b": b"1", "c/": b"", "c/d": b"1", "e/f": b"1", "e/g": b"1"},
        {"./a": b"2", ".wh.b": b"", "c/.wh..wh..opq": b"", "c/new": b"3", ".wh.e": b""},
    ])  # fmt: skip
    assert read_files(archive, lambda path: True) == {"a": b"2", "c/new": b"3"}
    assert paths_in(archive) == {"/a", "/c", "/c/new"}


def test_what_was_installed_and_removed_again_is_not_there(tmp_path: Path):
    archive = write_archive(tmp_path / "x.tar", [FILES, {f"{SITE}/.wh.apache_airflow_core-3.3.2.dist-info": b""}])
    assert "pypi:apache-airflow-core@3.3.2" not in names(packages_in(read_files(archive, is_record)))


def test_the_document_fits_cyclonedxs_schema_and_is_the_same_each_time(tmp_path: Path):
    image = Image("legacy", "0123456789ab", write_archive(tmp_path / "x.tar", [FILES]))
    text = write_sbom(image, tmp_path / "one").read_text()
    assert JsonStrictValidator(SCHEMA).validate_str(text) is None
    assert write_sbom(image, tmp_path / "two").read_text() == text
    document = json.loads(text)
    assert document["metadata"]["component"]["version"] == "0123456789ab"
    [libssl] = [each for each in document["components"] if each["name"] == "libssl3t64"]
    assert libssl["purl"] == (
        "pkg:deb/debian/libssl3t64@3.5.1-1%2Bdeb13u1?arch=amd64&distro=debian-13&upstream=openssl"
    )
    [airflow] = [each for each in document["components"] if each["name"] == "apache-airflow-core"]
    assert airflow["licenses"] == [{"expression": "Apache-2.0"}]


def test_an_image_without_any_record_is_refused_because_its_list_would_say_nothing(tmp_path: Path):
    with pytest.raises(UserError, match="No package was found in image x:1"):
        write_sbom(Image("x", "1", write_archive(tmp_path / "x.tar", [{"app": b"x"}])), tmp_path)


def test_what_is_no_archive_of_an_image_is_refused(tmp_path: Path):
    (tmp_path / "x.tar").write_bytes(write_docker_archive(tmp_path / "y.tar", []).read_bytes()[:0] + _empty_tar())
    with pytest.raises(UserError, match="no archive of an image"):
        read_files(tmp_path / "x.tar", is_record)


def _empty_tar() -> bytes:
    return b"\0" * 10240
