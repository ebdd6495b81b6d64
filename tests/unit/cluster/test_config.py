"""Finding the cluster and proving who we are."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cronlift.cluster import config as config_module
from cronlift.cluster.config import load_config, load_kubeconfig
from cronlift.errors import ClusterConfigError

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: main
contexts: [{name: main, context: {cluster: main, user: me}}]
clusters: [{name: main, cluster: {server: "http://127.0.0.1:1234/"}}]
users: [{name: me, user: {token: from-kubeconfig}}]
"""


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """Make the files of a ServiceAccount, with a real certificate authority."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    (tmp_path / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "token").write_text("first\n")
    return tmp_path


def test_pod_uses_its_own_account(account):
    config = load_config(POD, account)
    assert config.host == "https://10.0.0.1:6443"
    assert config.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert config.ssl_context.cert_store_stats()["x509"] == 1
    assert config.token() == "first"


def test_ipv6_host_is_put_into_brackets(account):
    assert load_config(POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, account).host == "https://[fd00::1]:6443"


def test_token_is_read_again_after_a_minute(account, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(config_module.time, "monotonic", lambda: clock[0])
    config = load_config(POD, account)
    assert config.token() == "first"
    (account / "token").write_text("second")
    assert config.token() == "first"
    clock[0] += 61
    assert config.token() == "second"


def test_refused_token_is_read_again_at_once(account):
    config = load_config(POD, account)
    assert config.token() == "first"
    (account / "token").write_text("second")
    assert config.token(fresh=True) == "second"


def test_laptop_uses_its_kubeconfig(tmp_path):
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    config = load_config({"KUBECONFIG": str(tmp_path / "kubeconfig")}, tmp_path / "none")
    assert (config.host, config.ssl_context, config.token()) == ("http://127.0.0.1:1234", None, "from-kubeconfig")


def test_refused_token_of_a_kubeconfig_is_read_from_the_file_again(tmp_path):
    """A Secret that is mounted is rotated in place; the official client would keep what it read first."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    config = load_kubeconfig(str(path))
    assert config.token() == "from-kubeconfig"
    path.write_text(KUBECONFIG.replace("from-kubeconfig", "rotated"))
    assert config.token(fresh=True) == "rotated"


def test_kubeconfig_that_is_being_written_keeps_its_token(tmp_path, caplog):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    config = load_kubeconfig(str(path))
    path.write_text("contexts: [")
    assert config.token(fresh=True) == "from-kubeconfig"
    assert "cannot be read again" in caplog.text


def test_refused_token_of_an_exec_plugin_is_asked_for_again(tmp_path):
    """Also when the plugin says of no token when it expires."""
    count, plugin = tmp_path / "count", tmp_path / "plugin"
    plugin.write_text(
        f"#!/bin/sh\necho x >> {count}\n"
        'printf \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
        f'"status": {{"token": "token-%d"}}}}\' "$(wc -l < {count})"\n'
    )
    plugin.chmod(0o755)
    path = tmp_path / "kubeconfig"
    user = f"exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}, interactiveMode: Never}}"
    path.write_text(KUBECONFIG.replace("token: from-kubeconfig", user))
    config = load_kubeconfig(str(path))
    assert config.token() == "token-1"
    assert config.token(fresh=True) == "token-2"


def test_proxy_and_name_of_the_certificate_are_taken_from_the_kubeconfig(tmp_path):
    path = tmp_path / "kubeconfig"
    server = 'server: "http://127.0.0.1:1234/", proxy-url: "http://proxy:3128", tls-server-name: "inner"'
    path.write_text(KUBECONFIG.replace('server: "http://127.0.0.1:1234/"', server))
    config = load_kubeconfig(str(path))
    assert (config.proxy, config.server_name) == ("http://proxy:3128", "inner")


TWO_CONTEXTS = KUBECONFIG.replace("contexts: [", "contexts: [{name: gpu, context: {cluster: gpu, user: me}}, ").replace(
    "clusters: [", 'clusters: [{name: gpu, cluster: {server: "http://127.0.0.1:5678"}}, '
)


@pytest.mark.parametrize(
    ("context", "host"), [(None, "http://127.0.0.1:1234"), ("gpu", "http://127.0.0.1:5678")], ids=["current", "named"]
)
def test_kubeconfig_is_read_with_a_context_of_it(tmp_path, context, host):
    (tmp_path / "kubeconfig").write_text(TWO_CONTEXTS)
    assert load_kubeconfig(str(tmp_path / "kubeconfig"), context).host == host


def test_unknown_context_is_said_with_its_name(tmp_path):
    (tmp_path / "kubeconfig").write_text(TWO_CONTEXTS)
    with pytest.raises(ClusterConfigError, match=r"kubeconfig, context nope: .*nope"):
        load_kubeconfig(str(tmp_path / "kubeconfig"), "nope")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no file"), ("a: [", "kubeconfig"), ("kind: Config\n", "Cannot use the kubeconfig")],
)
def test_missing_or_broken_kubeconfig_is_said_with_its_path(tmp_path, content, words):
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClusterConfigError, match=words) as caught:
        load_config({"KUBECONFIG": str(path)}, tmp_path / "none")
    assert str(path) in str(caught.value)


def test_unreadable_account_is_said_with_its_file(account):
    (account / "ca.crt").write_text("no certificate")
    with pytest.raises(ClusterConfigError, match=r"ca\.crt"):
        load_config(POD, account)
