"""A real PgBouncer of this machine in transaction mode, in front of the server of own_postgres."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.own_postgres import PASSWORD, USER, Server, can_connect, free_port

SERVER_CONNECTIONS = 2
"""Fewer than clients at once, so that they really share them."""

START_SECONDS = 10


@contextmanager
def pooled(server: Server) -> Iterator[int]:
    """Run it until the block ends; yields its port. TLS to both sides; it knows the awkward password."""
    folder, port = server.folder, free_port()
    account = pwd.getpwnam("postgres")
    quoted = PASSWORD.replace('"', '""')
    (folder / "users").write_text(f'"{USER}" "{quoted}"\n')
    (folder / "pgbouncer.ini").write_text(f"""\
[databases]
* = host=localhost port={server.port}
[pgbouncer]
listen_addr = localhost
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
server_tls_sslmode = verify-full
server_tls_ca_file = {server.authority}
client_tls_sslmode = require
client_tls_key_file = {folder}/server.key
client_tls_cert_file = {folder}/server.crt
""")
    for name in ("users", "pgbouncer.ini"):
        shutil.chown(folder / name, account.pw_uid, account.pw_gid)
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "There is no pgbouncer: apt-get install pgbouncer"
    with (folder / "pgbouncer.log").open("w") as log:
        process = subprocess.Popen(
            [program, folder / "pgbouncer.ini"], stdout=log, stderr=log, cwd=folder,
            user=account.pw_uid, group=account.pw_gid, extra_groups=[],
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not can_connect(port):
            assert time.monotonic() < deadline, (folder / "pgbouncer.log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)
