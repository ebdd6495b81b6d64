"""A real PostgreSQL of this machine, with TLS and a login that has every awkward character, for one session."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ci.errors import CiError

USER, NAME = "air@flow", "air/flow"
PASSWORD = "p:a@s/s%w o?r#d$(X)'\"\\ü&=+"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        port: On localhost.
        authority: Certificate of the CA that signed its own.
        folder: Where it may write.
        name: Of the database.
    """

    port: int
    authority: Path
    folder: Path
    name: str = NAME

    def variables(self, **more: str) -> dict[str, str]:
        """Return what the chart gives a pod for this database, verified by TLS."""
        parts = {"USER": USER, "PASSWORD": PASSWORD, "HOST": "localhost", "PORT": str(self.port), "NAME": self.name}
        tls = {"TLS": "verify-full", "CA": str(self.authority)}
        return {f"CRONLIFT_DATABASE_{key}": value for key, value in {**parts, **tls, **more}.items()}


def programs() -> Path:
    """Return the folder of the newest PostgreSQL of this machine.

    Raises:
        CiError: There is none.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        raise CiError("There is no PostgreSQL under /usr/lib/postgresql: apt-get install postgresql")
    return folders[-1]


@contextmanager
def running(folder: Path, name: str = NAME) -> Iterator[Server]:
    """Run a server in a folder until the block ends; not as root, which it refuses."""
    account = pwd.getpwnam("postgres")
    authority = _certificates(folder)
    (folder / "password").write_text("owner")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, account.pw_uid, account.pw_gid)
    (folder / "server.key").chmod(0o600)
    data, port = folder / "data", free_port()
    as_postgres = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    subprocess.run(
        [programs() / "initdb", "--pgdata", data, "--username=owner", f"--pwfile={folder / 'password'}",
         "--encoding=UTF8", "--auth=scram-sha-256", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **as_postgres,
    )  # fmt: skip
    # Only TLS is let in.
    (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\nlocal all owner trust\n")
    options = f"-p {port} -k {folder} -c listen_addresses=localhost -c fsync=off -c ssl=on"
    options += f" -c ssl_cert_file={folder / 'server.crt'} -c ssl_key_file={folder / 'server.key'}"
    control = [programs() / "pg_ctl", "--pgdata", data, "--wait", "--log", folder / "log"]
    subprocess.run([*control, "start", "-o", options], check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_postgres)
    try:
        quoted = PASSWORD.replace("'", "''")
        for statement in (
            f"""CREATE ROLE "{USER}" LOGIN PASSWORD '{quoted}'""",
            f'CREATE DATABASE "{name}" OWNER "{USER}"',
        ):
            _psql(folder, port, statement)
        yield Server(port, authority, folder, name)
    finally:
        subprocess.run(
            [*control, "stop", "-m", "immediate"], check=True, capture_output=True, cwd=folder, **as_postgres
        )


def _psql(folder: Path, port: int, statement: str) -> None:
    words = ["psql", "-h", str(folder), "-p", str(port), "-U", "owner", "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
    subprocess.run([*words, "-c", statement], check=True, capture_output=True, env={**os.environ, "PGPASSWORD": ""})


def can_connect(port: int) -> bool:
    """Tell whether somebody listens on a port of localhost."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of localhost that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _certificates(folder: Path) -> Path:
    """Write a CA, and a server's key and certificate for localhost; return the CA's certificate."""
    now, day = datetime.now(UTC), timedelta(days=1)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server")}
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    for name, key in keys.items():
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = (
            builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        certificate = builder.sign(keys["ca"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (folder / f"{name}.crt").write_bytes(certificate)
    (folder / "server.key").write_bytes(
        keys["server"].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "ca.crt"
