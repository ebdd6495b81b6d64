"""Say what of the local platform runs and what does not."""

import argparse
import json
import sys

from ci import demo, release
from ci.cluster import choose
from ci.errors import CiError
from ci.paths import KUBECONFIG
from ci.stages import exit_with_words
from ci.up import GIT_SERVER


def collect() -> dict[str, dict[str, str]]:
    """Return section -> part -> state in words; a part that cannot be asked says so instead of raising."""
    cluster = choose()
    git_pid = GIT_SERVER.pid()
    report = {
        f"cluster ({cluster.name})": cluster.parts(),
        "git": {"server": f"running, pid {git_pid}" if git_pid else "stopped"},
    }
    if not KUBECONFIG.is_file():
        return report
    try:
        report["pods"] = release.pods()
        airflow = release.login()
        report["airflow"] = airflow.health()
        report["imports"] = {"errors": "\n".join(airflow.import_errors()) or "none"}
        report["demo jobs"] = {result.dag_id: result.state for result in demo.last_results(airflow)}
    except CiError as error:
        report["release"] = {"state": str(error).splitlines()[0]}
    return report


def is_well(report: dict[str, dict[str, str]]) -> bool:
    """Say whether a report shows a platform that is up."""
    cluster = next(states for section, states in report.items() if section.startswith("cluster"))
    return (
        all(state.startswith("running") for state in cluster.values())
        and report["git"]["server"].startswith("running")
        and set(report.get("airflow", {"": "absent"}).values()) == {"healthy"}
    )


def main() -> None:
    """Print the report; exit 0 when all is up, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    report = collect()
    if parser.parse_args().json:
        print(json.dumps(report, indent=2))
    else:
        for section, states in report.items():
            print(section)
            for part, state in states.items():
                print(f"  {part:<60} {state}")
    if not is_well(report):
        sys.stderr.write("\nNot all is up. Next: make up\n")
        raise SystemExit(1)


if __name__ == "__main__":
    with exit_with_words():
        main()
