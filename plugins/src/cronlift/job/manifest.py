"""From rendered YAML to the Job that is created: parse, check, fill the defaults.

Every fault of a manifest is reported at once, each with its line and the sentence that cures it.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from cronlift.errors import ManifestError
from cronlift.job import naming
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.sources import Sources
from cronlift.job.template import Images
from cronlift.job.trial import literal_secrets, try_rendering


@dataclass(frozen=True)
class Defaults:
    """What a team's manifests need not say.

    Args:
        namespace: The team's namespace; a manifest may name no other.
        service_account: The account of Pods that name none.
        execution_timeout: Becomes activeDeadlineSeconds when the manifest has none; None for no limit.
    """

    namespace: str
    service_account: str
    execution_timeout: timedelta | None = None


@dataclass(frozen=True)
class Document:
    """One YAML document and where it begins.

    Args:
        content: The object.
        node: Its YAML node, which knows the lines; None for a dict.
    """

    content: dict[str, Any]
    node: yaml.Node | None = None


class Places:
    """Where things are, in words: `jobs/x.yaml:12: spec.template`.

    Args:
        name: The manifest's name.
        has_lines: Whether lines of the parsed text are lines of the file.
    """

    def __init__(self, name: str, *, has_lines: bool) -> None:
        self.name, self.has_lines = name, has_lines

    def of(self, document: Document, *path: str | int) -> str:
        """Return the place of a field, or of its nearest parent that exists."""
        line = _line(document.node, path) if document.node is not None else None
        field = ".".join(str(part) for part in path)
        base = f"{self.name}:{line}" if line is not None and self.has_lines else self.name
        return f"{base}: {field}" if field else base


def check_sources(sources: Sources, images: Images | None) -> None:
    """Find, while the DAG is parsed, every fault that can be told without a run.

    Args:
        sources: What `collect` found.
        images: The deployment's images, or None where they are not known.

    Raises:
        ManifestError: With all faults found.
    """
    trial = try_rendering(sources, images)
    if trial is None:
        _refuse_unreadable_secret(sources)
        return
    places = Places(sources.entry, has_lines=trial.same_lines)
    try:
        documents = parse(trial.text, places)
    except ManifestError:
        if trial.certain:
            raise
        _refuse_unreadable_secret(sources)
        return
    faults = check(documents, places)
    for document in documents:
        if document.content.get("kind") == "Secret":
            faults += [
                ManifestError(
                    f"the Secret holds {key} in clear, and a manifest travels with its DAG, readable by all",
                    where=places.of(document, *key.split(".", 1)),
                    cure="Take the value from a connection or variable, such as {{ conn.db.password }}, or refer to a "
                    "Secret that exists in the namespace.",
                )
                for key in literal_secrets(document.content)
            ]
    if faults:
        raise ManifestError.all_of(faults)


def parse(text: Any, places: Places) -> list[Document]:
    """Parse a rendered manifest.

    Args:
        text: YAML text of one or more documents, or a dict.
        places: For messages.

    Returns:
        The documents that are not empty.

    Raises:
        ManifestError: A syntax error, a key given twice, or a document that is no mapping.
    """
    if isinstance(text, dict):
        return [Document(copy.deepcopy(text))]
    documents = []
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None and (document := _construct(loader, node, places)) is not None:
                documents.append(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(
            f"YAML syntax error: {error.problem or error.context}" + _quote(text, mark, places),
            where=_mark(places, mark),
            cure="Correct the YAML; a value that holds `: ` or begins with `{` or `*` needs quotes.",
        ) from error
    except yaml.YAMLError as error:
        raise ManifestError(f"YAML error: {error}", where=places.name, cure="Correct the YAML.") from error
    finally:
        loader.dispose()
    return documents


def check(documents: list[Document], places: Places) -> list[ManifestError]:
    """Return every fault that the documents show by themselves; an empty list when there is none."""
    jobs = [each for each in documents if each.content.get("kind") == "Job"]
    others = [each for each in documents if each.content.get("kind") != "Job"]
    if not jobs:
        kinds = ", ".join(str(each.content.get("kind", "nothing")) for each in documents) or "nothing"
        return [
            ManifestError(
                f"the manifest holds no Job, but {kinds}",
                where=places.name,
                cure="Write one document with `apiVersion: batch/v1` and `kind: Job`; see kubectl explain job.",
            )
        ]
    faults = [
        ManifestError(
            "the manifest holds a second Job",
            where=places.of(each, "kind"),
            cure="Give it a manifest and a task of its own: a task follows one Job.",
        )
        for each in jobs[1:]
    ]
    faults += [
        ManifestError(
            f"documents of kind {each.content.get('kind')!r} are not supported yet",
            where=places.of(each, "kind"),
            cure="Create the object beside the Job, by the chart or by kubectl, and let the Job refer to it by name.",
        )
        for each in others
        if each.content.get("kind") != "Secret"
    ]
    return faults + _check_job(jobs[0], places)


def build_objects(
    documents: list[Document], identity: TaskIdentity, defaults: Defaults, spec_hash: str, places: Places
) -> Objects:
    """Make the objects that the API server gets.

    Args:
        documents: Parsed and rendered.
        identity: The try that it belongs to; names it.
        defaults: The team's.
        spec_hash: Written as an annotation; see `naming.ANNOTATION_SPEC_HASH`.
        places: For messages.

    Returns:
        New objects; the documents are not changed.

    Raises:
        ManifestError: A fault, among them a namespace that is not the team's.
    """
    faults = check(documents, places)
    if faults:
        raise ManifestError.all_of(faults)
    secrets = [each for each in documents if each.content.get("kind") == "Secret"]
    if secrets:
        raise ManifestError(
            "documents of kind 'Secret' are not supported yet",
            where=places.of(secrets[0], "kind"),
            cure="Create the Secret beside the Job and refer to it by name.",
        )
    source = next(each for each in documents if each.content["kind"] == "Job")
    job = copy.deepcopy(source.content)
    metadata = job["metadata"] = dict(job.get("metadata") or {})
    wanted = metadata.get("namespace", defaults.namespace)
    if wanted != defaults.namespace:
        raise ManifestError(
            f"namespace {wanted!r} is not the team's, which is {defaults.namespace!r}",
            where=places.of(source, "metadata", "namespace"),
            cure="Leave the line out: the team's namespace is the default and the only one allowed.",
        )
    metadata.pop("generateName", None)
    metadata |= {"name": naming.job_name(identity), "namespace": defaults.namespace}
    _stamp(metadata, identity, {naming.ANNOTATION_SPEC_HASH: spec_hash})
    spec = job["spec"]
    spec.setdefault("backoffLimit", 0)
    if defaults.execution_timeout is not None:
        spec.setdefault("activeDeadlineSeconds", max(1, int(defaults.execution_timeout.total_seconds())))
    template = spec["template"]
    template["metadata"] = dict(template.get("metadata") or {})
    _stamp(template["metadata"], identity, {})
    pod = template["spec"]
    pod.setdefault("restartPolicy", "Never")
    pod.setdefault("serviceAccountName", defaults.service_account)
    pod.setdefault("automountServiceAccountToken", False)
    return Objects(job)


def _stamp(metadata: dict[str, Any], identity: TaskIdentity, more: Mapping[str, str]) -> None:
    metadata["labels"] = {**(metadata.get("labels") or {}), **naming.labels(identity)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **naming.annotations(identity), **more}


def _check_job(document: Document, places: Places) -> list[ManifestError]:
    job, faults = document.content, []

    def fault(what: str, cure: str, *path: str | int) -> None:
        faults.append(ManifestError(what, where=places.of(document, *path), cure=cure))

    if job.get("apiVersion") != "batch/v1":
        fault(
            f"apiVersion is {job.get('apiVersion')!r}, but a Job's is batch/v1",
            "Write apiVersion: batch/v1.",
            "apiVersion",
        )
    if not isinstance(job.get("metadata") or {}, dict):
        fault("metadata is no mapping", "Write labels and annotations below it, or leave it out.", "metadata")
    pod = _mapping_at(job, "spec", "template", "spec")
    if pod is None:
        fault("spec.template.spec is missing", "Describe the Pod there: containers, with name and image.", "spec")
        return faults
    if pod.get("restartPolicy", "Never") not in ("Never", "OnFailure") and not _guessed(pod["restartPolicy"]):
        fault(
            f"restartPolicy is {pod['restartPolicy']!r}, but a Job allows Never and OnFailure",
            "Leave it out: Never is the default.", "spec", "template", "spec", "restartPolicy",
        )  # fmt: skip
    containers = pod.get("containers")
    if not isinstance(containers, list) or not containers:
        fault("the Pod has no containers", "List at least one, with name and image.", "spec", "template", "spec")
        return faults
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(pod.get(kind) or []):
            _check_container(container, ("spec", "template", "spec", kind, index), fault)
    return faults


def _check_container(container: Any, path: tuple[str | int, ...], fault: Any) -> None:
    if not isinstance(container, dict):
        fault(f"container {container!r} is no mapping", "Write `- name:` and `image:`.", *path)
        return
    for key in ("name", "image"):
        if not container.get(key):
            fault(f"a container has no {key}", f"Add `{key}:`.", *path)
    for key in ("command", "args"):
        words = container.get(key)
        if words is not None and not isinstance(words, list):
            fault(f"{key} is {words!r}, not a list", f'Write a list, such as {key}: ["sh", "-c", "..."].', *path, key)
        for word in words if isinstance(words, list) else []:
            if not isinstance(word, str):
                fault(
                    f"{key} holds {word!r}, which YAML reads as {type(word).__name__}", "Put it in quotes.", *path, key
                )
    variables = container.get("env")
    for index, variable in enumerate(variables if isinstance(variables, list) else []):
        value = variable.get("value", "") if isinstance(variable, dict) else ""
        if not isinstance(value, str) and value is not None:
            fault(
                f"environment variable {variable.get('name')} is {value!r}, which YAML reads as {type(value).__name__}",
                "Put the value in quotes.", *path, "env", index,
            )  # fmt: skip


def _refuse_unreadable_secret(sources: Sources) -> None:
    for name, text in sources.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if line.replace('"', "").replace("'", "").strip() == "kind: Secret":
                raise ManifestError(
                    "the manifest holds a Secret, and its template is too intricate to prove that no value is in clear",
                    where=f"{name}:{number}",
                    cure="Keep Secret documents plain: one {{ conn... }} or {{ var... }} reference a value.",
                )


def _guessed(value: Any) -> bool:
    from cronlift.job.trial import GUESS

    return GUESS in str(value)


def _mapping_at(value: Any, *path: str) -> dict[str, Any] | None:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value if isinstance(value, dict) else None


def _construct(loader: yaml.SafeLoader, node: yaml.Node, places: Places) -> Document | None:
    _refuse_duplicate_keys(node, places)
    content = loader.construct_document(node)
    if content is None:
        return None
    if not isinstance(content, dict):
        raise ManifestError(
            f"a document is {type(content).__name__}, not a Kubernetes object",
            where=_mark(places, node.start_mark),
            cure="Begin it with `apiVersion:` and `kind:`.",
        )
    return Document(content, node)


def _refuse_duplicate_keys(node: yaml.Node, places: Places) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise ManifestError(
                        f"key {key.value!r} is given twice", where=_mark(places, key.start_mark), cure="Remove one."
                    )
                seen.add(key.value)
            _refuse_duplicate_keys(value, places)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_duplicate_keys(each, places)


def _mark(places: Places, mark: yaml.Mark | None) -> str:
    return f"{places.name}:{mark.line + 1}" if mark is not None and places.has_lines else places.name


def _quote(text: str, mark: yaml.Mark | None, places: Places) -> str:
    """Quote the line at fault where its number alone would not show it."""
    lines = text.splitlines()
    if mark is None or places.has_lines or mark.line >= len(lines):
        return ""
    return f", in the rendered line {mark.line + 1}: {lines[mark.line].strip()[:120]!r}"


def _line(node: yaml.Node | None, path: tuple[str | int, ...]) -> int | None:
    line = node.start_mark.line + 1 if node is not None else None
    for part in path:
        child = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if getattr(key, "value", None) == part:
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            return line
        node = child
    return line
