"""The local cluster: kind where Docker answers, else the embedded one."""

import os

from ci.cluster.base import Cluster
from ci.errors import UserError
from ci.paths import STATE

CHOICES = ("auto", "kind", "embedded")
MADE = STATE / "cluster-kind"
"""Names the cluster that this clone has made."""


def choose() -> Cluster:
    """Return the cluster that `$CLUSTER` names: auto (the default), kind or embedded.

    `auto` stays with what this clone has already made, whatever Docker answers today.

    Raises:
        UserError: It names something else.
    """
    wanted = os.environ.get("CLUSTER") or "auto"
    if wanted not in CHOICES:
        raise UserError(f"CLUSTER={wanted!r} is not known", cure=f"Use one of: {', '.join(CHOICES)}.")
    if wanted == "auto" and MADE.is_file():
        wanted = MADE.read_text().strip()
    from ci.cluster.docker import why_docker_is_silent

    if wanted == "kind" or (wanted == "auto" and why_docker_is_silent() is None):
        from ci.cluster.kind import KindCluster

        return KindCluster()
    from ci.cluster.embedded.cluster import EmbeddedCluster

    return EmbeddedCluster()
