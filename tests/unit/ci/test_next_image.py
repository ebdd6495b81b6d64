"""The live tests' image of a newer Airflow: one layer more, and every digest right."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from ci.cluster.embedded.scratch_image import write_scratch_image
from tests.live.next_image import add_file


def test_an_archive_gets_one_layer_more_and_all_its_digests_are_right(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"x")
    write_scratch_image(tmp_path / "old.tar", program, "localhost/x:1")
    add_file(tmp_path / "old.tar", tmp_path / "new.tar", "opt/folder/file.py", b"content", "localhost/x:new")
    with tarfile.open(tmp_path / "new.tar") as archive:
        blobs = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    for name, blob in blobs.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(blob).hexdigest() == name.rpartition("/")[2]
    index = json.loads(blobs["index.json"])
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "localhost/x:new"
    manifest = json.loads(blobs[f"blobs/{index['manifests'][0]['digest'].replace(':', '/')}"])
    config = json.loads(blobs[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"]) == 2
    layer = gzip.decompress(blobs[f"blobs/{manifest['layers'][1]['digest'].replace(':', '/')}"])
    assert f"sha256:{hashlib.sha256(layer).hexdigest()}" == config["rootfs"]["diff_ids"][1]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert files.extractfile("opt/folder/file.py").read() == b"content"
