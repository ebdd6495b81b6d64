"""Find what is installed in an image by the records that package managers leave: pure, from the files' contents.

Debian's packages (dpkg), Python's distributions, Ruby's gems, and Java's archives. Compiled programs and old scripts
that were copied in by hand leave no record and are not found.
"""

import email.parser
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

DPKG = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
PYTHON = re.compile(r".*\.dist-info/METADATA|.*\.egg-info/PKG-INFO")
GEM = re.compile(r".*/specifications/(?:default/)?(?P<name>[^/]+?)-(?P<version>\d[^/-]*)(?:-[^/]+)?\.gemspec")
JAR = re.compile(r".*\.(jar|war)")
POM = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")


@dataclass(frozen=True, order=True)
class Package:
    """Something installed.

    Attributes:
        kind: `deb`, `pypi`, `gem` or `maven`, as package URLs call it.
        name: Its name; of a Debian binary package, not of its source.
        version: Its version.
        group: Maven's group; empty elsewhere.
        licence: As the package itself says; empty when it does not.
        qualifiers: Of the package URL: architecture, distribution, source.
    """

    kind: str
    name: str
    version: str
    group: str = ""
    licence: str = ""
    qualifiers: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)


def is_record(path: str) -> bool:
    """Tell whether a file may say what is installed."""
    return (
        path == "etc/os-release"
        or path == "usr/lib/os-release"
        or any(pattern.fullmatch(path) for pattern in (DPKG, PYTHON, GEM, JAR))
    )


def packages_in(files: Mapping[str, bytes]) -> list[Package]:
    """Return what an image has, sorted, each once.

    Args:
        files: Path without a leading slash -> content, of what `is_record` wants.
    """
    release = os_release(files)
    found = chain.from_iterable(_read(path, content, release) for path, content in files.items())
    return sorted(set(found))


def os_release(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the operating system's own description; empty when there is none."""
    text = (files.get("etc/os-release") or files.get("usr/lib/os-release") or b"").decode(errors="replace")
    return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in text.splitlines()) if value}


def _read(path: str, content: bytes, release: Mapping[str, str]) -> Iterable[Package]:
    if DPKG.fullmatch(path):
        return _debian(content.decode(errors="replace"), release)
    if PYTHON.fullmatch(path):
        return _python(content.decode(errors="replace"))
    if gem := GEM.fullmatch(path):
        return [Package("gem", gem["name"], gem["version"])]
    return _java(content) if JAR.fullmatch(path) else []


def _debian(text: str, release: Mapping[str, str]) -> Iterator[Package]:
    """Source: deb822(5) and dpkg's status file; only what is installed counts, not what left its configuration."""
    distribution = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '')}".rstrip("-")
    for paragraph in text.split("\n\n"):
        fields = email.parser.HeaderParser().parsestr(paragraph)
        if fields.get("Package") and fields.get("Status", "install ok installed").endswith(" installed"):
            source = str(fields.get("Source") or "").partition(" ")[0]
            more = {"arch": str(fields.get("Architecture") or ""), "distro": distribution, "upstream": source}
            given = {key: value for key, value in more.items() if value}
            yield Package("deb", str(fields["Package"]), str(fields["Version"]), qualifiers=given)


def _python(text: str) -> Iterator[Package]:
    """Source: core metadata, PEP 566 and 639."""
    fields = email.parser.HeaderParser().parsestr(text)
    if fields.get("Name") and fields.get("Version"):
        name = re.sub(r"[-_.]+", "-", str(fields["Name"])).lower()
        yield Package("pypi", name, str(fields["Version"]), licence=str(fields.get("License-Expression") or ""))


def _java(content: bytes) -> Iterator[Package]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if POM.fullmatch(name):
                    lines = archive.read(name).decode(errors="replace").splitlines()
                    told = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
                    if told.get("artifactId") and told.get("version"):
                        yield Package("maven", told["artifactId"], told["version"], group=told.get("groupId", ""))
    except zipfile.BadZipFile:
        return
