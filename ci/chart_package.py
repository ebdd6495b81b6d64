"""Package the chart and sign it: `python -m ci.chart_package --key NAME --keyring FILE`, into build/charts/.

The signature is Helm's provenance file: the archive's digest and the chart's metadata, signed by an OpenPGP key. Who
installs it checks it by `helm verify`.
"""

import argparse
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


def main() -> None:
    """Print the archive and its provenance file."""
    parser = argparse.ArgumentParser(prog="python -m ci.chart_package", description=__doc__)
    parser.add_argument("--key", required=True, help="name or address of the signing key")
    parser.add_argument("--keyring", required=True, type=Path, help="file with the secret key")
    parser.add_argument("--version", default="", help="version of the chart (that of Chart.yaml)")
    options = parser.parse_args()
    with Stage("Package and sign the chart"):
        archive = package(TARGET, options.key, options.keyring, options.version)
    print(archive)
    print(f"{archive}.prov")


if __name__ == "__main__":
    with exit_with_words():
        main()
