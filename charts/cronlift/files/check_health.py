"""`helm test`: wait until Airflow calls all of its components healthy. Usage: check_health.py URL."""

import json
import sys
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 120
RETRY_SECONDS = 2
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


def sick(health: dict) -> list[str]:
    """Return one line per component that the health answer does not call healthy."""
    found = {name: (health.get(name) or {}).get("status") for name in COMPONENTS}
    return [f"{name}: {status or 'not running'}" for name, status in found.items() if status != "healthy"]


def main() -> int:
    """Ask until all are healthy or two minutes are over, then say what is not."""
    url = f"{sys.argv[1]}/api/v2/monitor/health"
    deadline = time.monotonic() + PATIENCE_SECONDS
    faults: list[str] = []
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a Service of the release
                faults = sick(json.load(answer))
        except (urllib.error.URLError, OSError, ValueError) as error:
            faults = [f"api-server: {error}"]
        if not faults:
            print(f"{url}: all of {', '.join(COMPONENTS)} are healthy")
            return 0
        time.sleep(RETRY_SECONDS)
    print(f"{url}: not healthy after {PATIENCE_SECONDS} s: {'; '.join(faults)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
