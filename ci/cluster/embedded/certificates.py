"""Keys, certificates and kubeconfigs of the embedded cluster: one authority, made once and kept with the state."""

import datetime
import ipaddress
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ci.cluster.embedded.layout import CLUSTER_DOMAIN, NODE, Ranges

VALID_DAYS = 3650
"""The cluster lives on one machine and dies with `make down`; it should not break when left for a year."""

AUTHORITY = "ca"
FRONT_PROXY_AUTHORITY = "front-proxy-ca"
"""An authority of its own: whoever it signs for may speak in any user's name."""

CONTEXT = "cronlift-embedded"


@dataclass(frozen=True)
class Identity:
    """Whom a certificate stands for.

    Attributes:
        name: File stem.
        user: Common name: the Kubernetes user, or a server's name.
        groups: Organisations: the Kubernetes groups.
        hosts: Names and addresses that a server answers at; empty for a client alone.
        authority: Who signs.
    """

    name: str
    user: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    authority: str = AUTHORITY


def identities(ranges: Ranges) -> tuple[Identity, ...]:
    """Return everyone who needs a certificate."""
    service = "kubernetes.default.svc"
    api_names = ("kubernetes", "kubernetes.default", service, f"{service}.{CLUSTER_DOMAIN}", "localhost")
    return (
        Identity("apiserver", "kube-apiserver", hosts=(*api_names, "127.0.0.1", ranges.gateway, ranges.api_service)),
        Identity("apiserver-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        Identity("etcd", "etcd", hosts=("localhost", "127.0.0.1")),
        Identity("kubelet-server", f"{NODE}-kubelet", hosts=(NODE, ranges.gateway)),
        Identity("kubelet", f"system:node:{NODE}", ("system:nodes",)),
        Identity("kube-controller-manager", "system:kube-controller-manager"),
        Identity("kube-scheduler", "system:kube-scheduler"),
        Identity("kube-proxy", "system:kube-proxy"),
        # Root processes of this host, which could read the authority's key anyway.
        Identity("kube-router", "cronlift:kube-router", ("system:masters",)),
        Identity("provisioner", "cronlift:provisioner", ("system:masters",)),
        Identity("front-proxy-client", "front-proxy-client", authority=FRONT_PROXY_AUTHORITY),
        Identity("admin", "cronlift:admin", ("system:masters",)),
    )


def make_certificates(folder: Path, ranges: Ranges) -> None:
    """Make what is missing under a folder: ca, one pair for each identity, and the ServiceAccounts' signing key."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / "sa.pub").exists():
        signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write(folder / "sa.key", _private_pem(signing))
        _write(folder / "sa.pub", signing.public_key().public_bytes(*_PUBLIC_PEM))
    authorities = {name: _authority(folder, name) for name in (AUTHORITY, FRONT_PROXY_AUTHORITY)}
    for identity in identities(ranges):
        if not (folder / f"{identity.name}.crt").exists():
            key = ec.generate_private_key(ec.SECP256R1())
            _write(folder / f"{identity.name}.key", _private_pem(key))
            certificate = _sign(identity, key, *authorities[identity.authority])
            _write(folder / f"{identity.name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _authority(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return an authority, made when it is missing."""
    if not (folder / f"{name}.crt").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{name}.key", _private_pem(key))
        _write(folder / f"{name}.crt", _sign_authority(name, key).public_bytes(serialization.Encoding.PEM))
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
    loaded = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / name}.key is not an elliptic-curve key")
    return certificate, loaded


def write_kubeconfig(path: Path, folder: Path, identity: str, server: str, *, embed: bool = False) -> None:
    """Write a kubeconfig (0600) for an identity; JSON, which YAML contains.

    Args:
        path: The file to write.
        folder: Where the certificates lie.
        identity: Name of the identity.
        server: The API server's URL.
        embed: Put the certificates into the file, so that it can be copied elsewhere.
    """

    def reference(key: str, file: Path) -> dict[str, str]:
        if not embed:
            return {key: str(file)}
        return {f"{key}-data": b64encode(file.read_bytes()).decode()}

    pair = folder / identity
    user = reference("client-certificate", pair.with_suffix(".crt")) | reference("client-key", pair.with_suffix(".key"))
    cluster = {"server": server} | reference("certificate-authority", folder / f"{AUTHORITY}.crt")
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": identity, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": identity}}],
        "current-context": CONTEXT,
    }
    _write(path, json.dumps(content, indent=1).encode())


_PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    half.replace(path)


def _builder(user: str, groups: Sequence[str], issuer: x509.Name | None = None) -> x509.CertificateBuilder:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])
    # An hour back: the clocks of a laptop that just woke up and of its virtual machine disagree.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=VALID_DAYS))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _sign_authority(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return (
        _builder(f"cronlift local {name}", ())
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign(
    identity: Identity,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    # etcd is a client of itself, and the API server shows etcd's pair to etcd.
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if identity.hosts else [])
    builder = (
        _builder(identity.user, identity.groups, authority.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if identity.hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in identity.hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
