"""Configuration files of the parts: pure functions that return text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ci.cluster.embedded import layout
from ci.cluster.embedded.layout import Ranges

MAX_PODS = 250


def config_files(state: Path, ranges: Ranges, sandbox_image: str, resolvers: Sequence[str]) -> dict[Path, str]:
    """Return every configuration file with its content.

    Args:
        state: The cluster's state folder.
        ranges: Addresses of pods and Services.
        sandbox_image: Reference of the image that holds a pod's namespaces.
        resolvers: Name servers of this host that pods can reach.
    """
    config = state / "config"
    return {
        config / "containerd.toml": containerd_config(state, sandbox_image),
        config / "cni/10-cronlift.conflist": json.dumps(cni_config(ranges), indent=1),
        config / "kubelet.json": json.dumps(kubelet_config(state, ranges), indent=1),
        config / "kube-proxy.json": json.dumps(proxy_config(state, ranges), indent=1),
        config / "audit-policy.json": json.dumps(audit_policy(), indent=1),
        config / "resolv.conf": "".join(f"nameserver {address}\n" for address in resolvers),
    }


def containerd_config(state: Path, sandbox_image: str) -> str:
    """Return containerd's configuration; everything that it writes lies under the state or under /run/cronlift."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{state}/containerd"
state = "{layout.RUN}/containerd"
[grpc]
  address = "{layout.CONTAINERD_SOCKET}"
[{cri}]
  sandbox_image = "{sandbox_image}"
  netns_mounts_under_state_dir = true
  # A root without CAP_SYS_RESOURCE may not lower oom_score_adj: each pod would fail with
  # "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [{cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state}/config/cni"
  [{cri}.containerd]
    snapshotter = "overlayfs"
    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{cri}.containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{layout.RUN}/runc"
"""


def cni_config(ranges: Ranges) -> dict[str, Any]:
    """Return the network of the pods: one bridge, addresses handed out by this host."""
    return {
        "cniVersion": "0.4.0",
        "name": layout.NODE,
        "plugins": [
            {
                "type": "bridge",
                "bridge": layout.BRIDGE,
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": ranges.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(layout.RUN / "ipam"),
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(state: Path, ranges: Ranges) -> dict[str, Any]:
    """Return the kubelet's configuration."""
    pki = state / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ranges.gateway,
        "port": layout.KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.KUBELET_HEALTH_PORT,
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.CGROUP}",
        "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
        "clusterDNS": [ranges.dns],
        "clusterDomain": layout.CLUSTER_DOMAIN,
        "resolvConf": f"{state}/config/resolv.conf",
        "podLogsDir": f"{state}/pod-logs",
        "volumePluginDir": f"{state}/volume-plugins",
        "maxPods": MAX_PODS,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        # Images are loaded by hand: what is collected here could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        # A laptop's disk is often nearly full; the defaults (10 %, 15 %) would evict every pod.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
    }


def audit_policy() -> dict[str, Any]:
    """Return what the API server writes down: who asked for what, without bodies, of the release's accounts alone.

    So the requests that a task costs can be counted; the parts of the cluster, which ask far more, are left out.
    """
    groups = [f"system:serviceaccounts:{namespace}" for namespace in layout.AUDITED_NAMESPACES]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        # An impersonated user does not matter here: rules are matched with the one who logged in.
        "rules": [{"level": "Metadata", "userGroups": groups}, {"level": "None"}],
    }


def proxy_config(state: Path, ranges: Ranges) -> dict[str, Any]:
    """Return kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{state}/kubeconfigs/kube-proxy"},
        "mode": "iptables",
        "clusterCIDR": ranges.pods,
        "hostnameOverride": layout.NODE,
        "nodePortAddresses": ["127.0.0.0/8"],
        "healthzBindAddress": f"127.0.0.1:{layout.PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"127.0.0.1:{layout.PROXY_METRICS_PORT}",
        # 0 leaves the host's connection tracking limits as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }
