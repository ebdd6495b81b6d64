"""The cluster and the release beside which a preview is installed."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ci import environment, release
from ci.errors import UserError
from ci.kubectl import DIRECT
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.tools import tool


@dataclass(frozen=True)
class Target:
    """The cluster and the release beside which a preview is installed.

    Attributes:
        name: Of the environment; `local` is the platform of `make up`.
        context: Of the kubeconfig; empty for the local cluster, which has a kubeconfig of its own.
        values: Of that release.
    """

    name: str
    context: str
    values: Mapping[str, Any]

    @property
    def is_local(self) -> bool:
        """Whether it is the platform of `make up`."""
        return self.name == environment.LOCAL

    def kubectl_words(self) -> list[str]:
        """Return kubectl and how it finds the cluster."""
        place = f"--kubeconfig={KUBECONFIG}" if self.is_local else f"--context={self.context}"
        return [str(tool("kubectl")), place]

    def preview_down(self, ref: str) -> str:
        """Return the command that removes a branch's preview here."""
        words = ["make", "preview-down", f"REF={ref}"]
        if not self.is_local:
            words += [f"ENV={self.name}", *([f"CONTEXT={self.context}"] if self.context != self.name else [])]
        return shlex.join(words)

    def kubectl(self, *words: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Run kubectl against it and return what it printed."""
        env = DIRECT if self.is_local else {}
        return run(*self.kubectl_words(), *words, stdin=stdin, env=env, timeout_seconds=timeout_seconds)

    def helm(self, *words: str | Path, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Run helm against it and return what it printed."""
        place = f"--kubeconfig={KUBECONFIG}" if self.is_local else f"--kube-context={self.context}"
        env = DIRECT if self.is_local else {}
        return run(tool("helm"), *words, place, stdin=stdin, env=env, timeout_seconds=timeout_seconds)


def find_target(name: str, context: str) -> Target:
    """Return where previews of an environment are installed.

    Raises:
        UserError: There is no such environment, or the local platform is not up.
    """
    if name != environment.LOCAL:
        environment.words(name)
        path = ROOT / environment.ENVIRONMENTS / f"{name}.yaml"
        return Target(name, context or name, yaml.safe_load(path.read_text()))
    if not KUBECONFIG.is_file():
        raise UserError("The local platform is not up", cure="Say make up, or name another environment: ENV=staging.")
    target = Target(name, "", {})
    words = ("get", "values", release.NAME, "--output=json", f"--namespace={release.NAMESPACE}")
    return Target(name, "", json.loads(target.helm(*words)))
