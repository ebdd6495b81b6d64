"""A waiting connection is small, and reads as before."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cronlift.cluster.buffers import STREAM_BUFFER_BYTES, shrink_tls_buffer
from cronlift.cluster.client import KubernetesClient
from cronlift.cluster.config import ClusterConfig
from tests.unit.cluster.fake_api import FakeApi


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Write a certificate of 127.0.0.1 and its key into one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    now, address = datetime.now(UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "both.pem"


async def test_stream_over_tls_holds_a_small_buffer_and_loses_nothing(certificate):
    """asyncio's own takes 256 KiB, through attributes of Python 3.11 to 3.14; another Python may need another way."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    texts = [f"{number:06} {'x' * 500}" for number in range(2000)]
    async with FakeApi(server).serve() as api, aiohttp.ClientSession() as session:
        client = KubernetesClient(session, ClusterConfig(api.url, trusting))
        api.say("p", "main", *texts)
        path, read = "/api/v1/namespaces/team-demo/pods/p/log", bytearray()
        async with client.stream("read", path, {"container": "main", "follow": "true"}, None) as chunks:
            (connection,) = session.connector._acquired
            protocol = connection.transport._ssl_protocol
            async for chunk in chunks:
                read += chunk
                if read.count(b"\n") == len(texts):
                    api.end_output("p", "main")
        assert [line.split(" ", 1)[1] for line in read.decode().splitlines()] == texts
        assert len(protocol._ssl_buffer) == STREAM_BUFFER_BYTES


@pytest.mark.parametrize("transport", [None, object(), asyncio.Transport()], ids=["gone", "unknown", "plain"])
def test_connection_that_looks_different_is_left_alone(transport):
    shrink_tls_buffer(transport)
    assert getattr(transport, "_ssl_protocol", None) is None
