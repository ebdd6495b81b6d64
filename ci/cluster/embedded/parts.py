"""How each process of the embedded cluster is started: pure functions from the layout to argument lists."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci.cluster.embedded import layout
from ci.cluster.embedded.layout import Ranges

CLIENT_LIMITS = ("--kube-api-qps=300", "--kube-api-burst=600")
"""With the defaults (20 and 30) only 8 Jobs a second get through; with these 2,000 start in 30 s."""

AUDIT_LOG_MEGABYTES = 50
"""About 50,000 requests, and as many in the one older file that is kept."""


@dataclass(frozen=True)
class Part:
    """One process.

    Attributes:
        name: Names its record and its log.
        command: Program and arguments.
        files: Configuration that it reads once, at its start: it is started anew when one of them changed.
    """

    name: str
    command: tuple[str, ...]
    files: tuple[Path, ...] = ()


def build_parts(state: Path, ranges: Ranges, program: Callable[[str], Path]) -> tuple[Part, ...]:
    """Return the processes in the order in which they start.

    Args:
        state: The cluster's state folder.
        ranges: Addresses of pods and Services.
        program: Gives the path of a built tool by name.
    """
    return (
        _containerd(state),
        _etcd(state, program),
        _api_server(state, ranges, program),
        _controller_manager(state, program),
        _scheduler(state, program),
        _kubelet(state, ranges, program),
        _kube_proxy(state, program),
        _kube_router(state, ranges, program),
        _provisioner(state, program),
    )


def _containerd(state: Path) -> Part:
    config = state / "config/containerd.toml"
    return Part("containerd", ("containerd", f"--config={config}"), (config,))


def _etcd(state: Path, program: Callable[[str], Path]) -> Part:
    pair = state / "pki/etcd"
    authority = state / "pki/ca.crt"
    url, peer = f"https://127.0.0.1:{layout.ETCD_PORT}", f"https://127.0.0.1:{layout.ETCD_PEER_PORT}"
    return Part("etcd", (
        str(program("etcd")), f"--name={layout.NODE}", f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={layout.NODE}={peer}",
        # Other users of this host reach the port too, so it asks for our certificate.
        "--client-cert-auth", f"--trusted-ca-file={authority}", f"--cert-file={pair}.crt", f"--key-file={pair}.key",
        "--peer-client-cert-auth", f"--peer-trusted-ca-file={authority}",
        f"--peer-cert-file={pair}.crt", f"--peer-key-file={pair}.key",
        # A throw-away cluster: speed counts more than the last second before a power cut.
        "--unsafe-no-fsync", "--log-level=warn",
    ))  # fmt: skip


def _api_server(state: Path, ranges: Ranges, program: Callable[[str], Path]) -> Part:
    pki, policy = state / "pki", state / "config/audit-policy.json"
    return Part("kube-apiserver", (
        str(program("kube-apiserver")),
        # The bridge's address alone: pods must reach it, other machines must not.
        f"--bind-address={ranges.gateway}", f"--secure-port={layout.API_SERVER_PORT}",
        f"--advertise-address={ranges.gateway}", f"--service-cluster-ip-range={ranges.services}",
        f"--etcd-servers=https://127.0.0.1:{layout.ETCD_PORT}", f"--etcd-cafile={pki}/ca.crt",
        f"--etcd-certfile={pki}/etcd.crt", f"--etcd-keyfile={pki}/etcd.key",
        f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-client.crt",
        f"--kubelet-client-key={pki}/apiserver-client.key",
        # Without it `kubectl logs` fails: the node's name is in nobody's DNS.
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
        f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
        # For aggregated APIs; without it every part logs that this authority is missing, each minute.
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt", "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        f"--audit-policy-file={policy}", f"--audit-log-path={state / layout.AUDIT_LOG.relative_to(layout.STATE)}",
        f"--audit-log-maxsize={AUDIT_LOG_MEGABYTES}", "--audit-log-maxbackup=1",
        "--profiling=false",
    ), (policy,))  # fmt: skip


def _controller_manager(state: Path, program: Callable[[str], Path]) -> Part:
    pki = state / "pki"
    return Part("kube-controller-manager", (
        str(program("kube-controller-manager")), *_client_flags(state, "kube-controller-manager"),
        "--bind-address=127.0.0.1", f"--secure-port={layout.CONTROLLER_MANAGER_PORT}", "--leader-elect=false",
        "--use-service-account-credentials", f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
        *CLIENT_LIMITS, "--concurrent-job-syncs=20", "--profiling=false",
    ))  # fmt: skip


def _scheduler(state: Path, program: Callable[[str], Path]) -> Part:
    return Part("kube-scheduler", (
        str(program("kube-scheduler")), *_client_flags(state, "kube-scheduler"),
        "--bind-address=127.0.0.1", f"--secure-port={layout.SCHEDULER_PORT}", "--leader-elect=false",
        *CLIENT_LIMITS, "--profiling=false",
    ))  # fmt: skip


def _kubelet(state: Path, ranges: Ranges, program: Callable[[str], Path]) -> Part:
    config = state / "config/kubelet.json"
    return Part("kubelet", (
        str(program("kubelet")), f"--config={config}", f"--kubeconfig={state}/kubeconfigs/kubelet",
        f"--root-dir={layout.KUBELET_ROOT}", f"--cert-dir={state}/pki",
        f"--hostname-override={layout.NODE}", f"--node-ip={ranges.gateway}",
    ), (config,))  # fmt: skip


def _kube_proxy(state: Path, program: Callable[[str], Path]) -> Part:
    config = state / "config/kube-proxy.json"
    return Part("kube-proxy", (str(program("kube-proxy")), f"--config={config}"), (config,))


def _kube_router(state: Path, ranges: Ranges, program: Callable[[str], Path]) -> Part:
    # A bridge enforces no NetworkPolicy; this part of kube-router does, and nothing else of it runs.
    return Part("kube-router", (
        str(program("kube-router")), f"--kubeconfig={state}/kubeconfigs/kube-router",
        "--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false",
        "--enable-cni=false", f"--hostname-override={layout.NODE}",
        f"--service-cluster-ip-range={ranges.services}", "--health-port=0", "--metrics-port=0",
    ))  # fmt: skip


def _provisioner(state: Path, program: Callable[[str], Path]) -> Part:
    return Part("provisioner", (
        str(program("provisioner")), f"--kubeconfig={state}/kubeconfigs/provisioner",
        "--name=cronlift.local/folder", f"--root={state}/volumes",
    ))  # fmt: skip


def _client_flags(state: Path, name: str) -> tuple[str, ...]:
    file = state / "kubeconfigs" / name
    return (f"--kubeconfig={file}", f"--authentication-kubeconfig={file}", f"--authorization-kubeconfig={file}")
