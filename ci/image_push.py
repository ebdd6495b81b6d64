"""Push images to a registry by skopeo, whoever built them, and ask a registry what it has.

The logins are those of this user (docker login, skopeo login), or REGISTRY_USER and REGISTRY_PASSWORD, which a
workflow gives and which are kept nowhere.
"""

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ci.errors import CiError, CommandError, UserError
from ci.process import run

REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)*")
"""Host and folder: "ghcr.io/acme/cronlift", "127.0.0.1:5000"."""

LOCAL_HOSTS = ("localhost", "127.0.0.1")
"""Registries on this machine speak plain HTTP."""

UNKNOWN = ("manifest unknown", "name unknown", "not found", "repository name not known")
"""How registries say that they have no such image; anything else is a failure."""

SECONDS = 900.0


class Registry:
    """A folder of a registry.

    Args:
        address: As `REGISTRY` above; upper case, as in GitHub's names of organisations, becomes lower.
        authfile: Skopeo's file of logins; None for this user's own.

    Raises:
        UserError: The address is none.
    """

    def __init__(self, address: str, authfile: Path | None = None) -> None:
        self.address = address.strip("/").lower()
        if not REGISTRY.fullmatch(self.address) or "." not in self.address.partition("/")[0].replace(":", "."):
            raise UserError(
                f"REGISTRY={address!r} is no place to push to",
                cure="Give host and folder without a scheme, such as REGISTRY=ghcr.io/acme/cronlift.",
            )
        self._authfile = authfile

    def reference(self, name: str, tag: str) -> str:
        """Return where an image lies in it."""
        return f"{self.address}/{name}:{tag}"

    def digest(self, reference: str) -> str | None:
        """Return the digest of what the registry has under a reference, or None when it has nothing.

        Raises:
            CommandError: It does not answer or refuses to tell.
        """
        try:
            words = [
                "inspect",
                "--no-tags",
                "--format={{.Digest}}",
                *self._options("tls-verify"),
                f"docker://{reference}",
            ]
            return run("skopeo", *words, timeout_seconds=SECONDS).strip()
        except CommandError as error:
            if any(words in error.output.lower() for words in UNKNOWN):
                return None
            raise

    def push(self, archive: Path, reference: str) -> str:
        """Push an archive and return the digest that the registry has now.

        Raises:
            CommandError: It refused.
            CiError: It tells another digest than the one that was pushed.
        """
        with tempfile.TemporaryDirectory(prefix="cronlift-push-") as folder:
            told = Path(folder, "digest")
            words = ["copy", f"--digestfile={told}", *self._options("dest-tls-verify")]
            run("skopeo", *words, f"{_transport(archive)}:{archive}", f"docker://{reference}", timeout_seconds=SECONDS)
            pushed = told.read_text().strip()
        if (there := self.digest(reference)) != pushed:
            raise CiError(f"{reference}: pushed {pushed}, but the registry has {there}")
        return pushed

    def pull(self, reference: str, archive: Path) -> None:
        """Fetch an image into an OCI archive, as it is."""
        words = ["copy", *self._options("src-tls-verify"), f"docker://{reference}", f"oci-archive:{archive}"]
        run("skopeo", *words, timeout_seconds=SECONDS)

    def _options(self, tls: str) -> list[str]:
        host = self.address.partition("/")[0].partition(":")[0]
        found = [f"--{tls}=false"] if host in LOCAL_HOSTS else []
        return [*found, f"--authfile={self._authfile}"] if self._authfile else found


@contextmanager
def open_registry(address: str, environment: Mapping[str, str] = os.environ) -> Iterator[Registry]:
    """Log in where the environment says how, for a block.

    Raises:
        UserError: skopeo is not there, or only half of a login is given.
        CommandError: The registry refuses the login.
    """
    if not shutil.which("skopeo"):
        raise UserError("Pushing images needs skopeo", cure="Debian and Ubuntu: apt-get install skopeo")
    user, password = environment.get("REGISTRY_USER", ""), environment.get("REGISTRY_PASSWORD", "")
    if bool(user) != bool(password):
        raise UserError("Only one of REGISTRY_USER and REGISTRY_PASSWORD is set", cure="Set both, or log in before.")
    if not user:
        yield Registry(address)
        return
    with tempfile.TemporaryDirectory(prefix="cronlift-login-") as folder:
        registry = Registry(address, Path(folder, "auth.json"))
        host = registry.address.partition("/")[0]
        words = ["login", f"--username={user}", "--password-stdin", *registry._options("tls-verify"), host]
        run("skopeo", *words, stdin=password, timeout_seconds=60)
        yield registry


def _transport(archive: Path) -> str:
    with tarfile.open(archive) as found:
        return "docker-archive" if "manifest.json" in found.getnames() else "oci-archive"
