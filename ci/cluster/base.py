"""What every local cluster offers to the steps after it."""

from collections.abc import Sequence
from typing import Protocol

from ci.images import Image


class Cluster(Protocol):
    """A Kubernetes cluster on this machine, made and removed by this repo.

    Everything after the kubeconfig is the same code for each implementation.
    """

    name: str
    """`embedded` or `kind`."""

    def up(self) -> None:
        """Bring it up or back, whatever state it is in, and write `paths.KUBECONFIG`."""

    def down(self) -> None:
        """Remove all of it from the host; does nothing when nothing is there."""

    def parts(self) -> dict[str, str]:
        """Return the state of each part in words, by name ("running, pid 123")."""

    def load(self, images: Sequence[Image]) -> dict[str, str]:
        """Make images available to pods, sending only what is missing; return name -> reference."""

    def host_address(self) -> str:
        """Return the IPv4 address at which pods reach a server of this host."""
