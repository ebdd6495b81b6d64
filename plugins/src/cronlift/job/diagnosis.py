"""Why a Job does not run, or why it failed, in words, with what to do.

`diagnose` looks at Pods and at the Job's events; it decides nothing. Only `fatal` tells that waiting is useless.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# A registry may be down for a while, and a tag may be pushed late; after this the image is taken as missing.
IMAGE_GRACE_SECONDS = 300.0

_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}
_IMAGE_NEVER = {"InvalidImageName", "ErrImageNeverPull"}
_CREATE_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
# "failed to sync configmap cache: timed out": the kubelet is busy, and the object is there.
_BUSY_KUBELET = "failed to sync "
_SIGNALS = {129: "SIGHUP", 130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


@dataclass(frozen=True)
class Diagnosis:
    """One finding.

    Args:
        summary: What is the matter, one sentence without a full stop.
        advice: What to do about it.
        fatal: Whether waiting is useless.
    """

    summary: str
    advice: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.summary.rstrip('. ')}. {self.advice}"


def diagnose(
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    now: datetime,
    image_grace_seconds: float = IMAGE_GRACE_SECONDS,
) -> Diagnosis | None:
    """Say why a Job that is not finished does not get on.

    Args:
        pods: The Job's Pods as last seen.
        events: The Job's own events, oldest first; asked for only while it has no Pod.
        now: To tell a short hiccup from a lasting fault.
        image_grace_seconds: How old a Pod may grow without its image before that is fatal.

    Returns:
        The most telling finding, or None when nothing is the matter.
    """
    for pod in pods:
        found = _image(pod, now, image_grace_seconds) or _container(pod) or _unschedulable(pod)
        if found is not None:
            return found
    return None if pods else _create_failure(events)


def explain_failure(pods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how the containers of a failed Job ended, worst first: reason, exit code, termination message, advice.

    Args:
        pods: The Job's Pods as last seen.

    Returns:
        One entry a container that did not end well, and one for each evicted Pod; may be empty.
    """
    words = []
    for pod in pods:
        status = pod.get("status") or {}
        if status.get("reason"):
            words.append(
                f"Pod {pod['metadata']['name']}: {status['reason']}: {status.get('message', '')}".strip(": ")
                + _pod_advice(status["reason"])
            )
        for each in _statuses(pod):
            ended = (each.get("state") or {}).get("terminated") or (each.get("lastState") or {}).get("terminated")
            if ended and ended.get("exitCode") != 0:
                words.append(_ending(pod["metadata"]["name"], each["name"], ended))
    return words


def _ending(pod: str, container: str, ended: Mapping[str, Any]) -> str:
    code, reason = ended.get("exitCode"), ended.get("reason") or "Error"
    signal = f", {_SIGNALS[code]}" if code in _SIGNALS else ""
    message = (ended.get("message") or "").strip()
    text = f"Container {container} of Pod {pod} ended with exit code {code} ({reason}{signal})"
    if message:
        text += f", its termination message: {message}"
    return text + _exit_advice(code, reason)


def _exit_advice(code: Any, reason: str) -> str:
    if reason == "OOMKilled":
        return ". It used more memory than its limit. Raise resources.limits.memory, then clear the task"
    if reason in ("StartError", "ContainerCannotRun"):
        return (
            ". Its command could not be started. Check command and the image: the program must exist and be executable"
        )
    if code == 127:
        return ". A command was not found. Check the program's path and that the image holds it"
    if code == 126:
        return ". A command is not executable. Check its mode and its first line"
    if code == 137:
        return ". It was killed from outside, often because the node ran out of memory"
    return ""


def _pod_advice(reason: str) -> str:
    if reason == "Evicted":
        return " The node was short of something. Set resources.requests to what the Job really uses"
    return ""


def _image(pod: Mapping[str, Any], now: datetime, grace_seconds: float) -> Diagnosis | None:
    for each in _statuses(pod):
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason"), (waiting.get("message") or "").strip()
        image = each.get("image") or "?"
        if reason in _IMAGE_NEVER:
            return Diagnosis(
                f"Image {image} of container {each['name']} cannot be used ({reason}): {message}",
                "Correct the image's name in the manifest; names from values are written {{ images.NAME }}.",
                fatal=True,
            )
        if reason in _IMAGE_REASONS:
            throttled = "toomanyrequests" in message.lower() or "rate limit" in message.lower()
            old = _age_seconds(pod, now) > grace_seconds
            return Diagnosis(
                f"Image {image} of container {each['name']} cannot be pulled ({reason}): {message}",
                "The registry limits our rate; Kubernetes tries again by itself."
                if throttled
                else "Check the name and the tag, that the image was pushed, and the namespace's imagePullSecrets. "
                f"Kubernetes tries again by itself; the task gives up after {grace_seconds:.0f} s.",
                fatal=old and not throttled,
            )
    return None


def _container(pod: Mapping[str, Any]) -> Diagnosis | None:
    for each in _statuses(pod):
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason"), waiting.get("message") or ""
        if reason in _CREATE_REASONS and not message.startswith(_BUSY_KUBELET):
            return Diagnosis(
                f"Container {each['name']} cannot be created ({reason}): {message}",
                "Create the ConfigMap or Secret that it names, or correct the name; Kubernetes tries again by itself.",
            )
        if reason == "CrashLoopBackOff":
            return Diagnosis(
                f"Container {each['name']} ends again and again "
                f"({reason}, {each.get('restartCount', 0)} restarts): {message}",
                "Read its log; with restartPolicy Never the first failure would end the Job.",
            )
    return None


def _unschedulable(pod: Mapping[str, Any]) -> Diagnosis | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = condition.get("message") or ""
            return Diagnosis(
                f"Pod {pod['metadata']['name']} finds no node ({condition.get('reason')}): {message}",
                _scheduling_advice(message),
            )
    return None


def _scheduling_advice(message: str) -> str:
    if "unbound immediate PersistentVolumeClaims" in message or "persistentvolumeclaim" in message:
        return "Check the PersistentVolumeClaim: kubectl describe pvc."
    if "Insufficient" in message:
        return "It waits for free resources. Lower resources.requests, or add nodes."
    if "taint" in message:
        return "Add a toleration for the taint, or use other nodes."
    if "affinity" in message or "selector" in message:
        return "Check nodeSelector and affinity against the nodes' labels."
    return "Read the scheduler's message; it waits until a node fits."


def _create_failure(events: Sequence[Mapping[str, Any]]) -> Diagnosis | None:
    for event in reversed(events):
        if event.get("reason") == "FailedCreate":
            message = event.get("message") or ""
            return Diagnosis(f"No Pod can be created: {message}", _create_advice(message))
    return None


def _create_advice(message: str) -> str:
    if "exceeded quota" in message:
        return "The team's quota is used up: wait, lower resources.requests, or raise the quota in teams.yaml."
    if "must specify" in message:
        return "The team's quota demands resources: set resources.requests and resources.limits in the manifest."
    if "serviceaccount" in message and "not found" in message:
        return "Create the ServiceAccount, or leave serviceAccountName out: the team's default exists."
    return "Admission refused the Pod; correct the manifest as the message says."


def _statuses(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(kind) or []


def _age_seconds(pod: Mapping[str, Any], now: datetime) -> float:
    created = pod["metadata"].get("creationTimestamp")
    if not created:
        return 0.0
    return (now - datetime.fromisoformat(created).astimezone(UTC)).total_seconds()
