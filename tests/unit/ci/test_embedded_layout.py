import ipaddress

import pytest

from ci.cluster.embedded.layout import CANDIDATES, LOOPBACK_PORTS, Ranges, choose_ranges
from ci.errors import UserError


def test_the_first_candidate_is_taken_on_a_host_with_ordinary_routes() -> None:
    assert choose_ranges(["192.0.2.0/24", "172.17.0.0/16", "192.168.1.1"]) == CANDIDATES[0]


@pytest.mark.parametrize(
    "taken",
    ["10.96.3.0/24", "10.245.1.7", "10.0.0.0/8"],
    ids=["a route into the Services", "a name server among the pods", "a VPN that takes all of 10/8"],
)
def test_a_candidate_that_clashes_is_passed_over(taken: str) -> None:
    chosen = choose_ranges([taken])
    ours = [ipaddress.ip_network(chosen.pods), ipaddress.ip_network(chosen.services)]
    assert not any(network.overlaps(ipaddress.ip_network(taken)) for network in ours)


def test_an_ipv6_route_clashes_with_nothing() -> None:
    assert choose_ranges(["::/0", "fd00::/8"]) == CANDIDATES[0]


def test_a_host_that_routes_everything_is_told_each_clash() -> None:
    with pytest.raises(UserError) as raised:
        choose_ranges(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])
    assert len(raised.value.faults) == len(CANDIDATES)
    assert "10.245.0.0/22 overlaps 10.0.0.0/8" in raised.value.faults


def test_candidates_do_not_overlap_each_other() -> None:
    networks = [ipaddress.ip_network(word) for ranges in CANDIDATES for word in (ranges.pods, ranges.services)]
    assert not [(a, b) for a in networks for b in networks if a != b and a.overlaps(b)]


def test_addresses_follow_from_the_ranges() -> None:
    ranges = Ranges("10.245.0.0/22", "10.96.0.0/16")
    assert (ranges.gateway, ranges.dns, ranges.api_service) == ("10.245.0.1", "10.96.0.10", "10.96.0.1")
    assert ranges.api_server == "https://10.245.0.1:16443"


def test_no_port_is_given_twice() -> None:
    assert len(set(LOOPBACK_PORTS)) == len(LOOPBACK_PORTS)
