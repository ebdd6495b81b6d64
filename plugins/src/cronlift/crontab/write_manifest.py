"""The Job of an imported line, as YAML that people review.

Command, standard input and variables travel as annotations of the Pod, which a downwardAPI volume mounts as files: so
nothing expands `$(VAR)` or `$$` in them on the way, and a reviewer reads the old command as it was.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cronlift.crontab.decisions import SCRATCH
from cronlift.crontab.specification import JobSpecification
from cronlift.job.naming import ANNOTATION_PREFIX, ANNOTATION_TEMPLATED

ANNOTATION_LIMIT_BYTES = 200 * 1024
"""Kubernetes refuses more than 256 KiB of annotations; the operator's own need some room."""

JOB_FOLDER = "/etc/cronlift/job"
LINE_WIDTH = 140
"""What the repository's yamllint allows."""

_RUN_ID = f"{ANNOTATION_PREFIX}run-id"
"""The operator's own annotation: cronrun takes the planned time from it."""

_BLOCK_SAFE = re.compile(r"[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*\Z")
"""What YAML prints as it is; U+0085, U+2028 and U+2029 are line ends to it."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_PLAIN_SAFE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(:\d+)?\Z")


def manifest_text(job: JobSpecification) -> str:
    """Return the manifest of an imported line.

    Args:
        job: What it says.

    Returns:
        YAML, which is no template; a ConfigMap follows it when the texts are too large for annotations.
    """
    texts = _texts(job)
    large = sum(len(each.encode()) for each in texts.values()) > ANNOTATION_LIMIT_BYTES
    lines = [
        *(f"# {each}" for each in job.notes),
        "apiVersion: batch/v1",
        "kind: Job",
        "metadata:",
        "  annotations:",
        f'    {ANNOTATION_TEMPLATED}: "false"',
        "spec:",
        "  backoffLimit: 0  # cron tries once",
        "  template:",
        *([] if large else _annotations(texts)),
        "    spec:",
        "      restartPolicy: Never",
        "      enableServiceLinks: false",
        "      automountServiceAccountToken: false",
        "      securityContext:",
        f"        runAsNonRoot: {'true' if job.uid else 'false'}",
        f"        runAsUser: {job.uid}",
        f"        runAsGroup: {job.gid}",
        "        seccompProfile: {type: RuntimeDefault}",
        "      containers:",
        "        - name: main",
        '          image: "{{ images.legacy }}"',
        f"          args: [cronrun, {job.name}]",
        *_variables(job.secrets),
        "          resources:",
        *(f"            {each}: {_flow(job.resources[each])}" for each in ("requests", "limits")),
        "          securityContext:",
        "            allowPrivilegeEscalation: false",
        "            readOnlyRootFilesystem: true",
        "            capabilities: {drop: [ALL]}",
        "          volumeMounts:",
        f"            - {{name: job, mountPath: {JOB_FOLDER}, readOnly: true}}",
        "            - {name: tmp, mountPath: /tmp}",
        *(f"            - {{name: {name}, mountPath: {_scalar(path)}}}" for name, path, _ in _volumes(job.volumes)),
        "      volumes:",
        *_job_volume(job, texts, large),
        "        - {name: tmp, emptyDir: {}}",
        *(f"        - {{name: {name}, {_kind_of(claim)}}}" for name, _, claim in _volumes(job.volumes)),
        *(_config_map(job, texts) if large else []),
    ]
    if any(len(each) > LINE_WIDTH for each in lines):
        lines.insert(0, "# yamllint disable rule:line-length")
    return "\n".join(lines) + "\n"


def _texts(job: JobSpecification) -> dict[str, str]:
    """Return the files that cronrun reads."""
    found = {"command": job.command}
    if job.stdin is not None:
        found["stdin"] = job.stdin
    found["environment"] = json.dumps(dict(job.environment), ensure_ascii=False)
    found["options"] = json.dumps(job.options, ensure_ascii=False)
    found["line"] = job.where
    return found


def _annotations(texts: Mapping[str, str]) -> list[str]:
    lines = ["    metadata:", "      annotations:"]
    for key, text in texts.items():
        lines += _entry(f"{ANNOTATION_PREFIX}cron-{key}", text, 8)
    return lines


def _entry(key: str, text: str, indent: int) -> list[str]:
    """Return `key: text` with a text that comes out again byte by byte."""
    blank = " " * indent
    if _PLAIN_SAFE.match(text) and not re.fullmatch(r"(?i)y|n|yes|no|on|off|true|false|null|~", text):
        return [f"{blank}{key}: {text}"]
    body = text.rstrip("\n")
    if body and _BLOCK_SAFE.match(text) and not body.startswith("\n") and not re.search(r"[ \t]$", text, re.MULTILINE):
        ending = {0: "-", 1: ""}.get(len(text) - len(body), "+")
        marker = "2" if body.startswith((" ", "\t")) else ""
        return [
            f"{blank}{key}: |{marker}{ending}",
            *((f"{blank}  {each}" if each else "") for each in text.split("\n")[: _count(text)]),
        ]
    return [f"{blank}{key}: {_quoted(text)}"]


def _count(text: str) -> int:
    return text.count("\n") + (0 if text.endswith("\n") else 1)


def _quoted(text: str) -> str:
    """Return a double-quoted scalar."""
    return '"' + "".join(_escaped(each) for each in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if _BLOCK_SAFE.match(character):
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _scalar(text: str) -> str:
    return text if _PLAIN_SAFE.match(text) else _quoted(text)


def _flow(values: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_amount(value)}" for key, value in values.items()) + "}"


def _amount(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if re.fullmatch(r"[\d.]+", text) else text


def _variables(secrets: Mapping[str, tuple[str, str]]) -> list[str]:
    if not secrets:
        return []
    lines = ["          env:"]
    for variable, (name, key) in secrets.items():
        lines += [
            f"            - name: {variable}",
            f"              valueFrom: {{secretKeyRef: {{name: {_scalar(name)}, key: {_scalar(key)}}}}}",
        ]
    return lines


def _volumes(volumes: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, path and claim of each volume."""
    for number, (path, claim) in enumerate(sorted(volumes.items()), start=1):
        yield f"volume-{number}", path, claim


def _kind_of(claim: str) -> str:
    return "emptyDir: {}" if claim == SCRATCH else f"persistentVolumeClaim: {{claimName: {claim}}}"


def _job_volume(job: JobSpecification, texts: Mapping[str, str], large: bool) -> list[str]:
    if large:
        return [
            "        - name: job",
            "          projected:",
            "            sources:",
            f"              - configMap: {{name: {config_map_name(job)}}}",
            "              - downwardAPI:",
            "                  items:",
            *_item("run-id", _RUN_ID, 20),
        ]
    lines = ["        - name: job", "          downwardAPI:", "            items:"]
    for key in texts:
        lines += _item(key, f"{ANNOTATION_PREFIX}cron-{key}", 14)
    return lines + _item("run-id", _RUN_ID, 14)


def _item(path: str, annotation: str, indent: int) -> list[str]:
    return [f"{' ' * indent}- {{path: {path}, fieldRef: {{fieldPath: \"metadata.annotations['{annotation}']\"}}}}"]


def config_map_name(job: JobSpecification) -> str:
    """Return the name of the ConfigMap of a job whose texts are too large for annotations."""
    return f"cron-{job.name.replace('_', '-')}"[:63].rstrip("-")


def _config_map(job: JobSpecification, texts: Mapping[str, str]) -> list[str]:
    lines = [
        "---",
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        f"  name: {config_map_name(job)}",
        "  annotations:",
        f'    {ANNOTATION_PREFIX}keep: "true"',
        "data:",
    ]
    for key, text in texts.items():
        lines += _entry(key, text, 2)
    return lines
