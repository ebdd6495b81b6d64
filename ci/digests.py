"""Ask registries for the digest behind an image's tag, as `docker pull` does.

Source: OCI distribution specification ("Pulling manifests") and Docker's token authentication.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPMessage

from ci.errors import CiError

ANSWER_SECONDS = 20.0
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DOCKER_HUB = "registry-1.docker.io"
"""Where images named docker.io/... are served."""


class DigestError(CiError):
    """A registry did not tell an image's digest."""


def resolve(image: str) -> str:
    """Return the digest of an image's tag, that of the index of all platforms where there is one.

    Args:
        image: Registry, repository and tag: "docker.io/library/debian:trixie-slim".

    Raises:
        DigestError: The registry does not answer or knows no such tag; says why.
    """
    registry, repository, tag = parse_reference(image)
    scheme = "http" if registry.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{DOCKER_HUB if registry == 'docker.io' else registry}/v2/{repository}/manifests/{tag}"
    try:
        digest = _head(url)["Docker-Content-Digest"] or ""
    except urllib.error.HTTPError as error:
        raise DigestError(f"{image}: {registry} answered {error.code} {error.reason}") from error
    except OSError as error:
        raise DigestError(f"{image}: {registry} does not answer: {getattr(error, 'reason', error)}") from error
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise DigestError(f"{image}: {registry} gave no digest, but {digest!r}")
    return digest


def parse_reference(image: str) -> tuple[str, str, str]:
    """Split an image into registry, repository and tag; each must be given.

    Raises:
        DigestError: One of them is missing.
    """
    found = re.fullmatch(r"([^/]+[.:][^/]*|localhost)/([^:@]+):([^:@/]+)", image)
    if found is None:
        raise DigestError(f"{image}: not REGISTRY/REPOSITORY:TAG, such as docker.io/library/debian:trixie-slim")
    return found[1], found[2], found[3]


def _head(url: str) -> HTTPMessage:
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": ", ".join(MANIFEST_TYPES)})  # noqa: S310
    try:
        return _open(request)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        error.close()
        if error.code != 401 or not challenge.startswith("Bearer "):
            raise
    # Unredirected: registries redirect to storage that refuses a foreign token.
    request.add_unredirected_header("Authorization", f"Bearer {_token(challenge)}")
    return _open(request)


def _open(request: urllib.request.Request) -> HTTPMessage:
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - a registry of versions.env
        headers: HTTPMessage = answer.headers
        return headers


def _token(challenge: str) -> str:
    words = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urllib.parse.urlencode({name: words[name] for name in ("service", "scope") if name in words})
    with urllib.request.urlopen(f"{words['realm']}?{query}", timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - as above
        given = json.load(answer)
    return str(given.get("token") or given["access_token"])
