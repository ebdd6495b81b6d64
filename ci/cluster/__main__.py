"""Bring the bare cluster up or down, without the platform on it: `python -m ci.cluster up|down|status [--json]`."""

import argparse
import json

from ci.cluster import choose
from ci.paths import KUBECONFIG
from ci.stages import exit_with_words


def main() -> None:
    """Do what the first argument says; `status` exits 1 when a part does not run."""
    parser = argparse.ArgumentParser(prog="python -m ci.cluster", description=__doc__)
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--json", action="store_true", help="status: print one JSON object")
    given = parser.parse_args()
    cluster = choose()
    if given.action == "up":
        cluster.up()
        print(f"KUBECONFIG={KUBECONFIG}")
    elif given.action == "down":
        cluster.down()
    else:
        parts = cluster.parts()
        width = max(map(len, parts), default=0)
        lines = [f"{name:<{width}}  {state}" for name, state in parts.items()]
        print(json.dumps(parts, indent=1) if given.json else "\n".join(lines))
        if not all(state.startswith(("running", "answers")) for state in parts.values()):
            raise SystemExit(1)


if __name__ == "__main__":
    with exit_with_words():
        main()
