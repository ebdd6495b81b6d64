"""Airflow's public API, as far as the local platform's steps and the live tests need it."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx

from ci.errors import CiError

FINISHED = {"success", "failed"}
POLL_SECONDS = 0.5
"""Airflow's API has no watch."""

CONNECT_SECONDS = 5.0
"""When a pod was replaced, the node's rules follow a moment after its successor is ready."""


class ApiError(CiError):
    """Airflow answered a request with an error."""


class Airflow:
    """A login to one Airflow.

    Args:
        url: Base URL without a slash at the end.
        user: Login name.
        password: Its password.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self._user, self._password = url, user, password
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def health(self) -> dict[str, str]:
        """Return component -> "healthy" or what is wrong in words; never raises while Airflow is coming up."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError) as error:
            return {"api-server": f"does not answer ({type(error).__name__})"}
        # The answer is 200 even when the scheduler is dead.
        return {name: str(part.get("status") or "not there") for name, part in answer.items()}

    def get(self, path: str, **query: Any) -> Any:
        """GET /api/v2<path>."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: object) -> Any:
        """POST /api/v2<path>."""
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: object) -> Any:
        """PATCH /api/v2<path>."""
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE /api/v2<path>."""
        self._call("DELETE", path)

    def close(self) -> None:
        """Close the connections; a step that ends with its process need not."""
        self._http.close()

    def dag_ids(self) -> set[str]:
        """Return the ids of all DAGs that Airflow has parsed and that are not stale."""
        return {dag["dag_id"] for dag in self.get("/dags", limit=1000)["dags"]}

    def import_errors(self) -> list[str]:
        """Return `file: last line` of every DAG file that does not import."""
        return [
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}"
            for error in self.get("/importErrors")["import_errors"]
        ]

    def alerts(self) -> list[str]:
        """Return the texts of the banner on the UI's home page."""
        self.get("/version")  # logs in when it has to
        answer = self._send("GET", "/ui/config")
        if answer.is_error:
            raise ApiError(f"Airflow refused GET /ui/config with {answer.status_code}: {answer.text[:500]}")
        return [alert["text"] for alert in answer.json()["dashboard_alert"]]

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run whose logical date is now, as the UI does; a paused DAG is unpaused first."""
        self.patch(f"/dags/{dag_id}", {"is_paused": False})
        self.post(f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": datetime.now(UTC).isoformat()})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a DAG run."""
        return dict(self.get(f"/dags/{dag_id}/dagRuns/{run_id}"))

    def wait(self, dag_id: str, run_id: str, timeout_seconds: float = 300) -> dict[str, Any]:
        """Return the run once it has ended.

        Raises:
            ApiError: Still going after the time-out.
        """
        deadline = time.monotonic() + timeout_seconds
        while (run := self.run(dag_id, run_id))["state"] not in FINISHED:
            if time.monotonic() > deadline:
                raise ApiError(f"Run {run_id} of {dag_id} is still {run['state']} after {timeout_seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return run

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return list(self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"])

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> list[str]:
        """Return the lines of a task's log, as the UI shows them, without the note on where they were read."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.get(path, full_content=True, map_index=map_index)["content"]
        lines = [line if isinstance(line, str) else str(line.get("event", "")) for line in content]
        # Airflow puts where it read the log from in front, in a group; it changes while the task runs.
        end = lines.index("::endgroup::") + 1 if lines and lines[0].startswith("::group::Log message source") else 0
        return lines[end:]

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if "Authorization" not in self._http.headers:
            self._log_in()
        answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.is_error:
            raise ApiError(f"Airflow refused {method} {path} with {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        deadline = time.monotonic() + CONNECT_SECONDS
        try:
            while True:
                try:
                    return self._http.request(method, path, **arguments)
                except httpx.ConnectError:  # nothing was sent
                    if time.monotonic() > deadline:
                        raise
                time.sleep(POLL_SECONDS)
        except httpx.HTTPError as error:
            words = f"Airflow at {self.url} does not answer {method} {path}: {error or type(error).__name__}"
            raise ApiError(f"{words}. See what runs with `make status`") from error

    def _log_in(self) -> None:
        answer = self._send("POST", "/auth/token", json={"username": self._user, "password": self._password})
        if answer.is_error:
            raise ApiError(f"Airflow refused the login of {self._user} with {answer.status_code}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
