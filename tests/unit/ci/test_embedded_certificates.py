import base64
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ci.cluster.embedded.certificates import identities, make_certificates, write_kubeconfig
from ci.cluster.embedded.layout import Ranges

RANGES = Ranges("10.245.0.0/22", "10.96.0.0/16")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    make_certificates(folder, RANGES)
    return folder


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_each_certificate_is_signed_by_its_authority(pki: Path) -> None:
    for identity in identities(RANGES):
        read(pki / f"{identity.name}.crt").verify_directly_issued_by(read(pki / f"{identity.authority}.crt"))


def test_the_front_proxys_authority_signs_for_nobody_else(pki: Path) -> None:
    assert [i.name for i in identities(RANGES) if i.authority == "front-proxy-ca"] == ["front-proxy-client"]


def test_the_node_speaks_as_itself_alone(pki: Path) -> None:
    subject = read(pki / "kubelet.crt").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:cronlift"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_the_api_server_answers_at_its_service_address_and_on_the_bridge(pki: Path) -> None:
    names = read(pki / "apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert {"10.96.0.1", "10.245.0.1", "127.0.0.1"} <= addresses
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_a_client_cannot_pose_as_a_server(pki: Path) -> None:
    usage = read(pki / "admin.crt").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_keys_are_read_by_their_owner_alone(pki: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in pki.glob("*.key")} == {0o600}


def test_a_second_call_keeps_what_is_there_and_makes_what_is_gone(pki: Path) -> None:
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    (pki / "kube-proxy.crt").unlink()
    make_certificates(pki, RANGES)
    after = {path.name: path.read_bytes() for path in pki.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"kube-proxy.crt", "kube-proxy.key"}


def test_an_embedded_kubeconfig_needs_no_other_file(pki: Path, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, pki, "admin", RANGES.api_server, embed=True)
    config = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert config["current-context"] == "cronlift-embedded"
    assert str(pki) not in path.read_text()
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    ssl.create_default_context(cadata=authority)
