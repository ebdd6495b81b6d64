"""The fake API server, for the commands that talk to a cluster."""

from tests.unit.cluster.conftest import api

__all__ = ["api"]
