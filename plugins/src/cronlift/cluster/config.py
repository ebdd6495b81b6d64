"""Where the cluster is and how to prove who we are.

In a Pod that is three files and two variables, so they are read here: the official `kubernetes` library, which would
read the same, costs a second of CPU and 60 MiB to import. On a laptop and in tests it is imported, in a thread, for
what it does best: kubeconfig files with their certificates, exec plugins and tokens.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cronlift.errors import ClusterConfigError

log = logging.getLogger(__name__)

ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The kubelet renews a Pod's token at 80 % of its hour; client-go reads the file again every minute.
TOKEN_MAX_AGE_SECONDS = 60.0


@dataclass
class ClusterConfig:
    """One cluster and one set of credentials.

    Args:
        host: URL of the API server, without a slash at the end.
        ssl_context: How to check its certificate and show ours; None for plain HTTP, which only tests use.
        read_token: Returns the bearer token; None when the certificate, or nothing, authenticates. Blocking.
        renew: Called before a token that was refused is read again: what it comes from may have changed. Blocking.
        proxy: URL of the HTTP proxy that leads there; None for none.
        server_name: The name that its certificate has, when that is not the URL's.
    """

    host: str
    ssl_context: ssl.SSLContext | None = None
    read_token: Callable[[], str | None] | None = None
    renew: Callable[[], None] | None = None
    proxy: str | None = None
    server_name: str | None = None
    _token: str | None = field(default=None, repr=False)
    _read_at: float = field(default=float("-inf"), repr=False)

    def has_token(self) -> bool:
        """Tell whether `token` answers at once, without reading anything."""
        return self.read_token is None or time.monotonic() - self._read_at <= TOKEN_MAX_AGE_SECONDS

    def token(self, *, fresh: bool = False) -> str | None:
        """Return the bearer token, read again when older than a minute.

        Args:
            fresh: Read it now, because the API server refused the one we have.
        """
        if self.read_token is None:
            return None
        if fresh and self.renew is not None:
            self.renew()
        if fresh or not self.has_token():
            self._token, self._read_at = self.read_token(), time.monotonic()
        return self._token


def load_config(environment: Mapping[str, str] = os.environ, account_folder: Path = ACCOUNT_FOLDER) -> ClusterConfig:
    """Find the cluster: the Pod's own account first, then KUBECONFIG or ~/.kube/config.

    Blocking: call it in a thread.

    Raises:
        ClusterConfigError: Neither exists, or what exists cannot be read.
    """
    if environment.get("KUBERNETES_SERVICE_HOST") and (account_folder / "token").exists():
        return _in_cluster(environment, account_folder)
    return load_kubeconfig(environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"))


def load_kubeconfig(path: str, context: str | None = None) -> ClusterConfig:
    """Read a kubeconfig file.

    Blocking: call it in a thread.

    Args:
        path: The file, or several as KUBECONFIG lists them.
        context: Which of its contexts; None for its current one.

    Raises:
        ClusterConfigError: It does not exist, cannot be read, or has no such context.
    """
    if not any(Path(each).expanduser().is_file() for each in path.split(os.pathsep)):
        raise ClusterConfigError(
            f"No Kubernetes cluster: this is no Pod with a ServiceAccount token, and there is no file {path}. "
            "Set KUBECONFIG to a kubeconfig file."
        )
    configuration = _read_kubeconfig(path, context)
    source = _KubeconfigToken(path, context, configuration)
    return ClusterConfig(
        configuration.host.rstrip("/"),
        _ssl_context(configuration),
        source.read,
        source.renew,
        configuration.proxy or None,
        configuration.tls_server_name or None,
    )


def _read_kubeconfig(path: str, context: str | None) -> Any:
    try:
        import yaml
        from kubernetes import client, config
    except ImportError as error:
        raise ClusterConfigError(
            f"Reading the kubeconfig {path} needs the official client. Install cronlift[kubeconfig]; "
            "in a Pod with a ServiceAccount it is not needed."
        ) from error

    configuration = client.Configuration()
    try:
        config.load_kube_config(path, context, configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, yaml.YAMLError, OSError) as error:
        chosen = f", context {context}" if context else ""
        raise ClusterConfigError(f"Cannot use the kubeconfig {path}{chosen}: {error}") from error
    return configuration


class _KubeconfigToken:
    """The token of a kubeconfig, which may be rotated: a Secret that is mounted, or what an exec plugin gives.

    Args:
        path: See `load_kubeconfig`.
        context: The same.
        configuration: The official client's, as it was read first.
    """

    def __init__(self, path: str, context: str | None, configuration: Any) -> None:
        self._path, self._context, self._configuration = path, context, configuration

    def read(self) -> str | None:
        # The getter runs the refresh hook of exec plugins when a token has expired.
        value = self._configuration.get_api_key_with_prefix(
            "authorization"
        ) or self._configuration.get_api_key_with_prefix("BearerToken")
        return str(value).removeprefix("Bearer ").strip() if value else None

    def renew(self) -> None:
        """Read the file again; while it cannot be read, go on with what there is."""
        try:
            self._configuration = _read_kubeconfig(self._path, self._context)
        except ClusterConfigError as error:
            log.warning("A token was refused, and cannot be read again: %s", error)


def _in_cluster(environment: Mapping[str, str], folder: Path) -> ClusterConfig:
    host = environment["KUBERNETES_SERVICE_HOST"]
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    address = f"[{host}]" if ":" in host else host
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    except (OSError, ssl.SSLError) as error:
        raise ClusterConfigError(
            f"Cannot read the cluster's certificate authority {folder / 'ca.crt'}: {error}. "
            "Check that the Pod mounts its ServiceAccount token (automountServiceAccountToken)."
        ) from error
    return ClusterConfig(f"https://{address}:{port}", context, lambda: _read_token_file(folder / "token"))


def _read_token_file(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ClusterConfigError(f"Cannot read the ServiceAccount token {path}: {error}.") from error


def _ssl_context(configuration: Any) -> ssl.SSLContext | None:
    if not configuration.host.startswith("https"):
        return None
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
