"""The image of a newer Airflow, as the chart sees it: the platform's own with one migration more.

A layer with one file on top of the platform's archive, so that an upgrade really migrates the database and a rollback
really meets a revision that the older image does not know. Nothing is built and nothing is fetched.
"""

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ci.cluster import choose
from ci.cluster.embedded.images import reference
from ci.images import Image, build
from ci.kubectl import kubectl
from ci.release import NAMESPACE

REVISION = "e2e000000001"
TABLE = "e2e_next"
MIGRATION = '''\
"""A live test's; the test takes it back."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"
branch_labels = None
depends_on = None
airflow_version = "99.0.0"


def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade():
    op.drop_table("{table}")
'''
WHERE = "import importlib.util as u; print(u.find_spec('airflow').submodule_search_locations[0])"
OCI, DOCKER = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"


def load_next_image(head: str) -> str:
    """Make the image and give it to the node; return its reference.

    Args:
        head: The revision that the platform's image brings a database to.
    """
    [platform] = build(["airflow"])
    airflow = kubectl("exec", "deployment/cronlift-scheduler", f"--namespace={NAMESPACE}", "--container=scheduler",
                      "--", "python", "-c", WHERE).strip()  # fmt: skip
    path = f"{airflow}/migrations/versions/9999_e2e.py".lstrip("/")
    content = MIGRATION.format(revision=REVISION, head=head, table=TABLE).encode()
    with tempfile.TemporaryDirectory(prefix="cronlift-next-") as folder:
        tag = hashlib.sha256(platform.tag.encode() + content).hexdigest()[:12]
        image = Image("airflow-next", tag, Path(folder, "airflow-next.tar"))
        add_file(platform.archive, image.archive, path, content, reference(image))
        return choose().load([image])[image.name]


def add_file(source: Path, target: Path, path: str, content: bytes, name: str) -> None:
    """Copy an OCI archive with one layer more, which holds one file.

    Args:
        source: The archive.
        target: The new one.
        path: Of the file in the image, without a leading slash.
        content: Of the file.
        name: The new image's reference.
    """
    layer = _layer(path, content)
    packed = gzip.compress(layer, mtime=0)
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        blobs = {member.name.removeprefix("./"): member for member in old.getmembers()}

        def read(name: str) -> dict[str, Any]:
            file = old.extractfile(blobs[name])
            return dict(json.load(file)) if file else {}

        index = read("index.json")
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": name}
        manifest = read(_path(index["manifests"][0]["digest"]))
        config = read(_path(manifest["config"]["digest"]))
        replaced = {"index.json", _path(index["manifests"][0]["digest"]), _path(manifest["config"]["digest"])}
        for name, member in blobs.items():
            if name not in replaced:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        config["rootfs"]["diff_ids"].append(_digest(layer))
        config.setdefault("history", []).append({"created_by": "a live test"})
        kind = DOCKER if "docker" in str(manifest.get("mediaType", "")) else OCI
        manifest["layers"].append({"mediaType": kind, "digest": _digest(packed), "size": len(packed)})
        for entry, thing in ((manifest["config"], config), (index["manifests"][0], manifest)):
            blob = json.dumps(thing).encode()
            entry["digest"], entry["size"] = _digest(blob), len(blob)
            _add(new, _path(entry["digest"]), blob)
        _add(new, _path(_digest(packed)), packed)
        _add(new, "index.json", json.dumps(index).encode())


def _layer(path: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, path, content)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
