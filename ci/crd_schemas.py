"""Write JSON schemas of the custom resources that the chart and its GitOps files use: `python -m ci.crd_schemas`.

The definitions come from the Go modules of their projects, at the versions below, so that checks need no network and
no cluster. Descriptions are left out: kubeconform reads the rest alone.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from ci.errors import CommandError
from ci.paths import ROOT
from ci.pins import pins
from ci.stages import Stage, exit_with_words
from ci.tools import find_go

TARGET = ROOT / "tests/chart/schemas"
SOURCES = {
    "PROMETHEUS_OPERATOR_VERSION": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd",
        ("servicemonitors", "podmonitors", "prometheusrules", "alertmanagerconfigs"),
    ),
    "GATEWAY_API_VERSION": ("sigs.k8s.io/gateway-api", "config/crd/standard", ("httproutes",)),
    "ARGO_CD_VERSION": ("github.com/argoproj/argo-cd/v3", "manifests/crds", ("application-crd",)),
    "FLUX_HELM_CONTROLLER_VERSION": ("github.com/fluxcd/helm-controller", "config/crd/bases", ("helmreleases",)),
    "FLUX_SOURCE_CONTROLLER_VERSION": ("github.com/fluxcd/source-controller", "config/crd/bases", ("gitrepositories",)),
}
"""Pin -> Go module, folder of its definitions, and what the wanted files' names contain."""


class Loader(yaml.CSafeLoader):
    """PyYAML's safe one, for which a plain `=`, one of Alertmanager's operators, is a text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def main() -> None:
    """Fetch each module and write the schemas of its kinds."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob("*.json"):
        old.unlink()
    for pin, (module, folder, names) in SOURCES.items():
        with Stage(f"Read {module} {pins()[pin]}"):
            for path in sorted((download(module, pins()[pin]) / folder).glob("*.yaml")):
                if any(name in path.name for name in names):
                    for definition in yaml.load_all(path.read_text(), Loader):
                        write(definition)


def download(module: str, version: str) -> Path:
    """Return the folder of a Go module.

    Raises:
        CommandError: The module proxy does not have it.
    """
    command = [str(find_go()), "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "ci")
    if done.returncode:
        raise CommandError(command, done.returncode, done.stdout + done.stderr)
    return Path(json.loads(done.stdout)["Dir"])


def write(definition: dict[str, Any]) -> None:
    """Write the schema of the version that a CustomResourceDefinition stores: the one to use."""
    spec = definition["spec"]
    for version in (version for version in spec["versions"] if version["storage"]):
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        name = f"{spec['names']['kind'].lower()}-{spec['group'].partition('.')[0]}-{version['name']}.json"
        (TARGET / name).write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")


def strict(part: Any) -> Any:
    """Return a schema without descriptions, that refuses unknown fields and takes what Kubernetes takes for numbers."""
    if isinstance(part, list):
        return [strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    found = {key: strict(value) for key, value in part.items() if not is_prose(key, value)}
    if part.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found and "type" in found:
        found["additionalProperties"] = bool(part.get("x-kubernetes-preserve-unknown-fields"))
    return found


def is_prose(key: str, value: Any) -> bool:
    """Tell whether a keyword says nothing about what is valid; a property of that name has a dict for its value."""
    return not isinstance(value, dict) and (key in ("description", "example") or key.startswith("x-kubernetes-"))


if __name__ == "__main__":
    with exit_with_words():
        main()
