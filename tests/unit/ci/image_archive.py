"""Write small image archives: layers of files, as builders leave them."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_archive(path: Path, layers: Sequence[Mapping[str, bytes]]) -> Path:
    """Write an OCI archive; a path that ends in a slash is a folder."""
    blobs = [_tar(layer) for layer in layers]
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [f"sha256:{_hash(blob)}" for blob in blobs]},
                         "architecture": "amd64", "os": "linux", "config": {"User": "1:1"}}).encode()  # fmt: skip
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _descriptor("config.v1+json", config),
        "layers": [_descriptor("layer.v1.tar", blob) for blob in blobs],
    }).encode()  # fmt: skip
    files = {f"blobs/sha256/{_hash(blob)}": blob for blob in (*blobs, config, manifest)}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [_descriptor("manifest.v1+json", manifest)]}
                                     ).encode()  # fmt: skip
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    path.write_bytes(_tar(files))
    return path


def write_docker_archive(path: Path, layers: Sequence[Mapping[str, bytes]]) -> Path:
    """Write what `docker save` wrote before version 25."""
    files = {f"{number}/layer.tar": _tar(layer) for number, layer in enumerate(layers)}
    files["manifest.json"] = json.dumps([{"Config": "config.json", "Layers": list(files)}]).encode()
    path.write_bytes(_tar(files))
    return path


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.size = len(content)
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _hash(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    digest = f"sha256:{_hash(blob)}"
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(blob)}
