import re
import tomllib
from pathlib import Path

import pytest

from ci.cluster.embedded.addons import corefile
from ci.cluster.embedded.config_files import (
    audit_policy,
    cni_config,
    config_files,
    containerd_config,
    kubelet_config,
    proxy_config,
)
from ci.cluster.embedded.layout import RUN, Ranges
from ci.cluster.embedded.parts import build_parts

RANGES = Ranges("10.245.0.0/22", "10.96.0.0/16")
STATE = Path("/very/deep/clone/.cronlift/cluster")
PARTS = {part.name: part for part in build_parts(STATE, RANGES, lambda name: Path("/tools", name))}


def test_parts_start_in_the_order_of_their_needs() -> None:
    names = list(PARTS)
    assert names.index("containerd") < names.index("kubelet")
    assert names.index("etcd") < names.index("kube-apiserver") < names.index("kubelet") < names.index("kube-router")


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_every_address_that_a_part_is_told_is_loopback_or_the_bridge(part) -> None:
    text = " ".join(part.command).replace(RANGES.pods, "").replace(RANGES.services, "")
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", text)) <= {"127.0.0.1", RANGES.gateway}


def test_the_api_server_advertises_the_bridge_so_that_pods_reach_it() -> None:
    assert f"--advertise-address={RANGES.gateway}" in PARTS["kube-apiserver"].command
    assert "--kubelet-preferred-address-types=InternalIP" in PARTS["kube-apiserver"].command


def test_the_api_server_writes_down_the_releases_requests_alone_without_bodies_and_in_bounds() -> None:
    part = PARTS["kube-apiserver"]
    (policy,) = part.files
    assert f"--audit-policy-file={policy}" in part.command
    assert policy in config_files(STATE, RANGES, "pause", [])
    assert "--audit-log-maxbackup=1" in part.command
    chosen, rest = audit_policy()["rules"]
    assert chosen["level"] == "Metadata"
    assert "system:serviceaccounts:cronlift" in chosen["userGroups"]
    assert rest == {"level": "None"}


def test_etcd_refuses_clients_without_our_certificate() -> None:
    assert "--client-cert-auth" in PARTS["etcd"].command
    assert not [word for word in PARTS["etcd"].command if "http://" in word]


def test_containerd_never_lowers_oom_score_adj_and_writes_nothing_outside_its_folders() -> None:
    config = tomllib.loads(containerd_config(STATE, "localhost/cronlift/pause:1"))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False, "Root": f"{RUN}/runc"}
    assert Path(config["root"]).is_relative_to(STATE)
    assert Path(config["state"]).is_relative_to(RUN)


def test_sockets_have_a_path_that_a_deep_clone_does_not_lengthen() -> None:
    kubelet = " ".join(PARTS["kubelet"].command)
    assert f"--root-dir={RUN}/kubelet" in kubelet
    assert kubelet_config(STATE, RANGES)["containerRuntimeEndpoint"] == f"unix://{RUN}/containerd.sock"


def test_the_kubelet_collects_no_images_and_evicts_late() -> None:
    config = kubelet_config(STATE, RANGES)
    assert config["imageGCHighThresholdPercent"] == 100
    assert config["evictionHard"]["nodefs.available"] == "1%"
    assert config["maxPods"] == 250


def test_node_ports_open_on_loopback_alone() -> None:
    assert proxy_config(STATE, RANGES)["nodePortAddresses"] == ["127.0.0.0/8"]


def test_kube_proxy_leaves_the_hosts_connection_tracking_alone() -> None:
    assert set(proxy_config(STATE, RANGES)["conntrack"].values()) == {0, "0s"}


def test_pods_get_their_addresses_on_our_bridge() -> None:
    bridge = cni_config(RANGES)["plugins"][0]
    assert (bridge["bridge"], bridge["ipMasq"], bridge["hairpinMode"]) == ("cronlift0", True, True)


@pytest.mark.parametrize(("resolvers", "forwards"), [([], False), (["192.0.2.53"], True)], ids=["none", "one"])
def test_dns_asks_the_hosts_name_server_only_where_there_is_one(resolvers: list[str], forwards: bool) -> None:
    assert ("forward . 192.0.2.53" in corefile(resolvers)) is forwards
    assert ("forward" in corefile(resolvers)) is forwards
