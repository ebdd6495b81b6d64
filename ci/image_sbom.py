"""Write down what an image consists of: CycloneDX 1.6 as JSON, by CycloneDX's own library.

Made from the archive, so it tells of the very bytes that are pushed, needs no engine and no network, and is the same
for the same image. syft would find more kinds of packages, but is some hundred Go modules to build for what these
images hold: Debian's packages, Python, gems and jars.
"""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from ci.errors import UserError
from ci.image_files import read_files
from ci.image_packages import Package, is_record, os_release, packages_in
from ci.images import Image

FOLDER_NAME = "sbom"
SCHEMA = SchemaVersion.V1_6
NAMESPACE = uuid.UUID("6f1f0f9e-6a8e-4c0e-9f52-0d2d4d2f8a11")
"""Of the serial numbers, which follow from an image's name and tag."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The document's time: two builds of one image differ in nothing."""


def write_sbom(image: Image, folder: Path) -> Path:
    """Write an image's bill of materials and return its path, `<folder>/<name>.cdx.json`.

    Raises:
        UserError: The image has no package that any reader knows, which no image of ours can be.
    """
    files = read_files(image.archive, is_record)
    packages = packages_in(files)
    if not packages:
        raise UserError(
            f"No package was found in image {image.name}:{image.tag}",
            cure="Its base must keep its package manager's records, as Debian does in /var/lib/dpkg/status.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{image.name}.cdx.json"
    path.write_text(sbom_text(image, packages, os_release(files).get("PRETTY_NAME", "")))
    return path


def sbom_text(image: Image, packages: list[Package], system: str) -> str:
    """Return the document, indented, with a newline at its end."""
    subject = Component(
        name=image.name,
        version=image.tag,
        type=ComponentType.CONTAINER,
        bom_ref=f"{image.name}:{image.tag}",
        properties=[Property(name="cronlift:operating-system", value=system)] if system else [],
    )
    bom = Bom(
        components=[_component(package) for package in packages],
        metadata=BomMetaData(component=subject, timestamp=EPOCH),
        serial_number=uuid.uuid5(NAMESPACE, f"{image.name}:{image.tag}"),
    )
    bom.register_dependency(subject, bom.components)
    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string()
    return json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"


def _component(package: Package) -> Component:
    namespace = package.group or ("debian" if package.kind == "deb" else None)
    address = PackageURL(package.kind, namespace, package.name, package.version, dict(package.qualifiers))
    return Component(
        name=package.name,
        version=package.version,
        group=package.group or None,
        type=ComponentType.LIBRARY,
        bom_ref=address.to_string(),
        purl=address,
        licenses=[LicenseExpression(package.licence)] if package.licence else [],
    )
