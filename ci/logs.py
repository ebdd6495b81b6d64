"""Print the logs of the platform's pods, or follow them."""

import argparse
import os

from ci.kubectl import get
from ci.paths import KUBECONFIG, LOGS
from ci.release import NAMESPACE
from ci.stages import exit_with_words
from ci.tools import tool


def main() -> None:
    """Print the last lines of each pod of the release; kubectl takes over for --follow."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"The cluster's own logs lie in {LOGS}.")
    parser.add_argument("component", nargs="?", help="only this one: scheduler, triggerer, api-server, dag-processor")
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--tail", default=40, type=int, help="lines a container [40]")
    options = parser.parse_args()
    selector = "app.kubernetes.io/instance=cronlift"
    if options.component:
        selector += f",app.kubernetes.io/component={options.component}"
    get("namespace", NAMESPACE)
    command = [
        str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", "logs", f"--namespace={NAMESPACE}",
        f"--selector={selector}", "--all-containers", "--prefix", f"--tail={options.tail}", "--max-log-requests=50",
        *(["--follow"] if options.follow else []),
    ]  # fmt: skip
    os.execv(command[0], command)  # noqa: S606 - its output and signals go straight to the user


if __name__ == "__main__":
    with exit_with_words():
        main()
