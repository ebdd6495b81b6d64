"""A release is made of all its parts or not at all, and the signing key leaves no file behind."""

import base64

import pytest

from ci.chart_package import keyring_of
from ci.errors import UserError
from ci.release_assets import WANTED, assets

FILES = ("charts/cronlift-1.2.3.tgz", "charts/cronlift-1.2.3.tgz.prov", "images.json", "images.sha256",
         "sbom/airflow.cdx.json", "sbom/legacy.cdx.json")  # fmt: skip


def test_a_release_has_chart_signature_bills_and_digests(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in assets(tmp_path)] == list(FILES)


def test_every_part_that_was_not_made_is_named_with_its_command(tmp_path):
    with pytest.raises(UserError) as refused:
        assets(tmp_path)
    assert [fault.partition(": ")[2] for fault in refused.value.faults] == list(WANTED.values())


def test_a_key_from_the_environment_is_a_private_file_for_the_time_of_use():
    with keyring_of(None, base64.encodebytes(b"key" * 50).decode()) as path:
        assert path.read_bytes() == b"key" * 50
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


@pytest.mark.parametrize(("encoded", "words"), [("", "no key to sign with"), ("k*y", "no base64")])
def test_a_key_that_is_none_is_refused(encoded, words):
    with pytest.raises(UserError, match=words), keyring_of(None, encoded):
        pass
