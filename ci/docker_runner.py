"""Run a built image with the Docker engine as a pod would: a read-only root, no capability, no network."""

import json
import subprocess
from collections.abc import Sequence

from ci.image_runner import Finished
from ci.images import Image
from ci.process import run

SECONDS = 120.0


class DockerRunner:
    """An image that the engine has, loaded from its archive when it has not.

    Args:
        image: Built or pulled.
    """

    def __init__(self, image: Image) -> None:
        loaded = run("docker", "load", "--quiet", "--input", image.archive)
        # "Loaded image: NAME:TAG", or "Loaded image ID: sha256:..." for an archive without a name.
        self._reference = loaded.strip().splitlines()[-1].partition(": ")[2]
        self.config = json.loads(run("docker", "image", "inspect", self._reference))[0]["Config"]

    def run(self, *command: str, writable: Sequence[str]) -> Finished:
        """Run a command to its end, without the entrypoint; stdout and stderr together."""
        program, *arguments = command
        options = [word for path in writable for word in ("--tmpfs", f"{path}:mode=0777")]
        done = subprocess.run(
            ["docker", "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL",
             "--security-opt=no-new-privileges", *options, f"--entrypoint={program}", self._reference, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout)
