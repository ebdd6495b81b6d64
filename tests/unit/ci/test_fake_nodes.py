import json

import pytest

from ci.cluster.embedded.layout import NODE
from ci.fake_nodes import ANNOTATION, LABEL, PLACEMENT, PODS_EACH, FakeNodes, ending, node, stages


def test_pods_that_ask_for_fake_nodes_fit_there() -> None:
    made = node(0)
    assert PLACEMENT["nodeSelector"].items() <= made["metadata"]["labels"].items()
    [taint], [toleration] = made["spec"]["taints"], PLACEMENT["tolerations"]
    assert (taint["key"], taint["effect"]) == (toleration["key"], toleration["effect"])


def test_every_fake_node_keeps_real_pods_away() -> None:
    assert node(3)["spec"]["taints"] == [{"key": LABEL, "value": "true", "effect": "NoSchedule"}]


def test_kwok_knows_them_by_their_annotation() -> None:
    assert node(0)["metadata"]["annotations"] == {ANNOTATION: "fake"}


def test_the_real_node_comes_first_in_a_sorted_list() -> None:
    assert min([NODE, *(node(number)["metadata"]["name"] for number in range(3))]) == NODE


@pytest.mark.parametrize(("pods", "count"), [(1, 1), (PODS_EACH, 1), (PODS_EACH + 1, 2), (2 * PODS_EACH, 2)])
def test_there_are_as_many_as_the_pods_need(pods: int, count: int) -> None:
    assert FakeNodes(pods)._count == count


def test_running_pods_end_only_when_told() -> None:
    assert not any("Succeeded" in json.dumps(stage) for stage in stages())
    end = ending(30)["spec"]
    assert "Succeeded" in end["next"]["statusTemplate"]
    assert end["delay"] == {"durationMilliseconds": 0, "jitterDurationMilliseconds": 30_000}


def test_fake_pods_have_no_address() -> None:
    """kube-router would write firewall rules for each."""
    assert "podIP" not in json.dumps([*stages(), ending(1)])
