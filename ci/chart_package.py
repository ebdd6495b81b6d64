"""Package the chart and sign it: `python -m ci.chart_package --key NAME --keyring FILE`, into build/charts/.

A workflow gives the key as CHART_SIGNING_KEY, the keyring in base64, and its name as CHART_SIGNER.

The signature is Helm's provenance file: the archive's digest and the chart's metadata, signed by an OpenPGP key. Who
installs it checks it by `helm verify`.
"""

import argparse
import base64
import binascii
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.errors import UserError
from ci.paths import ROOT
from ci.process import run
from ci.stages import Stage, exit_with_words
from ci.tools import tool

TARGET = ROOT / "build/charts"


def package(target: Path, key: str, keyring: Path, version: str = "") -> Path:
    """Package and sign the chart, and verify what was made.

    Args:
        target: Folder for the archive and its `.prov`.
        key: Name or address of the key.
        keyring: File with the secret key, as `gpg --export-secret-keys` writes it, without a passphrase.
        version: Version of the chart; empty for the one of Chart.yaml.

    Returns:
        The archive.

    Raises:
        UserError: The keyring is not there.
        CommandError: Helm refused.
    """
    if not keyring.is_file():
        raise UserError(f"There is no keyring {keyring}", cure="gpg --export-secret-keys NAME > keyring.gpg")
    target.mkdir(parents=True, exist_ok=True)
    words = ["package", ROOT / "charts/cronlift", f"--destination={target}", "--sign", f"--key={key}"]
    run(tool("helm"), *words, f"--keyring={keyring}", *([f"--version={version}"] if version else []))
    archive = max(target.glob("cronlift-*.tgz"), key=lambda path: path.stat().st_mtime)
    run(tool("helm"), "verify", archive, f"--keyring={keyring}")
    return archive


@contextmanager
def keyring_of(given: Path | None, encoded: str) -> Iterator[Path]:
    """Yield the keyring: the file that is given, or one for the block, readable by us alone, of the encoded text.

    Raises:
        UserError: Neither is given, or the text is no base64.
    """
    if given:
        yield given
        return
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise UserError("CHART_SIGNING_KEY is no base64", [str(error)], cure="base64 -w0 keyring.gpg") from error
    if not content:
        raise UserError("There is no key to sign with", cure="Give --keyring FILE, or CHART_SIGNING_KEY (docs/ci.md).")
    with tempfile.TemporaryDirectory(prefix="cronlift-key-") as folder:
        path = Path(folder, "keyring.gpg")
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield path


def main() -> None:
    """Print the archive and its provenance file."""
    parser = argparse.ArgumentParser(prog="make chart-package", description=__doc__)
    parser.add_argument("--key", default=os.environ.get("CHART_SIGNER", ""), help="name or address of the signing key")
    parser.add_argument("--keyring", type=Path, help="file with the secret key (CHART_SIGNING_KEY)")
    parser.add_argument("--version", default="", help="version of the chart, v1.2.3 or 1.2.3 (that of Chart.yaml)")
    options = parser.parse_args()
    if not options.key:
        raise UserError("It is not said who signs", cure="Give --key NAME, or CHART_SIGNER (docs/ci.md).")
    encoded = os.environ.get("CHART_SIGNING_KEY", "")
    with keyring_of(options.keyring, encoded) as keyring, Stage("Package and sign the chart"):
        archive = package(TARGET, options.key, keyring, options.version.removeprefix("v"))
    print(archive)
    print(f"{archive}.prov")


if __name__ == "__main__":
    with exit_with_words():
        main()
