"""Install and upgrade the chart on the local cluster, as chart-testing does: `python -m ci.chart_install [--base REF]`.

`ct install --upgrade`: for each charts/cronlift/ci/*-values.yaml, the chart of an earlier commit, this one over it, and
this one from empty, each with `helm test`. It needs the platform of `make up`: its images, its git server, its node.
It looks at commits, so commit first.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci.errors import CommandError, UserError
from ci.kubectl import DIRECT, kubectl
from ci.paths import KUBECONFIG, LOGS, ROOT
from ci.process import run
from ci.release import NAME, NAMESPACE
from ci.stages import Stage, exit_with_words
from ci.tools import tool

OWN_NAMESPACE, TEAM_NAMESPACE = "cronlift-ct", "team-ct"
TARGET = "chart-install-base"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
SKIPPED = re.compile(r"^Upgrade testing for release .* skipped.*$", re.MULTILINE)
"""ct passes over a predecessor that does not install; then nothing was shown."""


def settings(platform: Mapping[str, Any]) -> str:
    """Return ct's extra words for helm: what the ci values cannot know, in one text.

    Args:
        platform: The values that `make up` gave its release.
    """
    words = []
    for image in ("airflow", "postgres", "gitSync"):
        for key in ("repository", "tag"):
            words.append(f"--set-string=images.{image}.{key}={platform['images'][image][key]}")
    words += [f"--set-string=jobImages.{name}={image}" for name, image in platform["jobImages"].items()]
    words.append(f"--set-string=git.url={platform['git']['url']}")
    ports = ",".join(str(port) for port in platform["networkPolicy"]["kubernetesApiPorts"])
    words.append(f"--set=networkPolicy.kubernetesApiPorts={{{ports}}}")
    # Kept by helm at the end of each release, so it is ours, and there is one for all.
    words += [f"--set-string=teams.demo.namespace={TEAM_NAMESPACE}", "--set=teams.demo.createNamespace=false"]
    return " ".join(words)


def predecessor() -> str:
    """Return the last commit with another chart than the newest.

    Raises:
        UserError: There is none.
    """
    commits = run("git", "log", "-2", "--format=%H", "--", "charts/cronlift", cwd=ROOT).split()
    if len(commits) < 2:
        raise UserError("The chart has no earlier commit", cure="Name one: --base REF")
    return commits[1]


def install(base: str) -> None:
    """Run ct; what it prints goes into a log.

    Args:
        base: The commit whose chart is upgraded.

    Raises:
        CommandError: It failed, or passed over the earlier chart.
    """
    words = ("get", "values", NAME, "--output=json", f"--namespace={NAMESPACE}", f"--kubeconfig={KUBECONFIG}")
    platform = json.loads(run(tool("helm"), *words, env=DIRECT))
    path = [str(tool(name).parent) for name in ("helm", "kubectl")]
    environment = {**os.environ, **DIRECT, "PATH": os.pathsep.join([*path, os.environ["PATH"]])}
    with tempfile.TemporaryDirectory(prefix="cronlift-ct-") as folder:
        clone = Path(folder, "clone")
        run("git", "clone", "--quiet", "--shared", ROOT, clone)
        run("git", "update-ref", f"refs/remotes/origin/{TARGET}", base, cwd=clone)
        command = [
            str(tool("ct")), "install", "--upgrade", "--charts=charts/cronlift", f"--target-branch={TARGET}",
            f"--namespace={OWN_NAMESPACE}", "--release-label=app.kubernetes.io/instance",
            "--helm-extra-args=--timeout=900s", f"--helm-extra-set-args={settings(platform)}",
        ]  # fmt: skip
        environment["KUBECONFIG"] = str(KUBECONFIG)
        log = LOGS / "chart-install.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as sink:
            done = subprocess.run(
                command, cwd=clone, env=environment, stdout=sink, stderr=subprocess.STDOUT, check=False
            )
    text = log.read_text()
    if done.returncode or SKIPPED.search(text):
        raise CommandError(command, done.returncode or 1, text, log)


def main() -> None:
    """Make the namespaces, run ct, remove them."""
    parser = argparse.ArgumentParser(prog="python -m ci.chart_install", description=__doc__)
    parser.add_argument("--base", default="", help="commit whose chart is upgraded (the last with another chart)")
    base = parser.parse_args().base or predecessor()
    _remove()
    try:
        for namespace in (OWN_NAMESPACE, TEAM_NAMESPACE):
            kubectl("create", "namespace", namespace)
            kubectl("label", "namespace", namespace, RESTRICTED)
        with Stage("Install and upgrade the chart with ct", expected_seconds=700) as stage:
            install(base)
            stage.note = f"from {base[:7]}"
    finally:
        _remove()
    print(f"Every values file of charts/cronlift/ci installs, and upgrades from {base[:12]}.")


def _remove() -> None:
    kubectl("delete", "namespace", OWN_NAMESPACE, TEAM_NAMESPACE, "--ignore-not-found", timeout_seconds=300)


if __name__ == "__main__":
    with exit_with_words():
        main()
