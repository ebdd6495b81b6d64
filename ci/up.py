"""Bring the whole platform up, or back: cluster, images, git, chart, demo jobs. Every step is a no-op when done."""

import argparse
import socket
import sys
import time

from ci import demo, fake_nodes, release
from ci.cluster import MADE, choose
from ci.daemons import Daemon
from ci.errors import CiError
from ci.git_server import NAME as REPOSITORY
from ci.git_server import PORT as GIT_PORT
from ci.images import build
from ci.paths import LOGS, STATE
from ci.stages import Stage, exit_with_words, wait_until

GIT_SERVER = Daemon("git-server", STATE / "git", LOGS / "git-server.log")


def why_silent(address: str) -> str | None:
    """Say why our git server does not answer yet, or None when it does.

    Raises:
        CiError: It has ended; with its own last words.
    """
    if GIT_SERVER.pid() is None:
        words = GIT_SERVER.log.read_text(errors="replace").strip().splitlines()[-4:]
        raise CiError("\n".join(["The git server ended:", *words]))
    with socket.socket() as probe:
        probe.settimeout(1)
        return None if probe.connect_ex((address, GIT_PORT)) == 0 else f"{address}:{GIT_PORT} to answer"


def main() -> None:
    """Run every step and print URL, login and the demo jobs' results; exit 1 when one of them failed."""
    started = time.monotonic()
    release.check_teams_file()
    cluster = choose()
    MADE.parent.mkdir(parents=True, exist_ok=True)
    MADE.write_text(cluster.name)
    cluster.up()
    fake_nodes.remove()
    images = build()
    with Stage("Load the images into the node"):
        references = cluster.load(images)
    address = cluster.host_address()
    with Stage("Serve the working tree over git") as stage:
        GIT_SERVER.start([sys.executable, "-m", "ci.git_server", "--listen", address])
        wait_until(stage, lambda: why_silent(address), timeout_seconds=20, pause_seconds=0.1)
    with Stage("Install the chart"):
        release.install(references, f"git://{address}:{GIT_PORT}/{REPOSITORY}")
    with Stage("Wait until all is healthy", expected_seconds=90) as stage:
        release.wait_ready(stage)
    airflow = release.login()
    with Stage("Wait for the demo DAGs") as stage:
        demo.wait_for_dags(airflow, stage)
    results = demo.last_results(airflow)
    if len(results) < len(demo.dag_ids()) or any(result.state != "success" for result in results):
        with Stage("Run the demo jobs", expected_seconds=30) as stage:
            results = demo.run_all(airflow, stage)
    print(f"\nDemo jobs\n{demo.table(results)}")
    print(f"\nUI    {release.URL}\nLogin {release.ADMIN} / {release.password()}")
    print(f"\nUp after {time.monotonic() - started:.0f} s. Next: make run DAG=demo__import_rates")
    if any(result.state != "success" for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with exit_with_words():
        main()
