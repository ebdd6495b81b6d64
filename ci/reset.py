"""Forget the platform's database, runs and logs, then bring it up anew; cluster and images stay."""

import argparse
import os

from ci import release, up
from ci.kubectl import kubectl
from ci.paths import KUBECONFIG
from ci.stages import Stage, exit_with_words


def main() -> None:
    """Say what is lost; with YES=1 do it."""
    lost = "Airflow's database (runs, connections, variables), all task logs, the teams' Jobs, the login"
    if os.environ.get("YES") != "1":
        print(f"This removes from the local cluster: {lost}.\nNothing was changed. To do it: make reset YES=1")
        return
    if KUBECONFIG.is_file():
        with Stage("Remove the release and the teams' namespaces", expected_seconds=30):
            namespaces = [release.NAMESPACE, *release.team_namespaces()]
            kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--wait", timeout_seconds=300)
    up.main()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with exit_with_words():
        main()
