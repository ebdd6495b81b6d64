"""Which images: a version that says what runs tomorrow, from where the team may take them."""

import re

from cronlift.policy.pods import PodView, is_open
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import PRIVILEGED, TeamRules

# Both engines read these; RE2, which Kubernetes has, knows no look-around.
_VERSIONED = "^([^@]*/)?[^/:@]+(:[^/:@]+|:[^/:@]+@sha256:[0-9a-f]{64}|@sha256:[0-9a-f]{64})$"
_LATEST = ":latest(@.*)?$"


def _version(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        image = container.get("image")
        if not isinstance(image, str) or is_open(image):
            continue
        if re.search(_LATEST, image):
            yield (*path, "image"), f"image {image!r} is whatever is the latest when the Job starts"
        elif not re.search(_VERSIONED, image):
            yield (*path, "image"), f"image {image!r} has neither a tag nor a digest of 64 hex digits"


def _origin(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        image = container.get("image")
        if not team.images or not isinstance(image, str) or is_open(image):
            continue
        if not any(_is_from(image, each) for each in team.images):
            known = ", ".join(team.images)
            yield (*path, "image"), f"image {image!r} is not from where the team's images may come from: {known}"


def _is_from(image: str, allowed: str) -> bool:
    if allowed.endswith("/"):
        return image.startswith(allowed)
    return image.startswith((f"{allowed}:", f"{allowed}@"))


RULES = (
    Rule(
        id="image-version",
        what="Every image has a tag or a digest, and never the tag `latest`.",
        cure='Name a version, such as registry.example/report:1.4.2, or use "{{ images.NAME }}".',
        breaches=_version,
        cel=f"variables.containers.all(c, c.image.matches('{_VERSIONED}') && !c.image.matches('{_LATEST}'))",
        level=PRIVILEGED,
        bad="containers: [{image: registry.example/report:latest}]",
    ),
    Rule(
        id="image-origin",
        what="Every image comes from where the team's images may come from, where teams.yaml says so.",
        cure="Use one of these, or add its repository to the team's `images` in teams.yaml.",
        breaches=_origin,
        cel=(
            "variables.images.size() == 0 || variables.containers.all(c, variables.images.exists(i, i.endsWith('/') ? "
            "c.image.startsWith(i) : (c.image.startsWith(i + ':') || c.image.startsWith(i + '@'))))"
        ),
        level=PRIVILEGED,
        bad="containers: [{image: docker.io/somebody/report:1}]",
    ),
)
