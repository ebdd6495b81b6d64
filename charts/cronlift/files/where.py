"""What `cronlift where` runs in the pods that read DAGs: which commit is here, when it was synced, what was parsed.

Prints one line of JSON. Only the dag-processor asks the database: its word is the deployment's.
Usage: where.py [database]
"""

import json
import os
import re
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
STORAGE = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"
WATCH_SECONDS = 8.0
"""How long to wait for git-sync's next success where nothing says when its last one was: longer than its period."""
STEP_SECONDS = 0.5
COUNT = re.compile(r'^git_sync_count_total\{[^}]*status="(?:success|noop)"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)


def link_of(bundle: dict) -> str:
    """Return the path of the git-sync link that a bundle follows."""
    kwargs = bundle.get("kwargs") or {}
    return kwargs.get("link") or re.sub(r"(/current)(/.*)?$", r"\1", kwargs.get("path", ""))


def trees(bundles: list[dict]) -> dict[str, dict]:
    """Return git-sync's links by path, each with its commit and where its counts are served."""
    found = {}
    for bundle in bundles:
        kwargs, path = bundle.get("kwargs") or {}, link_of(bundle)
        try:
            commit = os.path.basename(os.readlink(path))
        except OSError as error:
            commit = None
            problem = error.strerror
        else:
            problem = None if Path(path).exists() else "it leads nowhere"
        found[path] = {"commit": commit, "problem": problem, "counts": kwargs.get("metrics_url", "")}
    return found


def states(storage: str, bundles: list[dict], now: datetime) -> dict[str, dict]:
    """Return what the DAG processor has last said of each bundle, with its age in seconds."""
    found = {}
    for bundle in bundles:
        try:
            state = json.loads((Path(storage) / bundle["name"] / "status.json").read_text())
            checked = (now - datetime.fromisoformat(state["checked_at"])).total_seconds()
        except (OSError, ValueError, KeyError):
            continue
        synced = state.get("synced_seconds_ago")
        found[bundle["name"]] = {
            "link": link_of(bundle),
            "version": state["version"],
            "commit": state["commit"],
            "refusal": state["refusal"],
            "checked_seconds_ago": round(checked, 1),
            "synced_seconds_ago": None if synced is None else round(synced + checked, 1),
        }
    return found


def successes(url: str) -> float | None:
    """Return how often a git-sync has reached its repository; None when it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the chart's own address
            return sum(float(count) for count in COUNT.findall(answer.read().decode()))
    except OSError:
        return None


def watch_syncs(urls: set[str]) -> dict[str, float | None]:
    """Return, for each git-sync, the seconds since its last success; None when none came while this watched."""
    before = {url: successes(url) for url in urls}
    found: dict[str, float | None] = dict.fromkeys(urls)
    seen: dict[str, float] = {}
    deadline = time.monotonic() + WATCH_SECONDS
    while len(seen) < len(urls) and time.monotonic() < deadline:
        time.sleep(STEP_SECONDS)
        for url in urls - seen.keys():
            count = successes(url)
            if count is not None and count != before[url]:
                seen[url] = time.monotonic()
    for url, at in seen.items():
        found[url] = round(time.monotonic() - at, 1)
    return found


def ask() -> dict:
    """Return bundles and import errors as the database has them."""
    import cronlift_database

    connection = cronlift_database.connect(timeout_seconds=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT b.name, b.version, extract(epoch FROM now() - b.last_refreshed), count(d.dag_id) "
                "FROM dag_bundle b LEFT JOIN dag d ON d.bundle_name = b.name AND NOT d.is_stale "
                "WHERE b.active GROUP BY b.name, b.version, b.last_refreshed"
            )
            bundles = {
                name: {"version": version, "refreshed_seconds_ago": age and round(float(age), 1), "dags": dags}
                for name, version, age, dags in cursor.fetchall()
            }
            cursor.execute("SELECT bundle_name, filename, timestamp, stacktrace FROM import_error ORDER BY timestamp")
            errors = [
                {"bundle": bundle, "file": file, "at": at.isoformat(), "error": (trace or "?").strip().splitlines()[-1]}
                for bundle, file, at, trace in cursor.fetchall()
            ]
    finally:
        connection.close()
    return {"bundles": bundles, "import_errors": errors}


def main() -> int:
    """Print all of it."""
    bundles = json.loads(os.environ.get(BUNDLES, "[]"))
    told = states(os.environ.get(STORAGE, "/bundles"), bundles, datetime.now(UTC))
    links = trees(bundles)
    ages = watch_syncs({tree["counts"] for tree in links.values() if tree["counts"]})
    for tree in links.values():
        tree["synced_seconds_ago"] = ages.get(tree.pop("counts"))
    answer = {"links": links, "bundles": told}
    if sys.argv[1:] == ["database"]:
        answer["database"] = ask()
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
