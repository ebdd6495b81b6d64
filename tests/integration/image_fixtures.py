"""Each image unpacked once a session, from the archive that the cluster loads."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci.image_runner import WHY_NOT_HERE, Unpacked, remove, unpack
from ci.images import build

Open = Callable[[str], Unpacked]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Build (or find) and unpack an image by name."""
    missing = [program for program in ("buildah", "runc") if not shutil.which(program)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"{WHY_NOT_HERE}; missing: {', '.join(missing) or 'root'}")
    work: Path = tmp_path_factory.mktemp("images")
    opened: dict[str, Unpacked] = {}

    def open_image(name: str) -> Unpacked:
        if name not in opened:
            opened[name] = unpack(build([name])[0], work)
        return opened[name]

    yield open_image
    for each in opened.values():
        each.stop_all()
    if opened:
        remove(work)
