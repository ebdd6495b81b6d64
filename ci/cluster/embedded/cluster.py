"""The embedded cluster: the real Kubernetes programs as processes of this host."""

import json
import os
import shutil
import ssl
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ci import paths
from ci.cluster.embedded import addons, host, images, layout, leftovers, packages, preflight
from ci.cluster.embedded.certificates import make_certificates, write_kubeconfig
from ci.cluster.embedded.config_files import config_files
from ci.cluster.embedded.firewall import chains, ipsets
from ci.cluster.embedded.layout import Ranges
from ci.cluster.embedded.owner import PIDS, Owner, boot_id, folders_before, is_alive, read_owner, write_owner
from ci.cluster.embedded.parts import build_parts
from ci.daemons import Daemon
from ci.errors import CommandError
from ci.images import Image
from ci.process import run
from ci.stages import Stage, wait_until
from ci.tools import tool

TOOLS = ("kube", "coredns", "kube-router", "pause")
READY_SECONDS = 120.0
KUBECTL = paths.STATE / "bin/kubectl"
"""For people: kubectl on this cluster, whatever KUBECONFIG says."""

KUBECONFIG_PARTS = ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kube-router", "provisioner")


class EmbeddedCluster:
    """One node on this host; one such cluster at a time, whichever clone it belongs to."""

    name = "embedded"

    def __init__(self) -> None:
        self._state = layout.STATE
        self._copy = self._state / "owner.json"
        self._log = layout.LOGS / "cluster.log"

    def up(self) -> None:
        """Bring it up, or back: start what does not run, leave alone what does."""
        preflight.require_root()
        packages.install_missing()
        preflight.check(self._state)
        for name in TOOLS:
            tool(name)
        self._claim_host()
        with Stage("Start the local cluster", expected_seconds=15) as stage:
            ranges = self._ranges()
            sandbox = images.tool_image("pause")
            host.make_network(ranges)
            host.make_cgroups()
            # Volumes are open to every user of a pod, so other users of this host are kept out one folder above.
            (self._state / "volumes").mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mount_kubelet_root()
            changed = self._write_files(ranges, images.reference(sandbox))
            started = self._start_parts(ranges, changed, stage)
            wait_until(stage, self._why_not_ready, timeout_seconds=READY_SECONDS, pause_seconds=0.3)
            stage.note = f"started {', '.join(started)}" if started else "already there"

    def down(self) -> None:
        """Remove it from the host: processes, pods, mounts, network, rules, settings and state."""
        preflight.require_root()
        owner = read_owner(self._copy)
        if owner and owner.state != str(self._state) and is_alive():
            return
        if owner is None and not self._state.exists() and not layout.RUN.exists():
            return
        with Stage("Remove the local cluster") as stage:
            leftovers.remove(owner or self._unrecorded(), stage)
            self._remove_state()

    def parts(self) -> dict[str, str]:
        """Return the state of each process."""
        found = {}
        for name in PART_NAMES:
            pid = self._daemon(name).pid()
            found[name] = f"running, pid {pid}" if pid else "stopped"
        return found

    def load(self, wanted: Sequence[Image]) -> dict[str, str]:
        """Import the images that the node lacks; return name -> reference."""
        return images.load(wanted, self._log)

    def host_address(self) -> str:
        """Return the bridge's address."""
        return self._ranges().gateway

    def _ranges(self) -> Ranges:
        """Return the address ranges, chosen at the first start and kept, as etcd's data holds them."""
        path = self._state / "ranges.json"
        if path.exists():
            return Ranges(**json.loads(path.read_text()))
        ranges = layout.choose_ranges(host.used_networks())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"pods": ranges.pods, "services": ranges.services}))
        return ranges

    def _claim_host(self) -> None:
        """Remove a dead cluster's leftovers and write down what the host is like before ours."""
        owner = read_owner(self._copy)
        if owner and owner.state != str(self._state):
            with Stage(f"Remove what is left of the dead cluster of {owner.folder}") as stage:
                leftovers.remove(owner, stage)
            owner = None
        if owner is None:
            owner = self._unrecorded()
            owner.sysctls, owner.chains, owner.ipsets = host.read_settings(), sorted(chains()), sorted(ipsets())
            folders = folders_before(self._copy)
            if folders is None:
                folders = [str(path) for path in leftovers.OUTSIDE_FOLDERS if path.exists()]
            owner.folders = folders
        write_owner(owner, self._copy)

    def _unrecorded(self) -> Owner:
        ranges = self._ranges()
        return Owner(str(paths.ROOT), str(self._state), boot_id(), pods=ranges.pods, services=ranges.services)

    def _mount_kubelet_root(self) -> None:
        source = self._state / "kubelet"
        source.mkdir(parents=True, exist_ok=True)
        layout.KUBELET_ROOT.mkdir(parents=True, exist_ok=True)
        # Path.is_mount does not see a bind mount within one file system.
        if str(layout.KUBELET_ROOT) not in leftovers.mount_points():
            run("mount", "--bind", source, layout.KUBELET_ROOT)
            # A group of its own: pods' mounts must not show a second time under the state folder.
            run("mount", "--make-private", layout.KUBELET_ROOT)
            run("mount", "--make-shared", layout.KUBELET_ROOT)

    def _write_files(self, ranges: Ranges, sandbox_image: str) -> set[Path]:
        """Write keys, kubeconfigs and configuration; return the configuration files that changed."""
        pki = self._state / "pki"
        make_certificates(pki, ranges)
        for name in KUBECONFIG_PARTS:
            path = self._state / "kubeconfigs" / name
            if not path.exists():
                write_kubeconfig(path, pki, name, ranges.api_server)
        write_kubeconfig(paths.KUBECONFIG, pki, "admin", ranges.api_server, embed=True)
        KUBECTL.parent.mkdir(exist_ok=True)
        KUBECTL.write_text(f'#!/bin/sh\nexec "{tool("kubectl")}" --kubeconfig="{paths.KUBECONFIG}" "$@"\n')
        KUBECTL.chmod(0o755)
        changed = set()
        for path, text in config_files(self._state, ranges, sandbox_image, host.resolvers()).items():
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                changed.add(path)
        return changed

    def _start_parts(self, ranges: Ranges, changed: set[Path], stage: Stage) -> list[str]:
        started = []
        for part in build_parts(self._state, ranges, tool):
            daemon, former = self._daemon(part.name), self._daemon(part.name).pid()
            if changed.intersection(part.files):
                daemon.stop()
            if part.name == "kube-router" and not former:
                # It ends at once when its node is not there yet.
                wait_until(stage, self._why_not_registered, timeout_seconds=READY_SECONDS, pause_seconds=0.2)
            stage.say(f"starting {part.name}")
            if (pid := daemon.start(part.command, env=_environment())) != former:
                started.append(part.name)
            host.join_daemons(pid)
            if part.name == "containerd":
                wait_until(stage, self._why_containerd_is_not_ready, timeout_seconds=READY_SECONDS, pause_seconds=0.1)
                images.load([images.tool_image("pause"), images.tool_image("coredns")], self._log)
            if part.name == "kube-apiserver":
                wait_until(stage, self._why_api_is_not_ready, timeout_seconds=READY_SECONDS, pause_seconds=0.2)
                self._apply_addons(ranges)
        return started

    def _apply_addons(self, ranges: Ranges) -> None:
        """Create or change cluster DNS and the StorageClass, unless just that was done before."""
        dns = images.reference(images.tool_image("coredns"))
        text = addons.manifest(ranges, dns, host.resolvers())
        applied = self._state / "addons.json"
        if not applied.exists() or applied.read_text() != text:
            self._kubectl("apply", "--filename=-", stdin=text)
            applied.write_text(text)

    def _why_containerd_is_not_ready(self) -> str | None:
        try:
            images.ctr("version")
        except CommandError:
            return "containerd" + self._last_words("containerd")
        return None

    def _why_api_is_not_ready(self) -> str | None:
        pki = self._state / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(f"{self._ranges().api_server}/readyz", timeout=5):
                return None
        except OSError:
            return "the API server" + self._last_words("etcd", "kube-apiserver")

    def _why_not_registered(self) -> str | None:
        try:
            # kube-router reads the pods' range there; a single node needs no allocation.
            patch = json.dumps({"spec": {"podCIDR": self._ranges().pods}})
            self._kubectl("patch", "node", layout.NODE, f"--patch={patch}")
        except CommandError:
            return "the node to register" + self._last_words("kubelet")
        return None

    def _why_not_ready(self) -> str | None:
        if reason := self._why_api_is_not_ready():
            return reason
        try:
            node = json.loads(self._kubectl("get", "node", layout.NODE, "--output=json"))
            conditions = {entry["type"]: entry for entry in node["status"].get("conditions", [])}
            ready = conditions.get("Ready", {})
            if ready.get("status") != "True":
                return f"the node: {ready.get('message', 'no condition yet')}" + self._last_words("kubelet")
            dns = json.loads(self._kubectl("get", "deployment", "coredns", "--namespace=kube-system", "--output=json"))
        except CommandError as error:
            return f"the API server: {error.output.strip()}"
        if not dns["status"].get("readyReplicas"):
            return "cluster DNS"
        return self._last_words(*PART_NAMES) or None

    def _last_words(self, *names: str) -> str:
        """Say which parts ended already, and the last line of each one's log."""
        ended = []
        for name in names:
            if self._daemon(name).pid() is None:
                log = layout.LOGS / f"{name}.log"
                lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
                ended.append(f"{name} ended: {lines[-1] if lines else 'it wrote nothing'} (see {log})")
        return f" ({'; '.join(ended)})" if ended else ""

    def _kubectl(self, *words: str, stdin: str | None = None) -> str:
        options = (f"--kubeconfig={paths.KUBECONFIG}", f"--cache-dir={self._state / 'kube-cache'}")
        return run(tool("kubectl"), *options, *words, stdin=stdin, env=_environment())

    def _daemon(self, name: str) -> Daemon:
        return Daemon(name, PIDS, layout.LOGS / f"{name}.log")

    def _remove_state(self) -> None:
        shutil.rmtree(self._state, ignore_errors=True)
        for path in [paths.KUBECONFIG, KUBECTL, self._log, *(layout.LOGS / f"{name}.log" for name in PART_NAMES)]:
            path.unlink(missing_ok=True)
        for folder in (KUBECTL.parent, paths.LOGS, paths.STATE):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _environment() -> dict[str, str]:
    """Return what the parts need other than this shell: iptables on PATH, and no proxy to the bridge's address."""
    proxies = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    return {"PATH": packages.search_path()} | dict.fromkeys(proxies, "")


PART_NAMES = tuple(part.name for part in build_parts(layout.STATE, layout.CANDIDATES[0], Path))
