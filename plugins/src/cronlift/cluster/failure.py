"""Say in a task's log why its Job failed: how its containers ended, their last lines, their Pods' events."""

from collections.abc import Sequence

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.container_log import container_statuses
from cronlift.cluster.options import TaskLog
from cronlift.job.diagnosis import explain_failure
from cronlift.job.loglines import moment_of, parse_line

# The newest failed Pods tell the most, and a Job may have thousands.
MOST_PODS, MOST_FINDINGS, MOST_EVENTS = 3, 10, 8
# What every Pod goes through says nothing of a failure.
_ROUTINE = {"Scheduled", "Pulling", "Pulled", "Created", "Started"}
LAST_LINES = 20
LAST_LINES_BYTES = 64 * 1024


async def report_failure(
    client: KubernetesClient, log: TaskLog, pods: Sequence[Json], *, with_lines: bool
) -> list[str]:
    """Write what is known of a failed Job's Pods; what cannot be read is left out.

    Args:
        client: Reads logs and events.
        log: The task's log.
        pods: The Job's Pods as last seen, oldest first.
        with_lines: Whether to fetch the containers' last lines, because the log does not show them.

    Returns:
        How the containers ended, in words; may be empty.
    """
    findings = explain_failure(pods)
    for finding in findings[:MOST_FINDINGS]:
        log.error(finding)
    if len(findings) > MOST_FINDINGS:
        log.error(f"... and {len(findings) - MOST_FINDINGS} more like these")
    failed = [pod for pod in pods if failed_containers(pod) or (pod.get("status") or {}).get("phase") == "Failed"]
    if with_lines:
        for pod in failed[-MOST_PODS:]:
            for container in failed_containers(pod):
                await _write_last_lines(client, log, pod, container)
    for pod in failed[-MOST_PODS:]:
        await _write_events(client, log, pod)
    return findings


def failed_containers(pod: Json) -> list[str]:
    """Return the names of a Pod's containers that failed, now or before their last restart."""
    return [
        name
        for name, status in container_statuses(pod)
        if any(
            ((status.get(key) or {}).get("terminated") or {}).get("exitCode", 0) != 0 for key in ("state", "lastState")
        )
    ]


async def _write_last_lines(client: KubernetesClient, log: TaskLog, pod: Json, container: str) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    try:
        content = await client.read_log(namespace, name, container, lines=LAST_LINES, limit_bytes=LAST_LINES_BYTES)
    except errors.NotFoundError:
        return
    except errors.ClusterError as error:
        log.info(f"The last lines of container {container} of Pod {name} cannot be read: {error}")
        return
    lines = [line for raw in content.splitlines() if (line := parse_line(raw)) is not None]
    if lines:
        log.info(f"The last lines of container {container} of Pod {name}:")
    for line in lines:
        log.output(moment_of(line.stamp), line.text)


async def _write_events(client: KubernetesClient, log: TaskLog, pod: Json) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    try:
        events = await client.list_events(namespace, "Pod", name)
    except errors.ClusterError:
        return  # a right that is missing, say; the events only add to what is known
    telling = [event for event in events if event.get("reason") not in _ROUTINE]
    for event in telling[-MOST_EVENTS:]:
        count = f" ({event['count']} times)" if (event.get("count") or 1) > 1 else ""
        log.info(f"Event of Pod {name}: {event.get('reason')}{count}: {event.get('message')}")
