"""Faults of Kubernetes: its parts are killed or frozen, and the triggerer's way to its API is cut."""

from collections.abc import Mapping

from tests.chaos.ground import Ground, Strike
from tests.chaos.judging import Expected
from tests.live.control_plane import frozen_part, killed_part
from tests.live.killing import pod_of
from tests.live.pod_network import TO_KUBERNETES, cut_network

DOWN_SECONDS = 20
CUT_SECONDS = 60
UNCHANGED: Mapping[str, Expected] = {}


def kill_part(part: str) -> Strike:
    """Send SIGKILL to a part while all Jobs run, and start it again after a while."""

    def strike(ground: Ground) -> Mapping[str, Expected]:
        ground.start_and_wait_running()
        with killed_part(part, DOWN_SECONDS):
            pass
        return UNCHANGED

    return strike


def freeze_part(part: str) -> Strike:
    """Freeze a part while all Jobs run: its connections stay open and silent, as behind a cut network."""

    def strike(ground: Ground) -> Mapping[str, Expected]:
        ground.start_and_wait_running()
        with frozen_part(part, CUT_SECONDS):
            pass
        return UNCHANGED

    return strike


def cut_triggerer_from_kubernetes(ground: Ground) -> Mapping[str, Expected]:
    """Drop every packet between the triggerer and the Kubernetes API while all Jobs run."""
    ground.start_and_wait_running()
    with cut_network(pod_of("triggerer"), TO_KUBERNETES, CUT_SECONDS):
        pass
    return UNCHANGED
