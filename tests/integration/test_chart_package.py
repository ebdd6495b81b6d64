"""The chart's archive is signed by a real OpenPGP key, and a changed one does not verify."""

import subprocess

import pytest

from ci.chart_package import package
from ci.errors import UserError
from ci.tools import tool

KEY = "release@example.com"


@pytest.fixture(scope="module")
def keyring(tmp_path_factory):
    """Return a new key as gpg exports it."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    gpg = ["gpg", f"--homedir={home}", "--batch", "--passphrase="]
    subprocess.run([*gpg, "--quick-generate-key", KEY, "rsa2048", "sign", "1d"], check=True, capture_output=True)
    exported = subprocess.run([*gpg, "--export-secret-keys", KEY], check=True, capture_output=True).stdout
    (home / "keyring.gpg").write_bytes(exported)
    subprocess.run(["gpgconf", f"--homedir={home}", "--kill", "gpg-agent"], check=True)
    return home / "keyring.gpg"


def test_the_archive_verifies_and_a_changed_one_does_not(keyring, tmp_path):
    archive = package(tmp_path, KEY, keyring, "9.9.9")
    assert archive.name == "cronlift-9.9.9.tgz"
    assert "BEGIN PGP SIGNED MESSAGE" in archive.with_name(f"{archive.name}.prov").read_text()
    archive.write_bytes(archive.read_bytes() + b"\0")
    done = subprocess.run(
        [tool("helm"), "verify", archive, f"--keyring={keyring}"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


def test_without_a_key_nothing_is_packaged(tmp_path):
    with pytest.raises(UserError, match="There is no keyring"):
        package(tmp_path, KEY, tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
